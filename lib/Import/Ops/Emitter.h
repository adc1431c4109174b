// Short names for chains of eff ops, for operators that expand into several.
//
// A null value goes through every step: whatever failed first has reported, so
// an expansion reads as its formula and is checked once, by `setOutput`.
#ifndef EFFC_LIB_IMPORT_OPS_EMITTER_H
#define EFFC_LIB_IMPORT_OPS_EMITTER_H

#include "Utils.h"

namespace effc {

class Emitter {
public:
  explicit Emitter(NodeContext &ctx) : ctx(ctx) {}

  // Elementwise.
  mlir::Value unary(eff::UnaryKind kind, mlir::Value x,
                    std::optional<double> alpha = {},
                    std::optional<double> beta = {}) {
    return effc::unary(ctx, kind, x, alpha, beta);
  }
  mlir::Value binary(eff::BinaryKind kind, mlir::Value a, mlir::Value b) {
    return effc::binary(ctx, kind, a, b);
  }
  mlir::Value binary(eff::BinaryKind kind, mlir::Value a, double b) {
    return binary(kind, a, scalarLike(ctx, a, b));
  }
  mlir::Value add(mlir::Value a, mlir::Value b) {
    return binary(eff::BinaryKind::Add, a, b);
  }
  mlir::Value sub(mlir::Value a, mlir::Value b) {
    return binary(eff::BinaryKind::Sub, a, b);
  }
  mlir::Value mul(mlir::Value a, mlir::Value b) {
    return binary(eff::BinaryKind::Mul, a, b);
  }
  mlir::Value div(mlir::Value a, mlir::Value b) {
    return binary(eff::BinaryKind::Div, a, b);
  }
  mlir::Value add(mlir::Value a, double b) {
    return binary(eff::BinaryKind::Add, a, b);
  }
  mlir::Value mul(mlir::Value a, double b) {
    return binary(eff::BinaryKind::Mul, a, b);
  }
  mlir::Value compare(eff::CompareKind kind, mlir::Value a, mlir::Value b) {
    return effc::compare(ctx, kind, a, b);
  }
  mlir::Value compare(eff::CompareKind kind, mlir::Value a, double b) {
    return compare(kind, a, scalarLike(ctx, a, b));
  }
  mlir::Value both(mlir::Value a, mlir::Value b) {
    return binary(eff::BinaryKind::And, a, b);
  }
  mlir::Value select(mlir::Value condition, mlir::Value a, mlir::Value b) {
    return effc::select(ctx, condition, a, b);
  }
  mlir::Value convert(mlir::Value x, mlir::Type elementType) {
    return convertTo(ctx, x, elementType);
  }

  // Constants.
  mlir::Value scalar(mlir::Type elementType, double value) {
    return ctx.splat(elementType, value);
  }
  /// Every element is `value`.
  mlir::Value splat(mlir::Type elementType,
                    llvm::ArrayRef<mlir::AffineExpr> dims, double value) {
    return broadcast(scalar(elementType, value), dims);
  }
  /// start + step * index along `axis`.
  mlir::Value iota(mlir::Type elementType,
                   llvm::ArrayRef<mlir::AffineExpr> dims, int64_t axis,
                   mlir::AffineExpr start, int64_t step = 1) {
    return effc::iota(ctx, dims, elementType, axis, start, constant(step));
  }

  // Movement.
  mlir::Value reshape(mlir::Value x, llvm::ArrayRef<mlir::AffineExpr> dims) {
    return reshapeTo(ctx, x, dims);
  }
  /// Inserts dims of size 1 at these places of the result.
  mlir::Value unsqueeze(mlir::Value x, llvm::ArrayRef<int64_t> axes);
  mlir::Value squeeze(mlir::Value x, llvm::ArrayRef<int64_t> axes);
  mlir::Value transpose(mlir::Value x, llvm::ArrayRef<int64_t> permutation) {
    return effc::transpose(ctx, x, permutation);
  }
  mlir::Value broadcast(mlir::Value x, llvm::ArrayRef<mlir::AffineExpr> dims) {
    return broadcastTo(ctx, x, dims);
  }
  mlir::Value concat(llvm::ArrayRef<mlir::Value> inputs, int64_t axis) {
    return effc::concat(ctx, inputs, axis);
  }
  mlir::Value slice(mlir::Value x, int64_t axis, mlir::AffineExpr offset,
                    mlir::AffineExpr size) {
    return sliceAxis(ctx, x, axis, offset, size);
  }
  /// `size` elements of one axis, every `stride`-th from `offset` on.
  mlir::Value sliceBy(mlir::Value x, int64_t axis, int64_t offset,
                      mlir::AffineExpr size, int64_t stride);
  /// The first axis from its end to its start.
  mlir::Value reverse(mlir::Value x);
  /// `count` equal parts of one axis.
  llvm::SmallVector<mlir::Value> split(mlir::Value x, int64_t axis,
                                       int64_t count);
  /// Pads every dim by `low` before and `high` after.
  mlir::Value pad(mlir::Value x, llvm::ArrayRef<mlir::AffineExpr> low,
                  llvm::ArrayRef<mlir::AffineExpr> high,
                  mlir::Value value = {});
  mlir::Value gather(mlir::Value x, mlir::Value indices, int64_t axis) {
    return ctx.create<eff::GatherOp>(x, indices, uint64_t(axis));
  }

  // Contractions and reductions.
  mlir::Value matmul(mlir::Value a, mlir::Value b, bool transposeA = false,
                     bool transposeB = false) {
    return ctx.create<eff::MatmulOp>(a, b, transposeA, transposeB);
  }
  mlir::Value reduce(eff::ReduceKind kind, mlir::Value x,
                     llvm::ArrayRef<int64_t> axes, bool keepdims) {
    return effc::reduce(ctx, kind, x, axes, keepdims);
  }
  mlir::Value softmax(mlir::Value x, int64_t axis, bool log = false) {
    return x ? ctx.create<eff::SoftmaxOp>(x, uint64_t(axis), log)
             : mlir::Value();
  }

  // Sizes; harmless on null values.
  mlir::AffineExpr constant(int64_t value) {
    return eff::constDim(ctx.context(), value);
  }
  eff::Dims dims(mlir::Value x) {
    return x ? eff::getDims(x.getType()) : eff::Dims();
  }
  mlir::AffineExpr dim(mlir::Value x, int64_t axis) {
    eff::Dims all = dims(x);
    return axis < int64_t(all.size()) ? all[axis] : constant(1);
  }

  NodeContext &ctx;
};

inline bool isFloat(mlir::Value x) {
  return llvm::isa<mlir::FloatType>(elementTypeOf(x));
}

/// The constant that a value is made of, else null; looks through nothing.
eff::ConstantOp constantOf(mlir::Value value);

} // namespace effc

#endif // EFFC_LIB_IMPORT_OPS_EMITTER_H
