// TensorProto payloads: typed fields, raw bytes or external files, checked
// against the dims before anything is touched.
#include "TensorData.h"
#include "ModelFile.h"
#include "ModelLimits.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "onnx/onnx-ml.pb.h"
#include "llvm/Support/MathExtras.h"

#include <cstring>

using namespace mlir;
using onnx::TensorProto;

namespace effc {

static constexpr int maxRank = 64;

Type getElementType(MLIRContext *context, int dataType) {
  auto integer = [&](unsigned width) {
    return IntegerType::get(context, width);
  };
  auto natural = [&](unsigned width) {
    return IntegerType::get(context, width, IntegerType::Unsigned);
  };
  switch (dataType) {
  case TensorProto::FLOAT:
    return Float32Type::get(context);
  case TensorProto::DOUBLE:
    return Float64Type::get(context);
  case TensorProto::FLOAT16:
    return Float16Type::get(context);
  case TensorProto::BFLOAT16:
    return BFloat16Type::get(context);
  case TensorProto::FLOAT8E4M3FN:
    return Float8E4M3FNType::get(context);
  case TensorProto::FLOAT8E4M3FNUZ:
    return Float8E4M3FNUZType::get(context);
  case TensorProto::FLOAT8E5M2:
    return Float8E5M2Type::get(context);
  case TensorProto::FLOAT8E5M2FNUZ:
    return Float8E5M2FNUZType::get(context);
  case TensorProto::FLOAT8E8M0:
    return Float8E8M0FNUType::get(context);
  case TensorProto::FLOAT4E2M1:
    return Float4E2M1FNType::get(context);
  case TensorProto::INT2:
    return integer(2);
  case TensorProto::INT4:
    return integer(4);
  case TensorProto::INT8:
    return integer(8);
  case TensorProto::INT16:
    return integer(16);
  case TensorProto::INT32:
    return integer(32);
  case TensorProto::INT64:
    return integer(64);
  case TensorProto::BOOL:
    return integer(1);
  case TensorProto::UINT2:
    return natural(2);
  case TensorProto::UINT4:
    return natural(4);
  case TensorProto::UINT8:
    return natural(8);
  case TensorProto::UINT16:
    return natural(16);
  case TensorProto::UINT32:
    return natural(32);
  case TensorProto::UINT64:
    return natural(64);
  default:
    return {};
  }
}

StringRef getDataTypeName(int dataType) {
  static constexpr StringRef names[] = {
      "undefined",      "float",        "uint8",          "int8",
      "uint16",         "int16",        "int32",          "int64",
      "string",         "bool",         "float16",        "double",
      "uint32",         "uint64",       "complex64",      "complex128",
      "bfloat16",       "float8e4m3fn", "float8e4m3fnuz", "float8e5m2",
      "float8e5m2fnuz", "uint4",        "int4",           "float4e2m1",
      "float8e8m0",     "uint2",        "int2",           "float6e2m3",
      "float6e3m2"};
  if (dataType < 0 || size_t(dataType) >= std::size(names))
    return "unknown";
  return names[dataType];
}

/// Bits of a type of which a byte holds several, else 0.
static unsigned packedBits(int dataType) {
  switch (dataType) {
  case TensorProto::INT4:
  case TensorProto::UINT4:
  case TensorProto::FLOAT4E2M1:
    return 4;
  case TensorProto::INT2:
  case TensorProto::UINT2:
    return 2;
  default:
    return 0;
  }
}

/// One byte an element, its bits without those above as in MLIR's attributes,
/// from several a byte, low bits first.
static std::vector<char> unpack(ArrayRef<char> bytes, int64_t count,
                                unsigned bits) {
  std::vector<char> result(count);
  unsigned perByte = 8 / bits;
  for (int64_t i = 0; i < count; ++i) {
    unsigned value = uint8_t(bytes[i / perByte]) >> (i % perByte * bits);
    result[i] = char(value & ((1u << bits) - 1));
  }
  return result;
}

/// The dims, checked; nothing and a reason when their product does not fit.
static std::optional<SmallVector<int64_t>>
checkDims(const google::protobuf::RepeatedField<int64_t> &dims, int64_t &count,
          std::string &reason) {
  if (dims.size() > maxRank) {
    reason = "rank " + std::to_string(dims.size()) + " is above 64";
    return std::nullopt;
  }
  SmallVector<int64_t> shape(dims.begin(), dims.end());
  for (int64_t dim : shape)
    if (dim < 0) {
      reason = "negative dim " + std::to_string(dim);
      return std::nullopt;
    }
  if (hasTooManyElements(shape)) {
    reason = "more than 2^48 elements";
    return std::nullopt;
  }
  count = ShapedType::getNumElements(shape);
  return shape;
}

template <typename T, typename Field>
static std::vector<char> narrow(const Field &field) {
  std::vector<char> bytes(field.size() * sizeof(T));
  T *out = reinterpret_cast<T *>(bytes.data());
  for (auto value : field)
    *out++ = static_cast<T>(value);
  return bytes;
}

template <typename Field> static ArrayRef<char> bytesOf(const Field &field) {
  return {reinterpret_cast<const char *>(field.data()),
          field.size() * sizeof(*field.data())};
}

/// The payload of a typed field as little-endian bytes: a reference where the
/// field has the element's width, else a narrowed copy in `owned`.
static ArrayRef<char> typedBytes(const TensorProto &tensor, unsigned width,
                                 std::vector<char> &owned) {
  switch (tensor.data_type()) {
  case TensorProto::FLOAT:
    return bytesOf(tensor.float_data());
  case TensorProto::DOUBLE:
    return bytesOf(tensor.double_data());
  case TensorProto::INT64:
    return bytesOf(tensor.int64_data());
  case TensorProto::INT32:
    return bytesOf(tensor.int32_data());
  case TensorProto::UINT64:
    return bytesOf(tensor.uint64_data());
  case TensorProto::UINT32:
    owned = narrow<uint32_t>(tensor.uint64_data());
    break;
  default:
    owned = width == 2 ? narrow<uint16_t>(tensor.int32_data())
                       : narrow<uint8_t>(tensor.int32_data());
  }
  return owned;
}

static bool hasTypedData(const TensorProto &tensor) {
  return tensor.float_data_size() || tensor.double_data_size() ||
         tensor.int32_data_size() || tensor.int64_data_size() ||
         tensor.uint64_data_size() || tensor.string_data_size();
}

/// The bytes of a tensor, wherever they are; nothing and a reason unless there
/// are exactly `size`.
std::optional<ArrayRef<char>>
TensorReader::payload(const TensorProto &tensor, unsigned width, uint64_t size,
                      std::vector<char> &owned, std::string &reason) {
  if (tensor.data_location() == TensorProto::EXTERNAL)
    return file->externalBytes(tensor, size, reason);
  ArrayRef<char> bytes;
  if (tensor.has_raw_data() && hasTypedData(tensor)) {
    reason = "both raw_data and a typed field hold data; one must go";
    return std::nullopt;
  }
  if (tensor.has_raw_data())
    bytes = {tensor.raw_data().data(), tensor.raw_data().size()};
  else
    bytes = typedBytes(tensor, width, owned);
  if (bytes.size() == size)
    return bytes;
  reason = "payload of " + std::to_string(bytes.size()) +
           " bytes where dims and type need " + std::to_string(size);
  return std::nullopt;
}

ElementsAttr TensorReader::read(const TensorProto &tensor,
                                std::string &reason) {
  int64_t count = 0;
  auto shape = checkDims(tensor.dims(), count, reason);
  if (!shape)
    return {};
  int dataType = tensor.data_type();
  unsigned bits = packedBits(dataType);
  Type elementType = getElementType(context, dataType);
  if (!elementType) {
    reason =
        "element type " + getDataTypeName(dataType).str() + " is not supported";
    return {};
  }
  if (tensor.has_segment()) {
    reason = "segmented tensors are not supported";
    return {};
  }
  unsigned width = std::max(1u, elementType.getIntOrFloatBitWidth() / 8);
  uint64_t size = bits ? llvm::divideCeil(uint64_t(count) * bits, 8)
                       : uint64_t(count) * width;
  std::vector<char> owned;
  std::optional<ArrayRef<char>> bytes =
      payload(tensor, width, size, owned, reason);
  if (!bytes)
    return {};
  auto type = RankedTensorType::get(*shape, elementType);
  if (bits)
    return makeOwnedAttr(type, unpack(*bytes, count, bits), tensor.name());
  bool hasOddBools =
      dataType == TensorProto::BOOL &&
      llvm::any_of(*bytes, [](char byte) { return uint8_t(byte) > 1; });
  bool misaligned = reinterpret_cast<uintptr_t>(bytes->data()) % width != 0;
  if ((hasOddBools || misaligned) && owned.empty())
    owned.assign(bytes->begin(), bytes->end());
  if (hasOddBools)
    for (char &byte : owned)
      byte = byte != 0;
  if (!owned.empty())
    return makeOwnedAttr(type, std::move(owned), tensor.name());
  return makeAttr(type, *bytes, tensor.name());
}

/// A dense attribute of a few elements.
static DenseElementsAttr makeDense(RankedTensorType type,
                                   ArrayRef<char> bytes) {
  if (type.getElementType().isInteger(1)) {
    SmallVector<bool> values(bytes.begin(), bytes.end());
    return DenseElementsAttr::get(type, values);
  }
  if (type.getNumElements() == 0)
    return DenseElementsAttr::get(type, ArrayRef<Attribute>());
  return DenseElementsAttr::getFromRawBuffer(type, bytes);
}

static std::string blobName(StringRef name) {
  return name.empty() ? "constant" : name.str();
}

static size_t alignmentOf(const char *data) {
  uintptr_t address = reinterpret_cast<uintptr_t>(data);
  return address ? std::min<size_t>(64, address & -address) : 64;
}

ElementsAttr TensorReader::makeAttr(RankedTensorType type, ArrayRef<char> bytes,
                                    std::string name) {
  if (type.getNumElements() <= maxInlineElements)
    return makeDense(type, bytes);
  // The blob lives as long as the context and keeps the file alive.
  AsmResourceBlob blob(
      bytes, alignmentOf(bytes.data()),
      [keep = file](void *, size_t, size_t) {}, /*dataIsMutable=*/false);
  return DenseResourceElementsAttr::get(type, blobName(name), std::move(blob));
}

static std::vector<char> readBytes(ElementsAttr attr, unsigned width) {
  std::vector<char> bytes;
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(attr)) {
    ArrayRef<char> data = resource.getRawHandle().getBlob()->getData();
    bytes.assign(data.begin(), data.end());
    return bytes;
  }
  auto dense = cast<DenseElementsAttr>(attr);
  if (dense.getElementType().isInteger(1)) {
    for (bool value : dense.getValues<bool>())
      bytes.push_back(value);
    return bytes;
  }
  ArrayRef<char> raw = dense.getRawData();
  int64_t repeats = dense.isSplat() ? dense.getNumElements() : 1;
  for (int64_t i = 0; i < repeats; ++i)
    bytes.insert(bytes.end(), raw.begin(), raw.end());
  return bytes;
}

