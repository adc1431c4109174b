// What a model holds, found without generating code: a walk over the operations
// after raise, and over the launches after conversion.
#include "Compilation.h"
#include "Eff/Dims.h"
#include "Eff/EffOps.h"
#include "effc/Emit/ModelTable.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/MapVector.h"
#include <nlohmann/json.hpp>

using namespace mlir;
using Json = nlohmann::ordered_json;

namespace effc {

static uint64_t getBytes(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor || !tensor.hasStaticShape() ||
      !tensor.getElementType().isIntOrFloat())
    return 0;
  return llvm::divideCeil(
      tensor.getNumElements() * tensor.getElementTypeBitWidth(), 8);
}

/// Bytes of all operands and results; nothing while a size is free.
static std::optional<int64_t> getTraffic(Operation *op) {
  int64_t bytes = 0;
  auto add = [&](TypeRange types) {
    return llvm::all_of(types, [&](Type type) {
      auto tensor = dyn_cast<RankedTensorType>(type);
      bytes += getBytes(type);
      return !tensor || tensor.hasStaticShape();
    });
  };
  bool known = add(op->getOperandTypes()) && add(op->getResultTypes());
  return known ? std::optional(bytes) : std::nullopt;
}

static std::string getNodeName(Location loc) {
  if (auto name = dyn_cast<NameLoc>(loc))
    return name.getName().str();
  if (auto fused = dyn_cast<FusedLoc>(loc)) {
    SmallVector<std::string> names;
    for (Location part : fused.getLocations())
      if (std::string name = getNodeName(part);
          !name.empty() && !llvm::is_contained(names, name))
        names.push_back(name);
    return llvm::join(names, ",");
  }
  return "";
}

/// The name of a single operation that exporters spell as many; else empty.
static StringRef getIdiom(Operation *op) {
  if (isa<eff::LayerNormOp, eff::RMSNormOp, eff::GroupNormOp, eff::SoftmaxOp,
          eff::AttentionOp, eff::RopeOp>(op))
    return op->getName().stripDialect();
  auto unary = dyn_cast<eff::UnaryOp>(op);
  if (!unary)
    return "";
  switch (unary.getKind()) {
  case eff::UnaryKind::Gelu:
  case eff::UnaryKind::GeluTanh:
  case eff::UnaryKind::QuickGelu:
  case eff::UnaryKind::Silu:
  case eff::UnaryKind::HardSwish:
  case eff::UnaryKind::Mish:
    return eff::stringifyUnaryKind(unary.getKind());
  default:
    return "";
  }
}

static bool isContraction(Operation *op) {
  return isa<eff::MatmulOp, eff::LinearOp, eff::BlockLinearOp, eff::ConvOp,
             eff::ConvTransposeOp, eff::AttentionOp>(op);
}

namespace {

class Checker {
public:
  Checker(func::FuncOp main, CheckResult &result)
      : main(main), result(result) {}

  void run() {
    double contractions = 0, total = 0;
    llvm::MapVector<StringRef, unsigned> idioms;
    for (Operation &op : main.getBody().front()) {
      if (isa<func::ReturnOp>(op))
        continue;
      if (auto constant = dyn_cast<eff::ConstantOp>(op)) {
        result.weightBytes += getBytes(constant.getType());
        ++result.numConstants;
        continue;
      }
      CheckNode node = describe(&op);
      double flops = node.flops.value_or(0);
      total += flops;
      if (isContraction(&op))
        contractions += flops;
      if (StringRef idiom = getIdiom(&op); !idiom.empty())
        ++idioms[idiom];
      result.nodes.push_back(std::move(node));
    }
    for (auto [name, count] : idioms)
      result.idioms.emplace_back(name.str(), count);
    result.quantizableShare = total > 0 ? contractions / total : 0;
    result.signature = describeSignature();
  }

private:
  CheckNode describe(Operation *op) {
    CheckNode node;
    node.name = getNodeName(op->getLoc());
    node.op = op->getName().getStringRef().str();
    // What has no cost only moves elements.
    auto cost = dyn_cast<eff::CostOpInterface>(op);
    node.flops = cost ? eff::getConstant(cost.getFlops()) : 0;
    node.bytes = getTraffic(op);
    return node;
  }

