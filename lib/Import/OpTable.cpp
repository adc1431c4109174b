// The operators of OnnxOps.def, looked up by domain, name and version.
#include "OpTable.h"

using namespace mlir;

namespace effc {

static constexpr OpRow rows[] = {
#define EFFC_ONNX_OP(domain, opType, first, last, handler, tier)               \
  {domain, #opType, first, last, handler, tier},
#include "OnnxOps.def"
};

ArrayRef<OpRow> getOpTable() { return rows; }

const OpRow *findOp(StringRef domain, StringRef opType, int64_t opset) {
  for (const OpRow &row : rows)
    if (row.opType == opType && row.domain == domain && row.first <= opset &&
        opset <= row.last)
      return &row;
  return nullptr;
}

} // namespace effc
