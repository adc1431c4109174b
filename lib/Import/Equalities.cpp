// Sizes that must be equal but are written differently: ONNX lets a model add
// `total` to `past + seq`. Such pairs become run-time checks of the function.
// A verifier only knows that sizes do not contradict each other, so whatever it
// compares has to be said here as well, or by the operator's importer: kernels
// rely on it.
#include "Importer.h"
#include "mlir/IR/AttrTypeSubElements.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace effc {

namespace {
using Require =
    function_ref<void(Operation *, AffineExpr, AffineExpr, StringRef)>;

/// Compares the sizes of one op's operands.
class Collector {
public:
  Collector(Operation *op, const SizeSymbols &symbols, Require require)
      : op(op), symbols(symbols), require(require) {}

  void equal(AffineExpr a, AffineExpr b, StringRef what) {
    // Verifiers have compared constants; other sizes that cannot be equal make
    // a check that every run fails.
    if (!a || !b || a == b || (eff::getConstant(a) && eff::getConstant(b)) ||
        eff::getConstant(eff::simplify(a - b)) == 0)
      return;
    require(op, a, b, what);
  }

  /// Every dim of `dims` is 1 or that of `result`, aligned at the end.
  void broadcast(ArrayRef<AffineExpr> dims, ArrayRef<AffineExpr> result) {
    if (dims.size() > result.size())
      return;
    for (auto [a, b] : llvm::zip(dims, result.take_back(dims.size())))
      if (a && eff::getConstant(a) != 1)
        equal(a, b, "operands do not broadcast");
  }
  /// The same of an operand that may have to be repeated as the run has it.
  void repeat(Value operand, ArrayRef<AffineExpr> result) {
    eff::Dims dims = eff::getDims(operand.getType());
    for (auto [a, b] : llvm::zip(dims, result.take_back(dims.size())))
      if (a && b && symbols.mayBeOne(a, b)) {
        if (!symbols.leads(a, b))
          require(op, eff::repeatedSize(a, b), b, "operands do not broadcast");
        a = b;
      }
    broadcast(dims, result);
  }
  void broadcast(Value operand, ArrayRef<AffineExpr> result) {
    if (operand)
      broadcast(eff::getDims(operand.getType()), result);
  }

  /// Dim by dim; verifiers have compared the ranks.
  void equal(ArrayRef<AffineExpr> a, ArrayRef<AffineExpr> b, StringRef what) {
    for (auto [x, y] : llvm::zip(a, b))
      equal(x, y, what);
  }
  /// An optional vector of one element a channel.
  void perChannel(Value vector, AffineExpr channels) {
    if (vector)
      equal(eff::getDims(vector.getType()), {channels},
            "the vector has another length than there are channels");
  }

  void matmul(eff::MatmulOp matmul);
  void linear(eff::LinearOp linear);
  void conv(eff::ConvOp conv);
  void convTranspose(eff::ConvTransposeOp conv);
  void gatherND(eff::GatherNDOp gather);
  void scatterND(eff::ScatterNDOp scatter);
  void concat(eff::ConcatOp concat);
  void attention(eff::AttentionOp attention);

private:
  Operation *op;
  const SizeSymbols &symbols;
  Require require;
};
} // namespace

void Collector::matmul(eff::MatmulOp matmul) {
  eff::Dims a = eff::getDims(matmul.getA().getType());
  eff::Dims b = eff::getDims(matmul.getB().getType());
  eff::Dims y = eff::getDims(matmul.getY().getType());
  if (a.size() < 2 || b.size() < 2)
    return;
  equal(matmul.getTransposeA() ? a[a.size() - 2] : a.back(),
        matmul.getTransposeB() ? b.back() : b[b.size() - 2],
        "inner sizes of the matrix product differ");
  ArrayRef<AffineExpr> batch = ArrayRef<AffineExpr>(y).drop_back(2);
  broadcast(ArrayRef<AffineExpr>(a).drop_back(2), batch);
  broadcast(ArrayRef<AffineExpr>(b).drop_back(2), batch);
}

