// Streams constants, converting floats on the way. All three panel sources
// come down to strided runs: a column, a row or a tap of the panel at a time.
#include "effc/Conversion/Packing.h"
#include "effc/Analysis/TileChoice.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "llvm/ADT/APFloat.h"
#include "llvm/Support/raw_ostream.h"
#include <array>
#include <cstring>

using namespace mlir;

namespace effc {

unsigned getElementBytes(Type elementType) {
  if (!elementType.isIntOrFloat())
    return 0;
  unsigned bits = elementType.getIntOrFloatBitWidth();
  return bits < 8 ? 1 : bits % 8 == 0 ? bits / 8 : 0;
}

std::optional<ConstantData> getConstantData(ElementsAttr value) {
  ConstantData data;
  data.elementType = value.getElementType();
  unsigned size = getElementBytes(data.elementType);
  if (size == 0 || !value.getShapedType().hasStaticShape())
    return std::nullopt;
  if (auto dense = dyn_cast<DenseElementsAttr>(value)) {
    data.splat = dense.isSplat();
    if (data.elementType.isInteger(1)) {
      if (data.splat)
        data.storage.push_back(dense.getSplatValue<bool>());
      else
        llvm::append_range(data.storage, dense.getValues<bool>());
      data.bytes = data.storage;
    } else {
      data.bytes = dense.getRawData();
    }
  } else if (auto resource = dyn_cast<DenseResourceElementsAttr>(value)) {
    const AsmResourceBlob *blob = resource.getRawHandle().getBlob();
    if (!blob)
      return std::nullopt;
    data.bytes = blob->getData();
  } else {
    return std::nullopt;
  }
  uint64_t count = data.splat ? 1 : value.getNumElements();
  if (data.bytes.size() != count * size)
    return std::nullopt;
  return data;
}

//===----------------------------------------------------------------------===//
// Converting runs of elements
//===----------------------------------------------------------------------===//

namespace {

/// Moves `count` elements; strides are in elements.
using ConvertRun = void (*)(const char *from, int64_t fromStride, char *to,
                            int64_t toStride, int64_t count);

template <typename T>
void copyRun(const char *from, int64_t fromStride, char *to, int64_t toStride,
             int64_t count) {
  for (int64_t i = 0; i < count; ++i)
    std::memcpy(to + i * toStride * sizeof(T),
                from + i * fromStride * sizeof(T), sizeof(T));
}

/// Formats as types: how to read one as double and to round one from double.
struct Float32 {
  using Bits = float;
  static double load(float x) { return x; }
  static float round(double x) { return static_cast<float>(x); }
};
struct Float64 {
  using Bits = double;
  static double load(double x) { return x; }
  static double round(double x) { return x; }
};

uint16_t roundSmall(double x, const llvm::fltSemantics &semantics) {
  llvm::APFloat value(x);
  bool inexact;
  value.convert(semantics, llvm::APFloat::rmNearestTiesToEven, &inexact);
  return static_cast<uint16_t>(value.bitcastToAPInt().getZExtValue());
}

struct BFloat16 {
  using Bits = uint16_t;
  static double load(uint16_t x) {
    return llvm::bit_cast<float>(static_cast<uint32_t>(x) << 16);
  }
  static uint16_t round(double x) {
    return roundSmall(x, llvm::APFloat::BFloat());
  }
};
struct Float16 {
  using Bits = uint16_t;
  static double load(uint16_t x) {
    uint32_t exponent = x >> 10 & 31, mantissa = x & 1023;
    double magnitude;
    if (exponent == 31)
      magnitude = mantissa ? std::numeric_limits<double>::quiet_NaN()
                           : std::numeric_limits<double>::infinity();
    else
      magnitude = exponent ? std::ldexp(1024.0 + mantissa, int(exponent) - 25)
                           : std::ldexp(double(mantissa), -24);
    return x & 0x8000 ? -magnitude : magnitude;
  }
  static uint16_t round(double x) {
    return roundSmall(x, llvm::APFloat::IEEEhalf());
  }
};

template <typename From, typename To>
void convertRun(const char *from, int64_t fromStride, char *to,
                int64_t toStride, int64_t count) {
  typename From::Bits source;
  typename To::Bits result;
  for (int64_t i = 0; i < count; ++i) {
    std::memcpy(&source, from + i * fromStride * sizeof(source),
                sizeof(source));
    result = To::round(From::load(source));
    std::memcpy(to + i * toStride * sizeof(result), &result, sizeof(result));
  }
}

template <typename From> ConvertRun selectTarget(Type to) {
  if (to.isF32())
    return convertRun<From, Float32>;
  if (to.isF64())
    return convertRun<From, Float64>;
  if (to.isF16())
    return convertRun<From, Float16>;
  return to.isBF16() ? convertRun<From, BFloat16> : nullptr;
}

/// Attributes hold the bits of i4 and i2, memory their numbers.
template <unsigned bits>
void extendRun(const char *from, int64_t fromStride, char *to, int64_t toStride,
               int64_t count) {
  for (int64_t i = 0; i < count; ++i)
    to[i * toStride] = static_cast<char>(
        llvm::SignExtend32<bits>(static_cast<uint8_t>(from[i * fromStride])));
}

/// Null when there is no such conversion.
ConvertRun selectRun(Type from, Type to) {
  if (from == to) {
    if (to.isSignlessInteger(4))
      return extendRun<4>;
    if (to.isSignlessInteger(2))
      return extendRun<2>;
    switch (getElementBytes(to)) {
    case 1:
      return copyRun<uint8_t>;
    case 2:
      return copyRun<uint16_t>;
    case 4:
      return copyRun<uint32_t>;
    case 8:
      return copyRun<uint64_t>;
    default:
      return nullptr;
    }
  }
  if (from.isF32())
    return selectTarget<Float32>(to);
  if (from.isF64())
    return selectTarget<Float64>(to);
  if (from.isF16())
    return selectTarget<Float16>(to);
  return from.isBF16() ? selectTarget<BFloat16>(to) : nullptr;
}

/// A constant being read as another element type.
struct Source {
  ConstantData data;
  ConvertRun run = nullptr;
  int64_t size = 0; // of a source element, in bytes

