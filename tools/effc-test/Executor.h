// Compiles tests into memory, runs them, compares: one after another in one
// process, with one compiler.
#ifndef EFFC_TOOLS_EFFC_TEST_EXECUTOR_H
#define EFFC_TOOLS_EFFC_TEST_EXECUTOR_H

#include "Compare.h"
#include "TestCase.h"
#include "effc/Driver/MemoryCompiler.h"

namespace effc::test {

enum class Status {
  Pass,
  Different,   ///< a result is not what was expected
  Refused,     ///< the compiler says that it does not take the model
  RunError,    ///< the runtime refuses or a kernel reports an error
  Fault,       ///< the compiler or the runtime admits a fault of its own
  Unsupported, ///< the values are none that a session takes
};
const char *getStatusName(Status status);

struct Verdict {
  std::string name;
  Status status = Status::Pass;
  std::string message;
  Errors errors;
  double compileMs = 0, runMs = 0;
  /// With `keepResults`, in the order of the model.
  NpzArrays results;
};

struct ExecutorOptions {
  Mode mode = Mode::Static;
  bool plain = false;
  /// Of LLVM, 0 to 3.
  unsigned optLevel = 3;
  /// AddressSanitizer in the kernels.
  bool sanitize = false;
  int threads = 1;
  /// Somebody else compares.
  bool keepResults = false;
  Tolerance tolerance;
};

class Executor {
public:
  Verdict run(const TestCase &test, const ExecutorOptions &options);

private:
  std::shared_ptr<const effrt_model_desc>
  compile(const TestCase &test, const PreparedModel &prepared,
          const ExecutorOptions &options, Verdict &verdict);
  bool runSet(const TestCase &test, const DataSet &data,
              const PreparedModel &prepared, const effrt_model_desc *table,
              const ExecutorOptions &options, Verdict &verdict);

  MemoryCompiler compiler;
};

} // namespace effc::test

#endif // EFFC_TOOLS_EFFC_TEST_EXECUTOR_H
