// Time per kernel, beside what the machine can do.
#ifndef EFFC_TOOLS_EFFC_PROFILE_H
#define EFFC_TOOLS_EFFC_PROFILE_H

#include "Machine.h"
#include "Tensors.h"
#include <nlohmann/json.hpp>

namespace effc::tool {

using Json = nlohmann::ordered_json;

/// What ran, slowest first, as docs/schema/bench.json describes it. With a
/// roofline each kernel is compared with it.
Json describeKernels(const Library &library, const Roofline *roofline);

/// Prints the `limit` slowest to standard output.
void printKernels(const Json &kernels, size_t limit);

} // namespace effc::tool

#endif // EFFC_TOOLS_EFFC_PROFILE_H
