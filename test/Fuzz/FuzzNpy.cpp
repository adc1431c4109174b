// The tensors that users bring: .npy, .npz and TensorProto. The first byte
// chooses the reader.
#include "Tensors.h"
#include "effc/Support/Npy.h"
#include <cstdlib>
#include <fstream>
#include <unistd.h>

using namespace effc;

/// Readers of files want a path.
static const std::string &getPath() {
  static const std::string path =
      "/dev/shm/effc-fuzz-npy-" + std::to_string(getpid());
  return path;
}

static void writeFile(const uint8_t *data, size_t size) {
  static bool registered = false;
  if (!registered)
    std::atexit([] { unlink(getPath().c_str()); });
  registered = true;
  std::ofstream file(getPath(), std::ios::binary | std::ios::trunc);
  file.write(reinterpret_cast<const char *>(data),
             static_cast<std::streamsize>(size));
}

static void check(const NpyArray &array) {
  // What was read can be written and read again.
  std::vector<uint8_t> bytes = formatNpy(array);
  std::string error;
  auto again = parseNpy(bytes.data(), bytes.size(), "again", error);
  // A file has no names for small types: whoever reads it knows.
  if (again && again->dtype == npyBytes && array.dtype != npyBytes)
    (void)adoptType(*again, array.dtype);
  if (!again || !(*again == array))
    __builtin_trap();
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0)
    return 0;
  std::string error;
  unsigned reader = data[0] % 3;
  ++data, --size;
  if (reader == 0) {
    auto array = parseNpy(data, size, "fuzz.npy", error);
    if (array)
      check(*array);
    else if (error.empty())
      __builtin_trap();
    return 0;
  }
  writeFile(data, size);
  if (reader == 1) {
    auto arrays = readNpz(getPath(), error);
    if (!arrays && error.empty())
      __builtin_trap();
    if (arrays)
      for (const auto &[key, array] : *arrays)
        check(array);
    return 0;
  }
  auto array = tool::readTensorProto(getPath(), error);
  if (!array && error.empty())
    __builtin_trap();
  if (array)
    check(*array);
  return 0;
}
