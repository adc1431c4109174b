// Regions of eff.if and eff.loop. Which sizes of carried values change from
// iteration to iteration is found by trying: the body is imported as if all
// stayed, and again with late symbols for those that did not.
#include "Importer.h"
#include "NodeContext.h"

using namespace mlir;

namespace effc {

LogicalResult NodeContext::inlineGraph(const onnx::GraphProto &graph,
                                       SmallVectorImpl<Value> &values,
                                       ValueRange arguments) {
  ImportScope body;
  body.parent = &scope;
  body.opsets = scope.opsets;
  body.attributes = scope.attributes;
  body.prefix = (getNodeName(location) + "/").str();
  importer.addGraph(body, graph);
  if (graph.input_size() != int(arguments.size()))
    return error("a body has " + Twine(graph.input_size()) + " inputs, " +
                 Twine(arguments.size()) + " are expected");
  for (auto [input, value] : llvm::zip(graph.input(), arguments))
    body.values[input.name()] = value;
  SmallVector<StringRef> names;
  for (const onnx::ValueInfoProto &output : graph.output())
    names.push_back(output.name());
  if (mlir::failed(importer.importBody(body, graph.node(), names, location))) {
    failed = true;
    return failure();
  }
  for (StringRef name : names) {
    Value value = importer.lookup(body, name);
    if (importer.lookupList(body, name) || importer.isAbsent(body, name))
      return unsupported("a body's result is a sequence or optional");
    if (!value) {
      // Something inside was reported.
      failed = true;
      return failure();
    }
    values.push_back(value);
  }
  return success();
}

bool NodeContext::alwaysGoesOn(const onnx::GraphProto &body) {
  if (body.output_size() < 1 || body.input_size() < 2)
    return false;
  std::string name = body.output(0).name(), reason;
  auto isTrue = [&](const onnx::TensorProto &tensor) {
    ElementsAttr attr = importer.reader.read(tensor, reason);
    std::optional<ShapeValue> value =
        attr ? readShapeValue(attr) : std::nullopt;
    return value && value->elements.size() == 1 &&
           value->elements[0].kind == ShapeElement::Int &&
           value->elements[0].integer != 0;
  };
  // Through copies, of which there are no more than nodes.
  for (int step = 0; step <= body.node_size(); ++step) {
    if (name == body.input(1).name())
      return true;
    for (const onnx::TensorProto &tensor : body.initializer())
      if (tensor.name() == name)
        return isTrue(tensor);
    auto producer = llvm::find_if(body.node(), [&](const auto &node) {
      return llvm::is_contained(node.output(), name);
    });
    if (producer == body.node().end()) {
      Value outer = importer.lookup(scope, name);
      return outer && scalar(outer).value_or(0) != 0;
    }
    if (producer->op_type() == "Constant" && producer->attribute_size() == 1 &&
        producer->attribute(0).has_t())
      return isTrue(producer->attribute(0).t());
    if (producer->op_type() != "Identity" || producer->input_size() != 1)
      return false;
    name = producer->input(0);
  }
  return false;
}

//===----------------------------------------------------------------------===//
// Trials
//===----------------------------------------------------------------------===//

static constexpr int64_t maxTriedNodes = 20000;

bool Importer::hasTriedEnough() const { return numTriedNodes > maxTriedNodes; }

Importer::Trial::Trial(Importer &importer)
    : importer(importer), numErrors(importer.numErrors),
      numImportedNodes(importer.numImportedNodes),
      unsupported(importer.unsupported),
      unsupportedIndex(importer.unsupportedIndex),
      refusedTensors(importer.refusedTensors),
      handler(importer.context, [this](Diagnostic &diagnostic) {
        held.push_back(std::move(diagnostic));
        return success();
      }) {}

void Importer::Trial::drop() {
  held.clear();
  importer.numErrors = numErrors;
  importer.numTriedNodes += importer.numImportedNodes - numImportedNodes;
  importer.unsupported = unsupported;
  importer.unsupportedIndex = unsupportedIndex;
  importer.refusedTensors = refusedTensors;
}

std::vector<Diagnostic> Importer::Trial::take() { return std::move(held); }

void Importer::eraseRegionOp(Operation *op) {
  op->walk([&](Operation *inner) {
    for (Value result : inner->getResults())
      knownContents.erase(result);
  });
  op->walk([&](Block *block) {
    for (BlockArgument argument : block->getArguments())
      knownContents.erase(argument);
    SmallVector<std::pair<Block *, Attribute>> gone;
    for (const auto &entry : checksInBlocks)
      if (entry.first == block)
        gone.push_back(entry);
    for (const auto &entry : gone)
      checksInBlocks.erase(entry);
    for (auto &entry : lateBlocks)
      if (entry.second == block)
        entry.second = nullptr;
  });
  op->erase();
}

//===----------------------------------------------------------------------===//
// If
//===----------------------------------------------------------------------===//

/// An op that costs little and cannot fail, so that it may run for nothing.
static bool isHarmless(Operation &op) {
  if (auto binary = dyn_cast<eff::BinaryOp>(op))
    if (binary.getKind() == eff::BinaryKind::Div ||
        binary.getKind() == eff::BinaryKind::Mod)
      return isa<FloatType>(
          cast<RankedTensorType>(binary.getType()).getElementType());
  // The sizes of a branch that does not run may not fit.
  if (auto broadcast = dyn_cast<eff::BroadcastOp>(op))
    return !broadcast.isUndecided();
  return isa<eff::ElementwiseOpInterface>(op) ||
         isa<eff::ReshapeOp, eff::TransposeOp, eff::SliceOp, eff::ConcatOp,
             eff::IotaOp, eff::DimValuesOp, eff::YieldOp>(op);
}

static constexpr int64_t maxHarmlessOps = 8;

/// Small branches that give equal shapes are both computed.
static bool canSelect(eff::IfOp op, ArrayRef<SmallVector<Value>> results) {
  int64_t count = 0;
  for (Region *region : op.getRegions())
    for (Operation &inner : region->front())
      if (!isHarmless(inner) || ++count > maxHarmlessOps)
        return false;
  return llvm::all_of(llvm::zip(results[0], results[1]), [](auto pair) {
    return std::get<0>(pair).getType() == std::get<1>(pair).getType();
  });
}

/// The type that results of both branches have: sizes that differ are late.
Type NodeContext::joinTypes(Value a, Value c, SmallVectorImpl<int64_t> &symbols,
                            SmallVectorImpl<AffineExpr> &first,
                            SmallVectorImpl<AffineExpr> &second) {
  auto x = cast<RankedTensorType>(a.getType()),
       y = cast<RankedTensorType>(c.getType());
  if (x.getElementType() != y.getElementType() || x.getRank() != y.getRank()) {
    (void)unsupported("the branches differ in element type or rank",
                      "fix what decides with --dim, --input-shape or "
                      "--input-value");
    return {};
  }
  eff::Dims dims = eff::getDims(x);
  Block *outside = builder().getInsertionBlock();
  for (auto [dim, other] : llvm::zip(dims, eff::getDims(y))) {
    if (dim == other && importer.isVisible(dim, outside))
      continue;
    first.push_back(dim);
    second.push_back(other);
    auto [lowA, highA] = importer.symbols.bounds(dim);
    auto [lowB, highB] = importer.symbols.bounds(other);
    dim = importer.declareLate(getNodeName(location), outside,
                               std::max<int64_t>(0, std::min(lowA, lowB)),
                               std::max(highA, highB));
    symbols.push_back(cast<AffineSymbolExpr>(dim).getPosition());
  }
  return eff::makeTensorType(x.getElementType(), dims);
}

/// The only branch whose results have the declared ranks, if the other's ranks
/// differ from them: TorchScript guards a Squeeze this way.
std::optional<int>
NodeContext::findOnlyBranch(ArrayRef<SmallVector<Value>> values) {
  bool fits[2] = {true, true};
  for (unsigned i = 0; i < values[0].size() && i < values[1].size(); ++i) {
    std::optional<eff::Dims> declared = declaredDims(i);
    for (int branch = 0; declared && branch < 2; ++branch)
      fits[branch] &=
          cast<RankedTensorType>(values[branch][i].getType()).getRank() ==
          int64_t(declared->size());
  }
  if (fits[0] == fits[1])
    return std::nullopt;
  return fits[0] ? 0 : 1;
}

/// The branch is taken, or the run is refused.
LogicalResult NodeContext::takeOnlyBranch(Value condition, Operation *draft,
                                          int branch) {
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(draft);
  Type type = RankedTensorType::get({}, b.getI64Type());
  AffineExpr taken =
      defineSize(createTyped<eff::ConvertOp>(type, condition), 0, 0, 1);
  if (mlir::failed(requireEqual(
          taken, eff::constDim(context(), branch == 0),
          "the branch that is taken gives another rank than is declared")))
    return failure();
  Block &block = draft->getRegion(branch).front();
  importer.moveLateSizes(&block, draft->getBlock());
  while (!block.empty())
    block.front().moveBefore(draft);
  importer.eraseRegionOp(draft);
  return success(!failed);
}

LogicalResult NodeContext::createIf(Value condition, const RegionFn &thenFn,
                                    const RegionFn &elseFn,
                                    SmallVectorImpl<Value> &results) {
  OperationState state(location, eff::IfOp::getOperationName());
  state.addOperands(condition);
  state.addRegion();
  state.addRegion();
  auto draft = cast<eff::IfOp>(b.create(state));
  SmallVector<Value> values[2];
  for (int i = 0; i < 2; ++i) {
    OpBuilder::InsertionGuard guard(b);
    b.createBlock(&draft->getRegion(i));
    if (mlir::failed((i == 0 ? thenFn : elseFn)(values[i]))) {
      failed = true;
      // What failed is not kept; nothing refers to it.
      importer.eraseRegionOp(draft);
      return failure();
    }
  }
  if (values[0].size() != values[1].size())
    return error("the branches differ in the number of outputs");
  SmallVector<int64_t> symbols;
  SmallVector<AffineExpr> sizes[2];
  if (std::optional<int> only = findOnlyBranch(values)) {
    llvm::append_range(results, values[*only]);
    return takeOnlyBranch(condition, draft, *only);
  }
  if (canSelect(draft, values)) {
    for (Region *region : draft.getRegions())
      while (!region->front().empty())
        region->front().front().moveBefore(draft);
    draft.erase();
    for (auto [x, y] : llvm::zip(values[0], values[1]))
      results.push_back(create<eff::SelectOp>(condition, x, y));
    return success(!failed);
  }
  SmallVector<Type> types;
  for (auto [x, y] : llvm::zip(values[0], values[1])) {
    types.push_back(joinTypes(x, y, symbols, sizes[0], sizes[1]));
    if (!types.back())
      return failure();
  }
  auto op = eff::IfOp::create(b, location, types, condition, symbols);
  for (int i = 0; i < 2; ++i) {
    op->getRegion(i).takeBody(draft->getRegion(i));
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToEnd(&op->getRegion(i).front());
    eff::YieldOp::create(b, location, values[i],
                         eff::DimsAttr::get(context(), sizes[i]));
  }
  draft.erase();
  llvm::append_range(results, op.getOutputs());
  return success();
}

//===----------------------------------------------------------------------===//
// Loop
//===----------------------------------------------------------------------===//

namespace {
using Varying = llvm::MapVector<std::pair<size_t, size_t>, AffineExpr>;
} // namespace

/// What one import of a body gave.
struct NodeContext::LoopDraft {
  eff::LoopOp op;
  LoopValues values;
};

/// Imports the body with block arguments in which varying sizes are late.
LogicalResult NodeContext::draftLoop(const LoopSpec &spec, AffineExpr iteration,
                                     ArrayRef<Type> types, LoopDraft &draft) {
  OperationState state(location, eff::LoopOp::getOperationName());
  state.addRegion();
  draft.op = cast<eff::LoopOp>(b.create(state));
  draft.values = {};
  OpBuilder::InsertionGuard guard(b);
  SmallVector<Location> locations(types.size(), location);
  Block *block = b.createBlock(&draft.op.getBody(), {}, types, locations);
  if (mlir::failed(spec.body(iteration, block->getArguments(), draft.values)) ||
      failed)
    return failure();
  if (draft.values.carried.size() != types.size())
    return error("the body gives " + Twine(draft.values.carried.size()) +
                 " carried values of " + Twine(types.size()));
  return success();
}

/// Makes sizes late that the body changes; says whether there were any.
FailureOr<bool>
NodeContext::widen(ArrayRef<Type> types, const LoopValues &values,
                   llvm::function_ref<void(size_t, size_t)> add) {
  bool changed = false;
  for (size_t i = 0; i < types.size(); ++i) {
    auto before = cast<RankedTensorType>(types[i]),
         after = cast<RankedTensorType>(values.carried[i].getType());
    if (before.getElementType() != after.getElementType() ||
        before.getRank() != after.getRank()) {
      (void)unsupported("carried value " + Twine(i) +
                        " changes its element type or rank");
      return failure();
    }
    eff::Dims old = eff::getDims(before), next = eff::getDims(after);
    for (size_t axis = 0; axis < old.size(); ++axis) {
      if (eff::simplify(old[axis] - next[axis]) == eff::constDim(context(), 0))
        continue;
      // A late size takes the new value.
      auto symbol = dyn_cast<AffineSymbolExpr>(old[axis]);
      if (symbol && importer.isCarried(symbol))
        continue;
      add(i, axis);
      changed = true;
    }
  }
  return changed;
}

/// The types of block arguments: those of the inits, with late sizes where
/// these vary.
static SmallVector<Type> getCarriedTypes(ValueRange inits,
                                         const Varying &varying) {
  SmallVector<Type> types;
  for (auto [i, init] : llvm::enumerate(inits)) {
    auto type = cast<RankedTensorType>(init.getType());
    eff::Dims dims = eff::getDims(type);
    for (size_t axis = 0; axis < dims.size(); ++axis)
      if (AffineExpr size = varying.lookup({i, axis}))
        dims[axis] = size;
    types.push_back(eff::makeTensorType(type.getElementType(), dims));
  }
  return types;
}

static void forEachSize(ValueRange values,
                        llvm::function_ref<void(size_t, size_t)> visit) {
  for (auto [i, value] : llvm::enumerate(values))
    for (int64_t axis = 0,
                 rank = cast<RankedTensorType>(value.getType()).getRank();
         axis < rank; ++axis)
      visit(i, axis);
}

LogicalResult NodeContext::createLoop(const LoopSpec &spec,
                                      SmallVectorImpl<Value> &results) {
  Block *outside = b.getInsertionBlock();
  AffineExpr iteration =
      importer.declareLate((getNodeName(location) + " iteration").str(),
                           outside, 0, int64_t(1) << 47);
  Varying varying;
  auto vary = [&](size_t i, size_t axis) {
    if (varying.count({i, axis}))
      return;
    AffineExpr size = importer.declareLate(getNodeName(location), outside, 0,
                                           int64_t(1) << 47);
    importer.markCarried(size);
    varying[{i, axis}] = size;
  };
  auto getTypes = [&] { return getCarriedTypes(spec.inits, varying); };
  size_t numSizes = 0;
  forEachSize(spec.inits, [&](size_t, size_t) { ++numSizes; });
  LoopDraft draft;
  while (true) {
    if (importer.hasTriedEnough())
      forEachSize(spec.inits, vary);
    // Once all sizes may change there is nothing else to try.
    bool isLast = varying.size() == numSizes;
    std::vector<Diagnostic> diagnostics;
    bool done = false, again = false;
    {
      Importer::Trial trial(importer);
      bool imported = succeeded(draftLoop(spec, iteration, getTypes(), draft));
      FailureOr<bool> changed = failure();
      if (imported)
        changed = widen(getTypes(), draft.values, vary);
      done = succeeded(changed) && !*changed;
      again = !done && !isLast;
      if (again) {
        // A body that does not import may do so when less is taken for fixed.
        if (mlir::failed(changed))
          forEachSize(spec.inits, vary);
        importer.eraseRegionOp(draft.op);
        trial.drop();
        failed = false;
        reportedUnsupported = false;
      }
      diagnostics = trial.take();
    }
    for (Diagnostic &diagnostic : diagnostics)
      context()->getDiagEngine().emit(std::move(diagnostic));
    if (done)
      return finishLoop(spec, iteration, getTypes(), draft, results);
    if (!again) {
      importer.eraseRegionOp(draft.op);
      failed = true;
      return failure();
    }
  }
}

/// Collected values of changing size would be no tensor.
AffineExpr
NodeContext::fixCollected(AffineExpr size, AffineExpr iteration, Block *outside,
                          llvm::function_ref<bool(AffineExpr)> isFixed) {
  if (isFixed(size))
    return {};
  AffineExpr fixed =
      importer.declareLate(getNodeName(location), outside, 0, int64_t(1) << 47);
  AffineExpr started = minSize(iteration, eff::constDim(context(), 1));
  importer.addCheck(
      eff::simplify((size - fixed) * started), eff::constDim(context(), 0),
      getNodeName(location) + ": iterations give results of different sizes");
  return fixed;
}

/// Ends the body and gives the op its results.
void NodeContext::closeLoop(const LoopSpec &spec, LoopDraft &draft,
                            ArrayRef<Type> resultTypes,
                            ArrayRef<int64_t> symbols,
                            ArrayRef<AffineExpr> initial,
                            ArrayRef<AffineExpr> next,
                            SmallVectorImpl<Value> &results) {
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToEnd(&draft.op.getBody().front());
    SmallVector<Value> yielded;
    if (spec.condition)
      yielded.push_back(draft.values.condition);
    llvm::append_range(yielded, draft.values.carried);
    llvm::append_range(yielded, draft.values.collected);
    eff::YieldOp::create(b, location, yielded,
                         eff::DimsAttr::get(context(), next));
  }
  SmallVector<AffineExpr> trip;
  if (spec.trip)
    trip.push_back(spec.trip);
  auto op =
      eff::LoopOp::create(b, location, resultTypes, spec.condition, spec.inits,
                          eff::DimsAttr::get(context(), trip), symbols,
                          eff::DimsAttr::get(context(), initial));
  op.getBody().takeBody(draft.op.getBody());
  draft.op.erase();
  llvm::append_range(results, op.getOutputs());
}

