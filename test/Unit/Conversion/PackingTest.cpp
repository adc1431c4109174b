// Packed panels against the formula of #effk.panel, for odd sizes and groups.
#include "effc/Conversion/Packing.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/raw_ostream.h"
#include <cmath>
#include <gtest/gtest.h>

using namespace mlir;
using namespace effc;

namespace {

class PackingTest : public testing::Test {
protected:
  PackingTest() { context.loadDialect<eff::EffDialect, effk::EffkDialect>(); }
  InFlightDiagnostic error() { return emitError(UnknownLoc::get(&context)); }

  /// 1, 2, 3, ... of a shape.
  DenseElementsAttr iota(ArrayRef<int64_t> shape) {
    auto type = RankedTensorType::get(shape, Float32Type::get(&context));
    std::vector<float> values(type.getNumElements());
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = i + 1;
    return DenseElementsAttr::get(type, ArrayRef<float>(values));
  }

  template <typename T>
  std::vector<T> pack(ElementsAttr value, effk::PanelAttr layout, Type type) {
    std::string bytes;
    llvm::raw_string_ostream os(bytes);
    EXPECT_TRUE(
        succeeded(packPanel(value, layout, type, os, [&] { return error(); })));
    EXPECT_EQ(bytes.size(), layout.getNumElements() * sizeof(T));
    std::vector<T> result(bytes.size() / sizeof(T));
    std::memcpy(result.data(), bytes.data(), result.size() * sizeof(T));
    return result;
  }

  /// The panel formula, with `at(g, k, n)` the logical matrix.
  void expectPanels(effk::PanelAttr layout, ArrayRef<float> packed,
                    llvm::function_ref<float(int64_t, int64_t, int64_t)> at) {
    int64_t width = layout.getWidth(),
            panels = llvm::divideCeil(layout.getN(), width),
            interleave = layout.getInterleave(), depth = layout.getDepth();
    int64_t filled = depth / layout.getRuns(),
            run = layout.getK() / layout.getRuns();
    for (int64_t g = 0; g < layout.getGroups(); ++g)
      for (int64_t d = 0; d < depth; ++d)
        for (int64_t n = 0; n < panels * width; ++n) {
          int64_t index =
              ((g * panels + n / width) * depth + d - d % interleave) * width +
              n % width * interleave + d % interleave;
          bool exists = n < layout.getN() && d % filled < run;
          ASSERT_EQ(packed[index],
                    exists ? at(g, d / filled * run + d % filled, n) : 0)
              << "group " << g << " depth " << d << " n " << n;
        }
  }

