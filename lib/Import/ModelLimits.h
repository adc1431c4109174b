// Limits on a model, most of which hold before protobuf parses it: a message of
// two bytes becomes an object of two hundred, so that a file of a few megabytes
// could take all memory.
#ifndef EFFC_LIB_IMPORT_MODELLIMITS_H
#define EFFC_LIB_IMPORT_MODELLIMITS_H

#include "mlir/Support/LLVM.h"
#include "llvm/ADT/ArrayRef.h"
#include <string>

namespace effc {

/// Walks the wire format of a ModelProto; false and a reason when it has more
/// nodes, values or other parts than any model, or a name that is none. Damaged
/// bytes pass, for protobuf to report.
bool checkModelLimits(llvm::ArrayRef<char> bytes, std::string &reason);

/// More than 2^48, free sizes (negative ones) counted as 1: no memory holds
/// them, and products of their bytes would overflow.
bool hasTooManyElements(llvm::ArrayRef<int64_t> shape);

} // namespace effc

#endif // EFFC_LIB_IMPORT_MODELLIMITS_H
