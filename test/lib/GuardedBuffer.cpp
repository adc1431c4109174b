// Pages from mmap with a page without access behind them.
#include "GuardedBuffer.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <sys/mman.h>
#include <unistd.h>

using namespace effc;

/// What lies around the buffer: NaN to whoever reads it as floats.
static constexpr unsigned char border = 0xff;

GuardedBuffer::GuardedBuffer(size_t size, size_t alignment, unsigned char fill)
    : bytes(size) {
  size_t page = sysconf(_SC_PAGESIZE);
  room = (size + alignment + page - 1) / page * page;
  void *memory = mmap(nullptr, room + page, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED)
    std::abort();
  pages = static_cast<char *>(memory);
  mprotect(pages + room, page, PROT_NONE);
  size_t offset = (room - size) / alignment * alignment;
  begin = pages + offset;
  std::memset(pages, border, room);
  std::memset(begin, fill, size);
}

GuardedBuffer::~GuardedBuffer() { munmap(pages, room + sysconf(_SC_PAGESIZE)); }

void GuardedBuffer::makeReadOnly() { mprotect(pages, room, PROT_READ); }

bool GuardedBuffer::isIntact() const {
  auto untouched = [](char byte) {
    return static_cast<unsigned char>(byte) == border;
  };
  return std::all_of(pages, begin, untouched) &&
         std::all_of(begin + bytes, pages + room, untouched);
}
