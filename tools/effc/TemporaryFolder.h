// A folder among the system's temporary ones that goes with the object.
#ifndef EFFC_TOOLS_EFFC_TEMPORARYFOLDER_H
#define EFFC_TOOLS_EFFC_TEMPORARYFOLDER_H

#include <cstdlib>
#include <filesystem>
#include <string>

namespace effc::tool {

class TemporaryFolder {
public:
  /// `use` becomes part of the name: "bench".
  explicit TemporaryFolder(const std::string &use)
      : path((std::filesystem::temp_directory_path() /
              ("effc-" + use + "-XXXXXX"))
                 .string()) {}
  TemporaryFolder(const TemporaryFolder &) = delete;
  TemporaryFolder &operator=(const TemporaryFolder &) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    if (isCreated)
      std::filesystem::remove_all(path, ignored);
  }

  /// False where it cannot be made; `path` says where that was tried.
  bool create() { return isCreated = mkdtemp(path.data()) != nullptr; }

  std::string path;

private:
  bool isCreated = false;
};

} // namespace effc::tool

#endif // EFFC_TOOLS_EFFC_TEMPORARYFOLDER_H
