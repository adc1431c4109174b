// Walks the kernels of the host functions, generates a function for each, and
// shares equal ones.
#include "KernelEmitter.h"
#include "effc/Conversion/Passes.h"
#include "effc/Support/Diagnostics.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/ADT/StringMap.h"

using namespace mlir;
using namespace effc;

namespace effc {
#define GEN_PASS_DEF_CONVERTKERNELSTOLOOPS
#include "effc/Conversion/Passes.h.inc"
} // namespace effc

namespace {

/// The names of the ONNX nodes in a location, in order, each once.
void collectNames(Location loc, SetVector<StringRef> &names) {
  if (auto name = dyn_cast<NameLoc>(loc)) {
    names.insert(name.getName().getValue());
  } else if (auto fused = dyn_cast<FusedLoc>(loc)) {
    for (Location part : fused.getLocations())
      collectNames(part, names);
  } else if (auto call = dyn_cast<CallSiteLoc>(loc)) {
    collectNames(call.getCallee(), names);
  }
}

/// The code of a function without its name.
std::string printCode(func::FuncOp function) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  stream << function.getFunctionType();
  for (NamedAttribute attr : function->getAttrs())
    if (attr.getName() != SymbolTable::getSymbolAttrName())
      stream << attr.getName() << "=" << attr.getValue();
  OpPrintingFlags flags;
  flags.useLocalScope();
  for (Operation &op : function.getBody().front()) {
    op.print(stream, flags);
    stream << "\n";
  }
  return text;
}

