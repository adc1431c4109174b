// Time of one kernel of a file of kernel functions, and its object file to look
// at. Arguments: FILE CPU KERNEL EXTENT SCRATCH-BYTES OBJECT
// FLOATS-OF-EACH-BUFFER...
#include "KernelFixture.h"

#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"
#include <chrono>

using namespace effc;
using namespace mlir;

static void writeFile(StringRef path, const llvm::MemoryBuffer &object) {
  std::error_code error;
  llvm::raw_fd_ostream(path, error) << object.getBuffer();
}

static double timeKernel(const JITKernels &kernels, char **argv, int argc) {
  std::vector<std::vector<float>> buffers;
  std::vector<void *> pointers;
  for (int i = 7; i < argc; ++i) {
    buffers.emplace_back(std::atol(argv[i]));
    for (size_t j = 0; j < buffers.back().size(); ++j)
      buffers.back()[j] = (j % 1000) * 0.01f - 3.0f;
    pointers.push_back(buffers.back().data());
  }
  using Clock = std::chrono::steady_clock;
  double best = 1e9;
  for (int round = 0; round < 300; ++round) {
    auto start = Clock::now();
    kernels.run(argv[3], pointers, {}, 0, std::atol(argv[4]),
                std::atol(argv[5]));
    best = std::min(
        best, std::chrono::duration<double>(Clock::now() - start).count());
  }
  return best;
}

int main(int argc, char **argv) {
  if (argc < 8) {
    llvm::errs() << "usage: KernelBench FILE CPU KERNEL EXTENT SCRATCH-BYTES "
                    "OBJECT FLOATS...\n";
    return 2;
  }
  DialectRegistry registry;
  registerKernelDialects(registry);
  MLIRContext context(registry);
  context.loadAllAvailableDialects();
  OwningOpRef<ModuleOp> module = parseSourceFile<ModuleOp>(argv[1], &context);
  FailureOr<eff::TargetAttr> target =
      resolveCPU(argv[2], UnknownLoc::get(&context));
  if (!module || failed(target))
    return 1;
  FailureOr<ObjectFiles> objects = emitObject(*module, *target, {});
  auto kernels = JITKernels::create(*module, *target);
  if (failed(objects) || failed(kernels))
    return 1;
  writeFile(argv[6], *objects->front());
  double seconds = timeKernel(**kernels, argv, argc);
  llvm::outs() << llvm::formatv(
      "{0}: {1:f1} us, {2:f3} ns an element of the last buffer\n", argv[3],
      seconds * 1e6, seconds * 1e9 / std::atol(argv[argc - 1]));
  return 0;
}