LogicalResult NodeContext::finishLoop(const LoopSpec &spec,
                                      AffineExpr iteration,
                                      ArrayRef<Type> types, LoopDraft &draft,
                                      SmallVectorImpl<Value> &results) {
  Block *outside = b.getInsertionBlock();
  AffineExpr zero = eff::constDim(context(), 0);
  SmallVector<int64_t> symbols;
  SmallVector<AffineExpr> initial, next;
  auto add = [&](AffineExpr symbol, AffineExpr from, AffineExpr then) {
    symbols.push_back(cast<AffineSymbolExpr>(symbol).getPosition());
    initial.push_back(from);
    next.push_back(then);
  };
  add(iteration, zero, iteration + 1);
  SmallVector<Type> resultTypes(types);
  for (auto [i, type] : llvm::enumerate(types))
    for (auto [from, symbol, then] :
         llvm::zip(eff::getDims(spec.inits[i].getType()), eff::getDims(type),
                   eff::getDims(draft.values.carried[i].getType())))
      if (from != symbol)
        add(symbol, from, then);
  auto isFixed = [&](AffineExpr size) {
    return importer.isVisible(size, outside) &&
           llvm::none_of(symbols, [&](int64_t symbol) {
             return importer.dependsOn(size, symbol);
           });
  };
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToEnd(&draft.op.getBody().front());
    // All iterations run unless a condition ends the loop.
    AffineExpr count = iteration;
    if (spec.trip && !spec.condition)
      count = maxSize(spec.trip, zero);
    for (Value value : draft.values.collected) {
      eff::Dims dims = eff::getDims(value.getType());
      for (AffineExpr &size : dims)
        if (AffineExpr fixed =
                fixCollected(size, iteration, outside, isFixed)) {
          add(fixed, zero, size);
          size = fixed;
        }
      dims.insert(dims.begin(), count);
      resultTypes.push_back(eff::makeTensorType(
          cast<RankedTensorType>(value.getType()).getElementType(), dims));
    }
  }
  closeLoop(spec, draft, resultTypes, symbols, initial, next, results);
  return success();
}

} // namespace effc