  static FailureOr<Source>
  open(ElementsAttr value, Type elementType,
       llvm::function_ref<InFlightDiagnostic()> emitError) {
    Source source;
    std::optional<ConstantData> data = getConstantData(value);
    if (!data)
      return emitError() << "contents of the constant are missing or of "
                            "another size than its type "
                         << value.getType();
    source.data = std::move(*data);
    source.size = getElementBytes(source.data.elementType);
    source.run = selectRun(source.data.elementType, elementType);
    if (!source.run)
      return emitError() << "cannot store a constant of "
                         << source.data.elementType << " as " << elementType;
    return source;
  }

  void read(int64_t first, int64_t stride, char *to, int64_t toStride,
            int64_t count) const {
    const char *from = data.bytes.data();
    if (data.splat)
      run(from, 0, to, toStride, count);
    else
      run(from + first * size, stride, to, toStride, count);
  }
};

int64_t countElements(ArrayRef<int64_t> shape) {
  return ShapedType::getNumElements(shape);
}

/// Fills one panel: columns [column, column + columns) of group `group`.
class PanelFiller {
public:
  PanelFiller(const Source &source, effk::PanelAttr layout,
              ArrayRef<int64_t> shape, int64_t taps, int64_t bytes)
      : source(source), kind(layout.getSource()), k(layout.getK()),
        n(layout.getN()), width(layout.getWidth()),
        interleave(layout.getInterleave()), run(k / layout.getRuns()),
        filledRun(layout.getDepth() / layout.getRuns()), taps(taps),
        bytes(bytes), shape(shape) {}

  void fill(int64_t group, int64_t column, int64_t columns, char *to) const {
    if (kind == "kn") {
      for (int64_t row = 0; row < k; ++row)
        source.read((group * k + row) * n + column, 1, to + place(row) * bytes,
                    interleave, columns);
      return;
    }
    if (kind == "winograd")
      return fillPoint(group % WinogradTile::points,
                       group / WinogradTile::points * n + column, columns,
                       reinterpret_cast<float *>(to));
    if (kind.starts_with("bits"))
      return fillCodes(group * n + column, columns, to);
    for (int64_t j = 0; j < columns; ++j) {
      if (kind == "repeat") {
        source.read((column + j) % (n / repeats()), 1, to + j * bytes, 1, 1);
        continue;
      }
      if (kind == "pixels") {
        fillPixel(column + j, to + j * interleave * bytes);
        continue;
      }
      int64_t first = (group * n + column + j) * k;
      char *at = to + j * interleave * bytes;
      if (kind == "nk") {
        fillColumn(first, 1, 0, k, at);
        continue;
      }
      // oihw: memory order is (c, tap), panel order (tap, c).
      int64_t channels = k / taps;
      for (int64_t tap = 0; tap < taps; ++tap)
        fillColumn(first + tap, taps, tap * channels, channels, at);
    }
  }

private:
  /// Where row `row` of the matrix begins in the panel, in elements.
  int64_t place(int64_t row) const {
    int64_t depth = row / run * filledRun + row % run;
    return depth / interleave * interleave * width + depth % interleave;
  }

