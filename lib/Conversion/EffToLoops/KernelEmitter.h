// Turns one kernel region into a function of loops. The store loop of the
// result *pulls*: it asks for the value of an element, and each op answers in
// terms of elements of its operands. What is fused is simply what is pulled
// through. Ops that cannot answer element by element without repeating work
// (softmax, norms, contractions) are anchors: they own the loop nest, and the
// elementwise ops around them are pulled inside it.
#ifndef EFFC_LIB_CONVERSION_EFFTOLOOPS_KERNELEMITTER_H
#define EFFC_LIB_CONVERSION_EFFTOLOOPS_KERNELEMITTER_H

#include "Eff/EffOps.h"
#include "Effk/EffkOps.h"
#include "effc/Analysis/Choices.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include <functional>
#include <map>

namespace effc {

/// How kernels are generated.
struct LoopOptions {
  /// Scalar loops, no reassociation, no tile ops: the oracle.
  bool plain = false;
  /// Nothing that rounds or spreads more than the model's own sums.
  bool exact = false;
  WinogradUse winograd = WinogradUse::WhereFaster;
  /// Null in the plain path.
  eff::TargetAttr target;
  /// What answers where there is a choice.
  KernelChoices *choices = nullptr;
};

/// The expressions of a launch (see effk.launch): extent, scratch bytes, flops,
/// bytes, cost in ns.
struct LaunchSizes {
  mlir::AffineExpr extent, scratch, flops, bytes, cost;
};

class KernelEmitter {
public:
  using Indices = llvm::SmallVector<mlir::Value, 6>;
  using ElementFn = std::function<mlir::Value(llvm::ArrayRef<mlir::Value>)>;

  /// Starts the function of a kernel: `name` is its symbol. Nothing is emitted
  /// yet.
  KernelEmitter(effk::KernelOp kernel, llvm::StringRef name,
                mlir::ModuleOp module, const LoopOptions &options);

  /// Emits the whole function; an error names the op that has no lowering.
  mlir::LogicalResult emit();

  mlir::func::FuncOp getFunction() { return function; }
  LaunchSizes &getSizes() { return sizes; }
  llvm::ArrayRef<mlir::AffineExpr> getDims() const { return dims; }

  // ---- For the themed files ----

  mlir::OpBuilder b;
  mlir::Location loc;
  LoopOptions options;

  mlir::Value index(int64_t value);
  /// The run-time value of a size; not constant: an argument of the kernel.
  mlir::Value size(mlir::AffineExpr expr);
  mlir::Value sizeOf(mlir::Value tensor, int64_t axis) {
    return size(eff::getDim(tensor.getType(), axis));
  }
  mlir::Value add(mlir::Value a, mlir::Value c);
  mlir::Value sub(mlir::Value a, mlir::Value c);
  mlir::Value mul(mlir::Value a, mlir::Value c);
  mlir::Value div(mlir::Value a, mlir::Value c); ///< of non-negative values
  mlir::Value rem(mlir::Value a, mlir::Value c); ///< of non-negative values
  mlir::Value minimum(mlir::Value a, mlir::Value c);
  mlir::Value maximum(mlir::Value a, mlir::Value c);
  mlir::Value constant(mlir::Type type, double value);
  mlir::Value compare(mlir::arith::CmpIPredicate predicate, mlir::Value a,
                      mlir::Value c);
  mlir::Value toIndex(mlir::Value integer, bool isUnsigned);

  /// The index into a dim of this size that is repeated to `to`, or equal to
  /// it; what only a run knows becomes a factor of 0 or 1.
  mlir::Value repeated(mlir::AffineExpr size, mlir::AffineExpr to,
                       mlir::Value index);
  /// The row-major position of an element in a shape.
  mlir::Value linearize(llvm::ArrayRef<mlir::Value> indices,
                        llvm::ArrayRef<mlir::AffineExpr> shape);
  /// The indices of a row-major position.
  Indices delinearize(mlir::Value position,
                      llvm::ArrayRef<mlir::AffineExpr> shape);

  /// The scalar value of an element of any tensor of the region. Bools are i1.
  mlir::Value element(mlir::Value tensor, llvm::ArrayRef<mlir::Value> indices);
  /// The element, or 0 where one of these axes has no elements at run time, so
  /// that no index into it is in range: nothing is read then.
  mlir::Value elementOrZero(mlir::Value tensor,
                            llvm::ArrayRef<mlir::Value> indices,
                            llvm::ArrayRef<int64_t> axes);
  /// The element as f32, or f64 where the tensor is f64: what sums are made in.
  mlir::Value wideElement(mlir::Value tensor,
                          llvm::ArrayRef<mlir::Value> indices);
  /// From now on `element(tensor, ...)` is answered by the function: an
  /// anchor's result, a row kept in scratch.
  void bind(mlir::Value tensor, ElementFn fn) { bound[tensor] = std::move(fn); }

