// Turns of a session. States begin as the inputs say, else as zeros; one that
// grows begins anew in every run, or runs would take longer and longer.
#include "Subject.h"
#include "Machine.h"
#include <chrono>
#include <cstring>

namespace effc::tool {

using Clock = std::chrono::steady_clock;

static double since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start)
      .count();
}

bool Subject::fail() const {
  console.fail(effrt_session_error(library->session), "",
               DiagnosticCode::RunFailed);
  return false;
}

bool Subject::start(const std::string &path, int threads,
                    const InputOptions &options, bool compared,
                    const std::string &version) {
  uint64_t before = getResidentBytes();
  library = Library::open(path, threads, console, version);
  if (!library)
    return false;
  uint64_t opened = getResidentBytes();
  auto arrays = loadInputs(*library, options, console, &rest);
  if (!arrays)
    return false;
  inputs = std::move(*arrays);
  sortRest(compared);
  uint64_t loaded = getResidentBytes();
  if (!runFirst())
    return false;
  uint64_t ran = getResidentBytes();
  residentBytes = (opened > before ? opened - before : 0) +
                  (ran > loaded ? ran - loaded : 0);
  if (!bindings.fetchLate(*library, console))
    return false;
  outputs = bindings.results;
  return true;
}

/// Takes the states out of what is no input.
void Subject::sortRest(bool compared) {
  NpzArrays others;
  for (auto &[name, array] : rest) {
    const effrt_tensor_info *state = nullptr;
    for (const effrt_tensor_info &info : library->statesBefore)
      if (name == info.name)
        state = &info;
    if (state)
      (void)adoptType(array, state->dtype);
    else if (!compared)
      warnUnused(name, console);
    (state ? states : others).emplace_back(name, std::move(array));
  }
  rest = std::move(others);
}

bool Subject::runFirst() {
  Clock::time_point start = Clock::now();
  if (!setStates() || !bindings.resolve(*library, inputs, console))
    return false;
  firstRunMs = since(start);
  bindings.takeMemory(*library);
  start = Clock::now();
  if (bindings.run(*library))
    return fail();
  firstRunMs += since(start);
  return true;
}

bool Subject::setStates() {
  for (const auto &[name, array] : states)
    for (uint32_t i = 0; i < library->numStates; ++i) {
      if (library->statesBefore[i].name != name)
        continue;
      effrt_tensor tensor = {};
      tensor.data = const_cast<uint8_t *>(array.data.data());
      tensor.dtype = array.dtype;
      tensor.rank = array.shape.size();
      tensor.shape = array.shape.data();
      tensor.bytes = array.data.size();
      if (effrt_session_set_state(library->session, i, &tensor))
        return fail();
    }
  return true;
}

bool Subject::runOnce(double &milliseconds) {
  if (library->stateGrows()) {
    (void)effrt_session_reset(library->session);
    if (!setStates())
      return false;
  }
  Clock::time_point start = Clock::now();
  if (bindings.run(*library))
    return fail();
  milliseconds = since(start);
  return true;
}

std::vector<double> Subject::takeTurn(double seconds, double warmSeconds) {
  double ms = 0;
  for (Clock::time_point start = Clock::now();
       since(start) < warmSeconds * 1000;)
    if (!runOnce(ms))
      return {};
  std::vector<double> times;
  for (Clock::time_point start = Clock::now();
       times.empty() || since(start) < seconds * 1000;) {
    if (!runOnce(ms))
      return {};
    times.push_back(ms);
  }
  return times;
}

std::optional<NpyArray> Subject::getInitialState(uint32_t index,
                                                 std::string &why) const {
  const effrt_tensor_info &info = library->statesBefore[index];
  for (const auto &[name, array] : states)
    if (name == info.name)
      return array;
  NpyArray zeros;
  zeros.dtype = info.dtype;
  for (uint32_t axis = 0; axis < info.rank; ++axis) {
    int64_t size = info.dims[axis];
    for (const effrt_symbol_info &symbol : library->symbols)
      if (size < 0 && std::strcmp(symbol.name, info.dim_texts[axis]) == 0)
        size = symbol.source == EFFRT_SYMBOL_STATE ? 0
               : symbol.source == EFFRT_SYMBOL_INPUT
                   ? inputs[symbol.input].second.shape[symbol.axis]
                   : -1;
    if (size < 0) {
      why = std::string("the state '") + info.name + "' has the size '" +
            info.dim_texts[axis] +
            "', which no input has; give the state in "
            "--inputs";
      return std::nullopt;
    }
    zeros.shape.push_back(size);
  }
  zeros.data.resize(getNumElements(zeros) * npyElementSize(zeros.dtype));
  return zeros;
}

std::optional<NpzArrays> Subject::getFeed(std::string &why) const {
  NpzArrays feed = inputs;
  feed.insert(feed.end(), rest.begin(), rest.end());
  for (uint32_t i = 0; i < library->numStates; ++i) {
    auto state = getInitialState(i, why);
    if (!state)
      return std::nullopt;
    feed.emplace_back(library->statesBefore[i].name, std::move(*state));
  }
  return feed;
}

std::vector<std::string> Subject::getResultNames() const {
  std::vector<std::string> names;
  for (const auto *list : {&library->outputs, &library->statesAfter})
    for (const effrt_tensor_info &info : *list)
      names.push_back(info.name);
  return names;
}

} // namespace effc::tool
