// See GemmCase.h.
#include "GemmCase.h"

#include <cmath>
#include <cstring>
#include <limits>

using namespace effc;
using namespace mlir;

static constexpr int64_t guard = 80;
static constexpr uint32_t guardValue = 0xc640e400;

GemmCase GemmCase::conv(int64_t batch, int64_t height, int64_t width,
                        int64_t channels, int64_t n, int64_t kernel,
                        int64_t stride, int64_t dilation, int64_t pad) {
  GemmCase result;
  result.batch = batch;
  result.height = height;
  result.widthIn = width;
  result.channels = channels;
  result.kernel = kernel;
  result.stride = stride;
  result.dilation = dilation;
  result.pad = pad;
  result.n = n;
  result.k = kernel * kernel * channels;
  result.m = batch * result.outSize(height) * result.outSize(width);
  return result;
}

/// Values that depend on sizes: constants, or arguments in the order of first
/// use.
namespace {
struct Sizes {
  OpBuilder &builder;
  Location loc;
  func::FuncOp function;
  bool dynamic;
  SmallVectorImpl<int64_t> &dims;
  unsigned firstDim;

  Value operator()(int64_t value) {
    if (!dynamic)
      return arith::ConstantIndexOp::create(builder, loc, value);
    dims.push_back(value);
    return function.getArgument(firstDim + dims.size() - 1);
  }
};
} // namespace

static void describeRows(const GemmCase &test, Sizes &size,
                         effk::GemmDescription &gemm) {
  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(size.builder, size.loc, value);
  };
  if (test.height == 0) {
    gemm.rowSizes = {size(test.m)};
    gemm.rowStrides = {size(test.k)};
    gemm.run = size(test.k);
    return;
  }
  int64_t pixel = test.channels, line = test.widthIn * pixel;
  gemm.rowSizes = {size(test.batch), size(test.outSize(test.height)),
                   size(test.outSize(test.widthIn))};
  gemm.rowStrides = {size(test.height * line), size(test.stride * line),
                     size(test.stride * pixel)};
  gemm.rowBase = size(-test.pad * (line + pixel));
  gemm.tapSizes = {constant(test.kernel), constant(test.kernel)};
  gemm.tapStrides = {size(test.dilation * line),
                     constant(test.dilation * pixel)};
  gemm.run = constant(pixel);
  if (test.pad == 0)
    return;
  gemm.windowSizes = {size(test.height), size(test.widthIn)};
  gemm.windowStrides.assign(2, constant(test.stride));
  gemm.windowDilations.assign(2, constant(test.dilation));
  gemm.windowPads.assign(2, constant(test.pad));
}

static Value buildEpilogue(TestEpilogue kind, OpBuilder &b, Location loc,
                           Value sum, Value m, Value n, ValueRange inputs) {
  if (kind == TestEpilogue::None)
    return sum;
  if (kind == TestEpilogue::Position) {
    Value position =
        arith::AddIOp::create(b, loc, arith::AddIOp::create(b, loc, m, m), n);
    Value integer =
        arith::IndexCastOp::create(b, loc, b.getI32Type(), position);
    return arith::AddFOp::create(
        b, loc, sum, arith::SIToFPOp::create(b, loc, b.getF32Type(), integer));
  }
  if (sum.getType().isInteger())
    return arith::AddIOp::create(b, loc, sum, inputs[0]);
  Value result = arith::AddFOp::create(b, loc, sum, inputs[0]);
  if (kind == TestEpilogue::Bias)
    return result;
  return arith::AddFOp::create(b, loc, math::TanhOp::create(b, loc, result),
                               inputs[1]);
}

static SmallVector<int64_t> buildGemm(OpBuilder &b, const GemmCase &test,
                                      func::FuncOp function) {
  SmallVector<int64_t> dims;
  Location loc = function.getLoc();
  unsigned count = function.getNumArguments();
  Sizes size{b, loc, function, test.dynamic, dims, 5};
  effk::GemmDescription gemm;
  gemm.a = function.getArgument(0);
  describeRows(test, size, gemm);
  gemm.b = function.getArgument(1);
  gemm.n = size(test.n);
  if (test.rowMajorB)
    gemm.bStride = gemm.n;
  gemm.c = function.getArgument(4);
  gemm.cStride = gemm.n;
  gemm.lo = function.getArgument(count - 3);
  gemm.hi = function.getArgument(count - 2);
  gemm.tileRows = test.tileRows;
  gemm.tileWidth = test.tileWidth;
  gemm.rowsPerBlock = test.rowsPerBlock;
  gemm.rowsOuter = test.rowsOuter;
  gemm.registerRows = test.registerRows;
  gemm.interleave = test.interleave;
  gemm.padValue = test.padValue;
  if (test.epilogue != TestEpilogue::None)
    gemm.epilogueInputs.push_back(
        {function.getArgument(2), effk::EpilogueMap::Column, {}, {}});
  if (test.epilogue == TestEpilogue::BiasResidualTanh)
    gemm.epilogueInputs.push_back(
        {function.getArgument(3), effk::EpilogueMap::Element, {}, gemm.n});
  createGemm(b, loc, gemm,
             [&](OpBuilder &b, Location loc, Value sum, Value m, Value n,
                 ValueRange inputs) {
               return buildEpilogue(test.epilogue, b, loc, sum, m, n, inputs);
             });
  return dims;
}

