// Order of the passes, stage by stage, with the reason where order matters.
#include "effc/Pipeline/Stages.h"
#include "effc/Conversion/Passes.h"
#include "effc/Fusion/Passes.h"
#include "effc/Target/CPU/CPUTarget.h"
#include "effc/Transforms/Passes.h"
#include "effc/Transforms/Quantize/Passes.h"
#include "effc/Transforms/Raise/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace effc;

static constexpr std::pair<Stage, StringLiteral> stageNames[] = {
    {Stage::Import, "import"}, {Stage::Normalize, "normalize"},
    {Stage::Raise, "raise"},   {Stage::Layout, "layout"},
    {Stage::Fusion, "fusion"}, {Stage::Conversion, "conversion"}};

ArrayRef<Stage> effc::getStages() {
  static constexpr Stage stages[] = {Stage::Import, Stage::Normalize,
                                     Stage::Raise,  Stage::Layout,
                                     Stage::Fusion, Stage::Conversion};
  return stages;
}

StringRef effc::getStageName(Stage stage) {
  return stageNames[static_cast<size_t>(stage)].second;
}

std::optional<Stage> effc::parseStage(StringRef name) {
  for (auto [stage, text] : stageNames)
    if (name == text)
      return stage;
  return std::nullopt;
}

/// One form for what exporters write in many. The plain path keeps the model as
/// it was written.
static void buildNormalize(OpPassManager &pm, const PipelineOptions &options) {
  // Equal constants and equal subgraphs first: patterns look for single uses.
  pm.addNestedPass<func::FuncOp>(createCSEPass());
  ConvertFloatOptions convert;
  if (options.plain && !options.f64)
    return;
  if (options.plain) {
    convert.to = "f64";
    convert.from = {"f16", "bf16", "f32"};
  } else {
    // Kernels compute in f32; half precision is for arguments and results.
    convert.to = "f32";
    convert.from = {"f16", "bf16"};
  }
  pm.addNestedPass<func::FuncOp>(createConvertFloat(convert));
  // Folding would make floats of quantised weights.
  if (!options.plain)
    pm.addNestedPass<func::FuncOp>(createRaiseDequantized());
  // Patterns want constants, not computations of constants.
  pm.addNestedPass<func::FuncOp>(createFoldConstants());
  if (options.plain)
    return;
  pm.addNestedPass<func::FuncOp>(createSubstituteSizes());
  pm.addNestedPass<func::FuncOp>(createCanonicalizeModel());
}

/// Composite operations for what frameworks write out.
static void buildRaise(OpPassManager &pm, const PipelineOptions &options) {
  if (options.plain)
    return;
  pm.addNestedPass<func::FuncOp>(createRaiseIntegerProducts());
  pm.addNestedPass<func::FuncOp>(createRaiseActivations());
  pm.addNestedPass<func::FuncOp>(createRaiseNorms());
  pm.addNestedPass<func::FuncOp>(createRaiseSoftmax());
  pm.addNestedPass<func::FuncOp>(createRaiseRope());
  // A softmax may have been written out.
  pm.addNestedPass<func::FuncOp>(createRaiseAttention());
}

/// The layers that a scheme leaves out, or nothing where it has none.
static std::optional<SmallVector<std::string>>
getSkipped(const PipelineOptions &options, StringRef scheme) {
  SmallVector<std::string> skipped;
  bool any = options.quantize == scheme;
  if (!any)
    skipped.push_back("*");
  for (const auto &[nodes, other] : options.layerSchemes) {
    any |= other == scheme;
    skipped.push_back(other == scheme ? "!" + nodes : nodes);
  }
  if (!any)
    return std::nullopt;
  return skipped;
}

ArrayRef<WeightScheme> effc::getWeightSchemes() {
  static const std::vector<WeightScheme> schemes = [] {
    std::vector<WeightScheme> list = {{"w8", 8, 128}, {"w8a", 8, 128, true}};
    for (int64_t bits : {4, 3, 2})
      for (bool asymmetric : {false, true})
        for (int64_t group : {32, 64, 128})
          list.push_back({"w" + std::to_string(bits) + "g" +
                              std::to_string(group) + (asymmetric ? "a" : ""),
                          bits, group, asymmetric});
    for (int64_t group : {32, 64, 128})
      list.push_back({"nf4g" + std::to_string(group), 4, group,
                      /*asymmetric=*/false, /*nf4=*/true});
    list.push_back({"ternary", 2, 0, /*asymmetric=*/false, /*nf4=*/false,
                    /*lossless=*/true});
    return list;
  }();
  return schemes;
}

static void buildQuantizeWeights(OpPassManager &pm, const WeightScheme &scheme,
                                 const PipelineOptions &options) {
  std::optional<SmallVector<std::string>> skipped =
      getSkipped(options, scheme.name);
  if (!skipped)
    return;
  QuantizeWeightsOptions quantize;
  quantize.skip = std::move(*skipped);
  quantize.bits = scheme.bits;
  quantize.group = scheme.group;
  quantize.asymmetric = scheme.asymmetric;
  quantize.nf4 = scheme.nf4;
  quantize.lossless = scheme.lossless;
  pm.addNestedPass<func::FuncOp>(
      createQuantizeWeights(quantize, options.targets));
}

