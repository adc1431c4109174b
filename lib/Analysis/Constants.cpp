// Elements of constants, wherever they lie.
#include "effc/Analysis/Constants.h"
#include "Eff/EffOps.h"
#include "effrt/effrt_abi.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include <cstring>

using namespace mlir;

namespace effc {

std::optional<ElementKind> getElementKind(Type type) {
  if (type.isF16())
    return ElementKind::F16;
  if (type.isBF16())
    return ElementKind::BF16;
  if (type.isF32())
    return ElementKind::F32;
  if (type.isF64())
    return ElementKind::F64;
  if (isa<Float8E4M3FNType>(type))
    return ElementKind::F8E4M3FN;
  if (isa<Float8E4M3FNUZType>(type))
    return ElementKind::F8E4M3FNUZ;
  if (isa<Float8E5M2Type>(type))
    return ElementKind::F8E5M2;
  if (isa<Float8E5M2FNUZType>(type))
    return ElementKind::F8E5M2FNUZ;
  if (isa<Float8E8M0FNUType>(type))
    return ElementKind::F8E8M0FNU;
  if (isa<Float4E2M1FNType>(type))
    return ElementKind::F4E2M1FN;
  auto integer = dyn_cast<IntegerType>(type);
  if (!integer || integer.isSigned())
    return std::nullopt;
  bool isUnsigned = integer.isUnsigned();
  switch (integer.getWidth()) {
  case 1:
    return ElementKind::Bool;
  case 2:
    return isUnsigned ? ElementKind::UI2 : ElementKind::I2;
  case 3:
    // Only weights have it.
    return isUnsigned ? std::optional(ElementKind::UI3) : std::nullopt;
  case 4:
    return isUnsigned ? ElementKind::UI4 : ElementKind::I4;
  case 8:
    return isUnsigned ? ElementKind::UI8 : ElementKind::I8;
  case 16:
    return isUnsigned ? ElementKind::UI16 : ElementKind::I16;
  case 32:
    return isUnsigned ? ElementKind::UI32 : ElementKind::I32;
  case 64:
    return isUnsigned ? ElementKind::UI64 : ElementKind::I64;
  default:
    return std::nullopt;
  }
}

unsigned getElementSize(ElementKind kind) {
  switch (kind) {
  case ElementKind::Bool:
  case ElementKind::I2:
  case ElementKind::I4:
  case ElementKind::I8:
  case ElementKind::UI2:
  case ElementKind::UI3:
  case ElementKind::UI4:
  case ElementKind::UI8:
  case ElementKind::F8E4M3FN:
  case ElementKind::F8E4M3FNUZ:
  case ElementKind::F8E5M2:
  case ElementKind::F8E5M2FNUZ:
  case ElementKind::F8E8M0FNU:
  case ElementKind::F4E2M1FN:
    return 1;
  case ElementKind::I16:
  case ElementKind::UI16:
  case ElementKind::F16:
  case ElementKind::BF16:
    return 2;
  case ElementKind::I32:
  case ElementKind::UI32:
  case ElementKind::F32:
    return 4;
  case ElementKind::I64:
  case ElementKind::UI64:
  case ElementKind::F64:
    return 8;
  }
  llvm_unreachable("all kinds are listed");
}

unsigned getIntegerBits(ElementKind kind) {
  switch (kind) {
  case ElementKind::Bool:
    return 1;
  case ElementKind::I2:
  case ElementKind::UI2:
    return 2;
  case ElementKind::UI3:
    return 3;
  case ElementKind::I4:
  case ElementKind::UI4:
    return 4;
  default:
    return getElementSize(kind) * 8;
  }
}

const SmallFloatFormat *getSmallFloatFormat(ElementKind kind) {
  switch (kind) {
  case ElementKind::F8E4M3FN:
    return getSmallFloatFormat(EFFRT_DTYPE_F8E4M3FN);
  case ElementKind::F8E4M3FNUZ:
    return getSmallFloatFormat(EFFRT_DTYPE_F8E4M3FNUZ);
  case ElementKind::F8E5M2:
    return getSmallFloatFormat(EFFRT_DTYPE_F8E5M2);
  case ElementKind::F8E5M2FNUZ:
    return getSmallFloatFormat(EFFRT_DTYPE_F8E5M2FNUZ);
  case ElementKind::F8E8M0FNU:
    return getSmallFloatFormat(EFFRT_DTYPE_F8E8M0FNU);
  case ElementKind::F4E2M1FN:
    return getSmallFloatFormat(EFFRT_DTYPE_F4E2M1FN);
  default:
    return nullptr;
  }
}

const SmallFloatFormat *getSmallFloatFormat(Type elementType) {
  std::optional<ElementKind> kind = getElementKind(elementType);
  return kind ? getSmallFloatFormat(*kind) : nullptr;
}

template <typename T> static T load(const char *from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

template <typename T> static void store(char *to, T value) {
  std::memcpy(to, &value, sizeof(T));
}

double loadFloat(ElementKind kind, const char *from) {
  switch (kind) {
  case ElementKind::F16:
    return static_cast<float>(load<_Float16>(from));
  case ElementKind::BF16:
    return llvm::bit_cast<float>(static_cast<uint32_t>(load<uint16_t>(from))
                                 << 16);
  case ElementKind::F32:
    return load<float>(from);
  case ElementKind::F64:
    return load<double>(from);
  default:
    return decodeSmallFloat(*getSmallFloatFormat(kind), load<uint8_t>(from));
  }
}

int64_t loadInt(ElementKind kind, const char *from) {
  switch (kind) {
  case ElementKind::Bool:
    return *from != 0;
  case ElementKind::I2:
  case ElementKind::I4:
    return llvm::SignExtend64(load<uint8_t>(from), getIntegerBits(kind));
  case ElementKind::UI2:
  case ElementKind::UI3:
  case ElementKind::UI4:
    return load<uint8_t>(from) & ((1 << getIntegerBits(kind)) - 1);
  case ElementKind::I8:
    return load<int8_t>(from);
  case ElementKind::I16:
    return load<int16_t>(from);
  case ElementKind::I32:
    return load<int32_t>(from);
  case ElementKind::UI8:
    return load<uint8_t>(from);
  case ElementKind::UI16:
    return load<uint16_t>(from);
  case ElementKind::UI32:
    return load<uint32_t>(from);
  case ElementKind::I64:
  case ElementKind::UI64:
    return load<int64_t>(from);
  default:
    llvm_unreachable("not an integer");
  }
}

float roundToOdd(double value) {
  auto narrow = static_cast<float>(value);
  if (!std::isfinite(value) || static_cast<double>(narrow) == value)
    return narrow;
  auto bits = llvm::bit_cast<uint32_t>(narrow);
  if (std::isinf(narrow))
    return narrow;
  if (std::abs(static_cast<double>(narrow)) > std::abs(value))
    --bits;
  return llvm::bit_cast<float>(bits | 1);
}

static uint16_t toBFloat16(double value) {
  if (std::isnan(value))
    return 0x7fc0;
  auto bits = llvm::bit_cast<uint32_t>(roundToOdd(value));
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

void storeFloat(ElementKind kind, char *to, double value) {
  switch (kind) {
  case ElementKind::F16:
    return store(to, static_cast<_Float16>(roundToOdd(value)));
  case ElementKind::BF16:
    return store(to, toBFloat16(value));
  case ElementKind::F32:
    return store(to, static_cast<float>(value));
  case ElementKind::F64:
    return store(to, value);
  default:
    return store(
        to, encodeSmallFloat(*getSmallFloatFormat(kind), roundToOdd(value)));
  }
}

void storeInt(ElementKind kind, char *to, int64_t value) {
  switch (getElementSize(kind)) {
  case 1:
    if (kind == ElementKind::Bool)
      value = value != 0;
    return store(
        to, static_cast<uint8_t>(value & ((1 << getIntegerBits(kind)) - 1)));
  case 2:
    return store(to, static_cast<int16_t>(value));
  case 4:
    return store(to, static_cast<int32_t>(value));
  default:
    return store(to, value);
  }
}

//===----------------------------------------------------------------------===//
// ConstantReader
//===----------------------------------------------------------------------===//

std::optional<ConstantReader> ConstantReader::get(Attribute value) {
  auto elements = dyn_cast_if_present<ElementsAttr>(value);
  auto type = elements ? dyn_cast<RankedTensorType>(elements.getShapedType())
                       : RankedTensorType();
  std::optional<ElementKind> kind =
      type ? getElementKind(type.getElementType()) : std::nullopt;
  if (!kind || !type.hasStaticShape())
    return std::nullopt;
  ConstantReader reader;
  reader.type = type;
  reader.kind = *kind;
  reader.count = type.getNumElements();
  unsigned size = getElementSize(*kind);
  reader.step = size;
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(value)) {
    AsmResourceBlob *blob = resource.getRawHandle().getBlob();
    if (!blob ||
        blob->getData().size() != static_cast<uint64_t>(reader.count) * size)
      return std::nullopt;
    reader.data = blob->getData().data();
    return reader;
  }
  auto dense = dyn_cast<DenseElementsAttr>(value);
  if (!dense)
    return std::nullopt;
  if (dense.isSplat())
    reader.step = 0;
  if (*kind != ElementKind::Bool) {
    reader.data = dense.getRawData().data();
    return reader;
  }
  reader.unpacked = std::make_shared<std::vector<char>>();
  if (dense.isSplat()) {
    reader.unpacked->push_back(dense.getSplatValue<bool>());
  } else {
    for (bool bit : dense.getValues<bool>())
      reader.unpacked->push_back(bit);
  }
  reader.data = reader.unpacked->data();
  return reader;
}

std::optional<ConstantReader> ConstantReader::get(Value value) {
  auto op = value ? value.getDefiningOp<eff::ConstantOp>() : eff::ConstantOp();
  return op ? get(op.getValue()) : std::nullopt;
}

//===----------------------------------------------------------------------===//
// ConstantBuilder
//===----------------------------------------------------------------------===//

ConstantBuilder::ConstantBuilder(RankedTensorType type, bool splat)
    : type(type), kind(*getElementKind(type.getElementType())),
      elementSize(getElementSize(kind)), splat(splat),
      bytes((splat ? 1 : type.getNumElements()) * elementSize) {}

void ConstantBuilder::setNumber(int64_t index, double value) {
  if (isFloatKind(kind))
    setFloat(index, value);
  else
    setInt(index, static_cast<int64_t>(value));
}

/// From here on a resource is smaller and faster than a uniqued attribute.
static constexpr int64_t maxDenseElements = 64;

ElementsAttr ConstantBuilder::finish(StringRef name) {
  if (kind == ElementKind::Bool &&
      (splat || type.getNumElements() <= maxDenseElements)) {
    SmallVector<bool> bits(bytes.begin(), bytes.end());
    return DenseElementsAttr::get(type, bits);
  }
  if (splat || type.getNumElements() <= maxDenseElements)
    return DenseElementsAttr::getFromRawBuffer(type, bytes);
  auto owner = std::make_unique<std::vector<char>>(std::move(bytes));
  ArrayRef<char> data(*owner);
  AsmResourceBlob blob(
      data, /*dataAlignment=*/8,
      [owner = std::move(owner)](void *, size_t, size_t) mutable {
        owner.reset();
      },
      /*dataIsMutable=*/false);
  return DenseResourceElementsAttr::get(type, name, std::move(blob));
}

std::optional<double> getScalarConstant(Value value) {
  std::optional<ConstantReader> reader = ConstantReader::get(value);
  if (!reader || reader->size() == 0 ||
      (!reader->isSplat() && reader->size() != 1))
    return std::nullopt;
  return reader->getNumber(0);
}

Value createScalar(OpBuilder &builder, Location location, Type elementType,
                   double value) {
  ConstantBuilder constant(RankedTensorType::get({}, elementType));
  constant.setNumber(0, value);
  return eff::ConstantOp::create(builder, location, constant.finish("scalar"));
}

} // namespace effc
