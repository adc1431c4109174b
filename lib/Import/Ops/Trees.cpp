// Tree ensembles of ai.onnx.ml as walks of all trees for all rows in step: the
// node that each walk has reached is gathered from tables, and a leaf leads to
// itself. There are as many steps as the deepest tree has levels.
//
// Every test is one of x against an interval: x < v is x <= (the float before
// v), a set is a chain of tests for its members, x != v swaps the children.
#include "MachineLearning.h"

#include <cmath>
#include <limits>
#include <map>

using namespace mlir;
using namespace effc::eff;

namespace effc {

/// Limits of what is reasonable to write out.
static constexpr int64_t maxLevels = 512, maxTableSize = int64_t(1) << 24;
static constexpr double infinity = std::numeric_limits<double>::infinity();

namespace {

/// A leaf has itself for children.
struct TreeNode {
  int64_t feature = 0;
  double low = -infinity, high = infinity;
  bool nanIsYes = false;
  int64_t yes = 0, no = 0;
};

struct Weight {
  int64_t node, target;
  double value;
};

/// How the trees' contributions become one.
enum class Aggregate { Sum, Average, Min, Max };

struct Forest {
  NodeContext &ctx;
  Emitter e;
  std::vector<TreeNode> nodes;
  SmallVector<int64_t> roots;
  std::vector<Weight> weights;
  int64_t targets = 1;
  Type type; // of thresholds and scores

  explicit Forest(NodeContext &ctx) : ctx(ctx), e(ctx) {}

