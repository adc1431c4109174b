// The .npy format: a magic string, a Python dict literal with type, order and
// shape, then the elements. See numpy.lib.format.
#include "effc/Support/Npy.h"

#include "effrt/effrt_abi.h"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <limits>
#include <memory>

using namespace effc;

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
              "elements are taken over as they are");

namespace {

struct TypeRow {
  int32_t dtype;
  size_t size;
  /// Without byte order.
  const char *descr;
};

constexpr TypeRow types[] = {
    {EFFRT_DTYPE_F16, 2, "f2"},
    {EFFRT_DTYPE_F32, 4, "f4"},
    {EFFRT_DTYPE_F64, 8, "f8"},
    {EFFRT_DTYPE_I8, 1, "i1"},
    {EFFRT_DTYPE_I16, 2, "i2"},
    {EFFRT_DTYPE_I32, 4, "i4"},
    {EFFRT_DTYPE_I64, 8, "i8"},
    {EFFRT_DTYPE_U8, 1, "u1"},
    {EFFRT_DTYPE_U16, 2, "u2"},
    {EFFRT_DTYPE_U32, 4, "u4"},
    {EFFRT_DTYPE_U64, 8, "u8"},
    {EFFRT_DTYPE_BOOL, 1, "b1"},
    {EFFRT_DTYPE_BF16, 2, "V2"},
    {EFFRT_DTYPE_BF16, 2, "bfloat16"},
    // What ml_dtypes calls this one type; NumPy cannot read it back.
    {EFFRT_DTYPE_F8E5M2, 1, "f1"},
    // All other types of one byte look alike.
    {npyBytes, 1, "V1"},
};

bool isSmallType(int32_t dtype) {
  return dtype >= EFFRT_DTYPE_F8E4M3FN && dtype <= EFFRT_DTYPE_I2;
}

constexpr char magic[] = "\x93NUMPY";
constexpr size_t magicSize = 6;

const TypeRow *findType(int32_t dtype) {
  if (isSmallType(dtype))
    dtype = npyBytes;
  for (const TypeRow &row : types)
    if (row.dtype == dtype)
      return &row;
  return nullptr;
}

struct Header {
  std::string descr;
  bool fortranOrder = false;
  std::vector<int64_t> shape;
};

/// Parses the dict literal of a header: string keys; values are a string, a
/// bool or a tuple of integers.
class HeaderParser {
public:
  HeaderParser(const char *text, size_t size) : at(text), end(text + size) {}

  /// The reason for failure, or null.
  const char *parse(Header &header) {
    if (!take('{'))
      return "its header is not a dictionary";
    while (!take('}')) {
      std::string key;
      if (!takeString(key) || !take(':'))
        return "its header is garbled";
      if (const char *reason = parseValue(key, header))
        return reason;
      if (!take(',') && !peek('}'))
        return "its header is garbled";
    }
    if (!hasDescr || !hasOrder || !hasShape)
      return "its header lacks 'descr', 'fortran_order' or 'shape'";
    return nullptr;
  }

private:
  const char *parseValue(const std::string &key, Header &header) {
    if (key == "descr") {
      hasDescr = true;
      if (peek('['))
        return "it holds records, expected numbers";
      return takeString(header.descr) ? nullptr : "its 'descr' is garbled";
    }
    if (key == "fortran_order") {
      hasOrder = true;
      header.fortranOrder = takeWord("True");
      if (!header.fortranOrder && !takeWord("False"))
        return "its 'fortran_order' is garbled";
      return nullptr;
    }
    if (key == "shape") {
      hasShape = true;
      return takeShape(header.shape) ? nullptr : "its 'shape' is garbled";
    }
    return "its header has an unknown key";
  }

  void skipSpace() {
    while (at != end && std::isspace(static_cast<unsigned char>(*at)))
      ++at;
  }

  bool peek(char c) {
    skipSpace();
    return at != end && *at == c;
  }

  bool take(char c) {
    if (!peek(c))
      return false;
    ++at;
    return true;
  }

  bool takeWord(const char *word) {
    skipSpace();
    size_t size = std::strlen(word);
    if (static_cast<size_t>(end - at) < size || std::memcmp(at, word, size))
      return false;
    at += size;
    return true;
  }

  bool takeString(std::string &text) {
    skipSpace();
    if (at == end || (*at != '\'' && *at != '"'))
      return false;
    const char *close = std::find(at + 1, end, *at);
    if (close == end)
      return false;
    text.assign(at + 1, close);
    at = close + 1;
    return true;
  }

