// Einsum: diagonals, then products of two operands at a time, left to right.
// Each product is one batched matmul; labels that only one side has and nobody
// reads later are summed before it.
#include "Emitter.h"

#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace effc::eff;

namespace effc {

namespace {
/// A tensor whose dims are named. Dims of an ellipsis get the labels 0, 1, ...
/// counted from the right; letters are above.
struct Labelled {
  Value value;
  SmallVector<int> labels;
};

class EinsumBuilder {
public:
  explicit EinsumBuilder(NodeContext &ctx) : e(ctx) {}
  LogicalResult run();

private:
  std::optional<SmallVector<int>> parseTerm(StringRef term, int64_t ellipsis);
  LogicalResult parse(StringRef equation);
  LogicalResult readOperand(unsigned index, StringRef term);
  LogicalResult takeDiagonals(Labelled &term);
  Value emitDiagonal(Value x, int64_t axis, AffineExpr size);
  void sumUnread(Labelled &term, const Labelled *other, unsigned next);
  bool isReadLater(int label, unsigned next) const;
  Value arrange(const Labelled &term, ArrayRef<int> order);
  Labelled multiply(Labelled a, Labelled b, unsigned next);

  Emitter e;
  SmallVector<Labelled> operands;
  SmallVector<int> output;
};
} // namespace

/// Labels of one term; the ellipsis stands for as many dims as `ellipsis`.
std::optional<SmallVector<int>> EinsumBuilder::parseTerm(StringRef term,
                                                         int64_t ellipsis) {
  SmallVector<int> labels;
  while (!term.empty()) {
    if (term.consume_front("...")) {
      for (int64_t i = ellipsis; i-- > 0;)
        labels.push_back(int(i));
      continue;
    }
    if (!llvm::isAlpha(term.front()))
      return std::nullopt;
    labels.push_back(256 + term.front());
    term = term.drop_front();
  }
  return labels;
}

LogicalResult EinsumBuilder::readOperand(unsigned index, StringRef term) {
  Value x = e.ctx.input(index);
  int64_t letters = llvm::count_if(term, llvm::isAlpha);
  bool hasEllipsis = term.contains("...");
  int64_t ellipsis = rankOf(x) - letters;
  if (ellipsis < 0 || (ellipsis > 0 && !hasEllipsis))
    return e.ctx.error("operand " + Twine(index) + " has rank " +
                       Twine(rankOf(x)) + ", the term '" + term +
                       "' names another number of dims");
  std::optional<SmallVector<int>> labels = parseTerm(term, ellipsis);
  if (!labels)
    return e.ctx.error("cannot read the term '" + term + "' of the equation");
  operands.push_back({x, *labels});
  return takeDiagonals(operands.back());
}

/// Every (size + 1)-th element along an axis, `size` of them.
Value EinsumBuilder::emitDiagonal(Value x, int64_t axis, AffineExpr size) {
  if (std::optional<int64_t> known = getConstant(size))
    return e.sliceBy(x, axis, 0, size, *known + 1);
  Value places = effc::iota(e.ctx, {size}, e.ctx.builder().getI64Type(),
                            /*axis=*/0, e.constant(0), simplify(size + 1));
  return e.gather(x, places, axis);
}

/// A label that occurs twice selects the diagonal: dims moved together, merged
/// and read at every (size + 1)-th place.
LogicalResult EinsumBuilder::takeDiagonals(Labelled &term) {
  for (size_t i = 0; i < term.labels.size(); ++i) {
    for (size_t j = i + 1; j < term.labels.size(); ++j) {
      if (term.labels[i] != term.labels[j])
        continue;
      AffineExpr size = e.dim(term.value, i);
      if (failed(e.ctx.requireEqual(e.dim(term.value, j), size,
                                    "the sizes of a diagonal differ")))
        return failure();
      SmallVector<int64_t> order;
      for (int64_t k = 0; k < rankOf(term.value); ++k)
        if (k != int64_t(i) && k != int64_t(j))
          order.push_back(k);
      order.append({int64_t(i), int64_t(j)});
      Value moved = e.transpose(term.value, order);
      Dims dims = e.dims(moved);
      dims.pop_back();
      int64_t axis = dims.size() - 1;
      dims[axis] = simplify(size * e.dim(moved, axis + 1));
      term.value = emitDiagonal(e.reshape(moved, dims), axis, size);
      int label = term.labels[i];
      term.labels.erase(term.labels.begin() + j);
      term.labels.erase(term.labels.begin() + i);
      term.labels.push_back(label);
      return term.value ? takeDiagonals(term) : failure();
    }
  }
  return success();
}

LogicalResult EinsumBuilder::parse(StringRef equation) {
  std::string text;
  llvm::copy_if(equation, std::back_inserter(text),
                [](char c) { return c != ' '; });
  auto [left, right] = StringRef(text).split("->");
  SmallVector<StringRef> terms;
  left.split(terms, ',');
  if (terms.size() != e.ctx.numInputs())
    return e.ctx.error("the equation has " + Twine(terms.size()) +
                       " terms for " + Twine(e.ctx.numInputs()) + " operands");
  int64_t ellipsis = 0;
  for (auto [i, term] : llvm::enumerate(terms)) {
    if (failed(readOperand(i, term)))
      return failure();
    ellipsis = std::max<int64_t>(
        ellipsis,
        llvm::count_if(operands[i].labels, [](int l) { return l < 256; }));
  }
  if (text.find("->") != std::string::npos) {
    std::optional<SmallVector<int>> labels = parseTerm(right, ellipsis);
    if (!labels)
      return e.ctx.error("cannot read the term '" + right +
                         "' of the equation");
    output = *labels;
    return success();
  }
  // Implicit form: the ellipsis, then the letters that occur once, sorted.
  for (int64_t i = ellipsis; i-- > 0;)
    output.push_back(int(i));
  for (int letter = 256; letter < 512; ++letter) {
    int64_t uses =
        llvm::count_if(text, [&](char c) { return 256 + c == letter; });
    if (uses == 1 && llvm::isAlpha(char(letter - 256)))
      output.push_back(letter);
  }
  return success();
}

bool EinsumBuilder::isReadLater(int label, unsigned next) const {
  if (llvm::is_contained(output, label))
    return true;
  return llvm::any_of(ArrayRef(operands).drop_front(next),
                      [&](const Labelled &term) {
                        return llvm::is_contained(term.labels, label);
                      });
}

/// Sums dims that neither the other side nor anything later names.
void EinsumBuilder::sumUnread(Labelled &term, const Labelled *other,
                              unsigned next) {
  SmallVector<int64_t> axes;
  SmallVector<int> kept;
  for (auto [i, label] : llvm::enumerate(term.labels)) {
    if (isReadLater(label, next) ||
        (other && llvm::is_contained(other->labels, label)))
      kept.push_back(label);
    else
      axes.push_back(i);
  }
  if (axes.empty())
    return;
  term.value = e.reduce(ReduceKind::Sum, term.value, axes, /*keepdims=*/false);
  term.labels = kept;
}

/// The term with dims in this order; labels it lacks become dims of size 1.
Value EinsumBuilder::arrange(const Labelled &term, ArrayRef<int> order) {
  SmallVector<int64_t> permutation;
  Dims dims;
  for (int label : order) {
    auto it = llvm::find(term.labels, label);
    if (it == term.labels.end()) {
      dims.push_back(e.constant(1));
      continue;
    }
    int64_t axis = it - term.labels.begin();
    permutation.push_back(axis);
    dims.push_back(e.dim(term.value, axis));
  }
  return e.reshape(e.transpose(term.value, permutation), dims);
}

Labelled EinsumBuilder::multiply(Labelled a, Labelled b, unsigned next) {
  sumUnread(a, &b, next);
  sumUnread(b, &a, next);
  if (!a.value || !b.value)
    return {};
  SmallVector<int> batch, left, right, summed;
  for (int label : a.labels) {
    bool shared = llvm::is_contained(b.labels, label);
    (shared ? (isReadLater(label, next) ? batch : summed) : left)
        .push_back(label);
  }
  for (int label : b.labels)
    if (!llvm::is_contained(a.labels, label))
      right.push_back(label);
  auto join = [](std::initializer_list<ArrayRef<int>> lists) {
    SmallVector<int> all;
    for (ArrayRef<int> list : lists)
      llvm::append_range(all, list);
    return all;
  };
  SmallVector<int> labels = join({batch, left, right});
  if (summed.empty())
    return {e.mul(arrange(a, labels), arrange(b, labels)), labels};
  Value x = arrange(a, join({batch, left, summed}));
  Value y = arrange(b, join({batch, right, summed}));
  if (!x || !y)
    return {};
  // [batch..., left, summed] by [batch..., right, summed] transposed.
  auto flatten = [&](Value value, size_t free) {
    Dims dims = e.dims(value);
    ArrayRef<AffineExpr> all(dims);
    Dims flat(all.take_front(batch.size()));
    flat.push_back(product(e.ctx.context(), all.slice(batch.size(), free)));
    flat.push_back(
        product(e.ctx.context(), all.drop_front(batch.size() + free)));
    return e.reshape(value, flat);
  };
  Value result = e.matmul(flatten(x, left.size()), flatten(y, right.size()),
                          /*transposeA=*/false, /*transposeB=*/true);
  if (!result)
    return {};
  Dims dims(ArrayRef(e.dims(result)).take_front(batch.size()));
  for (size_t i = 0; i < left.size(); ++i)
    dims.push_back(e.dim(x, batch.size() + i));
  for (size_t i = 0; i < right.size(); ++i)
    dims.push_back(e.dim(y, batch.size() + i));
  return {e.reshape(result, dims), labels};
}

LogicalResult EinsumBuilder::run() {
  std::optional<std::string> equation = e.ctx.attrString("equation");
  if (!equation)
    return e.ctx.error("attribute equation is missing");
  if (failed(parse(*equation)))
    return failure();
  Labelled result = operands.front();
  for (unsigned i = 1; i < operands.size(); ++i)
    result = multiply(result, operands[i], i + 1);
  if (!result.value)
    return failure();
  sumUnread(result, nullptr, operands.size());
  for (int label : output)
    if (llvm::count(output, label) > 1 ||
        !llvm::is_contained(result.labels, label))
      return e.ctx.error("the result's term repeats a label or has one that no "
                         "operand has");
  return e.ctx.setOutput(0, arrange(result, output));
}

LogicalResult importEinsum(NodeContext &ctx) {
  if (failed(ctx.requireInputs(std::max(1u, ctx.numInputs()))))
    return failure();
  return EinsumBuilder(ctx).run();
}

} // namespace effc