  LogicalResult readNodes();
  LogicalResult readWeights(StringRef prefix);
  LogicalResult readForest();
  LogicalResult addMembers(const TreeNode &node, int64_t place,
                           ArrayRef<double> members, size_t &member);
  LogicalResult addTest(TreeNode &node, StringRef mode, double value);
  std::optional<int64_t> countLevels();
  template <typename Fn> Value table(Type elementType, Fn fn);
  Value walk(Value x, int64_t levels);
  /// [N, targets], and whether any leaf of these targets was reached.
  Value gatherScores(Value leaves, Aggregate aggregate);
};

} // namespace

/// The neighbour of a threshold in the type that it is compared in.
static double neighbour(Type type, double value, double direction) {
  return type.isF64() ? std::nextafter(value, direction)
                      : double(std::nextafterf(float(value), float(direction)));
}

LogicalResult Forest::addTest(TreeNode &node, StringRef mode, double value) {
  if (mode == "BRANCH_LEQ")
    node.high = value;
  else if (mode == "BRANCH_LT")
    node.high = neighbour(type, value, -infinity);
  else if (mode == "BRANCH_GTE")
    node.low = value;
  else if (mode == "BRANCH_GT")
    node.low = neighbour(type, value, infinity);
  else if (mode == "BRANCH_EQ" || mode == "BRANCH_NEQ")
    node.low = node.high = value;
  else
    return ctx.error("a node has the unknown mode '" + mode + "'");
  if (mode == "BRANCH_NEQ") {
    std::swap(node.yes, node.no);
    // NaN differs from everything.
    node.nanIsYes = false;
  }
  return success();
}

/// Operators of versions 1 and 3: lists with an entry for each node, which is
/// named by its tree and number.
LogicalResult Forest::readNodes() {
  auto trees = ctx.attrInts("nodes_treeids", {});
  auto ids = ctx.attrInts("nodes_nodeids", {});
  auto features = ctx.attrInts("nodes_featureids", {});
  auto modes = ctx.attrStrings("nodes_modes");
  auto yes = ctx.attrInts("nodes_truenodeids", {});
  auto no = ctx.attrInts("nodes_falsenodeids", {});
  auto missing = ctx.attrInts("nodes_missing_value_tracks_true", {});
  auto values = floatsOrTensor(ctx, "nodes_values", "nodes_values_as_tensor");
  ctx.ignoreAttr("nodes_hitrates");
  ctx.ignoreAttr("nodes_hitrates_as_tensor");
  size_t count = ids.size();
  if (count == 0 || !modes || trees.size() != count ||
      features.size() != count || modes->size() != count ||
      yes.size() != count || no.size() != count || values.size() != count ||
      (!missing.empty() && missing.size() != count))
    return ctx.error("the lists of nodes differ in length or are empty");
  std::map<std::pair<int64_t, int64_t>, int64_t> index;
  for (size_t i = 0; i < count; ++i)
    if (!index.try_emplace({trees[i], ids[i]}, i).second)
      return ctx.error("node " + Twine(ids[i]) + " of tree " + Twine(trees[i]) +
                       " is given twice");
  nodes.resize(count);
  std::vector<bool> isChild(count);
  for (size_t i = 0; i < count; ++i) {
    TreeNode &node = nodes[i];
    node.yes = node.no = i;
    if ((*modes)[i] == "LEAF")
      continue;
    auto a = index.find({trees[i], yes[i]}), b = index.find({trees[i], no[i]});
    if (a == index.end() || b == index.end())
      return ctx.error("a child of node " + Twine(ids[i]) + " is missing");
    node.feature = features[i];
    node.yes = a->second, node.no = b->second;
    isChild[node.yes] = isChild[node.no] = true;
    node.nanIsYes = !missing.empty() && missing[i];
    if (failed(addTest(node, (*modes)[i], values[i])))
      return failure();
  }
  for (size_t i = 0; i < count; ++i)
    if (!isChild[i])
      roots.push_back(i);
  return success();
}

/// What each leaf adds to its targets; `prefix` is target or class.
LogicalResult Forest::readWeights(StringRef prefix) {
  auto name = [&](StringRef rest) { return (prefix + rest).str(); };
  auto trees = ctx.attrInts("nodes_treeids", {});
  auto ids = ctx.attrInts("nodes_nodeids", {});
  auto leafTrees = ctx.attrInts(name("_treeids"), {});
  auto leafNodes = ctx.attrInts(name("_nodeids"), {});
  auto goals = ctx.attrInts(name("_ids"), {});
  auto values =
      floatsOrTensor(ctx, name("_weights"), name("_weights_as_tensor"));
  if (leafTrees.size() != values.size() || leafNodes.size() != values.size() ||
      goals.size() != values.size())
    return ctx.error("the lists of " + prefix + " weights differ in length");
  std::map<std::pair<int64_t, int64_t>, int64_t> index;
  for (size_t i = 0; i < ids.size(); ++i)
    index[{trees[i], ids[i]}] = i;
  for (size_t i = 0; i < values.size(); ++i) {
    auto it = index.find({leafTrees[i], leafNodes[i]});
    if (it == index.end() || goals[i] < 0 || goals[i] >= targets)
      return ctx.error("a " + prefix + " weight has no node or no target");
    weights.push_back({it->second, goals[i], values[i]});
  }
  return success();
}

/// BRANCH_MEMBER: a chain of tests for equality, in place of the node. The sets
/// of all such nodes stand in a row, each ended by a NaN.
LogicalResult Forest::addMembers(const TreeNode &node, int64_t place,
                                 ArrayRef<double> members, size_t &member) {
  SmallVector<double> set;
  while (member < members.size() && !std::isnan(members[member]))
    set.push_back(members[member++]);
  ++member;
  if (set.empty())
    return ctx.error("node " + Twine(place) + " has an empty set");
  for (auto [position, value] : llvm::enumerate(set)) {
    TreeNode test = node;
    test.low = test.high = value;
    bool isLast = position + 1 == set.size();
    if (!isLast)
      test.no = nodes.size();
    nodes[place] = test;
    place = nodes.size();
    if (!isLast)
      nodes.emplace_back();
  }
  return success();
}

/// TreeEnsemble-5: nodes are named by their position, leaves have lists of
/// their own.
LogicalResult Forest::readForest() {
  static constexpr StringRef modeNames[] = {"BRANCH_LEQ", "BRANCH_LT",
                                            "BRANCH_GTE", "BRANCH_GT",
                                            "BRANCH_EQ",  "BRANCH_NEQ"};
  roots = ctx.attrInts("tree_roots", {});
  auto features = ctx.attrInts("nodes_featureids", {});
  auto yes = ctx.attrInts("nodes_truenodeids", {});
  auto no = ctx.attrInts("nodes_falsenodeids", {});
  auto yesLeaf = ctx.attrInts("nodes_trueleafs", {});
  auto noLeaf = ctx.attrInts("nodes_falseleafs", {});
  auto missing = ctx.attrInts("nodes_missing_value_tracks_true", {});
  auto goals = ctx.attrInts("leaf_targetids", {});
  auto splits = floatsOrTensor(ctx, "", "nodes_splits");
  auto modes = floatsOrTensor(ctx, "", "nodes_modes");
  auto values = floatsOrTensor(ctx, "", "leaf_weights");
  auto members = floatsOrTensor(ctx, "", "membership_values");
  ctx.ignoreAttr("nodes_hitrates");
  int64_t count = features.size(), leaves = goals.size();
  for (size_t size :
       {yes.size(), no.size(), yesLeaf.size(), noLeaf.size(), splits.size(),
        modes.size(), missing.empty() ? size_t(count) : missing.size()})
    if (int64_t(size) != count)
      return ctx.error("the lists of nodes differ in length");
  if (count == 0 || roots.empty() || int64_t(values.size()) != leaves)
    return ctx.error("there is no node or tree, or the lists of leaves differ "
                     "in length");
  nodes.resize(count + leaves);
  for (int64_t i = 0; i < leaves; ++i) {
    nodes[count + i].yes = nodes[count + i].no = count + i;
    if (goals[i] < 0 || goals[i] >= targets)
      return ctx.error("a leaf has no target");
    weights.push_back({count + i, goals[i], values[i]});
  }
  auto child = [&](int64_t id, int64_t isLeaf) {
    int64_t limit = isLeaf ? leaves : count;
    return id < 0 || id >= limit ? -1 : isLeaf ? count + id : id;
  };
  size_t member = 0;
  for (int64_t i = 0; i < count; ++i) {
    TreeNode node;
    node.feature = features[i];
    node.yes = child(yes[i], yesLeaf[i]), node.no = child(no[i], noLeaf[i]);
    node.nanIsYes = !missing.empty() && missing[i];
    if (node.yes < 0 || node.no < 0)
      return ctx.error("a child of node " + Twine(i) + " is missing");
    if (modes[i] >= 0 && modes[i] < 6) {
      if (failed(addTest(node, modeNames[int64_t(modes[i])], splits[i])))
        return failure();
      nodes[i] = node;
      continue;
    }
    if (modes[i] != 6)
      return ctx.error("node " + Twine(i) + " has an unknown mode");
    if (failed(addMembers(node, i, members, member)))
      return failure();
  }
  return success();
}

/// Levels below the roots; nothing, with a diagnostic, for a cycle.
std::optional<int64_t> Forest::countLevels() {
  enum : char { Unseen, Open, Done };
  std::vector<char> state(nodes.size(), Unseen);
  std::vector<int64_t> levels(nodes.size(), 0);
  int64_t deepest = 0;
  for (int64_t root : roots) {
    if (root < 0 || root >= int64_t(nodes.size())) {
      (void)ctx.error("a tree has no root");
      return std::nullopt;
    }
    SmallVector<int64_t> stack = {root};
    while (!stack.empty()) {
      int64_t i = stack.back();
      const TreeNode &node = nodes[i];
      bool isLeaf = node.yes == i && node.no == i;
      if (state[i] == Unseen && !isLeaf) {
        state[i] = Open;
        for (int64_t next : {node.yes, node.no}) {
          if (state[next] == Open) {
            (void)ctx.error("a tree has a cycle");
            return std::nullopt;
          }
          if (state[next] == Unseen)
            stack.push_back(next);
        }
        continue;
      }
      stack.pop_back();
      if (!isLeaf && state[i] == Open)
        levels[i] = 1 + std::max(levels[node.yes], levels[node.no]);
      state[i] = Done;
    }
    deepest = std::max(deepest, levels[root]);
  }
  if (deepest <= maxLevels)
    return deepest;
  (void)ctx.unsupported("a tree of more than " + Twine(maxLevels) + " levels");
  return std::nullopt;
}

template <typename Fn> Value Forest::table(Type elementType, Fn fn) {
  SmallVector<double> values;
  for (const TreeNode &node : nodes)
    values.push_back(fn(node));
  return numbers(ctx, elementType, values, {int64_t(nodes.size())});
}

/// The leaf that each row reaches in each tree: [N, trees].
Value Forest::walk(Value x, int64_t levels) {
  Type i32 = ctx.builder().getI32Type();
  Value features = table(i32, [](auto &node) { return node.feature; });
  Value high = table(type, [](auto &node) { return node.high; });
  Value low = table(type, [](auto &node) { return node.low; });
  Value yes = table(i32, [](auto &node) { return node.yes; });
  Value no = table(i32, [](auto &node) { return node.no; });
  Value nan = table(ctx.builder().getI1Type(),
                    [](auto &node) { return node.nanIsYes; });
  bool anyLow = llvm::any_of(
      nodes, [](const TreeNode &node) { return node.low != -infinity; });
  bool anyNaN =
      llvm::any_of(nodes, [](const TreeNode &node) { return node.nanIsYes; });
  int64_t trees = roots.size();
  Value at = e.broadcast(numbers(ctx, i32, roots, {trees}),
                         {e.dim(x, 0), e.constant(trees)});
  for (int64_t level = 0; level < levels && at; ++level) {
    Value feature = e.gather(features, at, 0);
    Value value = feature
                      ? ctx.create<GatherElementsOp>(x, feature, uint64_t(1))
                      : Value();
    Value holds = e.compare(CompareKind::Le, value, e.gather(high, at, 0));
    if (anyLow)
      holds = e.both(holds,
                     e.compare(CompareKind::Ge, value, e.gather(low, at, 0)));
    if (anyNaN)
      holds = e.binary(
          BinaryKind::Or, holds,
          e.both(e.unary(UnaryKind::IsNaN, value), e.gather(nan, at, 0)));
    at = e.select(holds, e.gather(yes, at, 0), e.gather(no, at, 0));
  }
  return at;
}

Value Forest::gatherScores(Value leaves, Aggregate aggregate) {
  int64_t size = nodes.size() * targets;
  // Of a smallest or largest, what a leaf does not mention is no candidate.
  double absent = aggregate == Aggregate::Min   ? infinity
                  : aggregate == Aggregate::Max ? -infinity
                                                : 0.0;
  SmallVector<double> values(size, absent);
  std::vector<bool> known(size);
  for (const Weight &weight : weights) {
    int64_t place = weight.node * targets + weight.target;
    values[place] = known[place] ? values[place] + weight.value : weight.value;
    known[place] = true;
  }
  Value shares = e.gather(
      numbers(ctx, type, values, {int64_t(nodes.size()), targets}), leaves, 0);
  ReduceKind kind = aggregate == Aggregate::Min   ? ReduceKind::Min
                    : aggregate == Aggregate::Max ? ReduceKind::Max
                                                  : ReduceKind::Sum;
  Value scores = e.reduce(kind, shares, {1}, /*keepdims=*/false);
  if (aggregate == Aggregate::Average)
    scores = e.mul(scores, 1.0 / double(roots.size()));
  if (absent != 0.0)
    scores = e.select(e.compare(CompareKind::Eq, scores, absent),
                      scalarLike(ctx, scores, 0), scores);
  return scores;
}

/// Checks what has been read against the operand and walks.
static Value emitScores(Forest &forest, Aggregate aggregate) {
  NodeContext &ctx = forest.ctx;
  Emitter &e = forest.e;
  Value x = readRows(e);
  if (!x)
    return {};
  std::optional<int64_t> columns = getConstant(e.dim(x, 1));
  for (const TreeNode &node : forest.nodes)
    if (node.feature < 0 || (columns && node.feature >= *columns)) {
      (void)ctx.error("a node tests column " + Twine(node.feature) +
                      ", which the operand does not have");
      return {};
    }
  if (int64_t(forest.nodes.size()) > maxTableSize / forest.targets) {
    (void)ctx.unsupported("a table of more than " + Twine(maxTableSize) +
                          " weights");
    return {};
  }
  std::optional<int64_t> levels = forest.countLevels();
  if (!levels)
    return {};
  Value leaves = forest.walk(e.convert(x, forest.type), *levels);
  return forest.gatherScores(leaves, aggregate);
}

/// Thresholds are compared in f64 only for operands of f64.
static Type thresholdType(NodeContext &ctx) {
  Type given = elementTypeOf(ctx.input(0));
  return given.isF64() ? given : ctx.builder().getF32Type();
}

/// Adds one base value for every target.
static Value addBase(Forest &forest, Value scores) {
  NodeContext &ctx = forest.ctx;
  auto base = floatsOrTensor(ctx, "base_values", "base_values_as_tensor");
  int64_t size = base.size();
  if (size == 0 || !scores)
    return scores;
  if (size != 1 && size != forest.targets) {
    (void)ctx.error("base_values must have one entry for each target");
    return {};
  }
  return forest.e.add(scores, numbers(ctx, forest.type, base, {size}));
}

LogicalResult importTreeEnsembleRegressor(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1)))
    return failure();
  Forest forest(ctx);
  forest.type = thresholdType(ctx);
  forest.targets = ctx.attrInt("n_targets", 1);
  if (forest.targets < 1 || forest.targets > maxTableSize)
    return ctx.error("attribute n_targets is out of range");
  std::string name = ctx.attrString("aggregate_function", "SUM");
  std::string transform = ctx.attrString("post_transform", "NONE");
  auto aggregate = llvm::StringSwitch<std::optional<Aggregate>>(name)
                       .Case("SUM", Aggregate::Sum)
                       .Case("AVERAGE", Aggregate::Average)
                       .Case("MIN", Aggregate::Min)
                       .Case("MAX", Aggregate::Max)
                       .Default(std::nullopt);
  if (!aggregate)
    return ctx.error("attribute aggregate_function has the unknown value '" +
                     name + "'");
  if (failed(forest.readNodes()) || failed(forest.readWeights("target")))
    return failure();
  Value scores = addBase(forest, emitScores(forest, *aggregate));
  Value y = postTransform(forest.e, scores, transform);
  return ctx.setOutput(0, forest.e.convert(y, ctx.builder().getF32Type()));
}

