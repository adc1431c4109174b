// What the kernels share that read images at places that data decide: float
// arithmetic that stays defined for NaN and infinity, taps of a linear filter,
// checked image numbers.
#ifndef EFFC_LIB_CONVERSION_EFFTOLOOPS_SAMPLING_H
#define EFFC_LIB_CONVERSION_EFFTOLOOPS_SAMPLING_H

#include "KernelEmitter.h"
#include "mlir/Dialect/Math/IR/Math.h"

namespace effc {

/// Arithmetic on coordinates of one float type.
struct Coordinates {
  KernelEmitter &e;
  mlir::OpBuilder &b;
  mlir::Location loc;
  mlir::Type type;
  mlir::arith::FastMathFlags flags;

  Coordinates(KernelEmitter &e, mlir::Type type)
      : e(e), b(e.b), loc(e.loc), type(type), flags(e.mathFlags()) {}

  mlir::Value number(double x) { return e.constant(type, x); }
  /// Of an index.
  mlir::Value real(mlir::Value index) {
    return mlir::arith::SIToFPOp::create(
        b, loc, type,
        mlir::arith::IndexCastOp::create(b, loc, b.getI64Type(), index));
  }
  mlir::Value add(mlir::Value x, mlir::Value y) {
    return mlir::arith::AddFOp::create(b, loc, x, y, flags);
  }
  mlir::Value sub(mlir::Value x, mlir::Value y) {
    return mlir::arith::SubFOp::create(b, loc, x, y, flags);
  }
  mlir::Value mul(mlir::Value x, mlir::Value y) {
    return mlir::arith::MulFOp::create(b, loc, x, y, flags);
  }
  mlir::Value div(mlir::Value x, mlir::Value y) {
    return mlir::arith::DivFOp::create(b, loc, x, y, flags);
  }
  mlir::Value floor(mlir::Value x) {
    return mlir::math::FloorOp::create(b, loc, x);
  }
  mlir::Value ceil(mlir::Value x) {
    return mlir::math::CeilOp::create(b, loc, x);
  }
  /// Of a NaN and a number these give the number.
  mlir::Value minimum(mlir::Value x, mlir::Value y) {
    return mlir::arith::MinNumFOp::create(b, loc, x, y);
  }
  mlir::Value maximum(mlir::Value x, mlir::Value y) {
    return mlir::arith::MaxNumFOp::create(b, loc, x, y);
  }
  mlir::Value less(mlir::Value x, mlir::Value y) {
    return mlir::arith::CmpFOp::create(b, loc, mlir::arith::CmpFPredicate::OLT,
                                       x, y);
  }
  mlir::Value either(mlir::Value x, mlir::Value y) {
    return mlir::arith::OrIOp::create(b, loc, x, y);
  }
  mlir::Value select(mlir::Value c, mlir::Value x, mlir::Value y) {
    return b.createOrFold<mlir::arith::SelectOp>(loc, c, x, y);
  }
  /// x in [low, high]; low for NaN.
  mlir::Value clamp(mlir::Value x, mlir::Value low, mlir::Value high) {
    return minimum(maximum(x, low), high);
  }
  /// Of an integral value in the range of the type.
  mlir::Value index(mlir::Value x) {
    return mlir::arith::IndexCastOp::create(
        b, loc, b.getIndexType(),
        mlir::arith::FPToSIOp::create(b, loc, b.getI64Type(), x));
  }

  /// The two pixels around x of an axis with zeros outside, and their weights;
  /// the index of a pixel outside is -1.
  struct LinearTaps {
    mlir::Value indices[2], weights[2];
  };
  LinearTaps linearTaps(mlir::Value x, mlir::Value extent);
};

/// The type of coordinates: that of `tensor`, but at least f32.
mlir::Type coordinateType(mlir::Value tensor);

/// An image number, reported and replaced by 0 when it is out of range.
mlir::Value checkedImage(KernelEmitter &e, mlir::Value image,
                         mlir::Value count);

} // namespace effc

#endif // EFFC_LIB_CONVERSION_EFFTOLOOPS_SAMPLING_H
