// The table that OnnxOps.def describes.
#ifndef EFFC_LIB_IMPORT_OPTABLE_H
#define EFFC_LIB_IMPORT_OPTABLE_H

#include "mlir/Support/LLVM.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

namespace effc {

class NodeContext;

struct OpRow {
  llvm::StringRef domain;
  llvm::StringRef opType;
  int64_t first;
  int64_t last;
  mlir::LogicalResult (*handler)(NodeContext &);
  int tier;
};

llvm::ArrayRef<OpRow> getOpTable();

/// The row for a version of an operator, or null.
const OpRow *findOp(llvm::StringRef domain, llvm::StringRef opType,
                    int64_t opset);

#define EFFC_ONNX_OP(domain, opType, first, last, handler, tier)               \
  mlir::LogicalResult handler(NodeContext &);
#include "OnnxOps.def"

} // namespace effc

#endif // EFFC_LIB_IMPORT_OPTABLE_H
