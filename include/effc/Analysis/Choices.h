// What code generation may choose between, as text: a key says what is
// computed (family, types, sizes), a choice how. `--tune` times the candidates
// of a key, effc.lock keeps the winner, and a module's attribute `eff.choices`
// brings it to the emitters.
#ifndef EFFC_ANALYSIS_CHOICES_H
#define EFFC_ANALYSIS_CHOICES_H

#include "effc/Analysis/TileChoice.h"
#include <string>
#include <vector>

namespace effc {

/// A matrix product; a size that a run decides is -1.
struct GemmKey {
  GemmTypes types = GemmTypes::F32;
  int64_t m = 0, n = 0, k = 0;
  int64_t rowBytes = 0; ///< as for chooseGemmTile
};

/// The sizes that WinogradSizes has; those that a run decides are -1.
struct ConvKey {
  int64_t images = 0, rows = 0, columns = 0, channels = 0, outputs = 0;
};

/// Either of them, as JSON and messages name it.
struct ChoiceKey {
  std::string kernel;                                 ///< "gemm" or "conv3x3"
  std::string types;                                  ///< "f32"
  std::vector<std::pair<std::string, int64_t>> sizes; ///< in a fixed order

  /// "gemm f32 m=128 n=512 k=512 row_bytes=2048".
  std::string print() const;
  /// The same back, nothing for other text.
  static std::optional<ChoiceKey> parse(llvm::StringRef text);
  bool isStatic() const;
};

ChoiceKey makeKey(const GemmKey &key);
ChoiceKey makeKey(const ConvKey &key);

/// Larger sizes, or products of them, are those of no model.
constexpr int64_t kMostOfKey = int64_t(1) << 28;
constexpr double kMostWorkOfKey = double(int64_t(1) << 52);

/// The choices for a key, in words: what the cost model takes comes first. None
/// for what is no key of this compiler. "direct" of a convolution stands for
/// its product, which has a key of its own.
std::vector<std::string> getCandidates(eff::TargetAttr target,
                                       const ChoiceKey &key);

/// The instructions, registers, caches and microarchitecture that choices are
/// made for; what --cpu called the machine is left out.
std::string describeTarget(eff::TargetAttr target);

/// The module's attribute: a dictionary from printed key to choice.
constexpr llvm::StringLiteral kChoicesAttr = "eff.choices";
/// On a module: kernel functions say which keys they asked for, in an array
/// attribute kKeysAttr.
constexpr llvm::StringLiteral kTuningAttr = "eff.tuning";
constexpr llvm::StringLiteral kKeysAttr = "effk.keys";

/// On a module: what packed weights the versions compiled before it have, by
/// printed key, and what this one has. Versions that can read them do, so that
/// the library has them once.
constexpr llvm::StringLiteral kPanelsAttr = "eff.panels";

/// Answers the emitters: what the module says, else the cost model.
class KernelChoices {
public:
  KernelChoices(eff::TargetAttr target, mlir::DictionaryAttr locked,
                mlir::DictionaryAttr panels = {})
      : target(target), locked(locked), panels(panels) {}

  /// For a product whose weights are packed along with the library; `runs` of
  /// a convolution.
  TileChoice gemm(std::optional<int64_t> m, int64_t n, int64_t k,
                  int64_t rowBytes = 0, GemmTypes types = GemmTypes::F32,
                  const RowRuns &runs = {});
  /// `isFaster` is what to do; `reason` says who chose.
  WinogradChoice winograd(const WinogradSizes &sizes);

  /// `panels` with those of all products so far.
  mlir::DictionaryAttr getPanels(mlir::MLIRContext *context) const;

  /// What was asked for since the last call.
  std::vector<ChoiceKey> takeKeys() { return std::exchange(asked, {}); }

private:
  llvm::StringRef lookup(const ChoiceKey &key);

  eff::TargetAttr target;
  mlir::DictionaryAttr locked, panels;
  std::vector<ChoiceKey> asked;
  mlir::NamedAttrList made;
};

} // namespace effc

#endif // EFFC_ANALYSIS_CHOICES_H