  /// Rows [begin, begin + count) of a column; they are of one run.
  void fillColumn(int64_t first, int64_t stride, int64_t begin, int64_t count,
                  char *to) const {
    for (int64_t i = 0; i < std::min(interleave, count); ++i)
      source.read(first + i * stride, stride * interleave,
                  to + place(begin + i) * bytes, width * interleave,
                  llvm::divideCeil(count - i, interleave));
  }

  /// How many pixels, or repetitions, the columns are of.
  int64_t repeats() const {
    return kind == "pixels" ? n / shape[0] : n / countElements(shape);
  }

  /// A column of joined pixels: the filter, moved by its pixel's distance along
  /// the last dim of the kernel.
  void fillPixel(int64_t column, char *to) const {
    int64_t outputs = shape[0], channels = shape[1], width = shape.back();
    int64_t own = countElements(shape.drop_front(2)), rows = own / width;
    int64_t wide = taps / rows, pixels = repeats();
    int64_t step = pixels > 1 ? (wide - width) / (pixels - 1) : 0;
    for (int64_t tap = 0; tap < own; ++tap)
      fillColumn(column % outputs * channels * own + tap, own,
                 (tap / width * wide + column / outputs * step + tap % width) *
                     channels,
                 channels, to);
  }

  /// A unit of a column's codes in the bytes of its lanes.
  static void packUnit(int64_t bits, const uint8_t *codes, uint8_t *bytes) {
    effk::CodeUnit unit = effk::getCodeUnit(bits);
    std::array<uint32_t, 3> dwords{};
    for (int64_t i = 0; i < unit.codes; ++i) {
      uint32_t code = codes[i] & ((1 << bits) - 1);
      if (bits == 4)
        dwords[0] |= code << (i % 4 * 8 + i / 4 * 4);
      else if (bits == 2)
        dwords[0] |= code << 2 * i;
      else if (i < 30)
        dwords[i / 10] |= code << i % 10 * 3;
      else {
        dwords[i == 30 ? 0 : 2] |= code << 30;
        dwords[1] |= code >> 2 << i;
      }
    }
    for (int64_t byte = 0; byte < 4 * unit.lanes; ++byte)
      bytes[byte] = static_cast<uint8_t>(dwords[byte / 4] >> byte % 4 * 8);
  }

  void fillCodes(int64_t column, int64_t columns, char *to) const {
    int64_t bits = kind.back() - '0', depth = k * 8 / bits;
    effk::CodeUnit unit = effk::getCodeUnit(bits);
    std::vector<uint8_t> codes(depth), bytes(4 * unit.lanes);
    for (int64_t j = 0; j < columns; ++j) {
      source.read((column + j) * depth, 1,
                  reinterpret_cast<char *>(codes.data()), 1, depth);
      for (int64_t first = 0; first < depth; first += unit.codes) {
        packUnit(bits, codes.data() + first, bytes.data());
        int64_t lane = first / unit.codes * unit.lanes;
        for (int64_t i = 0; i < unit.lanes; ++i)
          std::memcpy(to + ((lane + i) * width + j) * 4, bytes.data() + 4 * i,
                      4);
      }
    }
  }

  /// (G w G^T)[point] for 3x3 filters w; G holds the powers of the points over
  /// the product of their distances.
  void fillPoint(int64_t point, int64_t column, int64_t columns,
                 float *to) const {
    constexpr double p = WinogradTile::near, q = WinogradTile::far;
    constexpr double zero = 1 / (p * p * q * q),
                     near = 1 / (2 * p * p * (p * p - q * q)),
                     far = 1 / (2 * q * q * (q * q - p * p));
    constexpr double matrix[WinogradTile::inputs][3] = {
        {zero, 0, 0},
        {near, near * p, near * p * p},
        {near, -near * p, near * p * p},
        {far, far * q, far * q * q},
        {far, -far * q, far * q * q},
        {0, 0, 1}};
    const double *left = matrix[point / WinogradTile::inputs],
                 *right = matrix[point % WinogradTile::inputs];
    double factors[9];
    for (int64_t tap = 0; tap < 9; ++tap)
      factors[tap] = left[tap / 3] * right[tap % 3];
    std::vector<float> filters(k * 9);
    for (int64_t j = 0; j < columns; ++j) {
      source.read((column + j) * k * 9, 1,
                  reinterpret_cast<char *>(filters.data()), 1, k * 9);
      for (int64_t c = 0; c < k; ++c) {
        double sum = 0;
        for (int64_t tap = 0; tap < 9; ++tap)
          sum += factors[tap] * filters[c * 9 + tap];
        to[c * width + j] = static_cast<float>(sum);
      }
    }
  }