struct ConvertKernelsToLoops
    : effc::impl::ConvertKernelsToLoopsBase<ConvertKernelsToLoops> {
  using Base::Base;

  /// What a kernel of the runtime gets for the type of an operand: the kind
  /// (signed, unsigned, float, bfloat) times 256 plus the bits in memory.
  AffineExpr getElementCode(Type tensor) {
    Type type = cast<RankedTensorType>(tensor).getElementType();
    int64_t kind = type.isBF16()          ? 3
                   : isa<FloatType>(type) ? 2
                   : isUnsignedType(type) ? 1
                                          : 0;
    int64_t bits = getStorageType(type).getIntOrFloatBitWidth();
    return eff::constDim(&getContext(), kind * 256 + bits);
  }

  /// A kernel that the runtime has: only declared here.
  void callLibrary(effk::KernelOp kernel, eff::LibraryOp op) {
    ModuleOp module = getOperation();
    std::string name = (effk::kLibraryPrefix + op.getName()).str();
    OpBuilder b(kernel);
    if (!module.lookupSymbol(name)) {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToEnd(module.getBody());
      auto function = func::FuncOp::create(b, kernel.getLoc(), name,
                                           b.getFunctionType({}, {}));
      function.setPrivate();
    }
    ArrayRef<AffineExpr> work = op.getWork().getExprs();
    AffineExpr bytes = getAffineConstantExpr(0, &getContext());
    auto addBytes = [&](Type type) {
      unsigned bits =
          getStorageType(cast<RankedTensorType>(type).getElementType())
              .getIntOrFloatBitWidth();
      bytes = bytes + eff::getNumElements(type) * llvm::divideCeil(bits, 8);
    };
    llvm::for_each(op->getOperandTypes(), addBytes);
    llvm::for_each(op->getResultTypes(), addBytes);
    bytes = eff::simplify(bytes);
    SetVector<StringRef> names;
    collectNames(kernel.getLoc(), names);
    // The body may have operands in another order than the kernel.
    SmallVector<Value> inputs;
    for (Value operand : op.getInputs())
      inputs.push_back(
          kernel.getInputs()[cast<BlockArgument>(operand).getArgNumber()]);
    SmallVector<AffineExpr> dims(op.getDims().getExprs());
    for (Value operand : op.getInputs())
      dims.push_back(getElementCode(operand.getType()));
    auto launch = effk::LaunchOp::create(
        b, kernel.getLoc(), kernel.getResultTypes(), name, inputs,
        eff::DimsAttr::get(&getContext(), dims),
        eff::DimsAttr::get(&getContext(), {work[0], work[1], work[2], bytes,
                                           eff::simplify(work[2] + bytes)}),
        llvm::join(names, ","));
    kernel.replaceAllUsesWith(launch.getResults());
    kernel.erase();
    ++numKernels;
  }

  /// Tells what a lock had to say, and leaves a tuner the keys.
  void recordChoices(func::FuncOp function, Location loc,
                     const LoopOptions &options) {
    ModuleOp module = getOperation();
    auto locked = module->getAttrOfType<DictionaryAttr>(kChoicesAttr);
    SmallVector<Attribute> keys;
    for (const ChoiceKey &key : options.choices->takeKeys()) {
      keys.push_back(StringAttr::get(&getContext(), key.print()));
      if (!locked || module->hasAttr(kTuningAttr))
        continue;
      auto choice = locked.getAs<StringAttr>(key.print());
      emitRemark(loc, DiagnosticCode::MeasuredChoice)
          << key.print() << ": "
          << (choice ? choice.getValue()
                     : "not in the lock, the cost model chooses");
    }
    if (module->hasAttr(kTuningAttr) && !keys.empty())
      function->setAttr(kKeysAttr, ArrayAttr::get(&getContext(), keys));
  }

  LogicalResult convert(effk::KernelOp kernel, const LoopOptions &options) {
    Block &body = kernel.getBody().front();
    if (auto library = dyn_cast<eff::LibraryOp>(body.front())) {
      callLibrary(kernel, library);
      return success();
    }
    std::string name =
        ("k" + Twine(functions.size()) + "_" + kernel.getName()).str();
    KernelEmitter emitter(kernel, name, getOperation(), options);
    if (failed(emitter.emit()))
      return failure();
    func::FuncOp function = emitter.getFunction();
    recordChoices(function, kernel.getLoc(), options);
    auto [it, isNew] = functions.try_emplace(printCode(function), name);
    if (isNew)
      ++numFunctions;
    else
      function.erase();
    ++numKernels;
    MLIRContext *context = &getContext();
    LaunchSizes &sizes = emitter.getSizes();
    SetVector<StringRef> names;
    collectNames(kernel.getLoc(), names);
    OpBuilder b(kernel);
    auto launch = effk::LaunchOp::create(
        b, kernel.getLoc(), kernel.getResultTypes(), it->second,
        launchInputs(kernel, emitter, b),
        eff::DimsAttr::get(context, emitter.getDims()),
        eff::DimsAttr::get(context, {sizes.extent, sizes.scratch, sizes.flops,
                                     sizes.bytes, sizes.cost}),
        llvm::join(names, ","));
    kernel.replaceAllUsesWith(launch.getResults());
    kernel.erase();
    return success();
  }

  /// The kernel's operands, with weights that its tile op wants packed
  /// replaced.
  SmallVector<Value> launchInputs(effk::KernelOp kernel, KernelEmitter &emitter,
                                  OpBuilder &b) {
    SmallVector<Value> inputs(kernel.getInputs());
    for (auto [number, layout] : emitter.getPackings()) {
      auto constant = inputs[number].getDefiningOp<eff::ConstantOp>();
      inputs[number] = effk::PackedOp::create(
          b, constant.getLoc(),
          emitter.getPackedType(layout, constant.getType()),
          constant.getValue(), layout);
    }
    return inputs;
  }

  void runOnOperation() override {
    ModuleOp module = getOperation();
    LoopOptions options;
    options.plain = plain;
    options.exact = exact;
    options.winograd = winograd;
    options.target = module->getAttrOfType<eff::TargetAttr>("eff.target");
    if (!options.target)
      options.plain = true;
    KernelChoices choices(options.target,
                          module->getAttrOfType<DictionaryAttr>(kChoicesAttr),
                          module->getAttrOfType<DictionaryAttr>(kPanelsAttr));
    options.choices = &choices;
    functions.clear();
    SmallVector<effk::KernelOp> kernels;
    module.walk([&](effk::KernelOp kernel) { kernels.push_back(kernel); });
    bool ok = true;
    for (effk::KernelOp kernel : kernels)
      ok &= succeeded(convert(kernel, options));
    if (module->hasAttr(kPanelsAttr))
      module->setAttr(kPanelsAttr, choices.getPanels(&getContext()));
    // Constants that only exist packed now are dead.
    module.walk([](eff::ConstantOp constant) {
      if (constant.use_empty())
        constant.erase();
    });
    if (!ok)
      signalPassFailure();
  }

  /// Code of a kernel function -> its name.
  llvm::StringMap<std::string> functions;
};

} // namespace
