// Contractions for tests and measurements: an effk.gemm built from a
// description, its operands and a reference.
#ifndef EFFC_TEST_UNIT_TARGET_GEMMCASE_H
#define EFFC_TEST_UNIT_TARGET_GEMMCASE_H

#include "KernelFixture.h"
#include <random>

enum class TestEpilogue { None, Bias, BiasResidualTanh, Position };

struct GemmCase {
  int64_t m = 1, n = 1, k = 1;
  int64_t tileRows = 6, tileWidth = 64, rowsPerBlock = 24;
  bool rowsOuter = false;
  /// Sizes are arguments of the kernel, not constants.
  bool dynamic = false;
  bool rowMajorB = false;
  TestEpilogue epilogue = TestEpilogue::Bias;
  /// A convolution of an NHWC image if height is set: m is then the number of
  /// output pixels and k = kernel^2 * channels.
  int64_t batch = 1, height = 0, widthIn = 0, channels = 0, kernel = 1,
          stride = 1, dilation = 1, pad = 0;
  llvm::StringRef cpu = "native";

  int64_t outSize(int64_t in) const {
    return (in + 2 * pad - dilation * (kernel - 1) - 1) / stride + 1;
  }
  static GemmCase conv(int64_t batch, int64_t height, int64_t width,
                       int64_t channels, int64_t n, int64_t kernel,
                       int64_t stride, int64_t dilation, int64_t pad);
  int64_t panels() const { return (n + tileWidth - 1) / tileWidth; }
  int64_t blocks() const { return (m + rowsPerBlock - 1) / rowsPerBlock; }
  int64_t extent() const { return panels() * blocks(); }
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
  float maxError();

  GemmCase gemm;
  std::vector<float> a, b, packed, bias, residual, c;
  std::vector<int64_t> dims;

private:
  float reference(int64_t m, int64_t n) const;
  float elementA(int64_t m, int64_t k) const;
};

#endif // EFFC_TEST_UNIT_TARGET_GEMMCASE_H
