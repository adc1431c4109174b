// The free and derived sizes of the function under construction. Free sizes
// are named by ONNX's dim_param; equal names are one symbol.
#ifndef EFFC_LIB_IMPORT_SIZESYMBOLS_H
#define EFFC_LIB_IMPORT_SIZESYMBOLS_H

#include "Eff/EffOps.h"
#include "llvm/ADT/DenseSet.h"
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
  /// The size of a dim where dims of two sizes meet in a broadcast: the one
  /// that is not 1. Between symbols only the run decides, and a derived symbol
  /// names the answer; sets of symbols that meet in any order have one name.
  /// What is computed from symbols (past + seq) is taken to be the size that it
  /// meets, of which the first stands for both, unless the two always differ
  /// (seq and seq + 2): then the one that may be 1 is.
  mlir::AffineExpr meet(mlir::AffineExpr a, mlir::AffineExpr b);
  /// A size of a state is never 1 where another one is not: it has no value of
  /// its own before the first run.
  void markState(mlir::AffineExpr symbol) { stateSizes.insert(symbol); }
  /// A dim of this size may be 1 at run time and be repeated to `to` then; else
  /// the two sizes are equal.
  bool mayBeOne(mlir::AffineExpr size, mlir::AffineExpr to) const;
  /// Holds by itself: `to` is this size unless that is 1.
  bool leads(mlir::AffineExpr size, mlir::AffineExpr to) const {
    eff::DerivedSymbolAttr met = getDerived(to);
    return met && met.getKind() == "broadcast" &&
           met.getSizes().getExprs().front() == size;
  }
  /// A size is one of those that met in `met`.
  bool isPart(mlir::AffineExpr size, mlir::AffineExpr met) const;
  /// What a derived symbol of sizes that meet is after a replacement of
  /// symbols; null when it stays.
  mlir::AffineExpr meetAgain(unsigned symbol,
                             llvm::ArrayRef<mlir::AffineExpr> replacements);
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
  eff::DerivedSymbolAttr getDerived(mlir::AffineExpr size) const;
  bool isFreeToMeet(mlir::AffineExpr size) const;
  /// Whatever the symbols are.
  bool alwaysDiffer(mlir::AffineExpr a, mlir::AffineExpr b) const;
  void collectParts(mlir::AffineExpr size,
                    llvm::SmallVectorImpl<mlir::AffineExpr> &parts) const;
  std::pair<int64_t, int64_t> intervalOf(mlir::AffineExpr size) const;
  mlir::AffineExpr derive(llvm::StringRef kind, mlir::AffineExpr a,
                          mlir::AffineExpr b);

  mlir::MLIRContext *context;
  llvm::StringMap<mlir::AffineExpr> named;
  llvm::SmallVector<mlir::Attribute> entries;
  llvm::SmallVector<std::pair<int64_t, int64_t>> ranges;
  llvm::StringMap<unsigned> lateNames;
  llvm::DenseSet<mlir::AffineExpr> stateSizes;
};

} // namespace effc

#endif // EFFC_LIB_IMPORT_SIZESYMBOLS_H
