// Contents of TensorProto messages as attributes. Large payloads are referred
// to, not copied.
#ifndef EFFC_LIB_IMPORT_TENSORDATA_H
#define EFFC_LIB_IMPORT_TENSORDATA_H

#include "mlir/IR/BuiltinAttributes.h"
#include <memory>

namespace onnx {
class SparseTensorProto;
class TensorProto;
} // namespace onnx

namespace effc {

class ModelFile;

/// The element type of a TensorProto.DataType number, null when the compiler
/// has none for it (strings, complex numbers).
mlir::Type getElementType(mlir::MLIRContext *context, int dataType);

/// "float16" and so on, for messages.
llvm::StringRef getDataTypeName(int dataType);

/// The bytes of a tensor as a tensor of `type`, integers of 4 or 2 bits that
/// lie one after another in them, low bits first. Null when the sizes differ.
mlir::ElementsAttr unpackElements(mlir::ElementsAttr packed,
                                  mlir::RankedTensorType type);

/// Tensors of at most this many elements are plain dense attributes.
constexpr int64_t maxInlineElements = 64;

class TensorReader {
public:
  TensorReader(mlir::MLIRContext *context, std::shared_ptr<ModelFile> file)
      : context(context), file(std::move(file)) {}

  /// Null and a reason when the tensor is malformed or of a type that is not
  /// supported. Elements of 4 and 2 bits come one a byte.
  mlir::ElementsAttr read(const onnx::TensorProto &tensor, std::string &reason);
  mlir::ElementsAttr read(const onnx::SparseTensorProto &tensor,
                          std::string &reason);

private:
  std::optional<llvm::ArrayRef<char>> payload(const onnx::TensorProto &tensor,
                                              unsigned width, uint64_t size,
                                              std::vector<char> &owned,
                                              std::string &reason);
  mlir::ElementsAttr makeAttr(mlir::RankedTensorType type,
                              llvm::ArrayRef<char> bytes, std::string name);
  mlir::ElementsAttr makeOwnedAttr(mlir::RankedTensorType type,
                                   std::vector<char> bytes, std::string name);

  mlir::MLIRContext *context;
  std::shared_ptr<ModelFile> file;
};

} // namespace effc

#endif // EFFC_LIB_IMPORT_TENSORDATA_H
