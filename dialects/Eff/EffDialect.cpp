// Registration, attributes and constants of the `eff` dialect.
#include "Eff/EffOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace effc::eff;

#include "Eff/EffDialect.cpp.inc"
#include "Eff/EffEnums.cpp.inc"
#include "Eff/EffInterfaces.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "Eff/EffAttrs.cpp.inc"

void EffDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "Eff/EffAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "Eff/EffOps.cpp.inc"
      >();
}

Operation *EffDialect::materializeConstant(OpBuilder &builder, Attribute value,
                                           Type type, Location loc) {
  auto elements = dyn_cast<ElementsAttr>(value);
  auto tensorType = dyn_cast<RankedTensorType>(type);
  if (!elements || !tensorType || !tensorType.hasStaticShape())
    return nullptr;
  return ConstantOp::create(builder, loc, tensorType, elements);
}

/// Symbols print as s0, s1, ...; more than these in one function is refused at
/// import.
static constexpr unsigned maxSymbols = 4096;

Attribute DimsAttr::parse(AsmParser &parser, Type) {
  // The names are interned once: parseAffineExpr wants (name, expression)
  // pairs.
  static const std::vector<std::string> names = [] {
    std::vector<std::string> result;
    for (unsigned i = 0; i < maxSymbols; ++i)
      result.push_back("s" + std::to_string(i));
    return result;
  }();
  SmallVector<std::pair<StringRef, AffineExpr>> symbols;
  for (unsigned i = 0; i < maxSymbols; ++i)
    symbols.emplace_back(names[i], getAffineSymbolExpr(i, parser.getContext()));
  SmallVector<AffineExpr> exprs;
  auto parseOne = [&]() {
    return parser.parseAffineExpr(symbols, exprs.emplace_back());
  };
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::LessGreater,
                                     parseOne))
    return {};
  return DimsAttr::get(parser.getContext(), exprs);
}

void DimsAttr::print(AsmPrinter &printer) const {
  printer << "<";
  llvm::interleaveComma(getExprs(), printer,
                        [&](AffineExpr expr) { printer << expr; });
  printer << ">";
}

LogicalResult
DimsAttr::verifyEncoding(ArrayRef<int64_t> shape, Type,
                         function_ref<InFlightDiagnostic()> emitError) const {
  // dims_c1: one expression per dim.
  if (shape.size() != getExprs().size())
    return emitError() << "encoding has " << getExprs().size()
                       << " dims, the tensor " << shape.size();
  for (auto [size, expr] : llvm::zip(shape, getExprs())) {
    // dims_c2: constant exactly where the tensor's dim is static.
    std::optional<int64_t> constant = getConstant(expr);
    if (constant ? *constant != size : !ShapedType::isDynamic(size))
      return emitError() << "dim " << toString(expr)
                         << " of the encoding contradicts the tensor's shape";
  }
  return success();
}
