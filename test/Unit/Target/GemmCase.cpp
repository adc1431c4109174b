// See GemmCase.h.
#include "GemmCase.h"

#include <cmath>
#include <limits>

using namespace effc;
using namespace mlir;

static constexpr int64_t guard = 80;
static constexpr float guardValue = -12345.0f;

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
  Type flat = MemRefType::get({ShapedType::kDynamic}, b.getF32Type());
  Type scratch = MemRefType::get({ShapedType::kDynamic}, b.getI8Type());
  SmallVector<Type> types(5, flat);
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

static std::vector<float> randomValues(size_t count, unsigned seed) {
  std::mt19937 engine(seed);
  std::uniform_real_distribution<float> values(-1.0f, 1.0f);
  std::vector<float> result(count);
  for (float &value : result)
    value = values(engine);
  return result;
}

GemmData::GemmData(const GemmCase &gemm) : gemm(gemm) {
  size_t sizeA = gemm.height
                     ? gemm.batch * gemm.height * gemm.widthIn * gemm.channels
                     : gemm.m * gemm.k;
  a = randomValues(sizeA, 1);
  b = randomValues(gemm.k * gemm.n, 2);
  bias = randomValues(gemm.n, 3);
  residual = randomValues(gemm.m * gemm.n, 4);
  c.assign(gemm.m * gemm.n + 2 * guard, guardValue);
  packed.assign(gemm.panels() * gemm.k * gemm.tileWidth, 0.0f);
  for (int64_t k = 0; k < gemm.k; ++k)
    for (int64_t n = 0; n < gemm.n; ++n)
      packed[(n / gemm.tileWidth * gemm.k + k) * gemm.tileWidth +
             n % gemm.tileWidth] = b[k * gemm.n + n];
  MLIRContext context;
  context.loadDialect<effk::EffkDialect, arith::ArithDialect, func::FuncDialect,
                      math::MathDialect, memref::MemRefDialect>();
  SmallVector<int64_t> found;
  buildGemm(context, gemm, found);
  dims.assign(found.begin(), found.end());
}

void GemmData::run(const JITKernels &kernels, int64_t parts) {
  std::vector<void *> buffers = {
      a.data(), gemm.rowMajorB ? b.data() : packed.data(), bias.data(),
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
    return 0.0f;
  return a[((m / (outWidth * outHeight) * gemm.height + y) * gemm.widthIn + x) *
               gemm.channels +
           channel];
}

float GemmData::reference(int64_t m, int64_t n) const {
  double sum = 0.0;
  for (int64_t k = 0; k < gemm.k; ++k)
    sum += static_cast<double>(elementA(m, k)) * b[k * gemm.n + n];
  switch (gemm.epilogue) {
  case TestEpilogue::None:
    return sum;
  case TestEpilogue::Bias:
    return sum + bias[n];
  case TestEpilogue::BiasResidualTanh:
    return std::tanh(sum + bias[n]) + residual[m * gemm.n + n];
  case TestEpilogue::Position:
    return sum + 2 * m + n;
  }
  return 0.0f;
}

float GemmData::maxError() {
  float error = 0.0f;
  for (int64_t i = 0; i < guard; ++i)
    if (c[i] != guardValue || c[c.size() - 1 - i] != guardValue)
      return std::numeric_limits<float>::infinity();
  for (int64_t m = 0; m < gemm.m; ++m)
    for (int64_t n = 0; n < gemm.n; ++n)
      error = std::max(error,
                       std::fabs(c[guard + m * gemm.n + n] - reference(m, n)));
  return error;
}
