/* What this machine can execute. By CPUID and XGETBV directly rather than
 * through the compiler's support library, which a model library is not linked
 * with.
 */
#define _GNU_SOURCE
#include "Internal.h"

#include <sched.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>

/* Register states that the system saves: XMM and YMM; mask and ZMM; tile
 * configuration and data. */
#define XCR0_AVX 0x6u
#define XCR0_AVX512 0xe6u
#define XCR0_AMX 0x60000u

static uint32_t read_xcr0(void) {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

static bool has_all(uint32_t value, uint32_t bits) {
  return (value & bits) == bits;
}

uint64_t effrt_cpu_features(void) {
  uint32_t a, b, c, d, b7, c7, d7, c_ext, features = 0;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !has_all(c, bit_OSXSAVE))
    return 0;
  uint32_t xcr0 = read_xcr0();
  bool base = has_all(c, bit_AVX | bit_FMA | bit_F16C | bit_MOVBE);
  if (!base || !has_all(xcr0, XCR0_AVX) ||
      !__get_cpuid_count(7, 0, &a, &b7, &c7, &d7) ||
      !__get_cpuid(0x80000001u, &a, &b, &c_ext, &d))
    return 0;
  uint32_t max_subleaf = 0, a71 = 0;
  (void)__get_cpuid_count(7, 0, &max_subleaf, &b, &c, &d);
  if (max_subleaf >= 1)
    (void)__get_cpuid_count(7, 1, &a71, &b, &c, &d);
  const uint32_t avx2 = 1u << 5, bmi1 = 1u << 3, bmi2 = 1u << 8,
                 lzcnt = 1u << 5;
  const uint32_t avx512 =
      1u << 16 | 1u << 17 | 1u << 28 | 1u << 30 | 1u << 31; /* F DQ CD BW VL */
  if (!has_all(b7, avx2 | bmi1 | bmi2) || !has_all(c_ext, lzcnt))
    return 0;
  features |= EFFRT_CPU_AVX2;
  if (has_all(b7, avx512) && has_all(xcr0, XCR0_AVX512)) {
    features |= EFFRT_CPU_AVX512;
    features |= has_all(c7, 1u << 11) ? EFFRT_CPU_AVX512_VNNI : 0;
    features |= has_all(a71, 1u << 5) ? EFFRT_CPU_AVX512_BF16 : 0;
  }
  if (has_all(d7, 1u << 24) && has_all(xcr0, XCR0_AMX)) {
    features |= has_all(d7, 1u << 25) ? EFFRT_CPU_AMX_INT8 : 0;
    features |= has_all(d7, 1u << 22) ? EFFRT_CPU_AMX_BF16 : 0;
  }
  return features;
}

bool effrt_cpu_enable(uint64_t features) {
  if (!(features & (EFFRT_CPU_AMX_INT8 | EFFRT_CPU_AMX_BF16)))
    return true;
#if defined(__linux__) && defined(SYS_arch_prctl)
  /* Tile data is off until a process asks for it (Linux,
   * Documentation/arch/x86/xstate.rst). */
  const int request_xcomp_perm = 0x1023, xfeature_xtiledata = 18;
  return syscall(SYS_arch_prctl, request_xcomp_perm, xfeature_xtiledata) == 0;
#else
  return false;
#endif
}

#elif defined(__aarch64__)
#include <sys/auxv.h>

uint64_t effrt_cpu_features(void) {
  /* Linux, arch/arm64/include/uapi/asm/hwcap.h */
  const unsigned long hwcap_asimddp = 1ul << 20, hwcap2_i8mm = 1ul << 13;
  uint64_t features = EFFRT_CPU_NEON;
  if (getauxval(AT_HWCAP) & hwcap_asimddp)
    features |= EFFRT_CPU_NEON_DOTPROD;
  if (getauxval(AT_HWCAP2) & hwcap2_i8mm)
    features |= EFFRT_CPU_NEON_I8MM;
  return features;
}

bool effrt_cpu_enable(uint64_t features) {
  (void)features;
  return true;
}

#else

uint64_t effrt_cpu_features(void) { return 0; }

bool effrt_cpu_enable(uint64_t features) { return features == 0; }

#endif

const char *effrt_cpu_feature_name(uint64_t features) {
  switch (features & -features) {
  case EFFRT_CPU_AVX2:
    return "AVX2 (x86-64-v3: with FMA, F16C, BMI2)";
  case EFFRT_CPU_AVX512:
    return "AVX-512 (x86-64-v4: F, BW, CD, DQ, VL)";
  case EFFRT_CPU_AVX512_VNNI:
    return "AVX-512 VNNI";
  case EFFRT_CPU_AVX512_BF16:
    return "AVX-512 BF16";
  case EFFRT_CPU_AMX_INT8:
    return "AMX INT8";
  case EFFRT_CPU_AMX_BF16:
    return "AMX BF16";
  case EFFRT_CPU_NEON:
    return "NEON (aarch64)";
  case EFFRT_CPU_NEON_DOTPROD:
    return "NEON dot product";
  case EFFRT_CPU_NEON_I8MM:
    return "NEON products of bytes (FEAT_I8MM)";
  default:
    return "a CPU feature unknown to this runtime";
  }
}

int32_t effrt_cpu_count(void) {
  long count = 0;
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0)
    count = CPU_COUNT(&set);
#endif
  if (count < 1)
    count = sysconf(_SC_NPROCESSORS_ONLN);
  if (count < 1)
    count = 1;
  return (int32_t)(count < EFFRT_MAX_THREADS ? count : EFFRT_MAX_THREADS);
}
