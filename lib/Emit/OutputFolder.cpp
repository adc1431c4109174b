// A rename within one file system is atomic; a hard link keeps the earlier file
// until all are in place.
#include "OutputFolder.h"
#include "effc/Support/Diagnostics.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include <fcntl.h>
#include <unistd.h>

using namespace mlir;
namespace fs = llvm::sys::fs;
namespace path = llvm::sys::path;

namespace effc {

LogicalResult OutputFolder::fail(StringRef what, StringRef file,
                                 std::error_code code) {
  InFlightDiagnostic error =
      emitError(loc, code == std::errc::no_space_on_device
                         ? DiagnosticCode::NoSpace
                         : DiagnosticCode::CannotWriteOutput)
      << what << " '" << file << "': " << code.message();
  if (code == std::errc::no_space_on_device)
    error.attachNote() << "nothing was changed; free some space or choose "
                          "another folder with -o";
  else
    error.attachNote() << "nothing was changed; choose a folder that can be "
                          "written with -o";
  return error;
}

LogicalResult OutputFolder::makeFolders() {
  SmallVector<std::string> missing;
  for (StringRef at = folder; !at.empty() && !fs::exists(at);
       at = path::parent_path(at))
    missing.push_back(at.str());
  for (const std::string &name : llvm::reverse(missing)) {
    // As mkdir does; LLVM's default denies others.
    if (std::error_code code = fs::create_directory(
            name, /*IgnoreExisting=*/true, fs::perms::all_all))
      return fail("cannot create the output folder", name, code);
    madeFolders.push_back(name);
  }
  if (!fs::is_directory(folder))
    return fail("cannot use the output folder", folder,
                std::make_error_code(std::errc::not_a_directory));
  return success();
}

LogicalResult OutputFolder::open() {
  if (folder.empty())
    folder = ".";
  if (failed(makeFolders()))
    return failure();
  SmallString<256> pattern(folder);
  path::append(pattern, ".effc-" + std::to_string(getpid()) + "-XXXXXX");
  std::string name = pattern.str().str();
  if (!mkdtemp(name.data()))
    return fail("cannot write to the output folder", folder,
                std::error_code(errno, std::generic_category()));
  work = name;
  return success();
}

OutputFolder::~OutputFolder() {
  if (!work.empty())
    (void)fs::remove_directories(work, /*IgnoreErrors=*/true);
  if (!replaced.empty())
    return;
  // Fails, as it should, for folders that somebody else uses by now.
  for (const std::string &name : llvm::reverse(madeFolders))
    (void)rmdir(name.c_str());
}

std::string OutputFolder::getWorkPath(StringRef name) const {
  return work + "/" + name.str();
}

std::string OutputFolder::add(StringRef name) {
  names.push_back(name.str());
  return getWorkPath(name);
}

LogicalResult OutputFolder::write(
    StringRef file,
    llvm::function_ref<LogicalResult(llvm::raw_pwrite_stream &)> contents) {
  std::error_code code;
  llvm::raw_fd_ostream os(file, code);
  if (code)
    return fail("cannot write", file, code);
  LogicalResult result = contents(os);
  os.close();
  code = os.error();
  os.clear_error();
  if (succeeded(result) && code)
    return fail("cannot write", file, code);
  return result;
}

static std::error_code synchronise(const std::string &name) {
  int file = ::open(name.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0)
    return std::error_code(errno, std::generic_category());
  std::error_code code;
  // Some file systems cannot do it for folders.
  if (fsync(file) != 0 && errno != EINVAL)
    code = std::error_code(errno, std::generic_category());
  (void)close(file);
  return code;
}

std::error_code OutputFolder::replace(StringRef name) {
  SmallString<256> target(folder);
  path::append(target, name);
  Replaced entry{target.str().str(), ""};
  if (fs::is_directory(target))
    return std::make_error_code(std::errc::is_a_directory);
  if (fs::exists(target)) {
    entry.backup = getWorkPath((name + ".before").str());
    // Without hard links (vfat, some network shares) the earlier file is out of
    // its place for a moment; it must not be lost.
    if (link(entry.target.c_str(), entry.backup.c_str()) != 0)
      if (std::error_code code = fs::rename(target, entry.backup))
        return code;
  }
  // Also when the rename fails: restore() then brings the earlier file back.
  replaced.push_back(entry);
  return fs::rename(getWorkPath(name), target);
}

void OutputFolder::restore() {
  for (const Replaced &entry : llvm::reverse(replaced)) {
    // Of two links to one file rename removes neither, which is right too.
    if (entry.backup.empty())
      (void)fs::remove(entry.target);
    else
      (void)fs::rename(entry.backup, entry.target);
  }
  replaced.clear();
}

FailureOr<std::vector<std::string>> OutputFolder::commit() {
  for (const std::string &name : names)
    if (std::error_code code = synchronise(getWorkPath(name)))
      return fail("cannot write", getWorkPath(name), code);
  std::vector<std::string> files;
  for (const std::string &name : names) {
    if (std::error_code code = replace(name)) {
      restore();
      return fail("cannot write", folder + "/" + name, code);
    }
    files.push_back(replaced.back().target);
  }
  (void)synchronise(folder);
  return files;
}

} // namespace effc
