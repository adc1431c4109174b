/* Opens model libraries by path. The file is looked at before the dynamic
 * loader sees it, because that trusts ELF headers and dies from SIGBUS on a
 * truncated file.
 */
#define _GNU_SOURCE
#include "Internal.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Every model library exports its table under this name, besides
 * effc_model_{name}. */
static const char table_symbol[] = "effc_model_table";

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#elif defined(__aarch64__)
#define MACHINE EM_AARCH64
#else
#define MACHINE EM_NONE
#endif

static bool read_at(int file, void *data, size_t size, uint64_t offset) {
  return offset <= INT64_MAX - size &&
         pread(file, data, size, (off_t)offset) == (ssize_t)size;
}

/* The reason why an open file is no loadable library of this machine, or null.
 */
static const char *refuse_elf(int file, uint64_t file_size) {
  Elf64_Ehdr header;
  if (!read_at(file, &header, sizeof(header), 0) ||
      memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
      header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_type != ET_DYN)
    return "it is not a shared library";
  if (header.e_machine != MACHINE)
    return "it was compiled for another kind of machine";
  if (header.e_phentsize != sizeof(Elf64_Phdr))
    return "its headers are damaged";
  for (unsigned i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    uint64_t end;
    if (!read_at(file, &segment, sizeof(segment),
                 header.e_phoff + i * sizeof(segment)))
      return "the file is truncated";
    if (__builtin_add_overflow(segment.p_offset, segment.p_filesz, &end) ||
        end > file_size)
      return "the file is truncated";
  }
  return NULL;
}

static effrt_status check_file(const char *path, effrt_message *message) {
  /* A fifo must not block the open. */
  int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  struct stat info;
  if (file < 0 || fstat(file, &info) != 0) {
    int error = errno;
    if (file >= 0)
      (void)close(file);
    return effrt_fail(message, EFFRT_STATUS_FILE_ERROR, "cannot open '%s': %s",
                      path, strerror(error));
  }
  const char *reason = "it is not a file";
  if (S_ISREG(info.st_mode))
    reason = refuse_elf(file, (uint64_t)info.st_size);
  (void)close(file);
  if (reason)
    return effrt_fail(message, EFFRT_STATUS_NOT_A_MODEL, "cannot open '%s': %s",
                      path, reason);
  return EFFRT_STATUS_OK;
}

static void unload(void *library) { (void)dlclose(library); }

/* A path that dlopen does not look up in its search path. */
static char *explicit_path(const char *path) {
  size_t size = strlen(path) + sizeof("./");
  char *result = malloc(size);
  if (result)
    (void)snprintf(result, size, "%s%s", strchr(path, '/') ? "" : "./", path);
  return result;
}

static effrt_status open_library(const char *path,
                                 const effrt_model_options *options,
                                 effrt_model **out, effrt_message *message) {
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char *error = dlerror();
    const char *remedy =
        error && strstr(error, "__asan_")
            ? "; it was compiled with --sanitize: link this program with "
              "-fsanitize=address, or preload the runtime of AddressSanitizer"
            : "";
    return effrt_fail(message, EFFRT_STATUS_FILE_ERROR,
                      "cannot load '%s': %s%s", path,
                      error ? error : "no reason given", remedy);
  }
  const effrt_model_desc *desc = dlsym(library, table_symbol);
  effrt_status status;
  if (!desc)
    status = effrt_fail(message, EFFRT_STATUS_NOT_A_MODEL,
                        "'%s' is not a compiled model: it does not export '%s'",
                        path, table_symbol);
  else
    status = effrt_model_make(desc, options, path, out, message);
  if (status) {
    unload(library);
    return status;
  }
  (*out)->library = library;
  (*out)->unload = unload;
  return EFFRT_STATUS_OK;
}

effrt_status effrt_model_open(const char *path,
                              const effrt_model_options *options,
                              effrt_model **out, effrt_message *message) {
  if (message)
    message->text[0] = 0;
  if (!path || !out)
    return effrt_fail(message, EFFRT_STATUS_INVALID_ARGUMENT, "null argument");
  effrt_status status = check_file(path, message);
  if (status)
    return status;
  char *full = explicit_path(path);
  if (!full)
    return effrt_fail(message, EFFRT_STATUS_OUT_OF_MEMORY, "out of memory");
  status = open_library(full, options, out, message);
  free(full);
  return status;
}
