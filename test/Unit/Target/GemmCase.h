// Contractions for tests and measurements: an effk.gemm built from a
// description, its operands and a reference.
#ifndef EFFC_TEST_UNIT_TARGET_GEMMCASE_H
#define EFFC_TEST_UNIT_TARGET_GEMMCASE_H

#include "KernelFixture.h"
#include "effc/Analysis/TileChoice.h"
#include <random>

enum class TestEpilogue { None, Bias, BiasResidualTanh, Position };

struct GemmCase {
  int64_t m = 1, n = 1, k = 1;
  int64_t tileRows = 6, tileWidth = 64, rowsPerBlock = 24;
  bool rowsOuter = false;
  /// Of AMX, where fewer than 16.
  int64_t registerRows = 0;
  /// Sizes are arguments of the kernel, not constants.
  bool dynamic = false;
  bool rowMajorB = false;
  TestEpilogue epilogue = TestEpilogue::Bias;
  /// Of bytes the epilogue is None or Bias and the result i32.
  effc::GemmTypes types = effc::GemmTypes::F32;
  int64_t interleave = 1;
  int64_t padValue = 0;
  /// All bytes are 255 and -128, where pairs of products are largest.
  bool extreme = false;
  /// A convolution of an NHWC image if height is set: m is then the number of
  /// output pixels and k = kernel^2 * channels.
  int64_t batch = 1, height = 0, widthIn = 0, channels = 0, kernel = 1,
          stride = 1, dilation = 1, pad = 0;
  llvm::StringRef cpu = "native";

  int64_t outSize(int64_t in) const {
    return (in + 2 * pad - dilation * (kernel - 1) - 1) / stride + 1;
  }
  static GemmCase matrix(int64_t m, int64_t n, int64_t k) {
    GemmCase gemm;
    gemm.m = m;
    gemm.n = n;
    gemm.k = k;
    return gemm;
  }
  static GemmCase conv(int64_t batch, int64_t height, int64_t width,
                       int64_t channels, int64_t n, int64_t kernel,
                       int64_t stride, int64_t dilation, int64_t pad);
  int64_t panels() const { return (n + tileWidth - 1) / tileWidth; }
  int64_t blocks() const { return (m + rowsPerBlock - 1) / rowsPerBlock; }
  int64_t extent() const { return panels() * blocks(); }
  /// Elements of k that lie side by side in A, and how many of them B holds.
  int64_t run() const { return height ? channels : k; }
  int64_t filledRun() const {
    return (run() + interleave - 1) / interleave * interleave;
  }
};

/// A kernel function `gemm` of (a, b, bias, residual, c).
mlir::OwningOpRef<mlir::ModuleOp> buildGemm(mlir::MLIRContext &context,
                                            const GemmCase &gemm);

/// The buffers of a case, with guards before and after C.
struct GemmData {
  explicit GemmData(const GemmCase &gemm);

  void run(const effc::JITKernels &kernels, int64_t parts = 1);
  /// The largest difference to the reference; infinite if anything outside C
  /// was written.
  double maxError();

  GemmCase gemm;
  /// Values of A, of B and of B in panels.
  std::vector<float> a, b, packed, bias, residual;
  /// The bits of the result: f32 or i32.
  std::vector<uint32_t> c;
  std::vector<int64_t> dims;

private:
  void pack();
  /// The values in the type of the operand.
  std::vector<char> encode(const std::vector<float> &values) const;
  double element(size_t position) const;
  double reference(int64_t m, int64_t n) const;
  float elementA(int64_t m, int64_t k) const;

  std::vector<char> aBytes, bBytes, biasBytes;
};

#endif // EFFC_TEST_UNIT_TARGET_GEMMCASE_H
