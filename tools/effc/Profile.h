// Time per kernel as a table.
#ifndef EFFC_TOOLS_EFFC_PROFILE_H
#define EFFC_TOOLS_EFFC_PROFILE_H

#include "Tensors.h"

namespace effc::tool {

struct ProfileRow {
  effrt_profile_entry entry;
  double ms; ///< per call
};

/// What ran, slowest first.
std::vector<ProfileRow> collectProfile(const Library &library);

/// Prints the `limit` slowest to standard output.
void printProfile(const Library &library, size_t limit);

} // namespace effc::tool

#endif // EFFC_TOOLS_EFFC_PROFILE_H
