// .npy and .npz: every type and order there and back, and no crash on any
// damage.
#include "effc/Support/Npy.h"

#include "effrt/effrt_abi.h"

#include "gtest/gtest.h"

#include <cstdio>
#include <cstring>
#include <fstream>
#include <unistd.h>

using namespace effc;

namespace {

/// A version 1 file with any header text.
std::vector<uint8_t> makeNpy(const std::string &header,
                             const std::vector<uint8_t> &data) {
  std::vector<uint8_t> bytes = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0};
  bytes.push_back(header.size() & 0xff);
  bytes.push_back(header.size() >> 8);
  bytes.insert(bytes.end(), header.begin(), header.end());
  bytes.insert(bytes.end(), data.begin(), data.end());
  return bytes;
}

std::string refusal(const std::vector<uint8_t> &bytes) {
  std::string error;
  EXPECT_FALSE(parseNpy(bytes.data(), bytes.size(), "x.npy", error));
  EXPECT_EQ(error.rfind("cannot read 'x.npy': ", 0), 0u) << error;
  return error;
}

std::optional<NpyArray> parse(const std::vector<uint8_t> &bytes) {
  std::string error;
  auto array = parseNpy(bytes.data(), bytes.size(), "x.npy", error);
  EXPECT_TRUE(array) << error;
  return array;
}

NpyArray makeArray(int32_t dtype, std::vector<int64_t> shape) {
  NpyArray array = {dtype, std::move(shape), {}};
  size_t bytes = npyElementSize(dtype);
  for (int64_t size : array.shape)
    bytes *= static_cast<size_t>(size);
  for (size_t i = 0; i < bytes; ++i)
    array.data.push_back(dtype == EFFRT_DTYPE_BOOL ? i % 2 : i * 37 % 256);
  return array;
}

std::string header(const char *descr, const char *shape,
                   const char *order = "False") {
  return std::string("{'descr': '") + descr + "', 'fortran_order': " + order +
         ", 'shape': " + shape + ", }\n";
}

TEST(Npy, EveryTypeAndRankThereAndBack) {
  for (int32_t dtype : {1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 16})
    for (const std::vector<int64_t> &shape : std::vector<std::vector<int64_t>>{
             {}, {5}, {0}, {2, 3}, {4, 0, 2}, {1, 2, 3, 4}}) {
      NpyArray array = makeArray(dtype, shape);
      std::vector<uint8_t> bytes = formatNpy(array);
      EXPECT_EQ((bytes.size() - array.data.size()) % 64, 0u);
      auto again = parse(bytes);
      ASSERT_TRUE(again);
      EXPECT_TRUE(*again == array) << dtype;
    }
  EXPECT_EQ(npyElementSize(8), 0u);
}

TEST(Npy, HeadersAsPythonWritesThem) {
  std::vector<uint8_t> bytes = formatNpy(makeArray(EFFRT_DTYPE_F32, {3, 4}));
  EXPECT_EQ(std::string(bytes.begin() + 10, bytes.begin() + 69),
            "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }");
  bytes = formatNpy(makeArray(EFFRT_DTYPE_U8, {3}));
  EXPECT_EQ(std::string(bytes.begin() + 10, bytes.begin() + 67),
            "{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }");
  bytes = formatNpy(makeArray(EFFRT_DTYPE_I64, {}));
  EXPECT_EQ(std::string(bytes.begin() + 10, bytes.begin() + 65),
            "{'descr': '<i8', 'fortran_order': False, 'shape': (), }");
}

TEST(Npy, ReadsOtherSpellings) {
  std::vector<uint8_t> data = {1, 2, 3, 4};
  for (const char *descr : {"<f2", "f2", "=f2", "bfloat16", "V2", "<V2", "|V2"})
    EXPECT_EQ(parse(makeNpy(header(descr, "(2,)"), data))->shape.at(0), 2);
  auto reordered = parse(makeNpy("{\"shape\": ( 2L , 2L ) , "
                                 "'fortran_order':False,'descr':'|u1'}",
                                 data));
  EXPECT_EQ(reordered->shape, (std::vector<int64_t>{2, 2}));
  auto bools = parse(makeNpy(header("|b1", "(4,)"), {0, 1, 2, 255}));
  EXPECT_EQ(bools->data, (std::vector<uint8_t>{0, 1, 1, 1}));
}

