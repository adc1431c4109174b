// The machines that `--cpu` names. Levels are ordered: each runs the code of
// all of its architecture before it.
#include "effc/Target/CPU/CPUTarget.h"
#include "effc/Support/Diagnostics.h"

#include "effrt/effrt_abi.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"
#include "llvm/TargetParser/X86TargetParser.h"
#include <sys/syscall.h>
#include <unistd.h>

using namespace mlir;
using namespace effc;

namespace {

struct CPULevel {
  StringRef triple;
  StringRef name;
  StringRef cpu;
  /// LLVM features beyond those of `cpu`, comma separated, each with its sign.
  StringRef features;
  /// What /proc/cpuinfo would have to show, as LLVM names it.
  StringRef detect;
  uint64_t required;
  int64_t vectorBits;
  int64_t vectorRegisters;
  int64_t l1Bytes;
  int64_t l2Bytes;
};

constexpr uint64_t v3Bits = EFFRT_CPU_AVX2;
constexpr uint64_t v4Bits = v3Bits | EFFRT_CPU_AVX512;
constexpr uint64_t vnniBits = v4Bits | EFFRT_CPU_AVX512_VNNI;
constexpr uint64_t bf16Bits = vnniBits | EFFRT_CPU_AVX512_BF16;
constexpr uint64_t amxBits = bf16Bits | EFFRT_CPU_AMX_INT8 | EFFRT_CPU_AMX_BF16;

constexpr uint64_t neonBits = EFFRT_CPU_NEON;
constexpr uint64_t dotBits = neonBits | EFFRT_CPU_NEON_DOTPROD;
constexpr uint64_t i8mmBits = dotBits | EFFRT_CPU_NEON_I8MM;

constexpr StringRef x86 = "x86_64-unknown-linux-gnu",
                    arm = "aarch64-unknown-linux-gnu";

// Caches: the smallest of the machines that have the level.
constexpr CPULevel levels[] = {
    {x86, "v3", "x86-64-v3", "", "avx2,fma,f16c,bmi2", v3Bits, 256, 16,
     32 << 10, 256 << 10},
    {x86, "v4", "x86-64-v4", "", "avx512f,avx512bw,avx512cd,avx512dq,avx512vl",
     v4Bits, 512, 32, 32 << 10, 1 << 20},
    {x86, "v4-vnni", "x86-64-v4", "+avx512vnni", "avx512vnni", vnniBits, 512,
     32, 32 << 10, 1 << 20},
    {x86, "v4-bf16", "x86-64-v4", "+avx512vnni,+avx512bf16", "avx512bf16",
     bf16Bits, 512, 32, 32 << 10, 1 << 20},
    {x86, "amx", "x86-64-v4",
     "+avx512vnni,+avx512bf16,+amx-tile,+amx-int8,+amx-bf16",
     "amx-tile,amx-int8,amx-bf16", amxBits, 512, 32, 48 << 10, 2 << 20},
    {arm, "neon", "generic", "+neon", "neon", neonBits, 128, 32, 32 << 10,
     512 << 10},
    {arm, "neon-dotprod", "generic", "+neon,+dotprod", "dotprod", dotBits, 128,
     32, 64 << 10, 512 << 10},
    {arm, "neon-i8mm", "generic", "+neon,+dotprod,+i8mm", "dotprod,i8mm",
     i8mmBits, 128, 32, 64 << 10, 1 << 20},
};

constexpr StringRef cpuNames[] = {"native",  "v3",           "v4",
                                  "v4-vnni", "v4-bf16",      "amx",
                                  "neon",    "neon-dotprod", "neon-i8mm"};

eff::TargetAttr makeTarget(MLIRContext *context, StringRef name,
                           const CPULevel &level, StringRef tune = "") {
  return eff::TargetAttr::get(context, name, level.cpu, level.features,
                              level.vectorBits, level.vectorRegisters,
                              level.l1Bytes, level.l2Bytes, tune);
}

/// Whether the system lets this process use the registers of AMX, for which
/// Linux wants to be asked (Documentation/arch/x86/xstate.rst).
bool mayUseTiles() {
#if defined(__linux__) && defined(SYS_arch_prctl)
  constexpr int requestPermission = 0x1023, tileData = 18;
  static const bool granted =
      syscall(SYS_arch_prctl, requestPermission, tileData) == 0;
  return granted;
#else
  return false;
#endif
}

/// The last level of which this machine has everything, or null.
const CPULevel *findNativeLevel() {
  llvm::StringMap<bool> host = llvm::sys::getHostCPUFeatures();
  const CPULevel *best = nullptr;
  for (const CPULevel &level : levels) {
    if (!isHostTriple(level.triple))
      continue;
    SmallVector<StringRef> needed;
    level.detect.split(needed, ',');
    if (!llvm::all_of(needed, [&](StringRef f) { return host.lookup(f); }))
      break;
    if ((level.required & EFFRT_CPU_AMX_INT8) && !mayUseTiles())
      break;
    best = &level;
  }
  return best;
}

int64_t cacheSize(int name, int64_t fallback) {
  long size = sysconf(name);
  return size > 0 ? size : fallback;
}

/// LLVM's name of this core. A virtual machine may show the number of another
/// one than it has, which gives itself away by instructions that the other one
/// lacks: then it is the newest of Intel's with nothing that is not there.
std::string getHostCore() {
  constexpr StringRef servers[] = {"graniterapids", "sapphirerapids",
                                   "cooperlake",    "icelake-server",
                                   "cascadelake",   "skylake-avx512"};
  constexpr StringRef telling[] = {"amx-fp16",   "amx-tile",   "avx512fp16",
                                   "avx512bf16", "avx512vnni", "avx512f"};
  StringRef name = llvm::sys::getHostCPUName();
  llvm::StringMap<bool> host = llvm::sys::getHostCPUFeatures();
  auto has = [](StringRef core, StringRef feature) {
    SmallVector<StringRef> features;
    llvm::X86::getFeaturesForCPU(core, features);
    return llvm::is_contained(features, feature);
  };
  if (!isHostTriple(x86) || name.starts_with("znver") ||
      llvm::X86::parseArchX86(name) == llvm::X86::CK_None ||
      llvm::all_of(telling, [&](StringRef feature) {
        return !host.lookup(feature) || has(name, feature);
      }))
    return name.str();
  const StringRef *found = llvm::find_if(servers, [&](StringRef core) {
    return llvm::all_of(telling, [&](StringRef feature) {
      return host.lookup(feature) || !has(core, feature);
    });
  });
  return (found == std::end(servers) ? name : *found).str();
}

FailureOr<eff::TargetAttr> resolveNative(Location loc) {
  const CPULevel *found = findNativeLevel();
  if (!found)
    return emitError(loc, DiagnosticCode::UnknownCPU)
           << "this machine has neither AVX2 nor NEON, the least that effc "
              "makes code for; name another with --cpu, one of "
           << llvm::join(getCPUNames(), ", ");
  CPULevel level = *found;
  level.l1Bytes = cacheSize(_SC_LEVEL1_DCACHE_SIZE, level.l1Bytes);
  level.l2Bytes = cacheSize(_SC_LEVEL2_CACHE_SIZE, level.l2Bytes);
  return makeTarget(loc.getContext(), "native", level, getHostCore());
}

class CPUTarget final : public Target {
public:
  StringRef getName() const override { return "cpu"; }
  FailureOr<eff::TargetAttr> resolve(Location loc,
                                     StringRef cpu) const override {
    return resolveCPU(cpu, loc);
  }
  uint64_t getRequiredFeatures(eff::TargetAttr target) const override {
    return effc::getRequiredFeatures(target);
  }
  void buildPipeline(OpPassManager &pm, eff::TargetAttr target,
                     bool plain) const override {
    buildCPUPipeline(pm, target, plain);
  }
  FailureOr<ObjectFiles>
  emitObjects(ModuleOp kernels, eff::TargetAttr target,
              const EmitOptions &options) const override {
    return emitObject(kernels, target, options);
  }
};

} // namespace