  bool takeInteger(int64_t &value) {
    skipSpace();
    const char *start = at;
    for (value = 0; at != end && *at >= '0' && *at <= '9'; ++at)
      if (__builtin_mul_overflow(value, int64_t(10), &value) ||
          __builtin_add_overflow(value, int64_t(*at - '0'), &value))
        return false;
    bool good = at != start;
    if (good && at != end && *at == 'L') // Python 2
      ++at;
    return good;
  }

  bool takeShape(std::vector<int64_t> &shape) {
    shape.clear();
    if (!take('('))
      return false;
    while (!take(')')) {
      int64_t size;
      if (shape.size() == kMaxTensorRank || !takeInteger(size))
        return false;
      shape.push_back(size);
      if (!take(',') && !peek(')'))
        return false;
    }
    return true;
  }

  const char *at;
  const char *end;
  bool hasDescr = false, hasOrder = false, hasShape = false;
};

/// Finds the header's text; returns the reason for failure, or null.
const char *findHeader(const uint8_t *bytes, size_t size, size_t &start,
                       size_t &length) {
  if (size < magicSize + 4 || std::memcmp(bytes, magic, magicSize) != 0)
    return "it is not a .npy file";
  unsigned version = bytes[magicSize];
  if (version < 1 || version > 3)
    return "its format version is not 1, 2 or 3";
  size_t lengthSize = version == 1 ? 2 : 4;
  start = magicSize + 2 + lengthSize;
  if (size < start)
    return "it is truncated";
  length = 0;
  for (size_t i = 0; i < lengthSize; ++i)
    length |= size_t(bytes[magicSize + 2 + i]) << (8 * i);
  return length > size - start ? "it is truncated" : nullptr;
}

/// Copies elements whose first dimension varies fastest into C order.
void copyFortran(const uint8_t *from, size_t elementSize, NpyArray &array) {
  size_t rank = array.shape.size();
  size_t count = array.data.size() / elementSize;
  std::vector<int64_t> index(rank);
  std::vector<size_t> strides(rank, elementSize);
  for (size_t axis = 1; axis < rank; ++axis)
    strides[axis] =
        strides[axis - 1] * static_cast<size_t>(array.shape[axis - 1]);
  size_t offset = 0;
  for (size_t i = 0; i < count; ++i) {
    std::memcpy(array.data.data() + i * elementSize, from + offset,
                elementSize);
    for (size_t axis = rank; axis-- > 0;) {
      offset += strides[axis];
      if (++index[axis] < array.shape[axis])
        break;
      offset -= strides[axis] * static_cast<size_t>(array.shape[axis]);
      index[axis] = 0;
    }
  }
}

/// Bytes of all elements; nothing when they do not fit.
std::optional<size_t> totalBytes(const std::vector<int64_t> &shape,
                                 size_t elementSize) {
  if (std::find(shape.begin(), shape.end(), 0) != shape.end())
    return 0;
  size_t bytes = elementSize;
  for (int64_t size : shape)
    if (__builtin_mul_overflow(bytes, static_cast<size_t>(size), &bytes))
      return std::nullopt;
  return bytes;
}

/// The type of a `descr`; `reason` tells why there is none.
const TypeRow *parseDescr(const std::string &descr, std::string &reason) {
  std::string name = descr;
  if (!name.empty() && name[0] == '>') {
    reason = "it is big-endian; save it with "
             "array.astype(array.dtype.newbyteorder('<'))";
    return nullptr;
  }
  if (!name.empty() && (name[0] == '<' || name[0] == '|' || name[0] == '='))
    name.erase(0, 1);
  for (const TypeRow &row : types)
    if (name == row.descr)
      return &row;
  reason = "its element type '" + descr +
           "' is not one of f2 f4 f8 i1 i2 i4 i8 u1 u2 u4 u8 b1, bfloat16 "
           "(V2) or bytes of a smaller type (V1)";
  return nullptr;
}

} // namespace

size_t effc::npyElementSize(int32_t dtype) {
  const TypeRow *row = findType(dtype);
  return row ? row->size : 0;
}

