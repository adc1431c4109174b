// effc.lock, as `effc compile --lock` reads it: damaged files are refused with
// a reason, good ones print and read back the same, and no choice gets by that
// the compiler does not have.
#include "effc/Driver/Lock.h"
#include "mlir/IR/MLIRContext.h"

using namespace effc;

static void require(bool holds) {
  if (!holds)
    __builtin_trap();
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static mlir::MLIRContext context(mlir::MLIRContext::Threading::DISABLED);
  context.loadDialect<eff::EffDialect>();
  static const eff::TargetAttr targets[] = {
      eff::TargetAttr::get(&context, "v3", "x86-64-v3", "", 256, 16, 32 << 10,
                           256 << 10, ""),
      eff::TargetAttr::get(&context, "v4", "x86-64-v4", "", 512, 32, 32 << 10,
                           1 << 20, "")};
  std::string error;
  std::optional<Lock> lock =
      parseLock({reinterpret_cast<const char *>(data), size}, error);
  require(lock || !error.empty());
  if (!lock)
    return 0;
  std::string text = printLock(*lock);
  std::optional<Lock> again = parseLock(text, error);
  require(again.has_value());
  require(printLock(*again) == text);
  for (const LockTarget &locked : lock->targets)
    for (eff::TargetAttr target : targets)
      if (findBadChoice(locked, target).empty())
        for (const LockEntry &entry : locked.entries)
          require(llvm::is_contained(getCandidates(target, entry.key),
                                     entry.choice));
  return 0;
}
