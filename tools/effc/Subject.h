// The compiled library that effc bench measures: a session in this process.
#ifndef EFFC_TOOLS_EFFC_SUBJECT_H
#define EFFC_TOOLS_EFFC_SUBJECT_H

#include "Tensors.h"

namespace effc::tool {

class Subject {
public:
  explicit Subject(const Console &console) : console(console) {}

  /// Opens the library and runs it once; false after a reported error. Arrays
  /// that only other engines may need are kept for them.
  bool start(const std::string &path, int threads, const InputOptions &options,
             bool compared, const std::string &version = "");

  /// Milliseconds of each run in a turn, at least one; the first ones, after
  /// others had the caches, do not count. Empty after a reported error.
  std::vector<double> takeTurn(double seconds, double warmSeconds);

  /// What other engines need to compute the same: inputs, also those that the
  /// library was made for, and the states that the first run began with.
  /// Nothing, and `why`, where a size of a state is in no input.
  std::optional<NpzArrays> getFeed(std::string &why) const;

  /// Outputs, and states after a run, by the names of the model.
  std::vector<std::string> getResultNames() const;

  std::unique_ptr<Library> library;
  double firstRunMs = 0;
  /// What opening and the first run added to the memory of this process.
  uint64_t residentBytes = 0;
  /// Of the first run.
  NpzArrays outputs;

private:
  void sortRest(bool compared);
  bool runFirst();
  bool setStates();
  bool runOnce(double &milliseconds);
  bool fail() const;
  std::optional<NpyArray> getInitialState(uint32_t index,
                                          std::string &why) const;

  const Console &console;
  NpzArrays inputs, states, rest;
  Bindings bindings;
};

} // namespace effc::tool

#endif // EFFC_TOOLS_EFFC_SUBJECT_H
