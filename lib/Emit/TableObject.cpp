// The model table (effrt_abi.h) as LLVM constants, and the typed C functions
// around effrt's generic ones. Small: weights are not here.
#include "Objects.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Target/TargetOptions.h"

using namespace mlir;
using llvm::Constant;

namespace effc {

namespace {

class TableEmitter {
public:
  TableEmitter(const ModelTable &table, const TableExtras &extras,
               llvm::Module &module)
      : table(table), extras(extras), symbols(table.name), module(module),
        context(module.getContext()), i32(llvm::Type::getInt32Ty(context)),
        i64(llvm::Type::getInt64Ty(context)),
        ptr(llvm::PointerType::get(context, 0)),
        null(llvm::ConstantPointerNull::get(ptr)) {}

  void emit() {
    llvm::GlobalVariable *desc = emitDescriptions();
    if (extras.typedFunctions)
      emitTypedFunctions(desc);
  }

private:
  Constant *u32(uint64_t value) { return llvm::ConstantInt::get(i32, value); }
  Constant *u64(uint64_t value) { return llvm::ConstantInt::get(i64, value); }
  Constant *structure(ArrayRef<Constant *> fields) {
    return llvm::ConstantStruct::getAnon(context, fields);
  }

  Constant *string(StringRef text) {
    Constant *&global = strings[text];
    if (!global)
      global = makeGlobal(llvm::ConstantDataArray::getString(context, text),
                          /*mergeable=*/true);
    return global;
  }

  Constant *makeGlobal(Constant *value, bool mergeable = false) {
    auto *global =
        new llvm::GlobalVariable(module, value->getType(), /*isConstant=*/true,
                                 llvm::GlobalValue::PrivateLinkage, value, "");
    if (mergeable)
      global->setUnnamedAddr(llvm::GlobalValue::UnnamedAddr::Global);
    return global;
  }

  /// A pointer to the elements, null for none.
  Constant *array(ArrayRef<Constant *> elements) {
    if (elements.empty())
      return null;
    auto *type =
        llvm::ArrayType::get(elements.front()->getType(), elements.size());
    return makeGlobal(llvm::ConstantArray::get(type, elements));
  }

  Constant *array(ArrayRef<uint32_t> values) {
    if (values.empty())
      return null;
    return makeGlobal(llvm::ConstantDataArray::get(context, values),
                      /*mergeable=*/true);
  }

  Constant *emitTensor(const TensorEntry &tensor);
  Constant *emitTensors(ArrayRef<TensorEntry> tensors);
  Constant *emitSymbols(const ProgramTable &program, size_t &numSymbols);
  Constant *emitLaunches(const ProgramTable &program);
  Constant *emitProgram(const ProgramTable &program);
  Constant *emitKernels(size_t version);
  Constant *emitSanitizerHook(StringRef name);
  llvm::GlobalVariable *emitDescriptions();
  Constant *emitDescription(size_t version, Constant *next);
  std::pair<Constant *, Constant *> emitWeights();

  void emitTypedFunctions(llvm::GlobalVariable *desc);
  void emitRun(size_t index);
  void emitForward(StringRef name, StringRef callee, llvm::Type *result,
                   ArrayRef<llvm::Type *> parameters, Constant *first);