static ElementsAttr makeOwned(RankedTensorType type, std::vector<char> bytes,
                              StringRef name) {
  if (type.getNumElements() <= maxInlineElements)
    return makeDense(type, bytes);
  auto keep = std::make_shared<std::vector<char>>(std::move(bytes));
  AsmResourceBlob blob(
      ArrayRef<char>(*keep), alignmentOf(keep->data()),
      [keep](void *, size_t, size_t) {}, /*dataIsMutable=*/false);
  return DenseResourceElementsAttr::get(type, blobName(name), std::move(blob));
}

ElementsAttr TensorReader::makeOwnedAttr(RankedTensorType type,
                                         std::vector<char> bytes,
                                         std::string name) {
  return makeOwned(type, std::move(bytes), name);
}

ElementsAttr unpackElements(ElementsAttr packed, RankedTensorType type) {
  unsigned bits = type.getElementTypeBitWidth();
  int64_t count = type.getNumElements();
  if (packed.getElementType().getIntOrFloatBitWidth() != 8 ||
      packed.getNumElements() !=
          static_cast<int64_t>(llvm::divideCeil(count * bits, 8)))
    return {};
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(packed))
    return makeOwned(
        type, unpack(resource.getRawHandle().getBlob()->getData(), count, bits),
        resource.getRawHandle().getKey());
  return makeOwned(type, unpack(readBytes(packed, 1), count, bits), "unpacked");
}