LogicalResult importTreeEnsemble(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1)))
    return failure();
  static constexpr StringRef transforms[] = {"NONE", "SOFTMAX", "LOGISTIC",
                                             "SOFTMAX_ZERO", "PROBIT"};
  static constexpr Aggregate aggregates[] = {Aggregate::Average, Aggregate::Sum,
                                             Aggregate::Min, Aggregate::Max};
  Forest forest(ctx);
  Type given = elementTypeOf(ctx.input(0));
  forest.type = thresholdType(ctx);
  forest.targets = ctx.attrInt("n_targets", 1);
  int64_t aggregate = ctx.attrInt("aggregate_function", 1);
  int64_t transform = ctx.attrInt("post_transform", 0);
  if (forest.targets < 1 || forest.targets > maxTableSize || aggregate < 0 ||
      aggregate > 3 || transform < 0 || transform > 4)
    return ctx.error("attribute n_targets, aggregate_function or "
                     "post_transform is out of range");
  if (failed(forest.readForest()))
    return failure();
  Value scores = emitScores(forest, aggregates[aggregate]);
  Value y = postTransform(forest.e, scores, transforms[transform]);
  return ctx.setOutput(0, forest.e.convert(y, given));
}

/// Two classes of which all weights name one: its score decides, against 0.5
/// when it is a probability (no weight is negative), and its complement or
/// negative is the other score.
static Value emitBinaryScores(Forest &forest, Value score, Value &index,
                              StringRef transform) {
  Emitter &e = forest.e;
  bool positive = llvm::all_of(
      forest.weights, [](const Weight &weight) { return weight.value >= 0; });
  Type i64 = e.ctx.builder().getI64Type();
  index = e.squeeze(
      e.convert(e.compare(CompareKind::Gt, score, positive ? 0.5 : 0.0), i64),
      {1});
  Value other = positive ? e.sub(scalarLike(e.ctx, score, 1), score)
                         : e.unary(UnaryKind::Neg, score);
  Value both = e.concat({other, score}, 1);
  return transform == "LOGISTIC" && !positive
             ? e.unary(UnaryKind::Sigmoid, both)
             : both;
}

