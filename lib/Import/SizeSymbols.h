// The free and derived sizes of the function under construction. Free sizes
// are named by ONNX's dim_param; equal names are one symbol.
#ifndef EFFC_LIB_IMPORT_SIZESYMBOLS_H
#define EFFC_LIB_IMPORT_SIZESYMBOLS_H

#include "Eff/EffOps.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringMap.h"

namespace effc {

class SizeSymbols {
public:
  SizeSymbols(mlir::MLIRContext *context, int64_t maxFreeSize)
      : context(context), maxFreeSize(maxFreeSize) {}

  /// A name that stands for a constant (option --dim).
  void define(llvm::StringRef name, mlir::AffineExpr value) {
    named[name] = value;
  }
  /// The size that a dim_param names, null when it is unknown.
  mlir::AffineExpr lookup(llvm::StringRef name) const {
    return named.lookup(name);
  }
  /// The size that a dim_param such as "past + 1" or "4*n" means when all its
  /// names are known, else null.
  mlir::AffineExpr parse(llvm::StringRef text) const;
  /// A new free size: dim `axis` of argument `input`, at least `min`.
  mlir::AffineExpr declare(llvm::StringRef name, int64_t input, int64_t axis,
                           int64_t min);

  mlir::AffineExpr min(mlir::AffineExpr a, mlir::AffineExpr b);
  mlir::AffineExpr max(mlir::AffineExpr a, mlir::AffineExpr b);
  /// Constants that enclose a size.
  std::pair<int64_t, int64_t> bounds(mlir::AffineExpr size) const;

  size_t size() const { return entries.size(); }
  mlir::ArrayAttr toAttr() const {
    return mlir::ArrayAttr::get(context, entries);
  }
  mlir::MLIRContext *getContext() const { return context; }

private:
  mlir::AffineExpr derive(llvm::StringRef kind, mlir::AffineExpr a,
                          mlir::AffineExpr b);

  mlir::MLIRContext *context;
  int64_t maxFreeSize;
  llvm::StringMap<mlir::AffineExpr> named;
  llvm::SmallVector<mlir::Attribute> entries;
  llvm::SmallVector<std::pair<int64_t, int64_t>> ranges;
};

} // namespace effc

#endif // EFFC_LIB_IMPORT_SIZESYMBOLS_H
