// The free and derived sizes of the function under construction. Free sizes
// are named by ONNX's dim_param; equal names are one symbol.
#ifndef EFFC_LIB_IMPORT_SIZESYMBOLS_H
#define EFFC_LIB_IMPORT_SIZESYMBOLS_H

#include "Eff/EffOps.h"
#include "llvm/ADT/SmallBitVector.h"
#include "llvm/ADT/StringMap.h"

namespace effc {

class SizeSymbols {
public:
  explicit SizeSymbols(mlir::MLIRContext *context) : context(context) {}

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
  /// A new free size: dim `axis` of argument `input`.
  mlir::AffineExpr declare(llvm::StringRef name, int64_t input, int64_t axis,
                           int64_t min, int64_t max);

  /// A new size that only a run knows; `name` is made unique.
  mlir::AffineExpr declareLate(llvm::StringRef name, int64_t min, int64_t max);
  /// Depends on a size that only a run knows.
  bool isLate(mlir::AffineExpr size) const;

  /// Draws a conclusion from two sizes being equal at run time: `a == min(a,
  /// 512)` bounds a. Gives the symbol that the other size may stand for from
  /// now on (null when neither is a symbol) and whether nothing is left to be
  /// checked.
  struct Conclusion {
    mlir::AffineExpr symbol, value;
    bool holds = false;
  };
  Conclusion assumeEqual(mlir::AffineExpr a, mlir::AffineExpr b);

  mlir::AffineExpr min(mlir::AffineExpr a, mlir::AffineExpr b);
  mlir::AffineExpr max(mlir::AffineExpr a, mlir::AffineExpr b);
  /// Constants that enclose a size.
  std::pair<int64_t, int64_t> bounds(mlir::AffineExpr size) const;

  size_t size() const { return entries.size(); }
  /// Forgets derived and late sizes at the end of the list that nobody uses.
  void dropUnused(const llvm::SmallBitVector &used);
  mlir::ArrayAttr toAttr() const {
    return mlir::ArrayAttr::get(context, entries);
  }
  mlir::MLIRContext *getContext() const { return context; }

private:
  std::pair<int64_t, int64_t> intervalOf(mlir::AffineExpr size) const;
  mlir::AffineExpr derive(llvm::StringRef kind, mlir::AffineExpr a,
                          mlir::AffineExpr b);

  mlir::MLIRContext *context;
  llvm::StringMap<mlir::AffineExpr> named;
  llvm::SmallVector<mlir::Attribute> entries;
  llvm::SmallVector<std::pair<int64_t, int64_t>> ranges;
  llvm::StringMap<unsigned> lateNames;
};

} // namespace effc

#endif // EFFC_LIB_IMPORT_SIZESYMBOLS_H
