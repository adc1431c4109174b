// Prints the certificate. Ordered JSON: equal input gives equal bytes.
#include "CertificateWriter.h"
#include "effrt/effrt_abi.h"
#include <nlohmann/json.hpp>

using Json = nlohmann::ordered_json;

namespace effc {

static const char *getDTypeName(int32_t dtype) {
  switch (dtype) {
  case EFFRT_DTYPE_F32:
    return "f32";
  case EFFRT_DTYPE_F64:
    return "f64";
  case EFFRT_DTYPE_F16:
    return "f16";
  case EFFRT_DTYPE_BF16:
    return "bf16";
  case EFFRT_DTYPE_F8E4M3FN:
    return "f8e4m3fn";
  case EFFRT_DTYPE_F8E4M3FNUZ:
    return "f8e4m3fnuz";
  case EFFRT_DTYPE_F8E5M2:
    return "f8e5m2";
  case EFFRT_DTYPE_F8E5M2FNUZ:
    return "f8e5m2fnuz";
  case EFFRT_DTYPE_F8E8M0FNU:
    return "f8e8m0fnu";
  case EFFRT_DTYPE_F4E2M1FN:
    return "f4e2m1fn";
  case EFFRT_DTYPE_U4:
    return "u4";
  case EFFRT_DTYPE_I4:
    return "i4";
  case EFFRT_DTYPE_U2:
    return "u2";
  case EFFRT_DTYPE_I2:
    return "i2";
  case EFFRT_DTYPE_BOOL:
    return "bool";
  case EFFRT_DTYPE_U8:
    return "u8";
  case EFFRT_DTYPE_I8:
    return "i8";
  case EFFRT_DTYPE_U16:
    return "u16";
  case EFFRT_DTYPE_I16:
    return "i16";
  case EFFRT_DTYPE_U32:
    return "u32";
  case EFFRT_DTYPE_I32:
    return "i32";
  case EFFRT_DTYPE_U64:
    return "u64";
  default:
    return "i64";
  }
}

static Json describeTensor(const TensorEntry &tensor) {
  Json shape = Json::array();
  for (auto [expr, text] : llvm::zip(tensor.exprs, tensor.texts)) {
    if (auto constant = llvm::dyn_cast<mlir::AffineConstantExpr>(expr))
      shape.push_back(constant.getValue());
    else
      shape.push_back(text);
  }
  return {{"name", tensor.name},
          {"type", getDTypeName(tensor.dtype)},
          {"shape", shape}};
}

static Json describeTensors(const std::vector<TensorEntry> &tensors) {
  Json list = Json::array();
  for (const TensorEntry &tensor : tensors)
    list.push_back(describeTensor(tensor));
  return list;
}

static Json describeStates(const std::vector<StateEntry> &states) {
  Json list = Json::array();
  for (const StateEntry &state : states)
    list.push_back({{"before", describeTensor(state.before)},
                    {"after", describeTensor(state.after)}});
  return list;
}

static std::vector<std::string> getSymbolNames(const ProgramTable &program) {
  std::vector<std::string> names;
  for (const SymbolEntry &symbol : program.symbols)
    names.push_back(symbol.name);
  return names;
}

/// A value of the dim table: a number where it is one.
static Json describeDim(const ProgramTable &program,
                        const std::optional<std::vector<int64_t>> &values,
                        uint32_t dim) {
  if (values)
    return (*values)[dim];
  const effrt_dim_op &op = program.dims[dim];
  if (op.kind == EFFRT_DIM_CONST)
    return op.value;
  return nullptr;
}

/// What rounds more than the sums of the model do, by the choices that say so.
static constexpr struct {
  llvm::StringLiteral choice, algorithm, error;
} approximations[] = {
    {"winograd", "Winograd F(4x4, 3x3)",
     "at most 2e-5 of the largest output of the convolution; an infinity or "
     "NaN among the inputs reaches the 4x4 outputs of every tile that reads "
     "it; --exact turns it off"},
    {"rounded rows", "rows in 8 bits",
     "each block of a row is rounded to 127 steps either way of its largest "
     "element, as the node's accuracy_level = 4 allows; --exact turns it off"},
};

static Json describeApproximations(const VersionTable &version,
                                   const ProgramTable &program) {
  Json list = Json::array();
  for (const auto &approximation : approximations) {
    Json kernels = Json::array();
    for (const LaunchEntry &launch : program.launches) {
      const KernelEntry &kernel = version.kernels[launch.kernel];
      if (llvm::StringRef(kernel.choice).starts_with(approximation.choice) &&
          !llvm::is_contained(kernels, Json(kernel.name)))
        kernels.push_back(kernel.name);
    }
    if (!kernels.empty())
      list.push_back({{"algorithm", approximation.algorithm.str()},
                      {"kernels", kernels},
                      {"error", approximation.error.str()}});
  }
  return list;
}

static Json describePrograms(const VersionTable &version) {
  Json list = Json::array();
  for (const ProgramTable &program : version.programs) {
    std::vector<std::string> names = getSymbolNames(program);
    auto values = program.evaluateStatic();
    std::optional<uint64_t> arena = planArena(program);
    Json symbols = Json::array(), launches = Json::array();
    for (const SymbolEntry &symbol : program.symbols)
      if (symbol.isFree())
        symbols.push_back(
            {{"name", symbol.name}, {"min", symbol.min}, {"max", symbol.max}});
    Json checks = Json::array();
    for (const CheckEntry &check : program.checks)
      checks.push_back(check.message);
    for (const LaunchEntry &launch : program.launches)
      launches.push_back(
          {{"kernel", version.kernels[launch.kernel].name},
           {"flops", describeDim(program, values, launch.flops)},
           {"bytes", describeDim(program, values, launch.bytes)}});
    list.push_back(
        {{"name", program.name},
         {"symbols", symbols},
         {"checks", checks},
         {"inputs", describeTensors(program.inputs)},
         {"outputs", describeTensors(program.outputs)},
         {"states", describeStates(program.states)},
         {"arena_bytes", arena ? Json(*arena) : Json(nullptr)},
         {"approximations", describeApproximations(version, program)},
         {"launches", launches}});
  }
  return list;
}

static const char *describeRounding(const std::string &precision) {
  if (precision == "int8")
    return "operands of products are rounded to 8 bits, inputs in the range "
           "that calibration chose; what lies outside is clamped and NaN "
           "becomes its low end; sums are exact, all else is f32";
  if (precision == "int8-dynamic")
    return "operands of products are rounded to 8 bits, inputs in the range of "
           "each row; sums are exact, all else is f32";
  if (precision == "ternary")
    return "weights are integers of 2 bits times a scale for each row, "
           "exactly; "
           "arithmetic is f32";
  if (llvm::StringRef(precision).starts_with("nf4"))
    return "weights are rounded to one of 16 numbers (NormalFloat) times a "
           "scale for each group; arithmetic is f32";
  if (precision.front() == 'w')
    return "weights are rounded to integers of few bits with a scale for each "
           "group; arithmetic is f32";
  return "operands of products are rounded to 8 bits of mantissa; sums and all "
         "else are f32";
}

/// What was asked for, where it was done, and why not elsewhere.
static Json describeQuantized(const std::vector<QuantizedLayers> &entries) {
  Json list = Json::array();
  for (const QuantizedLayers &entry : entries) {
    Json layers = Json::array(), rounding = Json::object();
    for (const LayerPrecision &layer : entry.layers) {
      layers.push_back({{"layer", layer.layer},
                        {"node", layer.node},
                        {"precision", layer.precision},
                        {"taken", layer.taken},
                        {"reason", layer.reason}});
      if (layer.error)
        layers.back()["error"] = *layer.error;
      if (layer.taken)
        rounding[layer.precision] = describeRounding(layer.precision);
    }
    list.push_back({{"entry_point", entry.entryPoint},
                    {"rounding", rounding},
                    {"layers", layers}});
  }
  return list;
}

static Json describeCalibration(const std::optional<Calibration> &calibration) {
  if (!calibration)
    return nullptr;
  return {{"sha256", calibration->sha256},
          {"samples", calibration->numSamples}};
}

/// Null where nothing was measured.
static Json describeQuality(const std::optional<Quality> &quality) {
  if (!quality)
    return nullptr;
  Json outputs = Json::array();
  for (const OutputQuality &output : quality->outputs)
    outputs.push_back({{"name", output.name},
                       {"elements", output.elements},
                       {"mse", output.mse},
                       {"mean_square", output.meanSquare},
                       {"cosine", output.cosine}});
  return {{"samples", quality->numSamples},
          {"samples_sha256", quality->samplesSha256},
          {"version", quality->version},
          {"tuned", quality->tuned},
          {"metric", quality->metric},
          {"before", quality->before},
          {"after", quality->after},
          {"outputs", outputs}};
}

static Json describeKernels(const VersionTable &version) {
  Json kernels = Json::array();
  for (const KernelEntry &kernel : version.kernels)
    kernels.push_back({{"name", kernel.name},
                       {"nodes", kernel.origin},
                       {"choice", kernel.choice}});
  return kernels;
}

/// One for each machine; the first, which has the most instructions, is the one
/// that the rest of the certificate tells of.
static Json describeVersions(const ModelTable &table) {
  Json list = Json::array();
  for (const VersionTable &version : table.versions) {
    Json kernels = Json::array();
    if (!list.empty())
      kernels = describeKernels(version);
    list.push_back({{"cpu", version.target},
                    {"weight_bytes", version.ownWeightBytes},
                    {"kernels", kernels}});
  }
  return list;
}

std::string makeCertificate(const ModelTable &table,
                            const LibraryOptions &options) {
  const CertificateInfo &info = options.certificate;
  Json passes = Json::array();
  for (const auto &[name, detail] : info.passes)
    passes.push_back({{"name", name}, {"did", detail}});
  Json json = {
      {"format", "effc-certificate"},
      {"format_version", 1},
      {"name", table.name},
      {"compiler", {{"name", "effc"}, {"version", info.compilerVersion}}},
      {"model", {{"file", info.modelFile}, {"sha256", info.modelSha256}}},
      {"target", {{"cpu", options.target}, {"triple", options.triple}}},
      {"options", info.options},
      {"passes", passes},
      {"quantized", describeQuantized(info.quantized)},
      {"calibration", describeCalibration(info.calibration)},
      {"quality", describeQuality(info.quality)},
      {"notes", info.notes},
      {"entry_points", describePrograms(table.best())},
      {"kernels", describeKernels(table.best())},
      {"versions", describeVersions(table)},
      {"weights",
       {{"bytes", table.weightsSize},
        {"constants", table.weights.size()},
        {"separate", options.separateWeights}}},
  };
  // Names may hold any bytes; JSON holds UTF-8.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string completeCertificate(const std::string &certificate,
                                uint64_t libraryBytes,
                                const std::string &libraryName) {
  Json json = Json::parse(certificate);
  json["library"] = {{"file", libraryName}, {"bytes", libraryBytes}};
  return json.dump(2) + "\n";
}

} // namespace effc