  /// Stores an element of the kernel's result `number`.
  void store(mlir::Value scalar, unsigned number,
             llvm::ArrayRef<mlir::Value> indices);
  mlir::Value loadFlat(mlir::Value memref, mlir::Value position,
                       mlir::Type elementType);
  void storeFlat(mlir::Value scalar, mlir::Value memref, mlir::Value position);
  mlir::Value getBuffer(mlir::Value tensor) { return buffers.lookup(tensor); }
  mlir::Value getResultBuffer(unsigned number) { return results[number]; }

  /// Emits `for i in [lower, upper) step step`.
  void loop(mlir::Value lower, mlir::Value upper, int64_t step,
            llvm::function_ref<void(mlir::Value)> body);
  void loop(mlir::Value upper, llvm::function_ref<void(mlir::Value)> body) {
    loop(index(0), upper, 1, body);
  }
  /// A loop with carried values; returns what the last iteration yields.
  llvm::SmallVector<mlir::Value> reduceLoop(
      mlir::Value lower, mlir::Value upper, mlir::ValueRange init,
      llvm::function_ref<llvm::SmallVector<mlir::Value>(mlir::Value,
                                                        mlir::ValueRange)>
          body);
  /// Nested loops over a whole shape.
  void loopNest(llvm::ArrayRef<mlir::AffineExpr> shape,
                llvm::function_ref<void(llvm::ArrayRef<mlir::Value>)> body);
  /// Nested reduction loops over a whole shape.
  llvm::SmallVector<mlir::Value> reduceNest(
      llvm::ArrayRef<mlir::AffineExpr> shape, mlir::ValueRange init,
      std::function<llvm::SmallVector<mlir::Value>(llvm::ArrayRef<mlir::Value>,
                                                   mlir::ValueRange)>
          body);
  /// The loop over the launch's iterations [lo, hi).
  void parallelLoop(llvm::function_ref<void(mlir::Value)> body);
  void setExtent(mlir::AffineExpr extent) { sizes.extent = extent; }

  /// A typed buffer of `count` elements in the thread's scratch memory.
  mlir::Value scratch(mlir::Type elementType, mlir::AffineExpr count);

  /// Records a kernel error; hoisted out of the innermost loop where its
  /// condition allows.
  void report(mlir::Value condition, int32_t code);

  /// Runs `fn` with the insertion point before the innermost loop when all
  /// values are defined outside of it.
  mlir::Value hoisted(llvm::ArrayRef<mlir::Value> values,
                      llvm::function_ref<mlir::Value()> fn);

  /// fastmath of sums: reassociation lets LLVM vectorise them; never in the
  /// plain path.
  mlir::arith::FastMathFlags sumFlags() const;
  mlir::arith::FastMathFlags mathFlags() const;

  /// The constant that a kernel input is, when nothing else in the kernel reads
  /// it, so that it may be packed; or null.
  eff::ConstantOp getPackable(mlir::Value tensor);
  /// Asks for a constant input in packed form; its buffer then has the layout's
  /// elements.
  void pack(mlir::Value tensor, effk::PanelAttr layout);
  llvm::ArrayRef<std::pair<unsigned, effk::PanelAttr>> getPackings() const {
    return packings;
  }
  static mlir::RankedTensorType getPackedType(effk::PanelAttr layout,
                                              mlir::RankedTensorType constant);

  /// The larger of two floats in a running maximum. Outside the plain path NaN
  /// may be lost here: use it only where the values themselves carry a NaN on.
  mlir::Value runningMax(mlir::Value a, mlir::Value x);

  effk::KernelOp getKernel() { return kernel; }
  /// The value that result `number` yields.
  mlir::Value getYielded(unsigned number);
  mlir::AffineExpr constExpr(int64_t value);

private:
  mlir::Value definedElement(mlir::OpResult result,
                             llvm::ArrayRef<mlir::Value> indices);
  mlir::LogicalResult emitBody();