  MLIRContext context;
};

TEST_F(PackingTest, PacksRowsOfColumns) {
  for (auto [k, n, width] : {std::tuple<int64_t, int64_t, int64_t>{5, 7, 4},
                             {1, 16, 16},
                             {3, 33, 16},
                             {8, 1, 8}}) {
    auto layout = effk::PanelAttr::get(&context, "kn", 2, k, n, width);
    auto packed =
        pack<float>(iota({2, k, n}), layout, Float32Type::get(&context));
    expectPanels(layout, packed, [&, k = k, n = n](auto g, auto i, auto j) {
      return float((g * k + i) * n + j + 1);
    });
  }
}

TEST_F(PackingTest, PacksTransposed) {
  auto layout = effk::PanelAttr::get(&context, "nk", 1, 5, 7, 4);
  auto packed = pack<float>(iota({7, 5}), layout, Float32Type::get(&context));
  expectPanels(layout, packed,
               [](auto, auto k, auto n) { return float(n * 5 + k + 1); });
}

TEST_F(PackingTest, PacksConvolutionTapsBeforeChannels) {
  // 2 groups of 5 outputs, 3 channels, 2x3 taps.
  auto layout = effk::PanelAttr::get(&context, "oihw", 2, 18, 5, 4);
  auto packed =
      pack<float>(iota({10, 3, 2, 3}), layout, Float32Type::get(&context));
  expectPanels(layout, packed, [](auto g, auto k, auto n) {
    int64_t tap = k / 3, c = k % 3;
    return float(((g * 5 + n) * 3 + c) * 6 + tap + 1);
  });
}

TEST_F(PackingTest, MovesFiltersOfJoinedPixels) {
  // 2 outputs of 4 pixels 2 apart, 3 channels, 2x3 taps.
  auto layout = effk::PanelAttr::get(&context, "pixels", 1, 54, 8, 8, 1, 2);
  auto packed =
      pack<float>(iota({2, 3, 2, 3}), layout, Float32Type::get(&context));
  expectPanels(layout, packed, [](auto, auto k, auto n) {
    int64_t row = k / 27, column = k / 3 % 9 - n / 2 * 2, c = k % 3;
    if (column < 0 || column >= 3)
      return 0.0f;
    return float((n % 2 * 3 + c) * 6 + row * 3 + column + 1);
  });
}

TEST_F(PackingTest, RepeatsVectors) {
  auto layout = effk::PanelAttr::get(&context, "repeat", 1, 1, 12, 12);
  auto packed = pack<float>(iota({3}), layout, Float32Type::get(&context));
  expectPanels(layout, packed,
               [](auto, auto, auto n) { return float(n % 3 + 1); });
}

TEST_F(PackingTest, InterleavesNeighboursOfK) {
  Type f32 = Float32Type::get(&context);
  for (int64_t interleave : {2, 4}) {
    auto kn = effk::PanelAttr::get(&context, "kn", 2, 7, 5, 4, interleave);
    expectPanels(
        kn, pack<float>(iota({2, 7, 5}), kn, f32),
        [](auto g, auto k, auto n) { return float((g * 7 + k) * 5 + n + 1); });
    auto nk = effk::PanelAttr::get(&context, "nk", 1, 6, 5, 4, interleave);
    expectPanels(nk, pack<float>(iota({5, 6}), nk, f32),
                 [](auto, auto k, auto n) { return float(n * 6 + k + 1); });
    // One run a tap, and one a row of taps.
    for (int64_t runs : {6, 2}) {
      auto oihw =
          effk::PanelAttr::get(&context, "oihw", 2, 18, 5, 4, interleave, runs);
      expectPanels(oihw, pack<float>(iota({10, 3, 2, 3}), oihw, f32),
                   [](auto g, auto k, auto n) {
                     int64_t tap = k / 3, c = k % 3;
                     return float(((g * 5 + n) * 3 + c) * 6 + tap + 1);
                   });
    }
  }
}

// Two columns of 64 codes in panels of four.
TEST_F(PackingTest, PacksCodes) {
  for (unsigned bits : {2, 3, 4}) {
    SCOPED_TRACE(bits);
    Type type = IntegerType::get(&context, bits, IntegerType::Unsigned);
    std::vector<char> codes(128);
    for (size_t i = 0; i < codes.size(); ++i)
      codes[i] = static_cast<char>(i * 7 % 11 % (1 << bits));
    std::string name = "bits" + std::to_string(bits);
    auto value = DenseResourceElementsAttr::get(
        RankedTensorType::get({2, 64}, type), name,
        HeapAsmResourceBlob::allocateAndCopyInferAlign(ArrayRef<char>(codes)));
    auto layout =
        effk::PanelAttr::get(&context, name, 1, int64_t(8) * bits, 2, 4, 4);
    std::vector<uint8_t> packed = pack<uint8_t>(value, layout, type);
    ASSERT_EQ(packed.size(), size_t(4) * 8 * bits);
    // Bit `bit` of a lane's dword `number` of column n.
    auto bitAt = [&](int64_t n, int64_t number, int64_t bit) {
      return packed[number * 16 + n * 4 + bit / 8] >> bit % 8 & 1;
    };
    auto codeAt = [&](int64_t n, int64_t k) {
      int64_t low = 0;
      switch (bits) {
      case 2:
        return bitAt(n, k / 16, k % 16 * 2) | bitAt(n, k / 16, k % 16 * 2 + 1)
                                                  << 1;
      case 3:
        low = k / 32 * 3;
        if (k % 32 >= 30)
          return bitAt(n, low + (k % 32 - 30) * 2, 30) |
                 bitAt(n, low + (k % 32 - 30) * 2, 31) << 1 |
                 bitAt(n, low + 1, k % 32) << 2;
        low += k % 32 / 10;
        return bitAt(n, low, k % 32 % 10 * 3) |
               bitAt(n, low, k % 32 % 10 * 3 + 1) << 1 |
               bitAt(n, low, k % 32 % 10 * 3 + 2) << 2;
      default:
        for (int64_t i = 0; i < 4; ++i)
          low |= bitAt(n, k / 8, k % 4 * 8 + k % 8 / 4 * 4 + i) << i;
        return int(low);
      }
    };
    for (int64_t n = 0; n < 4; ++n)
      for (int64_t k = 0; k < 64; ++k)
        EXPECT_EQ(codeAt(n, k), n < 2 ? codes[n * 64 + k] : 0)
            << "column " << n << " element " << k;
  }
}

// Two blocks of 5 outputs, 2 channels: G w G^T at the points 0, +-3/4, +-3/2
// and infinity.
TEST_F(PackingTest, TransformsFiltersForWinograd) {
  auto layout = effk::PanelAttr::get(&context, "winograd", 72, 2, 5, 4);
  auto packed =
      pack<float>(iota({10, 2, 3, 3}), layout, Float32Type::get(&context));
  const double roots[] = {0, 0.75, -0.75, 1.5, -1.5};
  auto factor = [&](int64_t point, int64_t tap) {
    if (point == 5)
      return tap == 2 ? 1.0 : 0.0;
    double distance = 1;
    for (int64_t other = 0; other < 5; ++other)
      if (other != point)
        distance *= roots[point] - roots[other];
    return std::pow(roots[point], tap) / distance;
  };
  int64_t panels = 2, width = 4, k = 2;
  for (int64_t g = 0; g < 72; ++g)
    for (int64_t c = 0; c < k; ++c)
      for (int64_t n = 0; n < panels * width; ++n) {
        double expected = 0;
        for (int64_t tap = 0; tap < 9 && n < 5; ++tap)
          expected += factor(g % 36 / 6, tap / 3) * factor(g % 6, tap % 3) *
                      (((g / 36 * 5 + n) * 2 + c) * 9 + tap + 1);
        int64_t index = ((g * panels + n / width) * k + c) * width + n % width;
        ASSERT_NEAR(packed[index], expected, 1e-6 * std::fabs(expected));
      }
}

TEST_F(PackingTest, ConvertsFloats) {
  auto layout = effk::PanelAttr::get(&context, "kn", 1, 2, 3, 4);
  auto bf16 = pack<uint16_t>(iota({2, 3}), layout, BFloat16Type::get(&context));
  EXPECT_EQ(bf16[0], 0x3f80);
  EXPECT_EQ(bf16[3], 0);
  auto f16 = pack<uint16_t>(iota({2, 3}), layout, Float16Type::get(&context));
  EXPECT_EQ(f16[1], 0x4000);
  auto f64 = pack<double>(iota({2, 3}), layout, Float64Type::get(&context));
  EXPECT_EQ(f64[4], 4.0);
}

TEST_F(PackingTest, ReadsHalfPrecision) {
  auto type = RankedTensorType::get({3}, Float16Type::get(&context));
  std::vector<uint16_t> bits = {0x3c00, 0x0001, 0xfc00};
  auto value = DenseElementsAttr::getFromRawBuffer(
      type, ArrayRef<char>(reinterpret_cast<char *>(bits.data()), 6));
  std::string bytes;
  llvm::raw_string_ostream os(bytes);
  ASSERT_TRUE(succeeded(writeDense(value, Float32Type::get(&context), os,
                                   [&] { return error(); })));
  std::vector<float> result(3);
  ASSERT_EQ(bytes.size(), 12u);
  std::memcpy(result.data(), bytes.data(), 12);
  EXPECT_EQ(result[0], 1.0f);
  EXPECT_EQ(result[1], std::ldexp(1.0f, -24));
  EXPECT_EQ(result[2], -std::numeric_limits<float>::infinity());
}

TEST_F(PackingTest, WritesBoolsAsBytesAndRepeatsSplats) {
  Builder builder(&context);
  auto bools = builder.getBoolVectorAttr({true, false, true});
  auto splat = DenseElementsAttr::get(
      RankedTensorType::get({5000}, builder.getF32Type()), 2.0f);
  std::string bytes;
  llvm::raw_string_ostream os(bytes);
  ASSERT_TRUE(
      succeeded(writeDense(cast<ElementsAttr>(bools), builder.getI1Type(), os,
                           [&] { return error(); })));
  EXPECT_EQ(bytes, std::string("\1\0\1", 3));
  bytes.clear();
  ASSERT_TRUE(succeeded(
      writeDense(splat, builder.getF32Type(), os, [&] { return error(); })));
  EXPECT_EQ(bytes.size(), 20000u);
  float last;
  std::memcpy(&last, bytes.data() + 19996, 4);
  EXPECT_EQ(last, 2.0f);
}

TEST_F(PackingTest, RefusesWhatDoesNotFit) {
  ScopedDiagnosticHandler quiet(&context, [](Diagnostic &) {});
  std::string bytes;
  llvm::raw_string_ostream os(bytes);
  auto layout = effk::PanelAttr::get(&context, "kn", 1, 4, 4, 4);
  EXPECT_TRUE(failed(packPanel(iota({3, 4}), layout, Float32Type::get(&context),
                               os, [&] { return error(); })));
  EXPECT_TRUE(failed(writeDense(iota({4}), IntegerType::get(&context, 8), os,
                                [&] { return error(); })));
}

} // namespace
