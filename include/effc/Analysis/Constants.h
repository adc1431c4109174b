// Elements of constants, wherever they lie: in a dense attribute, or in a
// resource blob that refers to the model file (little-endian, row-major, a byte
// a bool). Reading never copies a blob; what is written becomes a new blob.
#ifndef EFFC_ANALYSIS_CONSTANTS_H
#define EFFC_ANALYSIS_CONSTANTS_H

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
  I8,
  I16,
  I32,
  I64,
  UI8,
  UI16,
  UI32,
  UI64,
  F16,
  BF16,
  F32,
  F64
};

std::optional<ElementKind> getElementKind(mlir::Type elementType);

/// Bytes of one element in memory.
unsigned getElementSize(ElementKind kind);

inline bool isFloatKind(ElementKind kind) { return kind >= ElementKind::F16; }

/// Elements as numbers; integers as 64-bit patterns.
double loadFloat(ElementKind kind, const char *from);
int64_t loadInt(ElementKind kind, const char *from);
/// Rounds to nearest even; integers keep their low bits.
void storeFloat(ElementKind kind, char *to, double value);
void storeInt(ElementKind kind, char *to, int64_t value);

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
