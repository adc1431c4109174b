// What integers of 32 bits are made of: bytes less a zero point.
#ifndef EFFC_LIB_TRANSFORMS_RAISE_INTEGEROPERANDS_H
#define EFFC_LIB_TRANSFORMS_RAISE_INTEGEROPERANDS_H

#include "Eff/EffOps.h"
#include "effc/Analysis/Constants.h"
#include "mlir/IR/PatternMatch.h"
#include <optional>

namespace effc::raise {

/// Builds ops at one place. All arithmetic is in i32 and wraps around.
struct IntegerBuilder {
  mlir::OpBuilder &b;
  mlir::Location loc;

  mlir::Value binary(eff::BinaryKind kind, mlir::Value a, mlir::Value c) {
    return eff::BinaryOp::create(b, loc, kind, a, c);
  }
  mlir::Value convert(mlir::Value x, mlir::Type type) {
    return eff::ConvertOp::create(b, loc, x, type);
  }
  mlir::Value number(mlir::Type type, int64_t value) {
    return createScalar(b, loc, type, static_cast<double>(value));
  }
  mlir::Value constant(llvm::ArrayRef<int32_t> values,
                       llvm::ArrayRef<int64_t> shape);
  /// The sum over one axis, which stays with size 1; of bytes in i32.
  mlir::Value sum(mlir::Value x, int64_t axis);
};

/// A tensor of i32 as bytes less a zero point: `value = bytes - zero`.
class CentredBytes {
public:
  /// Nothing when the value is no such tensor.
  static std::optional<CentredBytes> get(mlir::Value value);

  bool isSigned() const { return !elementType().isUnsignedInteger(); }
  /// The zero point where it is one number known now.
  std::optional<int64_t> getZeroNumber() const;
  /// One for all elements.
  bool hasScalarZero() const;
  /// The same for all elements of the last dim but `fromLast`.
  bool hasUniformZero(int64_t fromLast) const;
  /// Whether the zero point is of the type of the bytes, at run time too.
  bool isZeroOfBytes() const;
  /// An i32 tensor that broadcasts to the value; null for 0.
  mlir::Value getZero() const { return zero; }

  /// The same value with unsigned or signed bytes: by flipping the highest bit,
  /// which moves bytes and zero point by 128.
  void makeUnsigned(IntegerBuilder &builder);
  void makeSigned(IntegerBuilder &builder);

  /// The bytes in the value's shape.
  mlir::Value materialize(IntegerBuilder &builder);

private:
  mlir::Type elementType() const {
    return llvm::cast<mlir::RankedTensorType>(bytes.getType()).getElementType();
  }
  bool readConstant(mlir::Value value);
  void moveBy(IntegerBuilder &builder, int64_t shift, mlir::Type type);

  /// i8 or ui8, before `movements`.
  mlir::Value bytes;
  mlir::Value zero;
  /// Reshapes and transposes between bytes and value, the last first.
  llvm::SmallVector<mlir::Operation *> movements;
};

/// A constant weight of i32 as signed bytes and a shift for each output:
/// `weight = bytes + shift`.
struct ByteWeights {
  mlir::ElementsAttr bytes;
  /// By output; empty when all are 0.
  llvm::SmallVector<int32_t> shifts;
  /// Sums of the weights of each output.
  llvm::SmallVector<int32_t> totals;

  /// `outputOf` gives the output that an element belongs to. Nothing when the
  /// weights of an output differ by more than 255.
  static std::optional<ByteWeights>
  get(const ConstantReader &weight, llvm::ArrayRef<int64_t> shape,
      int64_t outputs, llvm::function_ref<int64_t(int64_t)> outputOf);
};

} // namespace effc::raise

#endif // EFFC_LIB_TRANSFORMS_RAISE_INTEGEROPERANDS_H
