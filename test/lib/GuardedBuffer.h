// Memory that a kernel must not leave: the byte behind it is on a page that
// cannot be touched, the bytes before it are checked.
#ifndef EFFC_TEST_LIB_GUARDEDBUFFER_H
#define EFFC_TEST_LIB_GUARDEDBUFFER_H

#include <cstddef>

namespace effc {

class GuardedBuffer {
public:
  /// `size` bytes, all `fill`, that begin at a multiple of `alignment` and end
  /// as close to the guard page as that allows.
  GuardedBuffer(size_t size, size_t alignment, unsigned char fill);
  ~GuardedBuffer();
  GuardedBuffer(const GuardedBuffer &) = delete;
  GuardedBuffer &operator=(const GuardedBuffer &) = delete;

  char *data() const { return begin; }
  size_t size() const { return bytes; }

  /// From now on a write is a fault.
  void makeReadOnly();
  /// Whether all bytes around the buffer are what they were.
  bool isIntact() const;

private:
  char *pages, *begin;
  size_t bytes, room; ///< room: bytes before the guard page
};

} // namespace effc

#endif // EFFC_TEST_LIB_GUARDEDBUFFER_H
