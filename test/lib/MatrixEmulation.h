// The registers of AMX and what its instructions do with them, in C++: those of
// one thread. What hardware refuses (#UD, #GP) ends the program with a message.
#ifndef EFFC_TEST_LIB_MATRIXEMULATION_H
#define EFFC_TEST_LIB_MATRIXEMULATION_H

#include <cstdint>

namespace effc::amx {

void loadConfiguration(const uint8_t *shapes);
void release();
void zero(int64_t number);
void load(int64_t number, const uint8_t *from, int64_t stride);
void store(int64_t number, uint8_t *to, int64_t stride);
/// sums += unsigned a * signed b, four neighbours a lane.
void multiplyBytes(int64_t sums, int64_t a, int64_t b);
void multiplyBF16(int64_t sums, int64_t a, int64_t b);

/// Whether the thread has no registers in use.
bool isReleased();

} // namespace effc::amx

#endif // EFFC_TEST_LIB_MATRIXEMULATION_H