  const ModelTable &table;
  const TableExtras &extras;
  ModelSymbols symbols;
  llvm::Module &module;
  llvm::LLVMContext &context;
  llvm::Type *i32, *i64;
  llvm::PointerType *ptr;
  Constant *null;
  llvm::StringMap<Constant *> strings;
  std::pair<Constant *, Constant *> weightsOfAll;
};

} // namespace

Constant *TableEmitter::emitTensor(const TensorEntry &tensor) {
  SmallVector<Constant *> texts;
  for (const std::string &text : tensor.texts)
    texts.push_back(string(text));
  return structure({string(tensor.name), u32(tensor.dtype),
                    u32(tensor.dims.size()), array(tensor.dims), array(texts),
                    u32(tensor.late), u32(0)});
}

Constant *TableEmitter::emitTensors(ArrayRef<TensorEntry> tensors) {
  SmallVector<Constant *> rows;
  for (const TensorEntry &tensor : tensors)
    rows.push_back(emitTensor(tensor));
  return array(rows);
}

Constant *TableEmitter::emitSymbols(const ProgramTable &program,
                                    size_t &numSymbols) {
  SmallVector<Constant *> rows(llvm::count_if(
      program.symbols, [](const SymbolEntry &s) { return !s.isDerived(); }));
  for (auto [index, symbol] : llvm::enumerate(program.symbols))
    if (!symbol.isDerived())
      rows[program.getRow(index)] = structure(
          {string(symbol.name), u32(symbol.getSource()), u32(symbol.input),
           u32(symbol.axis), u32(symbol.dependents.size()),
           array(symbol.dependents), u64(symbol.min), u64(symbol.max)});
  numSymbols = rows.size();
  return array(rows);
}

Constant *TableEmitter::emitLaunches(const ProgramTable &program) {
  SmallVector<Constant *> rows;
  for (const LaunchEntry &launch : program.launches)
    rows.push_back(structure(
        {u32(launch.kernel), u32(launch.buffers.size()), array(launch.buffers),
         array(launch.dims), u32(launch.dims.size()), u32(launch.extent),
         u32(launch.scratch), u32(launch.flops), u32(launch.bytes),
         u32(launch.cost), u32(launch.late), u32(0)}));
  return array(rows);
}

Constant *TableEmitter::emitProgram(const ProgramTable &program) {
  SmallVector<Constant *> dims, checks, buffers, steps;
  for (const effrt_dim_op &op : program.dims)
    dims.push_back(
        structure({u32(op.kind), u32(op.a), u32(op.b), u32(0), u64(op.value)}));
  for (const CheckEntry &check : program.checks)
    checks.push_back(
        structure({u32(check.a), u32(check.b), string(check.message),
                   u32(check.late), u32(0)}));
  for (const effrt_buffer &buffer : program.buffers)
    buffers.push_back(
        structure({u32(buffer.kind), u32(buffer.bytes), u64(buffer.value),
                   u32(buffer.first), u32(buffer.last)}));
  for (const effrt_step &step : program.steps)
    steps.push_back(
        structure({u32(step.kind), u32(step.a), u32(step.b), u32(step.c)}));
  SmallVector<Constant *> states;
  for (const StateEntry &state : program.states)
    states.push_back(
        structure({emitTensor(state.before), emitTensor(state.after)}));
  size_t numSymbols = 0;
  Constant *symbols = emitSymbols(program, numSymbols);
  return structure({string(program.name),
                    symbols,
                    array(dims),
                    array(checks),
                    emitTensors(program.inputs),
                    emitTensors(program.outputs),
                    array(buffers),
                    emitLaunches(program),
                    array(steps),
                    array(states),
                    u32(numSymbols),
                    u32(dims.size()),
                    u32(checks.size()),
                    u32(program.inputs.size()),
                    u32(program.outputs.size()),
                    u32(buffers.size()),
                    u32(program.launches.size()),
                    u32(steps.size()),
                    u32(states.size()),
                    u32(0)});
}

/// The runtime's kernels have the names they are written with.
static std::string getKernelSymbol(const std::string &function,
                                   size_t version) {
  if (StringRef(function).starts_with(effk::kLibraryPrefix))
    return function;
  return getKernelPrefix(version) + function;
}

Constant *TableEmitter::emitKernels(size_t version) {
  auto *type = llvm::FunctionType::get(llvm::Type::getVoidTy(context),
                                       {ptr, i64, i64, ptr}, false);
  SmallVector<Constant *> rows;
  for (const KernelEntry &kernel : table.versions[version].kernels) {
    auto *function = cast<llvm::Function>(
        module
            .getOrInsertFunction(getKernelSymbol(kernel.function, version),
                                 type)
            .getCallee());
    function->setVisibility(llvm::GlobalValue::HiddenVisibility);
    rows.push_back(structure({function, string(kernel.name),
                              string(kernel.origin), string(kernel.choice)}));
  }
  return array(rows);
}

/// A function of the program that loads the library.
Constant *TableEmitter::emitSanitizerHook(StringRef name) {
  if (!extras.sanitize)
    return null;
  auto *type = llvm::FunctionType::get(llvm::Type::getVoidTy(context),
                                       {ptr, i64}, false);
  return cast<Constant>(module.getOrInsertFunction(name, type).getCallee());
}

/// The weights and their file; null where there is none.
std::pair<Constant *, Constant *> TableEmitter::emitWeights() {
  Constant *weights = null, *weightsFile = null;
  if (!extras.weightsFile.empty()) {
    weightsFile = string(extras.weightsFile);
  } else if (table.weightsSize != 0) {
    auto *global = new llvm::GlobalVariable(
        module, llvm::Type::getInt8Ty(context), /*isConstant=*/true,
        llvm::GlobalValue::ExternalLinkage, nullptr, symbols.weights);
    global->setVisibility(llvm::GlobalValue::HiddenVisibility);
    weights = global;
  }
  return {weights, weightsFile};
}

Constant *TableEmitter::emitDescription(size_t index, Constant *next) {
  const VersionTable &version = table.versions[index];
  SmallVector<Constant *> programs;
  for (const ProgramTable &program : version.programs)
    programs.push_back(emitProgram(program));
  auto [weights, weightsFile] = weightsOfAll;
  return structure(
      {u32(EFFRT_MAGIC), u32(EFFRT_ABI_VERSION), u32(sizeof(effrt_model_desc)),
       u32(programs.size()), string(table.name), string(version.target),
       u64(version.cpuFeatures), string(extras.certificate), emitKernels(index),
       array(programs), weights, u64(table.weightsSize), weightsFile,
       u64(extras.weightsHash), u32(version.kernels.size()), u32(0),
       emitSanitizerHook("__asan_poison_memory_region"),
       emitSanitizerHook("__asan_unpoison_memory_region"), next});
}

llvm::GlobalVariable *TableEmitter::emitDescriptions() {
  weightsOfAll = emitWeights();
  Constant *next = null;
  for (size_t version = table.versions.size(); version-- > 1;)
    next = makeGlobal(emitDescription(version, next));
  Constant *desc = emitDescription(0, next);
  auto *global = new llvm::GlobalVariable(
      module, desc->getType(), /*isConstant=*/true,
      llvm::GlobalValue::ExternalLinkage, desc, symbols.table);
  llvm::GlobalAlias::create(desc->getType(), 0,
                            llvm::GlobalValue::ExternalLinkage,
                            ModelSymbols::anyTable, global, &module);
  return global;
}

//===----------------------------------------------------------------------===//
// Typed functions
//===----------------------------------------------------------------------===//

/// `name(parameters...)` calls `callee(first, parameters...)`.
void TableEmitter::emitForward(StringRef name, StringRef callee,
                               llvm::Type *result,
                               ArrayRef<llvm::Type *> parameters,
                               Constant *first) {
  auto *function = llvm::Function::Create(
      llvm::FunctionType::get(result, parameters, false),
      llvm::GlobalValue::ExternalLinkage, table.name + name, module);
  llvm::IRBuilder<> builder(llvm::BasicBlock::Create(context, "", function));
  SmallVector<llvm::Type *> types;
  SmallVector<llvm::Value *> arguments;
  if (first)
    arguments.push_back(first);
  for (llvm::Argument &argument : function->args())
    arguments.push_back(&argument);
  for (llvm::Value *argument : arguments)
    types.push_back(argument->getType());
  auto *type = llvm::FunctionType::get(result, types, false);
  llvm::CallInst *call =
      builder.CreateCall(module.getOrInsertFunction(callee, type), arguments);
  call->setTailCall();
  if (result->isVoidTy())
    builder.CreateRetVoid();
  else
    builder.CreateRet(call);
}

/// Collects the arguments into the arrays of effrt_session_run_symbols.
void TableEmitter::emitRun(size_t index) {
  const ProgramTable &program = table.best().programs[index];
  size_t counts[] = {program.getNumFreeSymbols(), program.inputs.size(),
                     program.outputs.size()};
  size_t numLate = llvm::count_if(
      program.outputs, [](const TensorEntry &output) { return output.late; });
  SmallVector<llvm::Type *> types = {ptr};
  types.append(counts[0], i64);
  types.append(counts[1] + counts[2] + numLate, ptr);
  auto *function = llvm::Function::Create(
      llvm::FunctionType::get(i32, types, false),
      llvm::GlobalValue::ExternalLinkage, getRunFunction(table, index), module);
  llvm::IRBuilder<> builder(llvm::BasicBlock::Create(context, "", function));
  SmallVector<llvm::Value *> arguments = {function->getArg(0), u32(index)};
  unsigned position = 1;
  for (auto [i, count] : llvm::enumerate(counts)) {
    llvm::Type *type = i == 0 ? i64 : ptr;
    if (count == 0) {
      arguments.push_back(null);
      continue;
    }
    llvm::Value *list = builder.CreateAlloca(llvm::ArrayType::get(type, count));
    for (size_t k = 0; k < count; ++k) {
      llvm::Value *argument = function->getArg(position++);
      // Of late size: the session has the data when the run is over.
      if (i == 2 && program.outputs[k].late) {
        ++position;
        argument = null;
      }
      builder.CreateStore(argument,
                          builder.CreateConstInBoundsGEP1_64(type, list, k));
    }
    arguments.push_back(list);
  }
  auto *type = llvm::FunctionType::get(i32, {ptr, i32, ptr, ptr, ptr}, false);
  llvm::Value *status = builder.CreateCall(
      module.getOrInsertFunction("effrt_session_run_symbols", type), arguments);
  position = 1 + counts[0] + counts[1];
  auto *fetch = llvm::FunctionType::get(i32, {ptr, i32, i32, ptr, ptr}, false);
  for (auto [index, output] : llvm::enumerate(program.outputs)) {
    llvm::Value *data = function->getArg(position++);
    if (output.late)
      status = builder.CreateCall(
          module.getOrInsertFunction("effrt_typed_output", fetch),
          {function->getArg(0), status, u32(index), data,
           function->getArg(position++)});
  }
  builder.CreateRet(status);
}

void TableEmitter::emitTypedFunctions(llvm::GlobalVariable *desc) {
  emitForward("_create", "effrt_typed_create", i32, {ptr, ptr}, desc);
  for (size_t i = 0; i < table.best().programs.size(); ++i)
    emitRun(i);
  if (table.hasStates()) {
    emitForward("_reset", "effrt_session_reset", i32, {ptr}, nullptr);
    emitForward("_fork", "effrt_session_fork", i32, {ptr, ptr}, nullptr);
    emitForward("_truncate", "effrt_session_truncate", i32, {ptr, ptr, i64},
                nullptr);
  }
  emitForward("_destroy", "effrt_session_destroy",
              llvm::Type::getVoidTy(context), {ptr}, nullptr);
  emitForward("_status_string", "effrt_status_string", ptr, {i32}, nullptr);
  emitForward("_last_error", "effrt_session_error", ptr, {ptr}, nullptr);
}

LogicalResult writeTableObject(const ModelTable &table,
                               const TableExtras &extras,
                               const llvm::Triple &triple, Location loc,
                               llvm::raw_pwrite_stream &os) {
  llvm::InitializeAllTargetInfos();
  llvm::InitializeAllTargets();
  llvm::InitializeAllTargetMCs();
  llvm::InitializeAllAsmPrinters();
  std::string error;
  const llvm::Target *target =
      llvm::TargetRegistry::lookupTarget(triple, error);
  std::unique_ptr<llvm::TargetMachine> machine;
  if (target)
    machine.reset(target->createTargetMachine(
        triple, "", "", llvm::TargetOptions(), llvm::Reloc::PIC_));
  if (!machine)
    return emitError(loc) << "no code generator for '" << triple.str()
                          << "': " << error;
  llvm::LLVMContext context;
  llvm::Module module(table.name, context);
  module.setTargetTriple(triple);
  module.setDataLayout(machine->createDataLayout());
  module.setPICLevel(llvm::PICLevel::BigPIC);
  TableEmitter(table, extras, module).emit();
  llvm::legacy::PassManager passes;
  if (machine->addPassesToEmitFile(passes, os, nullptr,
                                   llvm::CodeGenFileType::ObjectFile))
    return emitError(loc) << "no object files for '" << triple.str() << "'";
  passes.run(module);
  return success();
}

} // namespace effc
