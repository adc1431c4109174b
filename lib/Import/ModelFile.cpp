// Reading untrusted files. External data opens with openat2(2) beneath the
// model's folder, so that neither `..` nor a link leads out of it
// (CVE-2022-25882, CVE-2024-27318, CVE-2026-34446 and others).
#include "ModelFile.h"
#include "onnx/onnx-ml.pb.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/SHA256.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <google/protobuf/io/coded_stream.h>
#include <linux/openat2.h>
#include <map>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

using namespace mlir;

namespace effc {

static constexpr uint64_t maxModelBytes = (uint64_t(1) << 31) - 1;
static constexpr int maxNesting = 100;

std::shared_ptr<MappedFile> MappedFile::map(int descriptor, bool trusted,
                                            std::string &reason) {
  struct Closer {
    int descriptor;
    ~Closer() { ::close(descriptor); }
  } closer{descriptor};
  struct stat status;
  if (::fstat(descriptor, &status) != 0) {
    reason = std::strerror(errno);
    return nullptr;
  }
  if (!S_ISREG(status.st_mode)) {
    reason = "it is not a regular file";
    return nullptr;
  }
  // A second link may be a file of somebody else that was linked in here.
  if (!trusted && status.st_nlink != 1) {
    reason = "the file has more than one hard link; copy it, or name "
             "its folder as trusted with --external-data-dir";
    return nullptr;
  }
  std::shared_ptr<MappedFile> file(new MappedFile());
  if (status.st_size == 0)
    return file;
  void *address =
      ::mmap(nullptr, status.st_size, PROT_READ, MAP_PRIVATE, descriptor, 0);
  if (address == MAP_FAILED) {
    reason = std::strerror(errno);
    return nullptr;
  }
  file->data = static_cast<const char *>(address);
  file->size = status.st_size;
  return file;
}

MappedFile::~MappedFile() {
  if (data)
    ::munmap(const_cast<char *>(data), size);
}

std::shared_ptr<MappedFile> MappedFile::open(StringRef path,
                                             std::string &reason) {
  // A fifo must not block the open.
  int descriptor =
      ::open(path.str().c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) {
    reason = std::strerror(errno);
    return nullptr;
  }
  return map(descriptor, /*trusted=*/true, reason);
}

/// Opens component by component without following links, for kernels before
/// 5.6. `path` is known to have no "..".
static int openStepwise(int folder, StringRef path) {
  SmallVector<StringRef> parts;
  path.split(parts, '/', -1, /*KeepEmpty=*/false);
  int current = ::dup(folder);
  for (auto [index, part] : llvm::enumerate(parts)) {
    int flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    if (index + 1 < parts.size())
      flags |= O_DIRECTORY;
    int next = ::openat(current, part.str().c_str(), flags);
    int error = errno;
    ::close(current);
    errno = error;
    if (next < 0)
      return -1;
    current = next;
  }
  return current;
}

static int openBeneathFolder(int folder, StringRef path, bool trusted) {
  std::string text = path.str();
  // A fifo must not block the open.
  int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;
  if (trusted)
    return ::openat(folder, text.c_str(), flags);
  struct open_how how = {};
  how.flags = flags;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  int descriptor =
      ::syscall(SYS_openat2, folder, text.c_str(), &how, sizeof(how));
  if (descriptor < 0 && (errno == ENOSYS || errno == EPERM))
    return openStepwise(folder, path);
  return descriptor;
}

std::shared_ptr<MappedFile> MappedFile::openBeneath(StringRef folder,
                                                    StringRef path,
                                                    bool trusted,
                                                    std::string &reason) {
  SmallVector<StringRef> parts;
  path.split(parts, '/');
  if (path.empty() || path.front() == '/' || path.contains('\0') ||
      path.contains('\\') || llvm::is_contained(parts, "..")) {
    reason = "the location is not a plain relative path; put the file below "
             "the model's folder and name it from there";
    return nullptr;
  }
  std::string root = folder.empty() ? "." : folder.str();
  int folderDescriptor =
      ::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folderDescriptor < 0) {
    reason = std::strerror(errno);
    return nullptr;
  }
  int descriptor = openBeneathFolder(folderDescriptor, path, trusted);
  int error = errno;
  ::close(folderDescriptor);
  if (descriptor < 0) {
    reason = error == ELOOP || error == EXDEV
                 ? "it is a link or lies outside of the model's folder; copy "
                   "the file there, or name a trusted folder with "
                   "--external-data-dir"
                 : std::strerror(error);
    return nullptr;
  }
  return map(descriptor, trusted, reason);
}

