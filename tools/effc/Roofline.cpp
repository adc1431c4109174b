// The two roofs of a machine, by the plainest loops that reach them. Compiled
// with optimisation whatever the build is: an unoptimised peak is none.
#include "Machine.h"
#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <sys/mman.h>
#include <thread>
#include <unistd.h>

namespace effc::tool {

using Clock = std::chrono::steady_clock;

static double since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Runs `work(thread)` on all threads at once; the seconds from the moment that
/// all are there until the last is done.
static double timeTogether(int threads, const std::function<void(int)> &work) {
  std::atomic<int> waiting{threads};
  auto meet = [&] {
    --waiting;
    while (waiting > 0) {
    }
  };
  std::vector<std::thread> others;
  for (int i = 1; i < threads; ++i)
    others.emplace_back([&, i] {
      meet();
      work(i);
    });
  meet();
  Clock::time_point start = Clock::now();
  work(0);
  for (std::thread &thread : others)
    thread.join();
  return since(start);
}

/// Where results go that nobody needs, so that they are computed.
static std::atomic<float> sink;

//===----------------------------------------------------------------------===//
// Multiply-adds
//===----------------------------------------------------------------------===//

constexpr int64_t steps = 200000;

/// `count` independent chains of multiply-adds hide their latency; with 14 or
/// more, clang keeps some in memory, which halves the rate. The values
/// stay near 1.
template <typename Vector, int count>
__attribute__((always_inline)) static inline void multiplyAdd() {
  Vector values[count];
  for (int i = 0; i < count; ++i)
    values[i] = Vector{} + static_cast<float>(i);
  float seed = sink * 0;
  Vector factor = Vector{} + (0.5f + seed), add = Vector{} + (0.5f + seed);
  for (int64_t step = 0; step < steps; ++step)
    for (int i = 0; i < count; ++i)
      values[i] = values[i] * factor + add;
  Vector sum = values[0];
  for (int i = 1; i < count; ++i)
    sum += values[i];
  sink = sum[0];
}

template <int bytes> struct VectorOf {
  typedef float Type __attribute__((vector_size(bytes)));
};

struct PeakLoop {
  void (*run)();
  double flops; ///< of one call
};

#if defined(__x86_64__)
__attribute__((target("avx512f"))) static void multiplyAdd512() {
  multiplyAdd<VectorOf<64>::Type, 12>();
}
__attribute__((target("avx2,fma"))) static void multiplyAdd256() {
  multiplyAdd<VectorOf<32>::Type, 12>();
}
#endif
static void multiplyAdd128() { multiplyAdd<VectorOf<16>::Type, 12>(); }

static PeakLoop choosePeakLoop() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f"))
    return {multiplyAdd512, 2.0 * 16 * 12 * steps};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    return {multiplyAdd256, 2.0 * 8 * 12 * steps};
#endif
  return {multiplyAdd128, 2.0 * 4 * 12 * steps};
}

static double measureGflops(int threads) {
  PeakLoop loop = choosePeakLoop();
  double best = 1e9;
  Clock::time_point start = Clock::now();
  for (int trial = 0; trial < 5 || since(start) < 0.15; ++trial)
    best = std::min(best, timeTogether(threads, [&](int) { loop.run(); }));
  return loop.flops * threads / best / 1e9;
}

//===----------------------------------------------------------------------===//
// Reading memory
//===----------------------------------------------------------------------===//

static void readAll(const float *data, size_t count) {
  using Vector = VectorOf<64>::Type;
  constexpr size_t lanes = 16, chains = 8;
  Vector sums[chains] = {};
  for (size_t i = 0; i + lanes * chains <= count; i += lanes * chains)
    for (size_t j = 0; j < chains; ++j)
      sums[j] += *reinterpret_cast<const Vector *>(data + i + j * lanes);
  for (size_t j = 1; j < chains; ++j)
    sums[0] += sums[j];
  sink = sums[0][0];
}

/// Several times the last cache, within what the machine can spare.
static size_t chooseBytes() {
  size_t cache =
      static_cast<size_t>(std::max(0L, sysconf(_SC_LEVEL3_CACHE_SIZE)));
  size_t memory = static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) *
                  static_cast<size_t>(sysconf(_SC_PAGESIZE));
  size_t most = std::min<size_t>(memory / 8, size_t(512) << 20);
  return std::clamp<size_t>(4 * cache, std::min<size_t>(most, 64 << 20), most);
}

static double measureGbs(int threads) {
  size_t part = chooseBytes() / threads & ~size_t(0xffff);
  size_t bytes = part * threads;
  void *memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED)
    return 0;
  (void)madvise(memory, bytes, MADV_HUGEPAGE);
  auto *data = static_cast<float *>(memory);
  size_t count = part / sizeof(float);
  // Each thread touches its part first: pages lie near who reads them.
  timeTogether(threads, [&](int thread) {
    std::fill_n(data + thread * count, count, 1.0f);
  });
  double best = 1e9;
  Clock::time_point start = Clock::now();
  for (int trial = 0; trial < 3 || since(start) < 0.2; ++trial)
    best = std::min(best, timeTogether(threads, [&](int thread) {
                      readAll(data + thread * count, count);
                    }));
  (void)munmap(memory, bytes);
  return static_cast<double>(bytes) / best / 1e9;
}

Roofline measureRoofline(int threads) {
  return {measureGflops(threads), measureGbs(threads)};
}

} // namespace effc::tool
