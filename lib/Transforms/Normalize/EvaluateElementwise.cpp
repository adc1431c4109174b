// Elementwise operations on constants. Floats are computed in double and
// rounded once, integers in 64 bits and cut.
#include "Evaluate.h"
#include "effc/Analysis/Arithmetic.h"
#include <cmath>

using namespace mlir;
using namespace effc::eff;

namespace effc {
namespace {

template <typename T> bool compare(CompareKind kind, T a, T b) {
  switch (kind) {
  case CompareKind::Eq:
    return a == b;
  case CompareKind::Ne:
    return a != b;
  case CompareKind::Lt:
    return a < b;
  case CompareKind::Le:
    return a <= b;
  case CompareKind::Gt:
    return a > b;
  case CompareKind::Ge:
    return a >= b;
  }
  llvm_unreachable("all kinds are listed");
}

/// Truncates towards zero and saturates; NaN gives 0.
int64_t toInt(double value, ElementKind kind) {
  if (std::isnan(value))
    return 0;
  if (kind == ElementKind::Bool)
    return value != 0;
  unsigned bits = getIntegerBits(kind);
  // What fits no byte keeps the low bits of the saturated i32.
  if (bits < 8)
    return toInt(value, ElementKind::I32);
  bool isUnsigned = isUnsignedKind(kind);
  double high = std::ldexp(1.0, isUnsigned ? bits : bits - 1);
  double low = isUnsigned ? 0.0 : -high;
  double whole = std::trunc(value);
  if (whole < low)
    whole = low;
  if (whole >= high)
    return isUnsigned ? -1
                      : static_cast<int64_t>((uint64_t{1} << (bits - 1)) - 1);
  return isUnsigned ? static_cast<int64_t>(static_cast<uint64_t>(whole))
                    : static_cast<int64_t>(whole);
}

/// One element of the result from the operands' elements in memory; false when
/// it is not defined.
using Cell = llvm::function_ref<bool(ConstantBuilder &, int64_t,
                                     ArrayRef<const char *>)>;

ElementsAttr mapCells(RankedTensorType type, ArrayRef<ConstantReader> operands,
                      Cell cell) {
  bool splat = llvm::all_of(
      operands, [](const ConstantReader &reader) { return reader.isSplat(); });
  ConstantBuilder result(type, splat && type.getNumElements() > 0);
  bool isDefined = true;
  SmallVector<Walk> walks;
  for (const ConstantReader &operand : operands) {
    ArrayRef<int64_t> shape = operand.getType().getShape();
    Walk &walk = walks.emplace_back();
    walk.strides.assign(type.getRank() - shape.size(), 0);
    llvm::append_range(walk.strides, getStrides(shape));
    for (auto [i, size] : llvm::enumerate(shape))
      if (size == 1)
        walk.strides[type.getRank() - shape.size() + i] = 0;
  }
  SmallVector<const char *> cells(operands.size());
  auto visit = [&](int64_t index, ArrayRef<int64_t> positions) {
    for (auto [i, operand] : llvm::enumerate(operands))
      cells[i] = operand.at(positions[i]);
    isDefined = isDefined && cell(result, index, cells);
  };
  if (splat && type.getNumElements() > 0)
    visit(0, SmallVector<int64_t>(operands.size(), 0));
  else
    walkIndices(type.getShape(), walks, visit);
  return isDefined ? result.finish("folded") : ElementsAttr();
}

/// Stores what there is.
bool put(ConstantBuilder &result, int64_t index, std::optional<double> value) {
  if (value)
    result.setFloat(index, *value);
  return value.has_value();
}
bool put(ConstantBuilder &result, int64_t index, std::optional<int64_t> value) {
  if (value)
    result.setInt(index, *value);
  return value.has_value();
}

ElementsAttr evaluateUnary(UnaryOp op, RankedTensorType type,
                           ArrayRef<ConstantReader> operands) {
  ElementKind kind = operands[0].getKind();
  return mapCells(
      type, operands,
      [&](ConstantBuilder &result, int64_t index,
          ArrayRef<const char *> cells) {
        if (!isFloatKind(kind))
          return put(result, index,
                     applyInt(op.getKind(), loadInt(kind, cells[0])));
        if (!isFloatKind(result.getKind()))
          return false;
        return put(result, index,
                   applyFloat(op.getKind(), loadFloat(kind, cells[0])));
      });
}

ElementsAttr evaluateBinary(BinaryOp op, RankedTensorType type,
                            ArrayRef<ConstantReader> operands) {
  ElementKind a = operands[0].getKind(), b = operands[1].getKind();
  // Patterns of 64 bits compare and divide as signed numbers here.
  if (a == ElementKind::UI64 || b == ElementKind::UI64 ||
      isFloatKind(a) != isFloatKind(b))
    return {};
  return mapCells(type, operands,
                  [&](ConstantBuilder &result, int64_t index,
                      ArrayRef<const char *> cells) {
                    if (isFloatKind(a))
                      return put(result, index,
                                 applyFloat(op.getKind(),
                                            loadFloat(a, cells[0]),
                                            loadFloat(b, cells[1])));
                    return put(result, index,
                               applyInt(op.getKind(), loadInt(a, cells[0]),
                                        loadInt(b, cells[1])));
                  });
}

ElementsAttr evaluateCompare(CompareOp op, RankedTensorType type,
                             ArrayRef<ConstantReader> operands) {
  ElementKind kind = operands[0].getKind();
  if (kind == ElementKind::UI64)
    return {};
  return mapCells(type, operands,
                  [&](ConstantBuilder &result, int64_t index,
                      ArrayRef<const char *> cells) {
                    bool holds =
                        isFloatKind(kind)
                            ? compare(op.getKind(), loadFloat(kind, cells[0]),
                                      loadFloat(kind, cells[1]))
                            : compare(op.getKind(), loadInt(kind, cells[0]),
                                      loadInt(kind, cells[1]));
                    result.setInt(index, holds);
                    return true;
                  });
}

/// Rounded twice, as generated code does: integers go by way of f32.
void putSmallFloat(ConstantBuilder &result, int64_t index, ConvertOp op,
                   ElementKind from, const char *cell) {
  float value;
  if (isFloatKind(from))
    value = roundToOdd(loadFloat(from, cell));
  else if (from == ElementKind::UI64)
    value = static_cast<float>(static_cast<uint64_t>(loadInt(from, cell)));
  else
    value = static_cast<float>(loadInt(from, cell));
  *result.at(index) = static_cast<char>(encodeSmallFloat(
      *getSmallFloatFormat(result.getKind()), value, op.getSaturate(),
      static_cast<SmallFloatRound>(op.getRound())));
}

ElementsAttr evaluateConvert(ConvertOp op, RankedTensorType type,
                             ArrayRef<ConstantReader> operands) {
  ElementKind from = operands[0].getKind();
  bool toSmall = getSmallFloatFormat(type.getElementType());
  if (from == ElementKind::UI64 && !toSmall)
    return {};
  return mapCells(type, operands,
                  [&](ConstantBuilder &result, int64_t index,
                      ArrayRef<const char *> cells) {
                    ElementKind to = result.getKind();
                    if (toSmall) {
                      putSmallFloat(result, index, op, from, cells[0]);
                      return true;
                    }
                    if (isFloatKind(from)) {
                      double value = loadFloat(from, cells[0]);
                      if (isFloatKind(to))
                        result.setFloat(index, value);
                      else
                        result.setInt(index, toInt(value, to));
                      return true;
                    }
                    int64_t value = loadInt(from, cells[0]);
                    if (isFloatKind(to))
                      result.setFloat(index, static_cast<double>(value));
                    else
                      result.setInt(index, value);
                    return true;
                  });
}

ElementsAttr evaluateBitcast(RankedTensorType type,
                             ArrayRef<ConstantReader> operands) {
  ElementKind from = operands[0].getKind();
  unsigned size = getElementSize(from);
  return mapCells(type, operands,
                  [&](ConstantBuilder &result, int64_t index,
                      ArrayRef<const char *> cells) {
                    std::memcpy(result.at(index), cells[0], size);
                    // Reduces to the bits that count.
                    if (!isFloatKind(result.getKind()))
                      result.setInt(index, loadInt(result.getKind(), cells[0]));
                    return true;
                  });
}

} // namespace

ElementsAttr evaluateElementwise(Operation *op,
                                 ArrayRef<ConstantReader> operands) {
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  return TypeSwitch<Operation *, ElementsAttr>(op)
      .Case([&](UnaryOp unary) { return evaluateUnary(unary, type, operands); })
      .Case([&](BinaryOp binary) {
        return evaluateBinary(binary, type, operands);
      })
      .Case([&](CompareOp compare) {
        return evaluateCompare(compare, type, operands);
      })
      .Case([&](ConvertOp convert) {
        return evaluateConvert(convert, type, operands);
      })
      .Case([&](BitcastOp) { return evaluateBitcast(type, operands); })
      .Case([&](SelectOp) {
        unsigned size = getElementSize(operands[1].getKind());
        return mapCells(type, operands,
                        [&](ConstantBuilder &result, int64_t index,
                            ArrayRef<const char *> cells) {
                          std::memcpy(result.at(index),
                                      *cells[0] ? cells[1] : cells[2], size);
                          return true;
                        });
      })
      .Default(ElementsAttr());
}

} // namespace effc
