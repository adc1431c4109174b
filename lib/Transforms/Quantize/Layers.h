// The layers that can compute with fewer bits, under names that statistics,
// options and certificates share.
#ifndef EFFC_LIB_TRANSFORMS_QUANTIZE_LAYERS_H
#define EFFC_LIB_TRANSFORMS_QUANTIZE_LAYERS_H

#include "effc/Analysis/Products.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/GlobPattern.h"
#include <string>
#include <vector>

namespace effc {

/// A product or convolution of f32 tensors.
struct QuantizableLayer {
  Product product;
  /// The node's name; layers of one node, or of nodes of one name, are told
  /// apart by a number ("conv", "conv#2"). Unique in a function, and the same
  /// for every compilation of a model up to this point.
  std::string name;

  mlir::Operation *op() const { return product.op; }
  /// What is multiplied by the weight: statistics are its.
  mlir::OpOperand &getActivation() const { return op()->getOpOperand(0); }
  mlir::OpOperand &getWeight() const { return op()->getOpOperand(1); }
  /// Null where both factors are computed.
  eff::ConstantOp getConstantWeight() const {
    return product.weight.getDefiningOp<eff::ConstantOp>();
  }
};

/// Where a layer keeps its name while passes change others.
inline constexpr llvm::StringLiteral kLayerAttr = "eff.layer";

/// In the order of the function. Names them; eff-report-layers takes the
/// attributes off again.
std::vector<QuantizableLayer> getQuantizableLayers(mlir::func::FuncOp function);

/// What a size counts in models of time: sizes of run time get a typical value.
double estimateSize(mlir::AffineExpr size);

/// The layers that an option leaves out: of the patterns (`*` and `?`) that
/// match a name the last decides; one that begins with `!` takes the layer back
/// in.
class LayerFilter {
public:
  /// Reports a pattern that is none as an error of the pass.
  static std::optional<LayerFilter> get(mlir::MLIRContext *context,
                                        llvm::StringRef pass,
                                        llvm::ArrayRef<std::string> patterns);
  /// By the name of the node or that of the layer.
  bool isLeftOut(mlir::Operation *op) const;

private:
  struct Entry {
    llvm::GlobPattern pattern;
    bool leavesOut;
  };
  std::vector<Entry> entries;
};

/// What the layers of a function compute in and why: each gets a place in
/// `eff.quantized`, for eff-report-layers, certificate and report.
class LayerJournal {
public:
  /// `scheme` is what taken layers compute in.
  explicit LayerJournal(llvm::StringRef scheme) : scheme(scheme) {}

  /// `detail` goes on from "computed in int8", or is empty; `error` is an
  /// estimate, over the size of the result.
  void take(mlir::Operation *op, const llvm::Twine &detail = "",
            std::optional<double> error = std::nullopt);
  void decline(mlir::Operation *op, const llvm::Twine &reason);
  /// The same for a layer that an option leaves out; other passes may take it.
  void leaveOut(mlir::Operation *op);

  /// Joins what passes before wrote of the same layers: what was done counts
  /// more than a reason, and that more than having been left out.
  void write(mlir::func::FuncOp function) const;

  size_t getNumTaken() const { return numTaken; }
  size_t getNumDeclined() const { return entries.size() - numTaken; }

private:
  void add(mlir::Operation *op, bool taken, const llvm::Twine &reason,
           std::optional<double> error);

  std::string scheme;
  llvm::SmallVector<mlir::DictionaryAttr> entries;
  size_t numTaken = 0;
};

/// Calls `take` with the layers that no option leaves out; it says why one
/// stays in f32, or "". What is left out or stays goes into the journal.
void visitLayers(
    mlir::func::FuncOp function, const LayerFilter &filter,
    LayerJournal &journal,
    llvm::function_ref<std::string(const QuantizableLayer &)> take);

} // namespace effc

#endif // EFFC_LIB_TRANSFORMS_QUANTIZE_LAYERS_H