  effk::KernelOp kernel;
  mlir::func::FuncOp function;
  LaunchSizes sizes;
  llvm::SmallVector<mlir::AffineExpr> dims;
  llvm::DenseMap<mlir::AffineExpr, mlir::Value> dimValues;
  std::map<int64_t, mlir::Value> indexConstants;
  llvm::DenseMap<mlir::Value, mlir::Value> buffers;
  llvm::SmallVector<mlir::Value> results;
  llvm::DenseMap<mlir::Value, ElementFn> bound;
  llvm::SmallVector<mlir::Operation *> loops;
  llvm::SmallVector<std::pair<unsigned, effk::PanelAttr>> packings;
  mlir::Operation *failedOp = nullptr;
};

/// The type that a tensor's elements have in memory (bool and all types of
/// fewer than nine bits: i8; unsigned: signless).
mlir::Type getStorageType(mlir::Type elementType);
/// The type that a tensor's elements have as scalars (unsigned: signless;
/// integers of fewer bits than eight and floats of eight or four: i8).
mlir::Type getScalarType(mlir::Type elementType);
inline bool isUnsignedType(mlir::Type type) {
  return type.isUnsignedInteger() || type.isInteger(1);
}

// Element functions by theme; null when the op has none.
mlir::Value emitElementwise(KernelEmitter &e, mlir::Operation *op,
                            llvm::ArrayRef<mlir::Value> indices);
mlir::Value emitMovement(KernelEmitter &e, mlir::Operation *op,
                         llvm::ArrayRef<mlir::Value> indices);
mlir::Value emitReduction(KernelEmitter &e, mlir::Operation *op,
                          llvm::ArrayRef<mlir::Value> indices);
mlir::Value emitWindow(KernelEmitter &e, mlir::Operation *op,
                       llvm::ArrayRef<mlir::Value> indices);
mlir::Value emitRoi(KernelEmitter &e, mlir::Operation *op,
                    llvm::ArrayRef<mlir::Value> indices);
mlir::Value emitContraction(KernelEmitter &e, mlir::Operation *op,
                            llvm::ArrayRef<mlir::Value> indices);

/// A scalar of element type `from` as one of `to` (eff.convert); also used by
/// epilogues of tile ops.
mlir::Value convertScalar(KernelEmitter &e, mlir::Value x, mlir::Type from,
                          mlir::Type to, bool saturate = true,
                          eff::RoundMode round = eff::RoundMode::Nearest);
/// The bits of a scalar as element type `to` (eff.bitcast).
mlir::Value bitcastScalar(KernelEmitter &e, mlir::Value x, mlir::Type to);

/// Emits the kernel around its anchor. Returns failure when the op is no anchor
/// of this kind or this form of it has no such lowering; nothing is emitted
/// then.
mlir::LogicalResult emitRowKernel(KernelEmitter &e, mlir::Operation *anchor);
mlir::LogicalResult emitReduceKernel(KernelEmitter &e, mlir::Operation *anchor);
mlir::LogicalResult emitSequentialKernel(KernelEmitter &e,
                                         mlir::Operation *anchor);
mlir::LogicalResult emitSampleKernel(KernelEmitter &e, mlir::Operation *anchor);
mlir::LogicalResult emitDftKernel(KernelEmitter &e, mlir::Operation *anchor);
mlir::LogicalResult emitDetKernel(KernelEmitter &e, mlir::Operation *anchor);
mlir::LogicalResult emitDeformConvKernel(KernelEmitter &e,
                                         mlir::Operation *anchor);
mlir::LogicalResult emitWindowKernel(KernelEmitter &e, mlir::Operation *anchor);
mlir::LogicalResult emitLinearKernel(KernelEmitter &e, mlir::Operation *anchor);
mlir::LogicalResult emitBlockLinearKernel(KernelEmitter &e,
                                          mlir::Operation *anchor);
mlir::LogicalResult emitConvKernel(KernelEmitter &e, mlir::Operation *anchor);
mlir::LogicalResult emitWinogradKernel(KernelEmitter &e,
                                       mlir::Operation *anchor);
mlir::LogicalResult emitDepthwiseKernel(KernelEmitter &e,
                                        mlir::Operation *anchor);
mlir::LogicalResult emitMatmulKernel(KernelEmitter &e, mlir::Operation *anchor);
mlir::LogicalResult emitAttentionKernel(KernelEmitter &e,
                                        mlir::Operation *anchor);
void emitMapKernel(KernelEmitter &e);

} // namespace effc

#endif // EFFC_LIB_CONVERSION_EFFTOLOOPS_KERNELEMITTER_H
