// Which nodes of a graph are needed, and in which order they run.
#ifndef EFFC_LIB_IMPORT_GRAPHORDER_H
#define EFFC_LIB_IMPORT_GRAPHORDER_H

#include "mlir/Support/LLVM.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringRef.h"
#include <string>

namespace onnx {
class NodeProto;
} // namespace onnx
namespace google::protobuf {
template <typename T> class RepeatedPtrField;
} // namespace google::protobuf

namespace effc {

using NodeList = google::protobuf::RepeatedPtrField<onnx::NodeProto>;

/// Names that a node reads: inputs, and what its subgraphs capture.
void collectReads(const onnx::NodeProto &node,
                  llvm::SmallVectorImpl<llvm::StringRef> &names);

/// Positions of the nodes that `outputs` need, each after what it reads, else
/// in file order. `isDefined` tells names that come from elsewhere
/// (initializers, arguments, enclosing graphs). Nothing and a reason for
/// cycles, undefined names and names with two producers.
std::optional<llvm::SmallVector<int>>
orderNodes(const NodeList &nodes, llvm::ArrayRef<llvm::StringRef> outputs,
           llvm::function_ref<bool(llvm::StringRef)> isDefined,
           std::string &reason);

} // namespace effc

#endif // EFFC_LIB_IMPORT_GRAPHORDER_H