  const Source &source;
  StringRef kind;
  int64_t k, n, width, interleave, run, filledRun, taps, bytes;
  ArrayRef<int64_t> shape;
};

/// What the source of a layout makes of a constant.
struct MatrixForm {
  bool known; ///< whether constants of this shape have that source
  int64_t taps, elements;
};

} // namespace

static MatrixForm describeMatrix(ElementsAttr value, effk::PanelAttr layout,
                                 Type elementType) {
  StringRef kind = layout.getSource();
  int64_t groups = layout.getGroups(), k = layout.getK(), n = layout.getN();
  ArrayRef<int64_t> shape = value.getShapedType().getShape();
  int64_t taps = 1;
  bool known = kind == "kn" || kind == "nk";
  if (kind == "oihw" && shape.size() >= 2) {
    known = true;
    for (int64_t size : shape.drop_front(2))
      taps *= size;
  }
  int64_t elements = groups * k * n;
  if (kind == "winograd" && shape.size() == 4 && elementType.isF32()) {
    known =
        shape[2] == 3 && shape[3] == 3 && groups % WinogradTile::points == 0;
    elements = groups / WinogradTile::points * 9 * k * n;
  }
  if (kind == "pixels" && shape.size() >= 3 && shape[0] > 0 && shape[1] > 0 &&
      shape.back() > 0) {
    int64_t rows = countElements(shape.drop_front(2)) / shape.back();
    known = groups == 1 && n % shape[0] == 0 && rows > 0 &&
            k % (shape[1] * rows) == 0 && k / shape[1] / rows >= shape.back();
    taps = known ? k / shape[1] : 1;
    elements = value.getNumElements();
  }
  if (kind == "repeat") {
    elements = value.getNumElements();
    known = groups == 1 && k == 1 && elements > 0 && n % elements == 0;
  }
  if (kind.starts_with("bits")) {
    int64_t bits = elementType.getIntOrFloatBitWidth();
    known = kind == "bits" + std::to_string(bits) && bits >= 2 && bits <= 4 &&
            layout.getInterleave() == 4 &&
            k % (4 * effk::getCodeUnit(bits).lanes) == 0;
    elements = groups * k * n * 8 / bits;
  }
  return {known, taps, elements};
}

//===----------------------------------------------------------------------===//
// Streams
//===----------------------------------------------------------------------===//

LogicalResult packPanel(ElementsAttr value, effk::PanelAttr layout,
                        Type elementType, raw_ostream &os,
                        llvm::function_ref<InFlightDiagnostic()> emitError) {
  FailureOr<Source> source = Source::open(value, elementType, emitError);
  if (failed(source))
    return failure();
  int64_t groups = layout.getGroups(), k = layout.getK(), n = layout.getN(),
          width = layout.getWidth();
  StringRef kind = layout.getSource();
  ArrayRef<int64_t> shape = value.getShapedType().getShape();
  auto [known, taps, elements] = describeMatrix(value, layout, elementType);
  // A run is a whole number of taps.
  int64_t runs = layout.getRuns();
  bool fits = width >= 1 && layout.getInterleave() >= 1 && runs >= 1 &&
              k % runs == 0 &&
              (taps == 0 || (k % taps == 0 && taps % runs == 0));
  if (!known || !fits || value.getNumElements() != elements)
    return emitError() << "constant of type " << value.getType()
                       << " does not fit the panels " << layout;

  int64_t bytes = getElementBytes(elementType);
  PanelFiller filler(*source, layout, shape, taps, bytes);
  int64_t depth = layout.getDepth();
  std::vector<char> panel(depth * width * bytes);
  for (int64_t group = 0; group < groups; ++group) {
    for (int64_t column = 0; column < n; column += width) {
      int64_t columns = std::min(width, n - column);
      if (columns < width || depth > k || kind == "pixels")
        std::fill(panel.begin(), panel.end(), 0);
      if (k > 0)
        filler.fill(group, column, columns, panel.data());
      os.write(panel.data(), panel.size());
    }
  }
  return success();
}

LogicalResult writeDense(ElementsAttr value, Type elementType, raw_ostream &os,
                         llvm::function_ref<InFlightDiagnostic()> emitError) {
  FailureOr<Source> source = Source::open(value, elementType, emitError);
  if (failed(source))
    return failure();
  int64_t count = value.getNumElements();
  int64_t bytes = getElementBytes(elementType);
  bool isExtended =
      elementType.isSignlessInteger(4) || elementType.isSignlessInteger(2);
  if (source->data.elementType == elementType && !source->data.splat &&
      !isExtended) {
    os.write(source->data.bytes.data(), source->data.bytes.size());
    return success();
  }
  constexpr int64_t chunk = 4096;
  std::vector<char> buffer(std::min(count, chunk) * bytes);
  for (int64_t i = 0; i < count; i += chunk) {
    int64_t length = std::min(chunk, count - i);
    source->read(i, 1, buffer.data(), 1, length);
    os.write(buffer.data(), length * bytes);
  }
  return success();
}

} // namespace effc