void Collector::linear(eff::LinearOp linear) {
  eff::Dims weight = eff::getDims(linear.getWeight().getType());
  equal(eff::getDims(linear.getX().getType()).back(),
        linear.getTransposeWeight() ? weight[1] : weight[0],
        "inner sizes of the matrix product differ");
  perChannel(linear.getBias(), eff::getDims(linear.getType()).back());
}

void Collector::conv(eff::ConvOp conv) {
  eff::Dims x = eff::getDims(conv.getX().getType());
  eff::Dims weight = eff::getDims(conv.getWeight().getType());
  int64_t groups = conv.getGroups();
  equal(conv.getChannelsLast() ? x.back() : x[1],
        eff::simplify(weight[1] * groups),
        "channels are not those of the weight");
  perChannel(conv.getBias(), weight[0]);
}

void Collector::convTranspose(eff::ConvTransposeOp conv) {
  eff::Dims weight = eff::getDims(conv.getWeight().getType());
  int64_t groups = conv.getGroups();
  equal(eff::getDims(conv.getX().getType())[1], weight[0],
        "channels are not those of the weight");
  perChannel(conv.getBias(), eff::simplify(weight[1] * groups));
}

void Collector::gatherND(eff::GatherNDOp gather) {
  eff::Dims x = eff::getDims(gather.getX().getType());
  eff::Dims indices = eff::getDims(gather.getIndices().getType());
  size_t batch = gather.getBatchDims();
  equal(ArrayRef<AffineExpr>(x).take_front(batch),
        ArrayRef<AffineExpr>(indices).take_front(batch), "batch sizes differ");
}

void Collector::scatterND(eff::ScatterNDOp scatter) {
  eff::Dims x = eff::getDims(scatter.getX().getType());
  eff::Dims expected = eff::getDims(scatter.getIndices().getType());
  int64_t depth = eff::getConstant(expected.pop_back_val()).value_or(0);
  expected.append(x.begin() + depth, x.end());
  equal(eff::getDims(scatter.getUpdates().getType()), expected,
        "updates are not one slice for each index tuple");
}

void Collector::concat(eff::ConcatOp concat) {
  eff::Dims first = eff::getDims(concat.getInputs().front().getType());
  for (Value input : llvm::drop_begin(concat.getInputs())) {
    eff::Dims dims = eff::getDims(input.getType());
    for (size_t i = 0; i < std::min(first.size(), dims.size()); ++i)
      if (int64_t(i) != int64_t(concat.getAxis()))
        equal(first[i], dims[i], "sizes off the joined axis differ");
  }
}

void Collector::attention(eff::AttentionOp attention) {
  eff::Dims q = eff::getDims(attention.getQ().getType());
  eff::Dims k = eff::getDims(attention.getK().getType());
  eff::Dims v = eff::getDims(attention.getV().getType());
  if (q.size() != 4 || k.size() != 4 || v.size() != 4)
    return;
  bool headsLast = attention.getHeadsLast();
  int tokens = headsLast ? 1 : 2, heads = headsLast ? 2 : 1;
  equal(q[0], k[0], "batch sizes of q and k differ");
  equal(q[0], v[0], "batch sizes of q and v differ");
  equal(k[tokens], v[tokens], "lengths of k and v differ");
  equal(q[3], k[3], "head sizes of q and k differ");
  equal(k[heads], v[heads], "heads of k and v differ");
  equal(eff::simplify(q[heads].floorDiv(k[heads]) * k[heads]), q[heads],
        "heads of q are no multiple of those of k");
  eff::Dims scores = {q[0], q[heads], q[tokens], k[tokens]};
  if (Value mask = attention.getMask())
    repeat(mask, scores);
}