std::optional<NpyArray> effc::parseNpy(const uint8_t *bytes, size_t size,
                                       const std::string &name,
                                       std::string &error) {
  auto fail = [&](const std::string &reason) {
    error = "cannot read '" + name + "': " + reason;
    return std::nullopt;
  };
  size_t start = 0, length = 0;
  if (const char *reason = findHeader(bytes, size, start, length))
    return fail(reason);
  Header header;
  HeaderParser parser(reinterpret_cast<const char *>(bytes) + start, length);
  if (const char *reason = parser.parse(header))
    return fail(reason);
  std::string reason;
  const TypeRow *type = parseDescr(header.descr, reason);
  if (!type)
    return fail(reason);
  std::optional<size_t> expected = totalBytes(header.shape, type->size);
  size_t found = size - start - length;
  if (!expected || *expected != found)
    return fail("its shape needs " +
                (expected ? std::to_string(*expected) : "more than 2^64") +
                " bytes, it holds " + std::to_string(found));
  NpyArray array;
  array.dtype = type->dtype;
  array.shape = std::move(header.shape);
  const uint8_t *data = bytes + start + length;
  if (header.fortranOrder && array.shape.size() > 1) {
    array.data.resize(found);
    copyFortran(data, type->size, array);
  } else {
    array.data.assign(data, data + found);
  }
  // Any other byte would be undefined behaviour further down.
  if (array.dtype == EFFRT_DTYPE_BOOL)
    for (uint8_t &value : array.data)
      value = value != 0;
  return array;
}

bool effc::adoptType(NpyArray &array, int32_t dtype) {
  bool isByte = array.dtype == npyBytes || array.dtype == EFFRT_DTYPE_I8 ||
                array.dtype == EFFRT_DTYPE_U8;
  if (!isByte || !isSmallType(dtype))
    return false;
  array.dtype = dtype;
  bool isSigned = dtype == EFFRT_DTYPE_I4 || dtype == EFFRT_DTYPE_I2;
  int bits = dtype == EFFRT_DTYPE_I2 || dtype == EFFRT_DTYPE_U2 ? 2
             : dtype == EFFRT_DTYPE_I4 || dtype == EFFRT_DTYPE_U4 ||
                     dtype == EFFRT_DTYPE_F4E2M1FN
                 ? 4
                 : 8;
  int mask = (1 << bits) - 1, sign = isSigned ? 1 << (bits - 1) : 0;
  for (uint8_t &value : array.data)
    value = static_cast<uint8_t>(((value & mask) ^ sign) - sign);
  return true;
}

std::vector<uint8_t> effc::formatNpy(const NpyArray &array) {
  const TypeRow *type = findType(array.dtype);
  std::string descr = type ? type->descr : "V1";
  std::string text = "{'descr': '";
  text += type && type->size == 1 ? '|' : '<';
  text += descr + "', 'fortran_order': False, 'shape': (";
  for (int64_t size : array.shape)
    text += std::to_string(size) + ", ";
  // "()", "(3,)", "(3, 4)" as Python prints tuples.
  if (array.shape.size() > 1)
    text.resize(text.size() - 2);
  else if (array.shape.size() == 1)
    text.pop_back();
  text += "), }";
  // Elements begin at a multiple of 64, for those who map the file. A rank of
  // 64 with long sizes stays below the 64 KiB of version 1.
  size_t start = magicSize + 4;
  text.append(63 - (start + text.size()) % 64, ' ');
  text += '\n';
  std::vector<uint8_t> bytes(magic, magic + magicSize);
  bytes.insert(bytes.end(), {1, 0, static_cast<uint8_t>(text.size() & 0xff),
                             static_cast<uint8_t>(text.size() >> 8)});
  bytes.insert(bytes.end(), text.begin(), text.end());
  bytes.insert(bytes.end(), array.data.begin(), array.data.end());
  return bytes;
}

namespace {
struct CloseFile {
  void operator()(std::FILE *file) const { (void)std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;
} // namespace

static std::string systemReason() { return std::strerror(errno); }

std::optional<NpyArray> effc::readNpy(const std::string &path,
                                      std::string &error) {
  File file(std::fopen(path.c_str(), "rbe"));
  if (!file) {
    error = "cannot open '" + path + "': " + systemReason();
    return std::nullopt;
  }
  std::vector<uint8_t> bytes;
  size_t size = 0, got = 0;
  do {
    bytes.resize(std::max(size * 2, size_t(1) << 16));
    got = std::fread(bytes.data() + size, 1, bytes.size() - size, file.get());
    size += got;
  } while (size == bytes.size());
  if (std::ferror(file.get())) {
    error = "cannot read '" + path + "': " + systemReason();
    return std::nullopt;
  }
  return parseNpy(bytes.data(), size, path, error);
}

bool effc::writeNpy(const std::string &path, const NpyArray &array,
                    std::string &error) {
  std::FILE *file = std::fopen(path.c_str(), "wbe");
  if (!file) {
    error = "cannot write '" + path + "': " + systemReason();
    return false;
  }
  std::vector<uint8_t> bytes = formatNpy(array);
  bool good = std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size();
  // Buffered bytes may fail only here.
  good = std::fclose(file) == 0 && good;
  if (!good)
    error = "cannot write '" + path + "': " + systemReason();
  return good;
}
