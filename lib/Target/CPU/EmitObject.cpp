// Kernel functions to object files. Kernels are dealt into groups of a fixed
// size; each group is a module in a context of its own, so groups compile in
// parallel and the bytes do not depend on how many do so at a time.
#include "effc/Target/CPU/CPUTarget.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/SmallVectorMemoryBuffer.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Support/ThreadPool.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Target/TargetOptions.h"
#include "llvm/Transforms/Instrumentation/AddressSanitizer.h"
#include <mutex>

using namespace mlir;
using namespace effc;

// Small enough to keep two cores busy with a small model, large enough for the
// fixed cost of an LLVM module.
static constexpr unsigned kernelsPerGroup = 8;

namespace {

/// A group's compilation. `error` is set when it failed.
struct GroupJob {
  ModuleOp module;
  std::unique_ptr<llvm::MemoryBuffer> object;
  std::string error;
};

class GroupCompiler {
public:
  GroupCompiler(eff::TargetAttr target, const EmitOptions &options)
      : target(options.machine ? options.machine : target), options(options) {}
  void compile(GroupJob &job) const;

private:
  std::unique_ptr<llvm::TargetMachine>
  createTargetMachine(std::string &error) const;
  void setAttributes(llvm::Module &module) const;
  void optimize(llvm::Module &module, llvm::TargetMachine &machine) const;

  eff::TargetAttr target;
  const EmitOptions &options;
};

} // namespace

std::unique_ptr<llvm::TargetMachine>
GroupCompiler::createTargetMachine(std::string &error) const {
  llvm::Triple triple(getTriple(target));
  const llvm::Target *backend =
      llvm::TargetRegistry::lookupTarget(triple, error);
  if (!backend)
    return nullptr;
  llvm::TargetOptions targetOptions;
  targetOptions.FunctionSections = true;
  targetOptions.DataSections = true;
  auto level = static_cast<llvm::CodeGenOptLevel>(options.optLevel);
  return std::unique_ptr<llvm::TargetMachine>(backend->createTargetMachine(
      triple, target.getCpu(), target.getFeatures(), targetOptions,
      llvm::Reloc::PIC_, llvm::CodeModel::Small, level));
}

void GroupCompiler::setAttributes(llvm::Module &module) const {
  std::string width = std::to_string(target.getVectorBits());
  for (llvm::Function &function : module) {
    if (function.isDeclaration())
      continue;
    function.addFnAttr("target-cpu", target.getCpu());
    if (!target.getTune().empty())
      function.addFnAttr("tune-cpu", target.getTune());
    if (!target.getFeatures().empty())
      function.addFnAttr("target-features", target.getFeatures());
    // Several CPU descriptions prefer 256 bits even where 512 are faster here.
    function.addFnAttr("prefer-vector-width", width);
    function.addFnAttr(llvm::Attribute::NoUnwind);
    if (options.sanitize) {
      function.addFnAttr(llvm::Attribute::SanitizeAddress);
      // Reports walk the stack by its frames.
      function.addFnAttr("frame-pointer", "all");
    }
    function.setUWTableKind(llvm::UWTableKind::None);
    function.setDSOLocal(true);
    if (function.getName().ends_with(".body")) {
      function.setLinkage(llvm::GlobalValue::InternalLinkage);
      function.addFnAttr(llvm::Attribute::NoInline);
    } else {
      function.setVisibility(llvm::GlobalValue::HiddenVisibility);
      function.setName(options.symbolPrefix + function.getName());
    }
  }
}

/// Last, so that only accesses that are left after optimisation are checked.
static void addSanitizer(llvm::ModulePassManager &passes,
                         llvm::OptimizationLevel, llvm::ThinOrFullLTOPhase) {
  llvm::AddressSanitizerOptions sanitizer;
  // Loading must not run code of the library: the program that links the
  // runtime has started it, and kernels have no globals that are written.
  passes.addPass(llvm::AddressSanitizerPass(
      sanitizer, /*UseGlobalGC=*/true, /*UseOdrIndicator=*/false,
      llvm::AsanDtorKind::None, llvm::AsanCtorKind::None));
}

void GroupCompiler::optimize(llvm::Module &module,
                             llvm::TargetMachine &machine) const {
  llvm::PipelineTuningOptions tuning;
  tuning.LoopVectorization = !options.plain;
  tuning.LoopInterleaving = !options.plain;
  tuning.SLPVectorization = !options.plain;
  tuning.LoopUnrolling = true;
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager components;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder builder(&machine, tuning);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(components);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, components, modules);
  if (options.sanitize)
    builder.registerOptimizerLastEPCallback(addSanitizer);
  static constexpr llvm::OptimizationLevel const *optLevels[] = {
      &llvm::OptimizationLevel::O0, &llvm::OptimizationLevel::O1,
      &llvm::OptimizationLevel::O2, &llvm::OptimizationLevel::O3};
  llvm::OptimizationLevel level = *optLevels[options.optLevel];
  llvm::ModulePassManager passes =
      options.optLevel == 0 ? builder.buildO0DefaultPipeline(level)
                            : builder.buildPerModuleDefaultPipeline(level);
  passes.run(module, modules);
}

