// Arrays to and from the memory of oneDNN.
#include "OneDnn.h"
#include "effrt/effrt.h"
#include <cstring>

namespace effc::bench {

using dnnl::memory;

std::string getOneDnnVersion() {
  const dnnl_version_t *version = dnnl_version();
  unsigned runtime = version->cpu_runtime;
  const char *name = runtime == DNNL_RUNTIME_OMP   ? "OpenMP"
                     : runtime == DNNL_RUNTIME_TBB ? "TBB"
                     : runtime == DNNL_RUNTIME_SEQ ? "sequential"
                     : runtime == DNNL_RUNTIME_DPCPP
                         ? "SYCL, which costs some microseconds a call"
                         : "own threads";
  return std::to_string(version->major) + "." + std::to_string(version->minor) +
         "." + std::to_string(version->patch) + " (" + name + ")";
}

const dnnl::engine &getEngine() {
  static dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

static memory::data_type convertType(int32_t dtype) {
  switch (dtype) {
  case EFFRT_DTYPE_U8:
    return memory::data_type::u8;
  case EFFRT_DTYPE_I8:
    return memory::data_type::s8;
  case EFFRT_DTYPE_I32:
    return memory::data_type::s32;
  default:
    return memory::data_type::f32;
  }
}

memory::desc describePlain(const Shape &shape, int32_t dtype) {
  memory::dims strides(shape.size(), 1);
  for (size_t i = shape.size(); i-- > 1;)
    strides[i - 1] = strides[i] * shape[i];
  return {shape, convertType(dtype), strides};
}

memory::desc describeAny(const Shape &shape, int32_t dtype) {
  return {shape, convertType(dtype), memory::format_tag::any};
}

static void copy(memory from, memory to) {
  dnnl::stream stream(getEngine());
  dnnl::reorder(from, to).execute(stream, from, to);
  stream.wait();
}

memory pack(const Array &array, const memory::desc &given,
            const memory::desc &wanted) {
  memory plain(given, getEngine(), array.data<void>());
  memory packed(wanted, getEngine());
  copy(plain, packed);
  return packed;
}

memory pack(const Array &array, const memory::desc &wanted) {
  return pack(array, describePlain(array.shape, array.dtype), wanted);
}

Array unpack(const memory &packed, const memory::desc &wanted,
             const Shape &shape, int32_t dtype) {
  Array array(shape, dtype);
  copy(packed, memory(wanted, getEngine(), array.data<void>()));
  return array;
}

void OneDnn::add(const dnnl::primitive &primitive, Arguments arguments) {
  steps.emplace_back(primitive, std::move(arguments));
}

void OneDnn::run() {
  for (auto &[primitive, arguments] : steps)
    primitive.execute(stream, arguments);
  stream.wait();
}

} // namespace effc::bench
