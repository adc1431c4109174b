// The .npz format: a ZIP archive of .npy members, stored or deflated; read and
// written through libzip.
#include "effc/Support/Npy.h"

#include <algorithm>
#include <memory>
#include <zip.h>

using namespace effc;

namespace {

constexpr char suffix[] = ".npy";
constexpr size_t suffixSize = 4;

struct DiscardArchive {
  void operator()(zip_t *archive) const { zip_discard(archive); }
};
using Archive = std::unique_ptr<zip_t, DiscardArchive>;

struct CloseMember {
  void operator()(zip_file_t *member) const { (void)zip_fclose(member); }
};
using Member = std::unique_ptr<zip_file_t, CloseMember>;

Archive openArchive(const std::string &path, int flags, std::string &error) {
  int code = 0;
  Archive archive(zip_open(path.c_str(), flags, &code));
  if (!archive) {
    zip_error_t reason;
    zip_error_init_with_code(&reason, code);
    error = "cannot open '" + path + "': " + zip_error_strerror(&reason);
    zip_error_fini(&reason);
  }
  return archive;
}

/// Reads a member piece by piece: the size it claims may be a lie.
bool readMember(zip_t *archive, zip_uint64_t index, std::vector<uint8_t> &bytes,
                std::string &reason) {
  Member member(zip_fopen_index(archive, index, 0));
  if (!member) {
    reason = zip_strerror(archive);
    return false;
  }
  size_t size = 0;
  for (;;) {
    if (size == bytes.size())
      bytes.resize(std::max(size * 2, size_t(1) << 16));
    zip_int64_t got =
        zip_fread(member.get(), bytes.data() + size, bytes.size() - size);
    if (got < 0) {
      reason = zip_file_strerror(member.get());
      return false;
    }
    if (got == 0)
      break;
    size += static_cast<size_t>(got);
  }
  bytes.resize(size);
  return true;
}

bool hasSuffix(const std::string &name) {
  return name.size() > suffixSize &&
         name.compare(name.size() - suffixSize, suffixSize, suffix) == 0;
}

bool hasKey(const NpzArrays &arrays, const std::string &key) {
  return std::any_of(arrays.begin(), arrays.end(),
                     [&](const auto &entry) { return entry.first == key; });
}

} // namespace

std::optional<NpzArrays> effc::readNpz(const std::string &path,
                                       std::string &error) {
  Archive archive = openArchive(path, ZIP_RDONLY, error);
  if (!archive)
    return std::nullopt;
  auto fail = [&](const std::string &name, const std::string &reason) {
    error = "cannot read '" + path + "': member '" + name + "': " + reason;
    return std::nullopt;
  };
  NpzArrays arrays;
  zip_int64_t count = zip_get_num_entries(archive.get(), 0);
  for (zip_int64_t i = 0; i < count; ++i) {
    auto index = static_cast<zip_uint64_t>(i);
    const char *text = zip_get_name(archive.get(), index, 0);
    std::string name = text ? text : "";
    if (!hasSuffix(name))
      return fail(name, "it is not a .npy file");
    std::string key = name.substr(0, name.size() - suffixSize);
    if (hasKey(arrays, key))
      return fail(name, "it occurs twice");
    std::vector<uint8_t> bytes;
    std::string reason;
    if (!readMember(archive.get(), index, bytes, reason))
      return fail(name, reason);
    std::optional<NpyArray> array =
        parseNpy(bytes.data(), bytes.size(), path + ":" + name, error);
    if (!array)
      return std::nullopt;
    arrays.emplace_back(std::move(key), std::move(*array));
  }
  return arrays;
}

/// Adds a member; libzip reads `bytes` when the archive is closed.
static bool addMember(zip_t *archive, const std::string &key,
                      const std::vector<uint8_t> &bytes) {
  zip_source_t *source =
      zip_source_buffer(archive, bytes.data(), bytes.size(), 0);
  if (!source)
    return false;
  zip_int64_t index =
      zip_file_add(archive, (key + suffix).c_str(), source, ZIP_FL_ENC_UTF_8);
  if (index < 0) {
    zip_source_free(source);
    return false;
  }
  // 1980-01-01, where DOS time begins: same arrays, same bytes.
  constexpr zip_uint16_t firstDay = 1 << 5 | 1;
  auto at = static_cast<zip_uint64_t>(index);
  return zip_set_file_compression(archive, at, ZIP_CM_STORE, 0) == 0 &&
         zip_file_set_dostime(archive, at, 0, firstDay, 0) == 0;
}

bool effc::writeNpz(const std::string &path, const NpzArrays &arrays,
                    std::string &error) {
  // libzip would delete the file instead.
  if (arrays.empty()) {
    error = "cannot write '" + path + "': there are no arrays";
    return false;
  }
  Archive archive = openArchive(path, ZIP_CREATE | ZIP_TRUNCATE, error);
  if (!archive)
    return false;
  std::vector<std::vector<uint8_t>> members;
  members.reserve(arrays.size());
  bool good = true;
  for (const auto &[key, array] : arrays) {
    members.push_back(formatNpy(array));
    good = good && addMember(archive.get(), key, members.back());
  }
  if (good && zip_close(archive.get()) == 0) {
    (void)archive.release();
    return true;
  }
  error = "cannot write '" + path + "': " + zip_strerror(archive.get());
  return false;
}
