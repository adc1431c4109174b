// What an ONNX name may stand for beside a tensor.
#ifndef EFFC_LIB_IMPORT_NONTENSORS_H
#define EFFC_LIB_IMPORT_NONTENSORS_H

#include "mlir/IR/Value.h"
#include <optional>
#include <string>

namespace effc {

/// The elements of a sequence, whose number is known at import.
using ValueList = llvm::SmallVector<mlir::Value, 4>;

/// A result that is no tensor: a sequence, something that must not be read
/// (for this reason), or else nothing, an absent optional.
struct NonTensor {
  std::optional<ValueList> list;
  std::string unreadable;
};

} // namespace effc

#endif // EFFC_LIB_IMPORT_NONTENSORS_H