/// Little-endian i64 elements of a checked attribute.
static SmallVector<int64_t> readIndices(ElementsAttr attr) {
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(attr)) {
    ArrayRef<char> bytes = resource.getRawHandle().getBlob()->getData();
    SmallVector<int64_t> values(bytes.size() / sizeof(int64_t));
    std::memcpy(values.data(), bytes.data(), values.size() * sizeof(int64_t));
    return values;
  }
  return SmallVector<int64_t>(
      cast<DenseElementsAttr>(attr).getValues<int64_t>());
}

/// Densified: values placed at linear or coordinate indices, zero elsewhere.
ElementsAttr TensorReader::read(const onnx::SparseTensorProto &tensor,
                                std::string &reason) {
  int64_t count = 0;
  auto shape = checkDims(tensor.dims(), count, reason);
  if (!shape)
    return {};
  // A sparse file is small; what it expands to must not be huge.
  if (count > (int64_t(1) << 28)) {
    reason = "sparse tensor of more than 2^28 elements";
    return {};
  }
  ElementsAttr values = read(tensor.values(), reason);
  ElementsAttr indices =
      values ? read(tensor.indices(), reason) : ElementsAttr();
  if (!indices)
    return {};
  int64_t numValues = values.getNumElements();
  int64_t rank = shape->size();
  bool linear = indices.getShapedType().getRank() == 1;
  if (!indices.getElementType().isInteger(64) ||
      indices.getNumElements() != numValues * (linear ? 1 : rank)) {
    reason = "indices of a sparse tensor do not fit its values";
    return {};
  }
  unsigned width =
      std::max(1u, values.getElementType().getIntOrFloatBitWidth() / 8);
  std::vector<char> source = readBytes(values, width);
  std::vector<char> bytes(count * width);
  SmallVector<int64_t> flat = readIndices(indices);
  for (int64_t i = 0; i < numValues; ++i) {
    int64_t position = 0;
    for (int64_t d = 0; d < (linear ? 1 : rank); ++d) {
      int64_t index = flat[linear ? i : i * rank + d];
      int64_t extent = linear ? count : (*shape)[d];
      if (index < 0 || index >= extent) {
        reason = "index of a sparse tensor is out of range";
        return {};
      }
      position = linear ? index : position * extent + index;
    }
    std::memcpy(&bytes[position * width], &source[i * width], width);
  }
  return makeOwnedAttr(RankedTensorType::get(*shape, values.getElementType()),
                       std::move(bytes), tensor.values().name());
}

} // namespace effc