ModelFile::ModelFile(StringRef name, StringRef folder, bool trusted)
    : fileName(name), folder(folder), trusted(trusted),
      proto(std::make_unique<onnx::ModelProto>()) {}

ModelFile::~ModelFile() = default;

bool ModelFile::parse(ArrayRef<char> bytes, std::string &reason) {
  if (bytes.size() > maxModelBytes) {
    reason = "the file is larger than 2 GiB - 1";
    return false;
  }
  // Protobuf's own reports would go to stderr.
  google::protobuf::LogSilencer silence;
  google::protobuf::io::CodedInputStream stream(
      reinterpret_cast<const uint8_t *>(bytes.data()), bytes.size());
  stream.SetTotalBytesLimit(maxModelBytes);
  stream.SetRecursionLimit(maxNesting);
  if (!proto->ParseFromCodedStream(&stream) ||
      !stream.ConsumedEntireMessage()) {
    reason = "not an ONNX file, cut off, or nested more than 100 deep; export "
             "or download it again";
    return false;
  }
  if (!proto->has_graph()) {
    reason = "no graph: not an ONNX model";
    return false;
  }
  return true;
}

std::string ModelFile::hashExternal() const {
  if (external.empty())
    return "";
  // In the order of their names.
  std::map<std::string, const MappedFile *> files;
  for (const auto &entry : external)
    files.emplace(entry.first().str(), entry.second.get());
  llvm::SHA256 all;
  for (const auto &[name, file] : files) {
    ArrayRef<char> bytes = file ? file->bytes() : ArrayRef<char>();
    llvm::SHA256 one;
    one.update(StringRef(bytes.data(), bytes.size()));
    all.update(llvm::toHex(one.final(), /*LowerCase=*/true) + name + "\n");
  }
  return llvm::toHex(all.final(), /*LowerCase=*/true);
}

std::optional<ArrayRef<char>>
ModelFile::externalBytes(const onnx::TensorProto &tensor, uint64_t size,
                         std::string &reason) {
  std::string location;
  uint64_t offset = 0;
  std::optional<uint64_t> length;
  for (const onnx::StringStringEntryProto &entry : tensor.external_data()) {
    if (entry.key() == "location") {
      location = entry.value();
    } else if (entry.key() == "offset" || entry.key() == "length") {
      uint64_t value;
      // getAsInteger of an unsigned type refuses signs and overflow.
      if (StringRef(entry.value()).getAsInteger(10, value)) {
        reason = "bad " + entry.key() + " '" + entry.value() + "'";
        return std::nullopt;
      }
      if (entry.key() == "offset")
        offset = value;
      else
        length = value;
    }
  }
  if (length && *length != size) {
    reason = "length " + std::to_string(*length) + " where the type needs " +
             std::to_string(size) + " bytes";
    return std::nullopt;
  }
  std::shared_ptr<MappedFile> &file = external[location];
  if (!file)
    file = MappedFile::openBeneath(folder, location, trusted, reason);
  if (!file) {
    reason = "cannot open '" + location + "': " + reason;
    return std::nullopt;
  }
  ArrayRef<char> bytes = file->bytes();
  if (offset > bytes.size() || size > bytes.size() - offset) {
    reason = "bytes " + std::to_string(offset) + " + " + std::to_string(size) +
             " lie outside of '" + location + "' (" +
             std::to_string(bytes.size()) + " bytes)";
    return std::nullopt;
  }
  return bytes.slice(offset, size);
}

} // namespace effc
