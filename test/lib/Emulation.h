// Instructions that a machine lacks, as functions of ones that it has: kernels
// for AVX512-VNNI, AVX512-BF16 and AMX are tested anywhere. Tiles are chosen
// for the machine with the instructions and compiled for the one that runs the
// test.
#ifndef EFFC_TEST_LIB_EMULATION_H
#define EFFC_TEST_LIB_EMULATION_H

#include "effc/Target/Target.h"

namespace effc {

/// Replaces every call of an intrinsic in the module that Emulation.cpp knows;
/// false when there is another one of the same families.
bool emulateIntrinsics(llvm::Module &module);

/// Code for `machine`, whatever tiles there are.
EmitOptions makeEmulationOptions(eff::TargetAttr machine);

/// The intrinsics that were replaced in this process and how often, in words.
std::string describeEmulated();

} // namespace effc

#endif // EFFC_TEST_LIB_EMULATION_H