/// At most this many sizes are passed.
static constexpr unsigned maxDims = 16;

static OwningOpRef<ModuleOp> buildGemm(MLIRContext &context,
                                       const GemmCase &test,
                                       SmallVector<int64_t> &dims) {
  OpBuilder b(&context);
  Location loc = b.getUnknownLoc();
  OwningOpRef<ModuleOp> module = ModuleOp::create(loc);
  auto flat = [&](Type element) -> Type {
    return MemRefType::get({ShapedType::kDynamic}, element);
  };
  Type scratch = flat(b.getI8Type()), operand = b.getF32Type();
  if (test.types == GemmTypes::BF16)
    operand = b.getBF16Type();
  if (test.types == GemmTypes::U8S8)
    operand = b.getI8Type();
  Type sum = effk::getSumType(operand);
  SmallVector<Type> types = {flat(operand), flat(operand), flat(sum),
                             flat(b.getF32Type()), flat(sum)};
  types.append(maxDims + 2, b.getIndexType());
  types.push_back(scratch);
  b.setInsertionPointToEnd(module->getBody());
  auto function =
      func::FuncOp::create(b, loc, "gemm", b.getFunctionType(types, {}));
  function->setAttr("effk.kernel", b.getUnitAttr());
  function->setAttr("effk.results", b.getI64IntegerAttr(1));
  b.setInsertionPointToStart(function.addEntryBlock());
  dims = buildGemm(b, test, function);
  dims.resize(maxDims);
  func::ReturnOp::create(b, loc);
  return module;
}

OwningOpRef<ModuleOp> buildGemm(MLIRContext &context, const GemmCase &test) {
  SmallVector<int64_t> dims;
  return buildGemm(context, test, dims);
}

static std::vector<float> randomValues(size_t count, unsigned seed, float low,
                                       float high) {
  std::mt19937 engine(seed);
  std::uniform_real_distribution<float> values(low, high);
  std::vector<float> result(count);
  for (float &value : result)
    value = values(engine);
  return result;
}

/// What the operand's type can hold of the values.
static void round(std::vector<float> &values, GemmTypes types) {
  for (float &value : values) {
    if (types == GemmTypes::U8S8)
      value = std::round(value);
    if (types == GemmTypes::BF16)
      value =
          llvm::bit_cast<float>(llvm::bit_cast<uint32_t>(value) & 0xffff0000u);
  }
}

GemmData::GemmData(const GemmCase &gemm) : gemm(gemm) {
  size_t sizeA = gemm.height
                     ? gemm.batch * gemm.height * gemm.widthIn * gemm.channels
                     : gemm.m * gemm.k;
  bool bytes = gemm.types == GemmTypes::U8S8;
  a = randomValues(sizeA, 1, bytes ? 0.0f : -1.0f, bytes ? 255.0f : 1.0f);
  b = randomValues(gemm.k * gemm.n, 2, bytes ? -128.0f : -1.0f,
                   bytes ? 127.0f : 1.0f);
  if (gemm.extreme) {
    a.assign(a.size(), 255.0f);
    b.assign(b.size(), -128.0f);
  }
  bias = randomValues(gemm.n, 3, bytes ? -1e6f : -1.0f, bytes ? 1e6f : 1.0f);
  residual = randomValues(gemm.m * gemm.n, 4, -1.0f, 1.0f);
  round(a, gemm.types);
  round(b, gemm.types);
  if (bytes)
    round(bias, gemm.types);
  c.assign(gemm.m * gemm.n + 2 * guard, guardValue);
  pack();
  MLIRContext context;
  context.loadDialect<effk::EffkDialect, arith::ArithDialect, func::FuncDialect,
                      math::MathDialect, memref::MemRefDialect>();
  SmallVector<int64_t> found;
  buildGemm(context, gemm, found);
  dims.assign(found.begin(), found.end());
}