// ml_dtypes writes all types of a byte as V1, but for one.
TEST(Npy, TakesBytesForTheTypeThatIsMeant) {
  auto array = parse(makeNpy(header("|V1", "(4,)"), {0x0f, 0xf7, 0x08, 3}));
  ASSERT_TRUE(array);
  EXPECT_EQ(array->dtype, npyBytes);
  NpyArray natural = *array, four = *array, plain = *array;
  ASSERT_TRUE(adoptType(*array, EFFRT_DTYPE_I4));
  EXPECT_EQ(array->dtype, EFFRT_DTYPE_I4);
  EXPECT_EQ(array->data, (std::vector<uint8_t>{0xff, 7, 0xf8, 3}));
  ASSERT_TRUE(adoptType(natural, EFFRT_DTYPE_U2));
  EXPECT_EQ(natural.data, (std::vector<uint8_t>{3, 3, 0, 3}));
  ASSERT_TRUE(adoptType(four, EFFRT_DTYPE_F4E2M1FN));
  EXPECT_EQ(four.data, (std::vector<uint8_t>{15, 7, 8, 3}));
  EXPECT_FALSE(adoptType(plain, EFFRT_DTYPE_F32));
  auto named = parse(makeNpy(header("<f1", "(1,)"), {0x3c}));
  EXPECT_EQ(named->dtype, EFFRT_DTYPE_F8E5M2);
  EXPECT_EQ(npyElementSize(EFFRT_DTYPE_F8E8M0FNU), 1u);
  // Written so that NumPy reads it.
  auto again = parse(formatNpy(*array));
  EXPECT_EQ(again->dtype, npyBytes);
  EXPECT_EQ(again->data, array->data);
}

TEST(Npy, ReadsVersionsTwoAndThree) {
  NpyArray array = makeArray(EFFRT_DTYPE_I16, {3, 3});
  std::vector<uint8_t> bytes = formatNpy(array);
  for (uint8_t version : {2, 3}) {
    std::vector<uint8_t> longer = bytes;
    longer[6] = version;
    longer.insert(longer.begin() + 10, {0, 0});
    EXPECT_TRUE(*parse(longer) == array);
  }
}

TEST(Npy, TurnsFortranOrderAround) {
  // Columns of [[0, 1, 2], [3, 4, 5]].
  auto array =
      parse(makeNpy(header("|u1", "(2, 3)", "True"), {0, 3, 1, 4, 2, 5}));
  EXPECT_EQ(array->data, (std::vector<uint8_t>{0, 1, 2, 3, 4, 5}));
  auto cube = parse(
      makeNpy(header("|u1", "(2, 2, 2)", "True"), {0, 4, 2, 6, 1, 5, 3, 7}));
  EXPECT_EQ(cube->data, (std::vector<uint8_t>{0, 1, 2, 3, 4, 5, 6, 7}));
  auto empty = parse(makeNpy(header("|u1", "(2, 0, 2)", "True"), {}));
  EXPECT_TRUE(empty->data.empty());
}

TEST(Npy, SaysWhatIsWrong) {
  std::vector<uint8_t> data(8);
  auto says = [&](const std::string &text, const char *part) {
    std::string error = refusal(makeNpy(text, data));
    EXPECT_NE(error.find(part), std::string::npos) << error;
  };
  says(header("<f4", "(3,)"), "needs 12 bytes, it holds 8");
  says(header("<f4", "(1,)"), "needs 4 bytes, it holds 8");
  says(header(">f4", "(2,)"), "big-endian");
  says(header("<c8", "(1,)"), "element type '<c8'");
  says(header("<f4", "(4294967296, 4294967296)"), "more than 2^64");
  says(header("<f4", "(99999999999999999999,)"), "'shape' is garbled");
  says(header("<f4", "(-2,)"), "'shape' is garbled");
  says(header("<f4", "(2 2)"), "'shape' is garbled");
  says(header("<f4", "(2,)", "Maybe"), "'fortran_order' is garbled");
  says("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}",
       "records");
  says("{'descr': '<f4', 'shape': (2,)}", "lacks");
  says("{'descr': '<f4', 'size': 1}", "unknown key");
  says("{'descr", "garbled");
  says("[]", "not a dictionary");
  EXPECT_NE(refusal({'P', 'K'}).find("not a .npy"), std::string::npos);
  std::vector<uint8_t> version = makeNpy(header("<f4", "(2,)"), data);
  version[6] = 4;
  EXPECT_NE(refusal(version).find("version"), std::string::npos);
}

TEST(Npy, RefusesEveryTruncation) {
  std::vector<uint8_t> bytes = formatNpy(makeArray(EFFRT_DTYPE_F64, {2, 3}));
  for (size_t size = 0; size < bytes.size(); ++size)
    (void)refusal({bytes.begin(), bytes.begin() + size});
}

