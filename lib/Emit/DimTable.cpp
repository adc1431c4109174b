// Sizes as table entries (effrt_abi.h, "Dims") and as text.
#include "DimTable.h"
#include "Eff/Dims.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace effc {

uint32_t DimTable::insert(int32_t kind, uint32_t a, uint32_t b, int64_t value) {
  auto [it, isNew] =
      entries.try_emplace({kind, a, b, value}, uint32_t(program.dims.size()));
  if (isNew)
    program.dims.push_back({kind, a, b, 0, value});
  return it->second;
}

uint32_t DimTable::addConstant(int64_t value) {
  return insert(EFFRT_DIM_CONST, 0, 0, value);
}

uint32_t DimTable::addSymbol(unsigned position) {
  const SymbolEntry &symbol = program.symbols[position];
  if (symbol.isDerived()) {
    uint32_t a = add(symbol.sizes[0]), b = add(symbol.sizes[1]);
    int32_t kind = symbol.derived == "min"   ? EFFRT_DIM_MIN
                   : symbol.derived == "max" ? EFFRT_DIM_MAX
                                             : EFFRT_DIM_BROADCAST;
    return insert(kind, a, b, 0);
  }
  return insert(EFFRT_DIM_SYMBOL, program.getRow(position), 0, 0);
}

static int32_t getKind(AffineExprKind kind) {
  switch (kind) {
  case AffineExprKind::Add:
    return EFFRT_DIM_ADD;
  case AffineExprKind::Mul:
    return EFFRT_DIM_MUL;
  case AffineExprKind::FloorDiv:
    return EFFRT_DIM_FLOORDIV;
  case AffineExprKind::CeilDiv:
    return EFFRT_DIM_CEILDIV;
  default:
    return EFFRT_DIM_MOD;
  }
}

