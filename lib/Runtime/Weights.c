/* Weights in a file of their own: mapped read-only, so that processes share the
 * pages, and checked against the size and the hash that the model was compiled
 * with.
 */
#define _GNU_SOURCE
#include "Internal.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* FNV-1a, 64 bits (Fowler, Noll, Vo). */
static uint64_t hash_bytes(const uint8_t *data, uint64_t size) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (uint64_t i = 0; i < size; ++i)
    hash = (hash ^ data[i]) * 0x100000001b3u;
  return hash;
}

/* The path of the weights file: in `dir`, else beside the library that holds
 * the table. */
static char *weights_path(const effrt_model *model, const char *dir) {
  const char *library = model->path;
  Dl_info info;
  if (!dir && !library && dladdr(model->desc, &info))
    library = info.dli_fname;
  const char *slash = !dir && library ? strrchr(library, '/') : NULL;
  size_t prefix = dir ? strlen(dir) : slash ? (size_t)(slash - library) + 1 : 0;
  size_t size = prefix + strlen(model->desc->weights_file) + 2;
  char *path = malloc(size);
  if (path)
    (void)snprintf(path, size, "%.*s%s%s", (int)prefix,
                   dir       ? dir
                   : library ? library
                             : "",
                   dir ? "/" : "", model->desc->weights_file);
  return path;
}

static effrt_status map_file(effrt_model *model, const char *path, int file,
                             effrt_message *message) {
  uint64_t size = model->desc->weights_size;
  struct stat info;
  if (fstat(file, &info) != 0)
    return effrt_fail(message, EFFRT_STATUS_FILE_ERROR, "cannot read '%s': %s",
                      path, strerror(errno));
  if (!S_ISREG(info.st_mode) || (uint64_t)info.st_size != size)
    return effrt_fail(message, EFFRT_STATUS_BAD_WEIGHTS,
                      "weights file '%s' has %" PRIu64
                      " bytes, model '%s' needs %" PRIu64,
                      path, (uint64_t)info.st_size, model->desc->name, size);
  if (size == 0)
    return EFFRT_STATUS_OK;
  void *map = mmap(NULL, size, PROT_READ, MAP_PRIVATE, file, 0);
  if (map == MAP_FAILED)
    return effrt_fail(message, EFFRT_STATUS_FILE_ERROR, "cannot map '%s': %s",
                      path, strerror(errno));
  model->weights_map = map;
  model->weights = map;
  return EFFRT_STATUS_OK;
}

effrt_status effrt_map_weights(effrt_model *model, const char *dir, bool trust,
                               effrt_message *message) {
  const effrt_model_desc *desc = model->desc;
  char *path = weights_path(model, dir);
  if (!path)
    return effrt_fail(message, EFFRT_STATUS_OUT_OF_MEMORY, "out of memory");
  effrt_status status = EFFRT_STATUS_OK;
  /* A fifo must not block the open. */
  int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0)
    status = effrt_fail(message, EFFRT_STATUS_FILE_ERROR,
                        "cannot open weights file '%s' of model '%s': %s", path,
                        desc->name, strerror(errno));
  else
    status = map_file(model, path, file, message);
  if (file >= 0)
    (void)close(file);
  if (!status && !trust) {
    uint64_t hash = hash_bytes(model->weights, desc->weights_size);
    if (hash != desc->weights_hash)
      status = effrt_fail(message, EFFRT_STATUS_BAD_WEIGHTS,
                          "weights file '%s' has hash %016" PRIx64
                          ", model '%s' needs %016" PRIx64,
                          path, hash, desc->name, desc->weights_hash);
  }
  free(path);
  return status;
}

void effrt_unmap_weights(effrt_model *model) {
  if (model->weights_map)
    (void)munmap(model->weights_map, model->desc->weights_size);
}
