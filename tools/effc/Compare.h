// Differences between outputs and a reference.
#ifndef EFFC_TOOLS_EFFC_COMPARE_H
#define EFFC_TOOLS_EFFC_COMPARE_H

#include "Tensors.h"

namespace effc::tool {

struct CompareOptions {
  /// F.npz, or "plain".
  std::string reference;
  /// The model that a plain build is made of.
  std::string model;
  double relative = 1e-3, absolute = 1e-4;

  bool isOn() const { return !reference.empty(); }
  void addOptions(CLI::App &verb);
};

/// Prints a line for each output; 1 when one is beyond the tolerance.
int compareOutputs(NpzArrays &inputs, const NpzArrays &outputs,
                   const CompareOptions &options, const Console &console);

/// The largest difference of two outputs, relative to the largest finite
/// element of `expected`; infinite where they differ in shape or one has a NaN
/// or an infinity that the other has not.
double getRelativeDifference(const NpyArray &got, const NpyArray &expected);

/// Name, type, shape, range of each output.
void printSummary(const NpzArrays &outputs);

} // namespace effc::tool

#endif // EFFC_TOOLS_EFFC_COMPARE_H