uint32_t DimTable::add(AffineExpr size) {
  if (auto it = known.find(size); it != known.end())
    return it->second;
  uint32_t index;
  if (auto constant = dyn_cast<AffineConstantExpr>(size)) {
    index = addConstant(constant.getValue());
  } else if (auto symbol = dyn_cast<AffineSymbolExpr>(size)) {
    index = addSymbol(symbol.getPosition());
  } else {
    auto binary = cast<AffineBinaryOpExpr>(size);
    uint32_t a = add(binary.getLHS()), b = add(binary.getRHS());
    index = insert(getKind(size.getKind()), a, b, 0);
  }
  known[size] = index;
  return index;
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

size_t ProgramTable::getNumFreeSymbols() const {
  return llvm::count_if(symbols,
                        [](const SymbolEntry &s) { return s.isFree(); });
}

uint32_t ProgramTable::getRow(unsigned symbol) const {
  uint32_t row = 0;
  effrt_symbol_source source = symbols[symbol].getSource();
  for (auto [index, other] : llvm::enumerate(symbols))
    row +=
        !other.isDerived() && (other.getSource() < source ||
                               (other.getSource() == source && index < symbol));
  return row;
}

void ProgramTable::findDependents() {
  lateDims.assign(dims.size(), false);
  for (unsigned i = 0; i < symbols.size(); ++i) {
    if (!symbols[i].late)
      continue;
    uint32_t row = getRow(i);
    std::vector<bool> depends(dims.size());
    for (auto [index, dim] : llvm::enumerate(dims)) {
      if (dim.kind == EFFRT_DIM_SYMBOL)
        depends[index] = dim.a == row;
      else if (dim.kind != EFFRT_DIM_CONST)
        depends[index] = depends[dim.a] || depends[dim.b];
      if (!depends[index])
        continue;
      symbols[i].dependents.push_back(index);
      lateDims[index] = true;
    }
  }
}

static int64_t evaluate(int32_t kind, int64_t a, int64_t b) {
  switch (kind) {
  case EFFRT_DIM_ADD:
    return a + b;
  case EFFRT_DIM_MUL:
    return a * b;
  case EFFRT_DIM_FLOORDIV:
    return b > 0 ? llvm::divideFloorSigned(a, b) : 0;
  case EFFRT_DIM_CEILDIV:
    return b > 0 ? llvm::divideCeilSigned(a, b) : 0;
  case EFFRT_DIM_MOD:
    return b > 0 ? llvm::mod(a, b) : 0;
  case EFFRT_DIM_MIN:
    return std::min(a, b);
  case EFFRT_DIM_BROADCAST:
    return a == 1 ? b : a;
  default:
    return std::max(a, b);
  }
}

std::optional<std::vector<int64_t>> ProgramTable::evaluateStatic() const {
  std::vector<int64_t> values;
  for (const effrt_dim_op &op : dims) {
    if (op.kind == EFFRT_DIM_SYMBOL)
      return std::nullopt;
    values.push_back(op.kind == EFFRT_DIM_CONST
                         ? op.value
                         : evaluate(op.kind, values[op.a], values[op.b]));
  }
  return values;
}

//===----------------------------------------------------------------------===//
// Text
//===----------------------------------------------------------------------===//

namespace {

class SizePrinter {
public:
  SizePrinter(const ProgramTable &program, ArrayRef<std::string> names,
              SizeStyle style, StringRef prefix)
      : program(program), names(names), style(style), prefix(prefix) {}

  /// `level`: 0 sum, 1 factor, 2 operand of a division.
  std::string print(AffineExpr expr, int level) {
    if (auto constant = dyn_cast<AffineConstantExpr>(expr))
      return std::to_string(constant.getValue());
    if (auto symbol = dyn_cast<AffineSymbolExpr>(expr))
      return printSymbol(symbol.getPosition());
    auto binary = cast<AffineBinaryOpExpr>(expr);
    switch (expr.getKind()) {
    case AffineExprKind::Add:
      return wrap(printSum(binary), level > 0);
    case AffineExprKind::Mul:
      return wrap(print(binary.getLHS(), 1) + " * " + print(binary.getRHS(), 1),
                  level > 1);
    case AffineExprKind::FloorDiv:
      return printCall("floordiv", "/", binary, level);
    case AffineExprKind::CeilDiv:
      return printCall("ceildiv", "ceildiv", binary, level);
    default:
      return printCall("mod", "mod", binary, level);
    }
  }

private:
  static std::string wrap(std::string text, bool parentheses) {
    return parentheses ? "(" + text + ")" : text;
  }

  /// `x + y * -1` reads better as `x - y`.
  std::string printSum(AffineBinaryOpExpr sum) {
    std::string left = print(sum.getLHS(), 0);
    AffineExpr right = sum.getRHS();
    if (auto constant = eff::getConstant(right); constant && *constant < 0)
      return left + " - " + std::to_string(-*constant);
    if (auto product = dyn_cast<AffineBinaryOpExpr>(right);
        product && product.getKind() == AffineExprKind::Mul) {
      auto factor = eff::getConstant(product.getRHS());
      if (factor == -1)
        return left + " - " + print(product.getLHS(), 1);
      if (factor && *factor < 0)
        return left + " - " + print(product.getLHS(), 1) + " * " +
               std::to_string(-*factor);
    }
    return left + " + " + print(right, 0);
  }

  std::string printCall(StringRef function, StringRef sign,
                        AffineBinaryOpExpr expr, int level) {
    if (style == SizeStyle::Text)
      return wrap(print(expr.getLHS(), 2) + " " + sign.str() + " " +
                      print(expr.getRHS(), 2),
                  level > 0);
    return call(function, expr.getLHS(), expr.getRHS());
  }

  std::string call(StringRef function, AffineExpr a, AffineExpr b) {
    return (style == SizeStyle::C ? prefix.str() : "") + function.str() + "(" +
           print(a, 0) + ", " + print(b, 0) + ")";
  }

  std::string printSymbol(unsigned position) {
    const SymbolEntry &symbol = program.symbols[position];
    if (!symbol.isDerived())
      return names[position];
    return call(symbol.derived, symbol.sizes[0], symbol.sizes[1]);
  }

  const ProgramTable &program;
  ArrayRef<std::string> names;
  SizeStyle style;
  StringRef prefix;
};

} // namespace

std::string printSize(AffineExpr size, const ProgramTable &program,
                      ArrayRef<std::string> names, SizeStyle style,
                      StringRef prefix) {
  return SizePrinter(program, names, style, prefix).print(size, 0);
}

} // namespace effc
