// A TensorProto without the protobuf library: its wire format is a list of
// (field, type, value), and only a handful of fields matter here
// (onnx.proto, message TensorProto).
#include "Tensors.h"
#include <cstring>
#include <fstream>
#include <iterator>

namespace effc::tool {

namespace {

enum Field {
  FieldDims = 1,
  FieldDataType = 2,
  FieldFloats = 4,
  FieldInt32s = 5,
  FieldStrings = 6,
  FieldInt64s = 7,
  FieldRaw = 9,
  FieldDoubles = 10,
  FieldUint64s = 11,
  FieldExternal = 13
};

/// Reads a message; once `bad`, everything is zero.
class WireReader {
public:
  WireReader(const uint8_t *at, const uint8_t *end) : at(at), end(end) {}

  bool done() const { return bad || at == end; }
  bool isBad() const { return bad; }

  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 70; shift += 7) {
      if (at == end)
        break;
      uint8_t byte = *at++;
      if (shift < 64)
        value |= static_cast<uint64_t>(byte & 127) << shift;
      if (!(byte & 128))
        return value;
    }
    bad = true;
    return 0;
  }

  WireReader bytes(uint64_t size) {
    if (size > static_cast<uint64_t>(end - at)) {
      bad = true;
      size = 0;
    }
    WireReader result(at, at + size);
    at += size;
    return result;
  }

  const uint8_t *at, *end;

private:
  bool bad = false;
};

class TensorReader {
public:
  bool read(WireReader message);
  std::optional<NpyArray> finish(const std::string &path, std::string &error);

private:
  void readField(unsigned field, unsigned wire, WireReader &message);
  /// A value of a repeated number field, packed or not.
  void addVarint(unsigned field, uint64_t value);
  void addBytes(const uint8_t *bytes, size_t size) {
    typed.insert(typed.end(), bytes, bytes + size);
  }
  /// int32_data holds all types of at most 32 bits, one a value.
  void addNarrow(uint64_t value) { narrow.push_back(value); }

  NpyArray array;
  std::vector<uint8_t> typed, raw;
  std::vector<uint64_t> narrow;
  bool hasRaw = false, unsupported = false;
};

} // namespace

void TensorReader::addVarint(unsigned field, uint64_t value) {
  if (field == FieldDims)
    array.shape.push_back(static_cast<int64_t>(value));
  else if (field == FieldInt32s || field == FieldUint64s)
    addNarrow(value);
  else if (field == FieldInt64s)
    addBytes(reinterpret_cast<const uint8_t *>(&value), sizeof(value));
  else if (field == FieldDataType)
    array.dtype = static_cast<int32_t>(value);
}

void TensorReader::readField(unsigned field, unsigned wire,
                             WireReader &message) {
  switch (wire) {
  case 0:
    addVarint(field, message.varint());
    return;
  case 1:
  case 5: {
    WireReader value = message.bytes(wire == 1 ? 8 : 4);
    if (field == FieldFloats || field == FieldDoubles)
      addBytes(value.at, value.end - value.at);
    return;
  }
  case 2: {
    WireReader value = message.bytes(message.varint());
    if (field == FieldRaw) {
      hasRaw = true;
      raw.assign(value.at, value.end);
    } else if (field == FieldFloats || field == FieldDoubles) {
      addBytes(value.at, value.end - value.at);
    } else if (field == FieldStrings || field == FieldExternal) {
      unsupported = true;
    } else if (field == FieldDims || field == FieldInt32s ||
               field == FieldInt64s || field == FieldUint64s) {
      while (!value.done())
        addVarint(field, value.varint());
    }
    return;
  }
  default:
    message.bytes(~0ull);
  }
}

bool TensorReader::read(WireReader message) {
  while (!message.done()) {
    uint64_t tag = message.varint();
    readField(tag >> 3, tag & 7, message);
  }
  return !message.isBad();
}

/// Elements a byte of a file: formats below 8 bits are packed.
static uint64_t getElementsPerByte(int32_t dtype) {
  switch (dtype) {
  case EFFRT_DTYPE_U4:
  case EFFRT_DTYPE_I4:
  case EFFRT_DTYPE_F4E2M1FN:
    return 2;
  case EFFRT_DTYPE_U2:
  case EFFRT_DTYPE_I2:
    return 4;
  default:
    return 1;
  }
}

/// One byte an element, from several, low bits first.
static void unpack(NpyArray &array, uint64_t count, uint64_t perByte) {
  std::vector<uint8_t> elements(count);
  for (uint64_t i = 0; i < count; ++i)
    elements[i] = array.data[i / perByte] >> (i % perByte * (8 / perByte));
  array.data = std::move(elements);
  int32_t dtype = array.dtype;
  array.dtype = npyBytes;
  (void)adoptType(array, dtype);
}

std::optional<NpyArray> TensorReader::finish(const std::string &path,
                                             std::string &error) {
  size_t size = npyElementSize(array.dtype);
  if (unsupported || size == 0) {
    error = "'" + path +
            "': strings, external data and this element type are not supported";
    return std::nullopt;
  }
  for (uint64_t value : narrow)
    addBytes(reinterpret_cast<const uint8_t *>(&value), size);
  array.data = hasRaw ? std::move(raw) : std::move(typed);
  if (array.shape.size() > kMaxTensorRank) {
    error = "'" + path + "' has rank " + std::to_string(array.shape.size()) +
            "; up to " + std::to_string(kMaxTensorRank) + " is supported";
    return std::nullopt;
  }
  uint64_t count = 1, expected = 0;
  bool good = true;
  for (int64_t dim : array.shape)
    good = good && dim >= 0 &&
           !__builtin_mul_overflow(count, static_cast<uint64_t>(dim), &count);
  uint64_t perByte = getElementsPerByte(array.dtype);
  good = good && !__builtin_mul_overflow(
                     count / perByte + (count % perByte != 0), size, &expected);
  if (!good || array.data.size() != expected) {
    error = "'" + path + "' is no ONNX tensor: it holds " +
            std::to_string(array.data.size()) +
            " bytes, its shape needs another number";
    return std::nullopt;
  }
  if (perByte > 1)
    unpack(array, count, perByte);
  return std::move(array);
}

std::optional<NpyArray> parseTensorProto(const uint8_t *bytes, size_t size,
                                         const std::string &name,
                                         std::string &error) {
  TensorReader reader;
  if (!reader.read(WireReader(bytes, bytes + size))) {
    error = "'" + name + "' is no ONNX tensor";
    return std::nullopt;
  }
  return reader.finish(name, error);
}

std::optional<NpyArray> readTensorProto(const std::string &path,
                                        std::string &error) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    error = "cannot open '" + path + "'";
    return std::nullopt;
  }
  std::vector<uint8_t> bytes((std::istreambuf_iterator<char>(file)),
                             std::istreambuf_iterator<char>());
  return parseTensorProto(bytes.data(), bytes.size(), path, error);
}

} // namespace effc::tool