void collectEqualities(func::FuncOp function, const SizeSymbols &symbols,
                       Require require) {
  function.walk([&](Operation *op) {
    Collector collect(op, symbols, require);
    if (isa<eff::ElementwiseOpInterface>(op)) {
      eff::Dims result = eff::getDims(op->getResult(0).getType());
      for (Value operand : op->getOperands())
        collect.broadcast(operand, result);
      return;
    }
    llvm::TypeSwitch<Operation *>(op)
        .Case([&](eff::MatmulOp op) { collect.matmul(op); })
        .Case([&](eff::ConcatOp op) { collect.concat(op); })
        .Case([&](eff::AttentionOp op) { collect.attention(op); })
        .Case([&](eff::BroadcastOp op) {
          collect.repeat(op.getX(), eff::getDims(op.getY().getType()));
        })
        .Case([&](eff::ReshapeOp op) {
          collect.equal(eff::getNumElements(op.getX().getType()),
                        eff::getNumElements(op.getY().getType()),
                        "the new shape has another number of elements");
        })
        .Case([&](eff::RopeOp op) {
          eff::Dims half = eff::getDims(op.getX().getType());
          half.back() =
              eff::exactDiv(half.back(), eff::constDim(op.getContext(), 2));
          collect.broadcast(op.getCos(), half);
          collect.broadcast(op.getSin(), half);
        })
        .Case([&](eff::LinearOp op) { collect.linear(op); })
        .Case([&](eff::ConvOp op) { collect.conv(op); })
        .Case([&](eff::ConvTransposeOp op) { collect.convTranspose(op); })
        .Case([&](eff::GatherNDOp op) { collect.gatherND(op); })
        .Case([&](eff::ScatterNDOp op) { collect.scatterND(op); })
        .Case([&](eff::ScatterElementsOp op) {
          collect.equal(eff::getDims(op.getIndices().getType()),
                        eff::getDims(op.getUpdates().getType()),
                        "indices and updates differ in shape");
        })
        .Case([&](eff::LayerNormOp op) {
          eff::Dims x = eff::getDims(op.getX().getType());
          collect.broadcast(op.getScale(), x);
          collect.broadcast(op.getBias(), x);
        })
        .Case([&](eff::RMSNormOp op) {
          collect.broadcast(op.getScale(), eff::getDims(op.getX().getType()));
        })
        .Case([&](eff::GroupNormOp op) {
          eff::Dims x = eff::getDims(op.getX().getType());
          AffineExpr channels = op.getChannelsLast() ? x.back() : x[1];
          collect.perChannel(op.getScale(), channels);
          collect.perChannel(op.getBias(), channels);
        });
  });
}

/// Writes sizes that a check makes equal in one way, so that later stages see
/// equal shapes. The checks themselves keep the sizes as the model has them.
void Importer::unifySizes() {
  SmallVector<AffineExpr> replacements;
  for (unsigned i = 0; i < symbols.size(); ++i)
    replacements.push_back(getAffineSymbolExpr(i, context));
  // Replaces nothing but, for a moment, one symbol.
  SmallVector<AffineExpr> step = replacements;
  SmallVector<AffineExpr> stateSizes = replacements;
  auto replace = [&](unsigned position, AffineExpr value) {
    for (unsigned i = step.size(); i < symbols.size(); ++i)
      step.push_back(getAffineSymbolExpr(i, context));
    AffineExpr symbol = std::exchange(step[position], value);
    for (AffineExpr &replacement : replacements)
      if (replacement.isFunctionOfSymbol(position))
        replacement = eff::replaceSymbols(replacement, step);
    step[position] = symbol;
  };
  bool changed = false;
  for (Attribute key : llvm::to_vector(llvm::make_first_range(checks))) {
    ArrayRef<AffineExpr> sizes = cast<eff::DimsAttr>(key).getExprs();
    AffineExpr a = eff::replaceSymbols(sizes[0], replacements);
    AffineExpr b = eff::replaceSymbols(sizes[1], replacements);
    if (a == b)
      continue;
    SizeSymbols::Conclusion conclusion = symbols.assumeEqual(a, b);
    if (conclusion.holds)
      checks.erase(key);
    if (!conclusion.symbol)
      continue;
    changed = true;
    unsigned position = cast<AffineSymbolExpr>(conclusion.symbol).getPosition();
    auto symbol = dyn_cast<eff::SymbolAttr>(symbols.toAttr()[position]);
    if (symbol && isState(*inputs[symbol.getInput()]))
      stateSizes[position] = conclusion.value;
    replace(position, conclusion.value);
  }
  // Sizes that met and are now known to be one.
  for (unsigned i = 0; i < replacements.size(); ++i) {
    AffineExpr symbol = getAffineSymbolExpr(i, context);
    AffineExpr met = replacements[i] == symbol
                         ? symbols.meetAgain(i, replacements)
                         : AffineExpr();
    if (met)
      met = eff::replaceSymbols(met, replacements);
    if (!met || met.isFunctionOfSymbol(i))
      continue;
    changed = true;
    replace(i, met);
  }
  if (changed)
    replaceSizes(replacements);
  replaceStateSizes(stateSizes);
  dropUnusedSizes();
}

