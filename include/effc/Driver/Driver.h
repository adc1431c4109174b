// compile(options): a model file to a library, or diagnostics. The one entry
// for tools, tests and the C API; plain C++, without MLIR.
#ifndef EFFC_DRIVER_DRIVER_H
#define EFFC_DRIVER_DRIVER_H

#include "effc/Driver/Diagnostic.h"
#include "effc/Emit/Certificate.h"
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace effc {

/// `--dim NAME=...`: one value, a range, or several entry points.
struct DimOption {
  std::string name;
  /// Fixed values; more than one makes an entry point for each.
  std::vector<int64_t> values;
  /// Bounds of a size that stays free ("1..512").
  std::optional<std::pair<int64_t, int64_t>> range;
  /// Also an entry point for any size ("1,128,*").
  bool general = false;
};

/// `--set "GLOB: KEY=VALUE"`: an option for the nodes whose names match.
struct LayerOption {
  std::string nodes, key, value;
};

struct CompileOptions {
  /// An .onnx file, or an .mlir file of --save-stages with `startAt`.
  std::string model;
  /// The contents of an .onnx file; `model` then only names it in messages, and
  /// external data lies beside it.
  std::optional<std::string_view> modelBytes;
  std::string outputDir;
  /// What layers read become outputs, which the result lists: for calibration.
  bool probes = false;
  /// Empty: made of the model's file name.
  std::string name;
  bool staticLibrary = false;
  bool separateWeights = false;
  std::string cpu = "native";
  /// 0 to 3.
  unsigned optLevel = 3;
  /// Simple loops, one kernel an operation: the oracle.
  bool plain = false;
  /// Every float computed and stored as double; with `plain`.
  bool computeF64 = false;
  /// No reordering beyond what a sum needs: no Winograd.
  bool exact = false;
  /// Lossy: what layers compute in where that gains: a scheme of
  /// docs/quantization.md ("bf16", "int8", "int8-dynamic", "w4g32", ...) or
  /// nothing.
  std::string quantize;
  std::vector<LayerOption> layers;
  /// The statistics that int8 needs: a file of effc calibrate, of the same
  /// model and describeLayerOptions(makeProbedOptions(...)).
  std::string calibrate;
  /// For the certificate: what was measured of this build.
  std::optional<Quality> quality;
  /// Times candidates of each kernel for so many seconds in all and writes the
  /// lock; 0: no tuning.
  double tuneSeconds = 0;
  /// The lock to read, or to write when tuning; empty: none, or effc.lock in
  /// the output folder.
  std::string lock;
  /// AddressSanitizer checks what kernels read and write (docs/sanitizers.md).
  bool sanitize = false;
  std::vector<DimOption> dims;
  std::vector<std::pair<std::string, std::vector<int64_t>>> inputShapes;
  /// Inputs that become constants.
  std::vector<std::pair<std::string, std::vector<double>>> inputValues;
  std::vector<std::string> outputNames;
  /// Pairs that sessions keep: "IN:OUT" or "auto".
  std::vector<std::string> states;
  std::string externalDataDir;
  /// 0: one per core. The bytes do not depend on it.
  unsigned compileThreads = 0;
  /// A folder for the IR after each stage.
  std::string saveStages;
  std::string stopAfter, startAt;
  /// MLIR's verifier after every pass.
  bool verifyEach = false;

  DiagnosticCallback onDiagnostic;
  /// Called when a stage begins: name, number from 1, number of stages.
  std::function<void(const std::string &, unsigned, unsigned)> onStage;
};

// Options as text, as the command line and the other APIs spell them. On
// failure nothing and a reason.

/// "batch=8", "seq=1..512" or "seq=1,128,*".
std::optional<DimOption> parseDim(const std::string &text, std::string &error);
/// "image=1x3x224x224"; "?" keeps a size as declared.
std::optional<std::pair<std::string, std::vector<int64_t>>>
parseInputShape(const std::string &text, std::string &error);
/// "rate=16000" or "sizes=640,480".
std::optional<std::pair<std::string, std::vector<double>>>
parseInputValue(const std::string &text, std::string &error);

/// "bf16", "int8", "int8-dynamic", "w8", "w4g32", "nf4g64", "ternary" and so
/// on, or "off".
std::optional<std::string> parseQuantize(const std::string &text,
                                         std::string &error);
/// "*attention*: quantize=off", or another scheme.
std::optional<LayerOption> parseLayerOption(const std::string &text,
                                            std::string &error);

/// The options that change the result, in one order: what the certificate
/// keeps.
std::vector<std::string> describeOptions(const CompileOptions &options);

/// Those of them that change layers or what they read: statistics are of one
/// model and such a list.
std::vector<std::string> describeLayerOptions(const CompileOptions &options);

/// What calibration compiles: with probes, for this machine, and for all sizes
/// that the options name of a dim.
CompileOptions makeProbedOptions(const CompileOptions &options);

/// The same model and code, for memory: nothing that makes other files, and
/// nothing that is measured.
CompileOptions makeMemoryOptions(const CompileOptions &options);

/// Whether a layer may be quantised by what calibration found.
bool needsStatistics(const CompileOptions &options);

/// The same without what is lossy.
CompileOptions withoutLoss(const CompileOptions &options);

/// An output that shows what layers read.
struct Probe {
  std::string output;
  std::vector<std::string> layers;
};

struct StageTime {
  std::string stage;
  double seconds;
};

struct CompileResult {
  /// 0 done, 1 the model or the options are at fault, 70 effc is.
  int exitCode = 0;
  /// Written files, the library first.
  std::vector<std::string> files;
  uint64_t libraryBytes = 0;
  std::vector<StageTime> stages;
  /// With `probes`.
  std::vector<Probe> probes;
  /// SHA-256 of the model's file, where code was made.
  std::string modelSha256;
  /// With `probes`: of the files that the model keeps weights in; "" without.
  std::string externalSha256;
  /// The module as text, weights left out: with `stopAfter` and without
  /// `saveStages`.
  std::string ir;
  /// What to attach to a bug report, when effc is at fault.
  std::string reproducer;
};

CompileResult compile(const CompileOptions &options);

/// What `compile` refuses before it reads model and statistics: 0, or its exit
/// code after diagnostics.
int checkCompileOptions(const CompileOptions &options);

/// The stages that `stopAfter` and `startAt` take, in order.
std::vector<std::string> getStageNames();

/// The values of `--cpu`.
std::vector<std::string> listCPUs();

/// What `effc check` finds out without generating code.
struct CheckOptions {
  std::string model;
  std::string cpu = "native";
  std::vector<DimOption> dims;
  std::vector<std::pair<std::string, std::vector<int64_t>>> inputShapes;
  /// Inputs that become constants.
  std::vector<std::pair<std::string, std::vector<double>>> inputValues;
  std::string externalDataDir;
  DiagnosticCallback onDiagnostic;
};

/// What a library would hold for one of the machines of `--cpu`.
struct CheckVersion {
  std::string cpu;
  uint64_t numLaunches = 0;
  /// Its weights, packed, if the library held nothing else.
  uint64_t storedWeightBytes = 0;
  std::optional<double> estimatedMs;
};

struct CheckNode {
  std::string name;
  std::string op;
  /// Absent while sizes are free.
  std::optional<int64_t> flops, bytes;
};

struct CheckResult {
  int exitCode = 0;
  /// As certificates describe them: JSON of inputs, outputs and sizes.
  std::string signature;
  std::vector<CheckNode> nodes;
  uint64_t weightBytes = 0;
  uint64_t numConstants = 0;
  /// In the library, packed and each constant once.
  uint64_t storedWeightBytes = 0;
  uint64_t numLaunches = 0;
  /// The best first; the figures above are its.
  std::vector<CheckVersion> versions;
  /// Intermediate values, and a guess of the time on one core; absent while
  /// sizes are free.
  std::optional<uint64_t> arenaBytes;
  std::optional<double> estimatedMs;
  /// Raised idioms (attention, norm, ...) and how often they occur.
  std::vector<std::pair<std::string, unsigned>> idioms;
  /// Share of flops in operations that have integer forms, in [0, 1].
  double quantizableShare = 0;
};

CheckResult check(const CheckOptions &options);

/// The operators that effc takes, as a Markdown or JSON table.
std::string describeSupportedOps(bool json);

const char *getVersion();

} // namespace effc

#endif // EFFC_DRIVER_DRIVER_H
