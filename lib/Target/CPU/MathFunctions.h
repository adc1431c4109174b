// Functions of f32 as branch-free arithmetic, on scalars or vectors. Errors are
// against the exact result.
#ifndef EFFC_LIB_TARGET_CPU_MATHFUNCTIONS_H
#define EFFC_LIB_TARGET_CPU_MATHFUNCTIONS_H

#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace effc {

/// Emits at the insertion point of `b`; arguments and results are f32 or
/// vectors of f32.
class MathFunctions {
public:
  explicit MathFunctions(mlir::ImplicitLocOpBuilder &b) : b(b) {}

  mlir::Value exp(mlir::Value x);
  mlir::Value exp2(mlir::Value x);
  mlir::Value expm1(mlir::Value x);
  mlir::Value log(mlir::Value x);
  mlir::Value log2(mlir::Value x);
  mlir::Value log10(mlir::Value x);
  mlir::Value log1p(mlir::Value x);
  mlir::Value tanh(mlir::Value x);
  mlir::Value erf(mlir::Value x);
  /// For |x| < 2^50; beyond, any value in [-1, 1].
  mlir::Value sin(mlir::Value x);
  mlir::Value cos(mlir::Value x);
  mlir::Value pow(mlir::Value x, mlir::Value y);

private:
  using Value = mlir::Value;

  struct Reduced {
    /// 2^n, or a power of two beside it.
    Value scale;
    Value rest;
  };

  /// The constant in the type of `like`.
  Value constant(double value, Value like);
  Value integer(int64_t value, Value like);
  /// The integer or other float type of the shape of `like`.
  mlir::Type shapeLike(Value like, mlir::Type element);
  Value add(Value x, Value y);
  Value sub(Value x, Value y);
  Value mul(Value x, Value y);
  Value div(Value x, Value y);
  Value fma(Value x, Value y, Value z);
  Value abs(Value x);
  Value copySign(Value magnitude, Value sign);
  Value select(Value condition, Value x, Value y);
  Value less(Value x, Value y);
  Value equal(Value x, Value y);
  Value isNaN(Value x);
  /// The value moved into [low, high]; NaN stays.
  Value clamp(Value x, double low, double high);
  Value toBits(Value x);
  Value fromBits(Value bits);
  /// c[0] x^(n-1) + ... + c[n-1].
  Value polynomial(Value x, llvm::ArrayRef<double> coefficients);

  Value expm1Polynomial(Value r);
  Value scaledExp(Value r, Value bits, double factor);
  Value roundToInteger(Value x, double factor, Value &bits);
  Value scaleBy(Value bits, int64_t bias, Value like);
  Value sinCos(Value x, bool cosine);
  Value quarterTurns(Value x);
  Value log2Wide(Value magnitude);
  Value exp2Wide(Value x);

  mlir::ImplicitLocOpBuilder &b;
};

} // namespace effc

#endif // EFFC_LIB_TARGET_CPU_MATHFUNCTIONS_H