/// A state has no size of its own before the first run, so a check cannot ask
/// for it; sessions compare all states with the sizes that a run needs.
void Importer::replaceStateSizes(ArrayRef<AffineExpr> replacements) {
  for (unsigned i = 0; i < replacements.size(); ++i)
    if (replacements[i] != getAffineSymbolExpr(i, context)) {
      decltype(checks) old;
      std::swap(old, checks);
      for (auto &[key, check] : old) {
        ArrayRef<AffineExpr> sizes = cast<eff::DimsAttr>(key).getExprs();
        addCheck(eff::simplify(eff::replaceSymbols(sizes[0], replacements)),
                 eff::simplify(eff::replaceSymbols(sizes[1], replacements)),
                 cast<eff::CheckAttr>(check).getMessage().getValue());
      }
      return;
    }
}

/// Sizes that were needed on the way only, or were found to be others.
void Importer::dropUnusedSizes() {
  llvm::SmallBitVector used(symbols.size());
  auto mark = [&](eff::DimsAttr dims) {
    for (AffineExpr size : dims.getExprs())
      size.walk([&](AffineExpr expr) {
        if (auto symbol = dyn_cast<AffineSymbolExpr>(expr))
          used.set(symbol.getPosition());
      });
  };
  AttrTypeWalker walker;
  walker.addWalk([&](eff::DimsAttr dims) { mark(dims); });
  function.walk([&](Operation *op) {
    walker.walk(op->getAttrDictionary());
    if (Attribute properties = op->getPropertiesAsAttribute())
      walker.walk(properties);
    for (Type type : op->getResultTypes())
      walker.walk(type);
    for (Region &region : op->getRegions())
      for (Type type : region.getArgumentTypes())
        walker.walk(type);
    // Symbols that ops define keep their places.
    auto keep = [&](ArrayRef<int64_t> symbols) {
      for (int64_t symbol : symbols)
        used.set(symbol);
    };
    if (auto size = dyn_cast<eff::DefineSizeOp>(op))
      keep(static_cast<int64_t>(size.getSymbol()));
    if (auto branch = dyn_cast<eff::IfOp>(op))
      keep(branch.getSymbols());
    if (auto loop = dyn_cast<eff::LoopOp>(op))
      keep(loop.getSymbols());
  });
  for (Attribute sizes : llvm::make_first_range(checks))
    mark(cast<eff::DimsAttr>(sizes));
  for (Attribute entry : symbols.toAttr())
    if (auto derived = dyn_cast<eff::DerivedSymbolAttr>(entry))
      mark(derived.getSizes());
  symbols.dropUnused(used);
}

void Importer::replaceSizes(ArrayRef<AffineExpr> replacements) {
  AttrTypeReplacer replacer;
  replacer.addReplacement([&](eff::DimsAttr dims) {
    SmallVector<AffineExpr> sizes;
    for (AffineExpr size : dims.getExprs())
      sizes.push_back(eff::replaceSymbols(size, replacements));
    return std::make_pair(Attribute(eff::DimsAttr::get(context, sizes)),
                          WalkResult::skip());
  });
  // A size may become constant, so the shape is made anew.
  replacer.addReplacement(
      [&](RankedTensorType type) -> std::optional<std::pair<Type, WalkResult>> {
        if (!type.getEncoding())
          return std::nullopt;
        eff::Dims sizes;
        for (AffineExpr size : eff::getDims(type))
          sizes.push_back(eff::replaceSymbols(size, replacements));
        return std::make_pair(
            Type(eff::makeTensorType(type.getElementType(), sizes)),
            WalkResult::skip());
      });
  replacer.recursivelyReplaceElementsIn(function, /*replaceAttrs=*/true,
                                        /*replaceLocs=*/false,
                                        /*replaceTypes=*/true);
}

} // namespace effc
