// effc's side of a race: a model compiled into this process, and a session on
// it of one thread.
#ifndef EFFC_BENCH_COMPILED_H
#define EFFC_BENCH_COMPILED_H

#include "Graph.h"
#include "effc/Driver/MemoryCompiler.h"
#include "effrt/effrt.h"

namespace effc::bench {

class Compiled {
public:
  /// Throws with what the compiler or the runtime said. `inputs` are read by
  /// every run and outlive this.
  Compiled(const Graph &graph, const std::vector<const Array *> &inputs,
           bool plain = false);

  void run();

  /// Of the last run.
  Array output;
  /// How the kernel that has most operations was generated, and how many
  /// kernels a run launches.
  std::string choice;
  int64_t launches = 0;

private:
  void describe();

  struct Closer {
    void operator()(effrt_model *model) const { effrt_model_close(model); }
    void operator()(effrt_session *session) const {
      effrt_session_destroy(session);
    }
  };
  std::shared_ptr<const effrt_model_desc> table;
  std::unique_ptr<effrt_model, Closer> model;
  std::unique_ptr<effrt_session, Closer> session;
  std::vector<effrt_tensor> arguments;
  effrt_tensor result = {};
};

} // namespace effc::bench

#endif // EFFC_BENCH_COMPILED_H
