// Reading and writing NumPy's .npy and .npz files: the tensors that users bring
// and take. Format: numpy.lib.format ("NEP 1"), versions 1 to 3. Bad files are
// errors with a message that names the file, never a crash.
#ifndef EFFC_SUPPORT_NPY_H
#define EFFC_SUPPORT_NPY_H

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace effc {

/// Of tensors in files.
constexpr size_t kMaxTensorRank = 64;

/// The type of an array of raw bytes: .npy has no names for floats of 8 and 4
/// bits and integers of 4 and 2.
constexpr int32_t npyBytes = -1;

/// A dense tensor in C order, elements in the machine's byte order.
struct NpyArray {
  int32_t dtype = 0; ///< effrt_dtype, the numbers of ONNX, or npyBytes
  std::vector<int64_t> shape;
  std::vector<uint8_t> data; ///< exactly the bytes of all elements

  friend bool operator==(const NpyArray &a, const NpyArray &b) {
    return a.dtype == b.dtype && a.shape == b.shape && a.data == b.data;
  }
};

/// Bytes of one element of an effrt_dtype, 0 when .npy has no such type.
size_t npyElementSize(int32_t dtype);

/// Parses the bytes of a .npy file; `name` is how messages call them.
/// bfloat16 is what ml_dtypes writes: two raw bytes ('<V2').
std::optional<NpyArray> parseNpy(const uint8_t *bytes, size_t size,
                                 const std::string &name, std::string &error);

/// Takes an array of bytes for one of `dtype`, if that is a type of fewer bits
/// or a float of 8: reduces each byte to the element in memory (effrt_abi.h).
/// Does nothing and gives false otherwise.
bool adoptType(NpyArray &array, int32_t dtype);

/// The bytes of a .npy file. The array must be consistent.
std::vector<uint8_t> formatNpy(const NpyArray &array);

std::optional<NpyArray> readNpy(const std::string &path, std::string &error);
bool writeNpy(const std::string &path, const NpyArray &array,
              std::string &error);

/// Arrays and their keys in the order of the file.
using NpzArrays = std::vector<std::pair<std::string, NpyArray>>;

std::optional<NpzArrays> readNpz(const std::string &path, std::string &error);

/// Stores the arrays uncompressed; the same arrays give the same bytes.
bool writeNpz(const std::string &path, const NpzArrays &arrays,
              std::string &error);

} // namespace effc

#endif // EFFC_SUPPORT_NPY_H