LogicalResult importTreeEnsembleClassifier(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1)))
    return failure();
  Forest forest(ctx);
  Emitter &e = forest.e;
  forest.type = thresholdType(ctx);
  auto ints = ctx.attrInts("classlabels_int64s", {});
  auto strings = ctx.attrStrings("classlabels_strings");
  forest.targets = strings && !strings->empty() ? strings->size() : ints.size();
  std::string transform = ctx.attrString("post_transform", "NONE");
  if (forest.targets < 1)
    return ctx.error("there are no class labels");
  if (failed(forest.readNodes()) || failed(forest.readWeights("class")))
    return failure();
  bool oneClass = forest.targets == 2 &&
                  llvm::all_of(forest.weights, [&](const Weight &weight) {
                    return weight.target == forest.weights.front().target;
                  });
  // Elsewhere ONNX Runtime's rules for two classes follow no text.
  bool anyNegative = llvm::any_of(
      forest.weights, [](const Weight &weight) { return weight.value < 0; });
  if (forest.targets == 2 &&
      (!oneClass || forest.weights.empty() || forest.weights.front().target ||
       transform == "PROBIT" || (transform == "LOGISTIC" && !anyNegative)))
    return ctx.unsupported("two classes, unless all weights are those of the "
                           "first, with post_transform " +
                           transform);
  if (oneClass)
    forest.targets = 1;
  Value scores = addBase(forest, emitScores(forest, Aggregate::Sum));
  if (!scores)
    return failure();
  Value index;
  if (oneClass) {
    scores = emitBinaryScores(forest, scores, index, transform);
  } else {
    index = ctx.create<ArgReduceOp>(ReduceKind::Max, scores, uint64_t(1),
                                    /*keepdims=*/false, /*select_last=*/false);
    scores = postTransform(e, scores, transform);
  }
  if (failed(
          setLabels(ctx, "classlabels_int64s", "classlabels_strings", index)))
    return failure();
  return ctx.setOutput(1, e.convert(scores, ctx.builder().getF32Type()));
}

} // namespace effc
