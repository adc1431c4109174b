// The stages of a compilation, their order and their gates: the only place that
// orders passes.
#ifndef EFFC_PIPELINE_STAGES_H
#define EFFC_PIPELINE_STAGES_H

#include "effc/Analysis/TileChoice.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/PassManager.h"
#include <functional>
#include <memory>
#include <string>

namespace effc {

struct Statistics;

/// Stages between import and object code, in order. Each leaves IR that the
/// next accepts, also from a file.
enum class Stage { Import, Normalize, Raise, Layout, Fusion, Conversion };

/// All stages in order.
llvm::ArrayRef<Stage> getStages();
/// "normalize" and so on, as in --stop-after.
llvm::StringRef getStageName(Stage stage);
std::optional<Stage> parseStage(llvm::StringRef name);

/// A scheme of --quantize that only weights have: "w8", "w4g32a" and so on.
struct WeightScheme {
  std::string name;
  /// A group of 0 is a row.
  int64_t bits, group;
  bool asymmetric = false, nf4 = false, lossless = false;
};
llvm::ArrayRef<WeightScheme> getWeightSchemes();

struct PipelineOptions {
  /// Scalar loops, one kernel an op: the oracle.
  bool plain = false;
  /// With plain: floats become doubles.
  bool f64 = false;
  /// No kernels that round or spread more than the model's own sums.
  bool exact = false;
  WinogradUse winograd = WinogradUse::WhereFaster;
  /// What layers read become outputs.
  bool probes = false;
  /// What layers compute in where that is faster: a scheme of --quantize, or
  /// nothing; and what those of these names do, the last that matches.
  std::string quantize;
  std::vector<std::pair<std::string, std::string>> layerSchemes;
  /// What layers compute in has been said, of another machine's version.
  bool quiet = false;
  /// The machines of the library: a layer is quantised for all or for none.
  std::vector<eff::TargetAttr> targets;
  /// What calibration found, for schemes that need it; null: nothing.
  std::shared_ptr<const Statistics> statistics;
  /// The first stage to run; Import runs none of the passes before Normalize.
  Stage startAt = Stage::Normalize;
  Stage stopAfter = Stage::Conversion;
  /// Checks the IR after every pass (all test builds).
  bool verify = true;
  /// Called after every stage, Import included: dumps, progress. Failing ends
  /// the compilation.
  std::function<mlir::LogicalResult(Stage, mlir::ModuleOp)> afterStage;
  /// Called with each pass manager before it runs: timing, printing.
  std::function<void(mlir::PassManager &)> configure;
};

/// Adds the passes of one stage.
void buildStage(mlir::OpPassManager &pm, Stage stage,
                const PipelineOptions &options);

/// Runs the stages on a module with the attribute `eff.target` (except when
/// plain) and checks each one's result.
mlir::LogicalResult runStages(mlir::ModuleOp module,
                              const PipelineOptions &options);

/// Reports every op that must not be there after a stage, by its ONNX node.
mlir::LogicalResult checkGate(mlir::ModuleOp module, Stage stage);

/// Registers each stage as a pipeline of effc-opt: `effc-normalize-stage` and
/// so on.
void registerStagePipelines();

} // namespace effc

#endif // EFFC_PIPELINE_STAGES_H
