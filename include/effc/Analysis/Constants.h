// Elements of constants, wherever they lie: in a dense attribute, or in a
// resource blob that refers to the model file (little-endian, row-major, a byte
// a bool and for every type of fewer bits). Reading never copies a blob; what
// is written becomes a new blob.
#ifndef EFFC_ANALYSIS_CONSTANTS_H
#define EFFC_ANALYSIS_CONSTANTS_H

#include "effc/Support/SmallFloats.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Value.h"
#include <memory>
#include <optional>
#include <vector>

namespace mlir {
class Location;
class OpBuilder;
} // namespace mlir

namespace effc {

enum class ElementKind {
  Bool,
  I2,
  I4,
  I8,
  I16,
  I32,
  I64,
  UI2,
  UI3,
  UI4,
  UI8,
  UI16,
  UI32,
  UI64,
  F16,
  BF16,
  F32,
  F64,
  F8E4M3FN,
  F8E4M3FNUZ,
  F8E5M2,
  F8E5M2FNUZ,
  F8E8M0FNU,
  F4E2M1FN
};

std::optional<ElementKind> getElementKind(mlir::Type elementType);

/// Bytes of one element in memory.
unsigned getElementSize(ElementKind kind);

/// Bits of an integer's value; 1 for bool.
unsigned getIntegerBits(ElementKind kind);

/// The format of a float of 8 or 4 bits, null for all other types.
const SmallFloatFormat *getSmallFloatFormat(mlir::Type elementType);
const SmallFloatFormat *getSmallFloatFormat(ElementKind kind);

inline bool isFloatKind(ElementKind kind) { return kind >= ElementKind::F16; }
inline bool isUnsignedKind(ElementKind kind) {
  return kind >= ElementKind::UI2 && kind <= ElementKind::UI64;
}

/// Elements as numbers; integers as 64-bit patterns. Of bytes that hold fewer
/// bits only the low ones count.
double loadFloat(ElementKind kind, const char *from);
int64_t loadInt(ElementKind kind, const char *from);
/// Rounds to nearest even, saturating where the format has 8 or 4 bits;
/// integers keep their low bits, the rest of their byte is zero as in MLIR's
/// attributes.
void storeFloat(ElementKind kind, char *to, double value);
void storeInt(ElementKind kind, char *to, int64_t value);

/// The float that rounds to fewer bits as the double would: to odd where it is
/// not exact, so that the second rounding is the only one that counts.
float roundToOdd(double value);

/// Reads the elements of a constant.
class ConstantReader {
public:
  /// Nothing when the attribute is of another sort, or its blob is missing or
  /// of another size.
  static std::optional<ConstantReader> get(mlir::Attribute value);
  /// Nothing unless the value is the result of an eff.constant.
  static std::optional<ConstantReader> get(mlir::Value value);

  mlir::RankedTensorType getType() const { return type; }
  ElementKind getKind() const { return kind; }
  int64_t size() const { return count; }
  bool isSplat() const { return step == 0; }
  /// The element in memory; one pointer serves all elements of a splat.
  const char *at(int64_t index) const { return data + index * step; }

  double getFloat(int64_t index) const { return loadFloat(kind, at(index)); }
  int64_t getInt(int64_t index) const { return loadInt(kind, at(index)); }
  /// Integers are converted.
  double getNumber(int64_t index) const {
    return isFloatKind(kind) ? getFloat(index)
                             : static_cast<double>(getInt(index));
  }

private:
  mlir::RankedTensorType type;
  ElementKind kind = ElementKind::F32;
  int64_t count = 0, step = 0;
  const char *data = nullptr;
  /// Bools of dense attributes are packed bits; this holds their bytes.
  std::shared_ptr<std::vector<char>> unpacked;
};

/// Collects the elements of a new constant.
class ConstantBuilder {
public:
  /// A splat needs only element 0.
  explicit ConstantBuilder(mlir::RankedTensorType type, bool splat = false);
  ElementKind getKind() const { return kind; }
  char *at(int64_t index) { return bytes.data() + index * elementSize; }
  void setFloat(int64_t index, double value) {
    storeFloat(kind, at(index), value);
  }
  void setInt(int64_t index, int64_t value) {
    storeInt(kind, at(index), value);
  }
  void setNumber(int64_t index, double value);
  /// Small ones become dense attributes, others resources whose name begins
  /// with `name`.
  mlir::ElementsAttr finish(llvm::StringRef name);

private:
  mlir::RankedTensorType type;
  ElementKind kind;
  unsigned elementSize;
  bool splat;
  std::vector<char> bytes;
};

/// The number that every element of a constant is, if there is one such.
std::optional<double> getScalarConstant(mlir::Value value);

/// A constant of rank 0.
mlir::Value createScalar(mlir::OpBuilder &builder, mlir::Location location,
                         mlir::Type elementType, double value);

} // namespace effc

#endif // EFFC_ANALYSIS_CONSTANTS_H