static void buildQuantize(OpPassManager &pm, const PipelineOptions &options) {
  bool hasIntegers = false;
  if (auto skipped = getSkipped(options, "int8")) {
    QuantizeInt8Options quantize;
    quantize.skip = std::move(*skipped);
    pm.addNestedPass<func::FuncOp>(
        createQuantizeInt8(quantize, options.statistics, options.targets));
    hasIntegers = true;
  }
  if (auto skipped = getSkipped(options, "int8-dynamic")) {
    QuantizeDynamicOptions quantize;
    quantize.skip = std::move(*skipped);
    pm.addNestedPass<func::FuncOp>(
        createQuantizeDynamic(quantize, options.targets));
    hasIntegers = true;
  }
  if (hasIntegers) {
    pm.addNestedPass<func::FuncOp>(createRaiseDequantized());
    pm.addNestedPass<func::FuncOp>(createRaiseIntegerProducts());
  }
  for (const WeightScheme &scheme : getWeightSchemes())
    buildQuantizeWeights(pm, scheme, options);
  if (auto skipped = getSkipped(options, "bf16")) {
    QuantizeBf16Options quantize;
    quantize.skip = std::move(*skipped);
    pm.addNestedPass<func::FuncOp>(
        createQuantizeBf16(quantize, options.targets));
  }
}

static void buildLayout(OpPassManager &pm, const PipelineOptions &options) {
  if (options.plain)
    return;
  pm.addNestedPass<func::FuncOp>(createPropagateLayout());
  // Once it is settled what is a product and what moves.
  if (options.probes)
    pm.addNestedPass<func::FuncOp>(createInsertProbes());
  buildQuantize(pm, options);
  ReportLayersOptions report;
  report.quiet = options.quiet;
  for (const auto &[nodes, scheme] : options.layerSchemes)
    report.patterns.push_back(nodes);
  pm.addNestedPass<func::FuncOp>(createReportLayers(report));
  // Once it is settled what has which type.
  pm.addNestedPass<func::FuncOp>(createPadMaps());
  // Constants beside permuted values got transposes, and weights conversions.
  pm.addNestedPass<func::FuncOp>(createFoldConstants());
  pm.addNestedPass<func::FuncOp>(createCSEPass());
}

static void buildFusion(OpPassManager &pm, const PipelineOptions &options) {
  FormKernelsOptions form;
  form.fuse = !options.plain;
  pm.addNestedPass<func::FuncOp>(createFormKernels(form));
}

static void buildConversion(OpPassManager &pm, const PipelineOptions &options) {
  ConvertKernelsToLoopsOptions convert;
  convert.plain = options.plain;
  convert.exact = options.exact;
  convert.winograd = options.winograd;
  pm.addPass(createConvertKernelsToLoops(convert));
  // Pulling elements repeats index arithmetic; cleaning it up here keeps the
  // LLVM IR small.
  pm.addNestedPass<func::FuncOp>(createCSEPass());
  pm.addNestedPass<func::FuncOp>(createCanonicalizerPass());
  pm.addNestedPass<func::FuncOp>(createLoopInvariantCodeMotionPass());
}

void effc::buildStage(OpPassManager &pm, Stage stage,
                      const PipelineOptions &options) {
  switch (stage) {
  case Stage::Import:
    return;
  case Stage::Normalize:
    return buildNormalize(pm, options);
  case Stage::Raise:
    return buildRaise(pm, options);
  case Stage::Layout:
    return buildLayout(pm, options);
  case Stage::Fusion:
    return buildFusion(pm, options);
  case Stage::Conversion:
    return buildConversion(pm, options);
  }
}

LogicalResult effc::runStages(ModuleOp module, const PipelineOptions &options) {
  for (Stage stage : getStages()) {
    if (stage > options.stopAfter)
      break;
    if (stage >= options.startAt && stage != Stage::Import) {
      PassManager pm(module->getName());
      pm.enableVerifier(options.verify);
      if (options.configure)
        options.configure(pm);
      buildStage(pm, stage, options);
      if (failed(pm.run(module)) || failed(checkGate(module, stage)))
        return failure();
    } else if (stage != Stage::Import || options.startAt > Stage::Normalize) {
      continue;
    }
    if (options.afterStage && failed(options.afterStage(stage, module)))
      return failure();
  }
  return success();
}

void effc::registerStagePipelines() {
  for (bool plain : {false, true})
    PassPipelineRegistration<>(
        plain ? "effc-codegen-stage-plain" : "effc-codegen-stage",
        "Kernel functions to the LLVM dialect", [plain](OpPassManager &pm) {
          buildCPUPipeline(pm, eff::TargetAttr(), plain);
        });
  for (Stage stage : getStages()) {
    if (stage == Stage::Import)
      continue;
    for (bool plain : {false, true}) {
      std::string name =
          ("effc-" + getStageName(stage) + (plain ? "-stage-plain" : "-stage"))
              .str();
      PassPipelineRegistration<>(name,
                                 ("The stage " + getStageName(stage) +
                                  (plain ? " of the plain path" : ""))
                                     .str(),
                                 [stage, plain](OpPassManager &pm) {
                                   PipelineOptions options;
                                   options.plain = plain;
                                   buildStage(pm, stage, options);
                                 });
    }
  }
}
