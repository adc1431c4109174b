// A folder of samples, each the inputs of one run: files NAME.npz, whose keys
// are inputs of the model, or folders of INPUT.npy and INPUT.pb.
#ifndef EFFC_TOOLS_EFFC_SAMPLES_H
#define EFFC_TOOLS_EFFC_SAMPLES_H

#include "effc/Support/Npy.h"
#include "effrt/effrt.h"
#include <optional>
#include <string>
#include <vector>

namespace effc::tool {

/// Names of the samples, sorted by their bytes: order decides nothing but last
/// digits of sums, which must come again. What is neither a file .npz nor a
/// folder is none (labels, a description). Nothing and a reason where there is
/// no sample.
std::optional<std::vector<std::string>> listSamples(const std::string &folder,
                                                    std::string &error);

/// The inputs in their order. Arrays that are no inputs are named in `unused`.
/// The messages name the sample.
std::optional<NpzArrays>
readSample(const std::string &folder, const std::string &name,
           const std::vector<effrt_tensor_info> &inputs,
           std::vector<std::string> &unused, std::string &error);

/// SHA-256, hexadecimal, of names, types, shapes and elements.
std::string hashArrays(const NpzArrays &arrays);

} // namespace effc::tool

#endif // EFFC_TOOLS_EFFC_SAMPLES_H