ArrayRef<StringRef> effc::getCPUNames() { return cpuNames; }

FailureOr<eff::TargetAttr> effc::resolveCPU(StringRef name, Location loc) {
  if (name == "native")
    return resolveNative(loc);
  for (const CPULevel &level : levels)
    if (name == level.name)
      return makeTarget(loc.getContext(), name, level);
  return emitError(loc, DiagnosticCode::UnknownCPU)
         << "unknown CPU '" << name << "', expected one of "
         << llvm::join(getCPUNames(), ", ")
         << "; x86-64 machines without AVX2 are not supported";
}

static const CPULevel *findLevel(eff::TargetAttr target) {
  const CPULevel *found = llvm::find_if(levels, [&](const CPULevel &level) {
    return target.getCpu() == level.cpu &&
           target.getFeatures() == level.features;
  });
  return found == std::end(levels) ? levels : found;
}

uint64_t effc::getRequiredFeatures(eff::TargetAttr target) {
  return findLevel(target)->required;
}

StringRef effc::getTriple(eff::TargetAttr target) {
  return target ? findLevel(target)->triple : x86;
}

bool effc::isHostTriple(StringRef triple) {
  return llvm::Triple(triple).getArch() ==
         llvm::Triple(LLVM_HOST_TRIPLE).getArch();
}

bool effc::canRun(eff::TargetAttr target) {
  const CPULevel *level = findLevel(target), *native = findNativeLevel();
  return native && level->triple == native->triple && level <= native;
}

FailureOr<SmallVector<eff::TargetAttr>> effc::resolveCPUs(StringRef names,
                                                          Location loc) {
  SmallVector<StringRef> parts;
  names.split(parts, ',');
  SmallVector<eff::TargetAttr> targets;
  for (StringRef name : parts) {
    FailureOr<eff::TargetAttr> target = resolveCPU(name, loc);
    if (failed(target))
      return failure();
    const eff::TargetAttr *same =
        llvm::find_if(targets, [&](eff::TargetAttr other) {
          return findLevel(other) == findLevel(*target);
        });
    if (same != targets.end()) {
      emitWarning(loc, DiagnosticCode::RepeatedCPU)
          << "--cpu: '" << name << "' needs the same machine as '"
          << same->getName() << "' and is left out";
      continue;
    }
    targets.push_back(*target);
  }
  if (llvm::any_of(targets, [&](eff::TargetAttr target) {
        return getTriple(target) != getTriple(targets.front());
      })) {
    InFlightDiagnostic error = emitError(loc, DiagnosticCode::UnknownCPU)
                               << "--cpu=" << names
                               << ": a library is for one kind of processor";
    error.attachNote() << "compile once for x86-64 and once for aarch64";
    return error;
  }
  llvm::sort(targets, [](eff::TargetAttr a, eff::TargetAttr b) {
    return findLevel(a) > findLevel(b);
  });
  return targets;
}

const Target &effc::getCPUTarget() {
  static const CPUTarget target;
  return target;
}