void GemmData::pack() {
  int64_t i = gemm.interleave, width = gemm.tileWidth;
  int64_t depth = gemm.k / gemm.run() * gemm.filledRun();
  packed.assign(gemm.panels() * depth * width, 0.0f);
  for (int64_t k = 0; k < gemm.k; ++k)
    for (int64_t n = 0; n < gemm.n; ++n) {
      int64_t d = k / gemm.run() * gemm.filledRun() + k % gemm.run();
      packed[(n / width * depth + d / i * i) * width + n % width * i + d % i] =
          b[k * gemm.n + n];
    }
  aBytes = encode(a);
  bBytes = encode(gemm.rowMajorB ? b : packed);
  biasBytes.resize(4 * bias.size());
  std::memcpy(biasBytes.data(), bias.data(), biasBytes.size());
  if (gemm.types == GemmTypes::U8S8)
    for (size_t n = 0; n < bias.size(); ++n) {
      auto integer = static_cast<int32_t>(bias[n]);
      std::memcpy(biasBytes.data() + 4 * n, &integer, 4);
    }
}

std::vector<char> GemmData::encode(const std::vector<float> &values) const {
  std::vector<char> result;
  for (float value : values) {
    auto bits = llvm::bit_cast<std::array<char, 4>>(value);
    if (gemm.types == GemmTypes::U8S8)
      result.push_back(static_cast<char>(static_cast<int>(value)));
    else
      // The high half of an f32 is a bf16.
      result.insert(result.end(),
                    bits.begin() + (gemm.types == GemmTypes::BF16 ? 2 : 0),
                    bits.end());
  }
  return result;
}

void GemmData::run(const JITKernels &kernels, int64_t parts) {
  std::vector<void *> buffers = {aBytes.data(), bBytes.data(), biasBytes.data(),
                                 residual.data(), c.data() + guard};
  for (int64_t part = 0; part < parts; ++part)
    kernels.run("gemm", buffers, dims, gemm.extent() * part / parts,
                gemm.extent() * (part + 1) / parts);
}

float GemmData::elementA(int64_t m, int64_t k) const {
  if (gemm.height == 0)
    return a[m * gemm.k + k];
  int64_t outWidth = gemm.outSize(gemm.widthIn),
          outHeight = gemm.outSize(gemm.height);
  int64_t channel = k % gemm.channels, tap = k / gemm.channels;
  int64_t y = m / outWidth % outHeight * gemm.stride +
              tap / gemm.kernel * gemm.dilation - gemm.pad;
  int64_t x =
      m % outWidth * gemm.stride + tap % gemm.kernel * gemm.dilation - gemm.pad;
  if (y < 0 || y >= gemm.height || x < 0 || x >= gemm.widthIn)
    return static_cast<float>(gemm.padValue);
  return a[((m / (outWidth * outHeight) * gemm.height + y) * gemm.widthIn + x) *
               gemm.channels +
           channel];
}

double GemmData::element(size_t position) const {
  return gemm.types == GemmTypes::U8S8
             ? static_cast<double>(static_cast<int32_t>(c[position]))
             : llvm::bit_cast<float>(c[position]);
}

double GemmData::reference(int64_t m, int64_t n) const {
  double sum = 0.0;
  for (int64_t k = 0; k < gemm.k; ++k)
    sum += static_cast<double>(elementA(m, k)) * b[k * gemm.n + n];
  switch (gemm.epilogue) {
  case TestEpilogue::None:
    break;
  case TestEpilogue::Bias:
    sum += bias[n];
    break;
  case TestEpilogue::BiasResidualTanh:
    sum = std::tanh(sum + bias[n]) + residual[m * gemm.n + n];
    break;
  case TestEpilogue::Position:
    sum += 2 * m + n;
    break;
  }
  // Sums of integers wrap.
  return gemm.types == GemmTypes::U8S8
             ? static_cast<int32_t>(static_cast<int64_t>(sum))
             : sum;
}

double GemmData::maxError() {
  double error = 0.0;
  for (int64_t i = 0; i < guard; ++i)
    if (c[i] != guardValue || c[c.size() - 1 - i] != guardValue)
      return std::numeric_limits<double>::infinity();
  for (int64_t m = 0; m < gemm.m; ++m)
    for (int64_t n = 0; n < gemm.n; ++n)
      error = std::max(
          error, std::fabs(element(guard + m * gemm.n + n) - reference(m, n)));
  return error;
}