TEST(Npy, SurvivesEveryChangedByte) {
  NpyArray array = makeArray(EFFRT_DTYPE_I16, {2, 3});
  std::vector<uint8_t> bytes = formatNpy(array);
  for (size_t at = 0; at < bytes.size(); ++at)
    for (unsigned value = 0; value < 256; ++value) {
      std::vector<uint8_t> changed = bytes;
      changed[at] = value;
      std::string error;
      auto result = parseNpy(changed.data(), changed.size(), "x", error);
      EXPECT_NE(result.has_value(), !error.empty());
    }
}

/// A file that goes with the test.
class NpyFile : public testing::Test {
protected:
  std::string path =
      testing::TempDir() + "/effc-npy-" + std::to_string(getpid());

  void TearDown() override { (void)std::remove(path.c_str()); }
  void write(const std::vector<uint8_t> &bytes) {
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file.write(reinterpret_cast<const char *>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
  }
  std::vector<uint8_t> read() {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file),
            std::istreambuf_iterator<char>()};
  }
};

TEST_F(NpyFile, ThereAndBack) {
  std::string error;
  NpyArray array = makeArray(EFFRT_DTYPE_F32, {300, 1000});
  ASSERT_TRUE(writeNpy(path, array, error)) << error;
  auto again = readNpy(path, error);
  ASSERT_TRUE(again) << error;
  EXPECT_TRUE(*again == array);
}

TEST_F(NpyFile, SystemErrorsHaveTheirReason) {
  std::string error;
  EXPECT_FALSE(readNpy(path, error));
  EXPECT_NE(error.find("No such file"), std::string::npos);
  EXPECT_FALSE(readNpy("/", error));
  EXPECT_NE(error.find("directory"), std::string::npos);
  EXPECT_FALSE(writeNpy("/nonexistent/x.npy", {}, error));
  EXPECT_NE(error.find("No such file"), std::string::npos);
  EXPECT_FALSE(readNpz(path, error));
  EXPECT_NE(error.find("No such file"), std::string::npos);
  EXPECT_FALSE(writeNpz("/nonexistent/x.npz", {{"x", {}}}, error));
  EXPECT_FALSE(writeNpz(path, {}, error));
}

TEST_F(NpyFile, ArchivesThereAndBack) {
  std::string error;
  NpzArrays arrays = {{"pixel_values", makeArray(EFFRT_DTYPE_F32, {3, 5})},
                      {"past_key_values.0.key", makeArray(EFFRT_DTYPE_F16, {})},
                      {"a/b:c", makeArray(EFFRT_DTYPE_BOOL, {7})}};
  ASSERT_TRUE(writeNpz(path, arrays, error)) << error;
  std::vector<uint8_t> first = read();
  auto again = readNpz(path, error);
  ASSERT_TRUE(again) << error;
  EXPECT_TRUE(*again == arrays);
  // Over an existing file, and the same bytes.
  ASSERT_TRUE(writeNpz(path, arrays, error)) << error;
  EXPECT_EQ(read(), first);
}

