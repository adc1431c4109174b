// Flattens sizes into the dim table of a program, equal ones into one entry.
#ifndef EFFC_LIB_EMIT_DIMTABLE_H
#define EFFC_LIB_EMIT_DIMTABLE_H

#include "effc/Emit/ModelTable.h"
#include "llvm/ADT/DenseMap.h"
#include <map>

namespace effc {

class DimTable {
public:
  explicit DimTable(ProgramTable &program) : program(program) {}

  /// The entry of a size over the program's symbols.
  uint32_t add(mlir::AffineExpr size);
  uint32_t addConstant(int64_t value);

private:
  uint32_t addSymbol(unsigned position);
  uint32_t insert(int32_t kind, uint32_t a, uint32_t b, int64_t value);

  ProgramTable &program;
  llvm::DenseMap<mlir::AffineExpr, uint32_t> known;
  std::map<std::tuple<int32_t, uint32_t, uint32_t, int64_t>, uint32_t> entries;
};

} // namespace effc

#endif // EFFC_LIB_EMIT_DIMTABLE_H