  Json describeTensor(Type type, DictionaryAttr attrs, unsigned index) {
    std::string name = "#" + std::to_string(index);
    if (auto attr = attrs ? attrs.getAs<StringAttr>("eff.name") : StringAttr())
      name = attr.str();
    Json shape = Json::array();
    for (AffineExpr size : eff::getDims(type)) {
      if (auto constant = eff::getConstant(size))
        shape.push_back(*constant);
      else
        shape.push_back(size ? replaceNames(eff::toString(size)) : "?");
    }
    std::string element;
    llvm::raw_string_ostream(element) << getElementTypeOrSelf(type);
    return {{"name", name}, {"type", element}, {"shape", shape}};
  }

  /// s0, s1, ... by the names of the symbols.
  std::string replaceNames(StringRef text) {
    auto symbols = main->getAttrOfType<ArrayAttr>("eff.symbols");
    std::string result;
    while (!text.empty()) {
      StringRef rest = text;
      unsigned index;
      if (symbols && rest.consume_front("s") &&
          !rest.consumeInteger(10, index) && index < symbols.size()) {
        if (auto symbol = dyn_cast<eff::SymbolAttr>(symbols[index])) {
          result += symbol.getName().str();
          text = rest;
          continue;
        }
      }
      result += text.front();
      text = text.drop_front();
    }
    return result;
  }

  std::string describeSignature() {
    Json inputs = Json::array(), outputs = Json::array();
    for (auto [index, type] : llvm::enumerate(main.getArgumentTypes()))
      inputs.push_back(describeTensor(type, main.getArgAttrDict(index), index));
    for (auto [index, type] : llvm::enumerate(main.getResultTypes()))
      outputs.push_back(
          describeTensor(type, main.getResultAttrDict(index), index));
    return Json({{"inputs", inputs}, {"outputs", outputs}})
        .dump(-1, ' ', false, Json::error_handler_t::replace);
  }

  func::FuncOp main;
  CheckResult &result;
};

} // namespace

/// Time and memory of what would run; only where sizes are fixed.
static void predict(ModuleOp module, CheckResult &result) {
  FailureOr<ModelTable> table = buildModelTable({{module, "", 0}}, "model");
  if (failed(table))
    return;
  const ProgramTable &program = table->best().programs.back();
  result.storedWeightBytes = table->weightsSize;
  result.numLaunches = program.launches.size();
  result.arenaBytes = planArena(program);
  auto values = program.evaluateStatic();
  if (!values)
    return;
  // Register tiles come to about two thirds of what two vector units can do at
  // 3 GHz; other kernels to the estimate that decides how many threads to use.
  auto target = module->getAttrOfType<eff::TargetAttr>("eff.target");
  double tileFlopsPerNs = target ? target.getVectorBits() / 4.0 : 64;
  double ns = 0;
  for (const LaunchEntry &launch : program.launches) {
    bool tiles =
        StringRef(table->best().kernels[launch.kernel].choice).contains("gemm");
    ns += tiles ? (*values)[launch.flops] / tileFlopsPerNs +
                      (*values)[launch.bytes] / 16.0
                : (*values)[launch.cost];
  }
  result.estimatedMs = ns / 1e6;
}

static void addVersion(ModuleOp module, CheckResult &result) {
  CheckResult own;
  predict(module, own);
  auto target = module->getAttrOfType<eff::TargetAttr>("eff.target");
  if (result.versions.empty()) {
    result.storedWeightBytes = own.storedWeightBytes;
    result.numLaunches = own.numLaunches;
    result.arenaBytes = own.arenaBytes;
    result.estimatedMs = own.estimatedMs;
  }
  result.versions.push_back({target.getName().str(), own.numLaunches,
                             own.storedWeightBytes, own.estimatedMs});
}

CheckResult check(const CheckOptions &options) {
  CheckResult result;
  CompileOptions compileOptions;
  compileOptions.model = options.model;
  compileOptions.dims = options.dims;
  compileOptions.inputShapes = options.inputShapes;
  compileOptions.inputValues = options.inputValues;
  compileOptions.externalDataDir = options.externalDataDir;
  compileOptions.onDiagnostic = options.onDiagnostic;
  compileOptions.cpu = options.cpu;
  compileOptions.stopAfter = getStageName(Stage::Conversion).str();
  CompileResult compiled;
  std::unique_ptr<MLIRContext> context = createContext();
  Compilation compilation(compileOptions, compiled, context.get());
  compilation.onModule = [&](Stage stage, ModuleOp module) {
    auto main = module.lookupSymbol<func::FuncOp>("main");
    // Above the kernels all versions are alike.
    if (main && stage == Stage::Raise && result.versions.empty())
      Checker(main, result).run();
    if (main && stage == Stage::Conversion)
      addVersion(module, result);
  };
  compilation.run();
  result.exitCode = compiled.exitCode;
  return result;
}

} // namespace effc
