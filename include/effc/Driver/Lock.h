// effc.lock: what `--tune` measured and chose, for later compilations
// (docs/schema/lock.json). The file is JSON of anybody's making: reading it
// checks everything, and choices are compared with what the compiler offers
// before they are used.
#ifndef EFFC_DRIVER_LOCK_H
#define EFFC_DRIVER_LOCK_H

#include "effc/Analysis/Choices.h"
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace effc {

struct LockTime {
  std::string choice;
  /// Of one call on one core, and the interquartile range over the median.
  double microseconds = 0, spread = 0;
};

struct LockEntry {
  ChoiceKey key;
  std::string choice;
  /// The chosen one among them; the first is the cost model's.
  std::vector<LockTime> times;
};

struct LockTarget {
  /// As --cpu named it.
  std::string cpu;
  /// describeTarget.
  std::string machine;
  std::vector<LockEntry> entries;
};

struct Lock {
  std::string compilerVersion;
  std::string modelFile, modelSha256;
  std::vector<LockTarget> targets;

  LockTarget *find(llvm::StringRef machine);
};

/// Nothing and a reason for what is no lock.
std::optional<Lock> parseLock(std::string_view text, std::string &error);

/// The file: equal locks give equal bytes.
std::string printLock(const Lock &lock);

/// The first choice that the compiler does not offer for its key and target,
/// with a reason; empty when all are good.
std::string findBadChoice(const LockTarget &lock, eff::TargetAttr target);

/// The attribute `eff.choices`.
mlir::DictionaryAttr makeChoices(mlir::MLIRContext *context,
                                 const LockTarget &lock);

} // namespace effc

#endif // EFFC_DRIVER_LOCK_H
