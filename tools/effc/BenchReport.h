// What effc bench found, for people: tables and a picture of the JSON object.
#ifndef EFFC_TOOLS_EFFC_BENCHREPORT_H
#define EFFC_TOOLS_EFFC_BENCHREPORT_H

#include <nlohmann/json.hpp>
#include <string>

namespace effc::tool {

using Json = nlohmann::ordered_json;

/// Prints to standard output.
void printBench(const Json &result);

/// Why no picture can have that name; empty if it can.
std::string checkPictureName(const std::string &path);

/// Bars of the engines and of the slowest kernels.
bool writeBenchPicture(const Json &result, const std::string &path,
                       std::string &error);

} // namespace effc::tool

#endif // EFFC_TOOLS_EFFC_BENCHREPORT_H
