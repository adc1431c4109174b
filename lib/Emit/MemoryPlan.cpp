// Memory of a program whose sizes are known, by the planner that the runtime
// uses, so that the prediction is what a run takes.
#include "Plan.h"
#include "effc/Emit/ModelTable.h"

namespace effc {

std::optional<uint64_t> planArena(const ProgramTable &program) {
  auto values = program.evaluateStatic();
  if (!values)
    return std::nullopt;
  std::vector<effrt_plan_item> items;
  for (const effrt_buffer &buffer : program.buffers)
    if (buffer.kind == EFFRT_BUFFER_ARENA)
      items.push_back({static_cast<uint64_t>((*values)[buffer.bytes]),
                       buffer.first, buffer.last});
  uint32_t steps =
      program.steps.empty() ? program.launches.size() : program.steps.size();
  std::vector<uint64_t> offsets(items.size());
  std::vector<uint64_t> work(
      effrt_plan_work_bytes(items.size(), steps) / sizeof(uint64_t) + 1);
  uint64_t bytes = 0, live = 0;
  if (!effrt_plan_arena(items.data(), items.size(), steps, work.data(),
                        offsets.data(), &bytes, &live))
    return std::nullopt;
  return bytes;
}

} // namespace effc
