// Reading samples. A bad one is an error that names it and the array: a sample
// that was left out silently would be missed by nobody.
#include "Samples.h"
#include "Tensors.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/SHA256.h"
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>

namespace fs = std::filesystem;

namespace effc::tool {

std::optional<std::vector<std::string>> listSamples(const std::string &folder,
                                                    std::string &error) {
  std::error_code code;
  fs::directory_iterator entries(folder, code);
  std::vector<std::string> names;
  for (; !code && entries != fs::directory_iterator();
       entries.increment(code)) {
    std::string name = entries->path().filename().string();
    std::error_code ignored;
    if (name[0] != '.' && (entries->is_directory(ignored) ||
                           entries->path().extension() == ".npz"))
      names.push_back(std::move(name));
  }
  if (code) {
    error = "cannot read the folder '" + folder + "': " + code.message();
    return std::nullopt;
  }
  if (names.empty()) {
    error = "'" + folder + "' holds no samples: no file .npz and no folder";
    return std::nullopt;
  }
  std::sort(names.begin(), names.end());
  return names;
}

/// Files INPUT.npy and INPUT.pb of a folder.
static std::optional<NpzArrays> readFolder(const fs::path &folder,
                                           std::string &error) {
  std::error_code code;
  std::vector<fs::path> files;
  fs::directory_iterator entries(folder, code);
  for (; !code && entries != fs::directory_iterator(); entries.increment(code))
    files.push_back(entries->path());
  if (code) {
    error = "cannot read the folder: " + code.message();
    return std::nullopt;
  }
  std::sort(files.begin(), files.end());
  NpzArrays arrays;
  for (const fs::path &file : files) {
    if (file.extension() != ".npy" && file.extension() != ".pb")
      continue;
    auto array = file.extension() == ".pb"
                     ? readTensorProto(file.string(), error)
                     : readNpy(file.string(), error);
    if (!array)
      return std::nullopt;
    arrays.emplace_back(file.stem().string(), std::move(*array));
  }
  return arrays;
}

static std::string nameInput(const effrt_tensor_info &input) {
  return std::string("input '") + input.name + "' (" + describe(input) + ")";
}

/// Why an array cannot be the input, or "". Infinities may be: masks have them.
/// Sizes that are free are the runtime's to check.
static std::string findFault(const effrt_tensor_info &input,
                             const NpyArray &array) {
  bool fits = array.dtype == input.dtype && array.shape.size() == input.rank;
  for (uint32_t i = 0; fits && i < input.rank; ++i)
    fits = input.dims[i] < 0 || input.dims[i] == array.shape[i];
  if (!fits)
    return " is " + describe(array) + " in the sample";
  bool isFloat =
      array.dtype == EFFRT_DTYPE_F32 || array.dtype == EFFRT_DTYPE_F64 ||
      array.dtype == EFFRT_DTYPE_F16 || array.dtype == EFFRT_DTYPE_BF16;
  for (size_t i = 0; isFloat && i < getNumElements(array); ++i)
    if (std::isnan(getElement(array, i)))
      return " holds NaN at element " + std::to_string(i);
  return "";
}

std::optional<NpzArrays>
readSample(const std::string &folder, const std::string &name,
           const std::vector<effrt_tensor_info> &inputs,
           std::vector<std::string> &unused, std::string &error) {
  fs::path path = fs::path(folder) / name;
  std::error_code code;
  auto arrays = fs::is_directory(path, code) ? readFolder(path, error)
                                             : readNpz(path.string(), error);
  auto fail = [&](const std::string &reason) {
    error = "sample '" + name + "': " + reason;
    return std::nullopt;
  };
  if (!arrays)
    return fail(error);
  std::map<std::string, NpyArray> found;
  std::string names;
  for (auto &[key, array] : *arrays) {
    names += (names.empty() ? "'" : ", '") + key + "'";
    if (!found.emplace(key, std::move(array)).second)
      return fail("there are two arrays '" + key + "'");
  }
  NpzArrays result;
  for (const effrt_tensor_info &input : inputs) {
    auto it = found.find(input.name);
    if (it == found.end())
      return fail(nameInput(input) + " is missing; the sample has " +
                  (names.empty() ? "nothing" : names));
    (void)adoptType(it->second, input.dtype);
    std::string fault = findFault(input, it->second);
    if (!fault.empty())
      return fail(nameInput(input) + fault);
    result.emplace_back(input.name, std::move(it->second));
    found.erase(it);
  }
  for (const auto &entry : found)
    unused.push_back(entry.first);
  return result;
}

std::string hashArrays(const NpzArrays &arrays) {
  llvm::SHA256 hash;
  auto add = [&](const void *data, size_t size) {
    hash.update(llvm::ArrayRef(static_cast<const uint8_t *>(data), size));
  };
  for (const auto &[name, array] : arrays) {
    // Lengths before contents: no two lists look alike.
    int64_t head[] = {static_cast<int64_t>(name.size()), array.dtype,
                      static_cast<int64_t>(array.shape.size())};
    add(head, sizeof(head));
    add(name.data(), name.size());
    add(array.shape.data(), array.shape.size() * sizeof(int64_t));
    add(array.data.data(), array.data.size());
  }
  return llvm::toHex(hash.final(), /*LowerCase=*/true);
}

} // namespace effc::tool