/// Conversion from scf leaves the options of a loop (see keepItemsApart in
/// LowerKernelABI.cpp) as a foreign attribute of its back edge.
static void applyLoopOptions(ModuleOp module) {
  StringRef name = LLVM::LoopAnnotationAttr::name;
  module.walk([&](LLVM::BrOp branch) {
    if (auto options = branch->getAttrOfType<LLVM::LoopAnnotationAttr>(name))
      branch.setLoopAnnotationAttr(options);
  });
}

void GroupCompiler::compile(GroupJob &job) const {
  std::unique_ptr<llvm::TargetMachine> machine = createTargetMachine(job.error);
  if (!machine)
    return;
  llvm::LLVMContext context;
  applyLoopOptions(job.module);
  std::unique_ptr<llvm::Module> module = translateModuleToLLVMIR(
      job.module, context, job.module.getSymName().value_or("kernels"));
  if (!module) {
    job.error = "translation to LLVM IR failed";
    return;
  }
  module->setTargetTriple(machine->getTargetTriple());
  module->setDataLayout(machine->createDataLayout());
  module->setPICLevel(llvm::PICLevel::BigPIC);
  if (options.rewrite)
    options.rewrite(*module);
  setAttributes(*module);
  optimize(*module, *machine);
  SmallVector<char, 0> bytes;
  llvm::raw_svector_ostream stream(bytes);
  llvm::legacy::PassManager codegen;
  if (machine->addPassesToEmitFile(codegen, stream, nullptr,
                                   llvm::CodeGenFileType::ObjectFile)) {
    job.error = "LLVM's target cannot write object files";
    return;
  }
  codegen.run(*module);
  job.object = std::make_unique<llvm::SmallVectorMemoryBuffer>(
      std::move(bytes), module->getName(), /*RequiresNullTerminator=*/false);
}

/// Copies the kernels into one module a group, all inside one outer module, so
/// that one pass manager lowers them.
static OwningOpRef<ModuleOp> partition(ModuleOp kernels,
                                       eff::TargetAttr target) {
  OwningOpRef<ModuleOp> outer = ModuleOp::create(kernels.getLoc());
  OpBuilder builder = OpBuilder::atBlockEnd(outer->getBody());
  OpBuilder inner(kernels.getContext());
  unsigned count = 0;
  for (auto kernel : kernels.getOps<func::FuncOp>()) {
    if (!kernel->hasAttr("effk.kernel") || kernel.isExternal())
      continue;
    if (count % kernelsPerGroup == 0) {
      auto name = ("kernels." + Twine(count / kernelsPerGroup)).str();
      auto group = ModuleOp::create(builder, kernels.getLoc(), name);
      group->setDiscardableAttrs(kernels->getDiscardableAttrDictionary());
      group->setAttr("eff.target", target);
      inner.setInsertionPointToEnd(group.getBody());
    }
    inner.clone(*kernel.getOperation());
    ++count;
  }
  return outer;
}

static void initializeBackend() {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    LLVMInitializeAArch64TargetInfo();
    LLVMInitializeAArch64Target();
    LLVMInitializeAArch64TargetMC();
    LLVMInitializeAArch64AsmPrinter();
  });
}

void effc::registerCPUTarget(DialectRegistry &registry) {
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
}

FailureOr<ObjectFiles> effc::emitObject(ModuleOp kernels,
                                        eff::TargetAttr target,
                                        const EmitOptions &options) {
  initializeBackend();
  OwningOpRef<ModuleOp> outer = partition(kernels, target);
  PassManager pm(kernels.getContext());
  buildCPUPipeline(pm.nest<ModuleOp>(), target, options.plain);
  if (failed(pm.run(*outer)))
    return failure();

  std::vector<GroupJob> jobs;
  for (auto group : outer->getOps<ModuleOp>())
    jobs.push_back({group, nullptr, ""});
  GroupCompiler compiler(target, options);
  {
    llvm::DefaultThreadPool pool(
        llvm::hardware_concurrency(options.compileThreads));
    for (GroupJob &job : jobs)
      pool.async([&compiler, &job] { compiler.compile(job); });
    pool.wait();
  }
  ObjectFiles objects;
  for (GroupJob &job : jobs) {
    if (!job.error.empty())
      return kernels.emitError() << "cannot compile kernels: " << job.error;
    objects.push_back(std::move(job.object));
  }
  return std::move(objects);
}
