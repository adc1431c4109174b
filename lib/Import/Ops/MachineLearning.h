// What the operators of ai.onnx.ml share: parameters that are attributes, and
// transforms of scores.
#ifndef EFFC_LIB_IMPORT_OPS_MACHINELEARNING_H
#define EFFC_LIB_IMPORT_OPS_MACHINELEARNING_H

#include "Emitter.h"

namespace effc {

/// A constant with these elements; the shape is static.
mlir::Value numbers(NodeContext &ctx, mlir::Type type,
                    llvm::ArrayRef<double> values,
                    llvm::ArrayRef<int64_t> shape);
mlir::Value numbers(NodeContext &ctx, mlir::Type type,
                    llvm::ArrayRef<int64_t> values,
                    llvm::ArrayRef<int64_t> shape);

/// Elements of an attribute that is a list of floats, or under another name
/// (`tensor`) a tensor; empty without.
llvm::SmallVector<double> floatsOrTensor(NodeContext &ctx, llvm::StringRef list,
                                         llvm::StringRef tensor);

/// Operand 0 as floats of rank 2; a vector is one row.
mlir::Value readRows(Emitter &e);

/// Attribute post_transform over the last dim.
mlir::Value postTransform(Emitter &e, mlir::Value scores, llvm::StringRef name);

/// Output 0 of a classifier from the index of a class, [N] of i64. String
/// labels exist only as long as nobody reads them.
mlir::LogicalResult setLabels(NodeContext &ctx, llvm::StringRef ints,
                              llvm::StringRef strings, mlir::Value index);

} // namespace effc

#endif // EFFC_LIB_IMPORT_OPS_MACHINELEARNING_H