/// numpy.savez_compressed(x=arange(6, f4) as 2x3,
///                        ids=arange(6, i8) as 2x3 in Fortran order)
const std::vector<uint8_t> compressed = {
    0x50, 0x4b, 0x03, 0x04, 0x2d, 0x00, 0x00, 0x00, 0x08, 0x00, 0x00, 0x00,
    0x21, 0x00, 0x4f, 0xe9, 0x00, 0x2a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0x05, 0x00, 0x14, 0x00, 0x78, 0x2e, 0x6e, 0x70, 0x79, 0x01,
    0x00, 0x10, 0x00, 0x98, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x55,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x9b, 0xec, 0x17, 0xea, 0x1b,
    0x10, 0xc9, 0xc8, 0x50, 0xc6, 0x50, 0xad, 0x9e, 0x92, 0x5a, 0x9c, 0x5c,
    0xa4, 0x6e, 0xa5, 0xa0, 0x6e, 0x93, 0x66, 0xa2, 0xae, 0xa3, 0xa0, 0x9e,
    0x96, 0x5f, 0x54, 0x52, 0x94, 0x98, 0x17, 0x9f, 0x5f, 0x94, 0x92, 0x0a,
    0x12, 0x77, 0x4b, 0xcc, 0x29, 0x4e, 0x05, 0x8a, 0x17, 0x67, 0x24, 0x16,
    0xa4, 0x02, 0xf9, 0x1a, 0x46, 0x3a, 0x0a, 0xc6, 0x9a, 0x3a, 0x0a, 0xb5,
    0x0a, 0x64, 0x03, 0x2e, 0x06, 0x30, 0x68, 0xb0, 0x07, 0x12, 0x0e, 0x40,
    0x04, 0xc4, 0x0d, 0x40, 0xbc, 0xc0, 0x01, 0x00, 0x50, 0x4b, 0x03, 0x04,
    0x2d, 0x00, 0x00, 0x00, 0x08, 0x00, 0x00, 0x00, 0x21, 0x00, 0xf7, 0x3b,
    0x78, 0x14, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x07, 0x00,
    0x14, 0x00, 0x69, 0x64, 0x73, 0x2e, 0x6e, 0x70, 0x79, 0x01, 0x00, 0x10,
    0x00, 0xb0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x55, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x9b, 0xec, 0x17, 0xea, 0x1b, 0x10, 0xc9,
    0xc8, 0x50, 0xc6, 0x50, 0xad, 0x9e, 0x92, 0x5a, 0x9c, 0x5c, 0xa4, 0x6e,
    0xa5, 0xa0, 0x6e, 0x93, 0x69, 0xa1, 0xae, 0xa3, 0xa0, 0x9e, 0x96, 0x5f,
    0x54, 0x52, 0x94, 0x98, 0x17, 0x9f, 0x5f, 0x94, 0x92, 0x0a, 0x12, 0x0f,
    0x29, 0x2a, 0x4d, 0x05, 0x0a, 0x17, 0x67, 0x24, 0x16, 0xa4, 0x02, 0xb9,
    0x1a, 0x46, 0x3a, 0x0a, 0xc6, 0x9a, 0x3a, 0x0a, 0xb5, 0x0a, 0xe4, 0x03,
    0x2e, 0x06, 0x28, 0x60, 0x86, 0xd2, 0x8c, 0x50, 0x9a, 0x05, 0x4a, 0x33,
    0x41, 0x69, 0x56, 0x28, 0x0d, 0x00, 0x50, 0x4b, 0x01, 0x02, 0x2d, 0x03,
    0x2d, 0x00, 0x00, 0x00, 0x08, 0x00, 0x00, 0x00, 0x21, 0x00, 0x4f, 0xe9,
    0x00, 0x2a, 0x55, 0x00, 0x00, 0x00, 0x98, 0x00, 0x00, 0x00, 0x05, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x80, 0x01,
    0x00, 0x00, 0x00, 0x00, 0x78, 0x2e, 0x6e, 0x70, 0x79, 0x50, 0x4b, 0x01,
    0x02, 0x2d, 0x03, 0x2d, 0x00, 0x00, 0x00, 0x08, 0x00, 0x00, 0x00, 0x21,
    0x00, 0xf7, 0x3b, 0x78, 0x14, 0x55, 0x00, 0x00, 0x00, 0xb0, 0x00, 0x00,
    0x00, 0x07, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x80, 0x01, 0x8c, 0x00, 0x00, 0x00, 0x69, 0x64, 0x73, 0x2e, 0x6e,
    0x70, 0x79, 0x50, 0x4b, 0x05, 0x06, 0x00, 0x00, 0x00, 0x00, 0x02, 0x00,
    0x02, 0x00, 0x68, 0x00, 0x00, 0x00, 0x1a, 0x01, 0x00, 0x00, 0x00, 0x00};

TEST_F(NpyFile, ReadsCompressedArchives) {
  write(compressed);
  std::string error;
  auto arrays = readNpz(path, error);
  ASSERT_TRUE(arrays) << error;
  ASSERT_EQ(arrays->size(), 2u);
  EXPECT_EQ(arrays->at(0).first, "x");
  EXPECT_EQ(arrays->at(0).second.shape, (std::vector<int64_t>{2, 3}));
  for (int i = 0; i < 6; ++i) {
    float value;
    std::memcpy(&value, arrays->at(0).second.data.data() + i * 4, 4);
    EXPECT_EQ(value, static_cast<float>(i));
    EXPECT_EQ(arrays->at(1).second.data[i * 8], i);
  }
}

TEST_F(NpyFile, RefusesDamagedArchives) {
  std::string error;
  for (size_t size = 0; size < compressed.size(); size += 7) {
    write({compressed.begin(), compressed.begin() + size});
    EXPECT_FALSE(readNpz(path, error)) << size;
    EXPECT_FALSE(error.empty());
  }
  for (size_t at = 0; at < compressed.size(); ++at) {
    std::vector<uint8_t> changed = compressed;
    changed[at] ^= 0x55;
    write(changed);
    error.clear();
    EXPECT_NE(readNpz(path, error).has_value(), !error.empty()) << at;
  }
}

} // namespace
