// The walk over an ONNX graph: names to values, nodes to handlers, local
// functions inlined. What cannot be imported poisons what reads it, so that one
// run reports everything that is wrong or missing, each thing once.
#include "Importer.h"
#include "Eff/LateSizes.h"
#include "NodeContext.h"
#include "OpTable.h"
#include "mlir/IR/Diagnostics.h"

using namespace mlir;

namespace effc {

/// Local functions may call local functions; calling twice each doubles the
/// program at every level.
static constexpr size_t maxCallDepth = 100;
static constexpr int64_t maxInlinedNodes = 250000;

Importer::Importer(std::shared_ptr<ModelFile> file, MLIRContext *context,
                   const ImportOptions &options)
    : symbols(context), reader(context, file), file(file), context(context),
      options(options), builder(context) {}

InFlightDiagnostic Importer::error(Location loc, DiagnosticCode code) {
  ++numErrors;
  return emitError(loc, code);
}

Location Importer::locationOf(const ImportScope &scope,
                              const onnx::NodeProto &node, int index) const {
  std::string name = node.name().empty()
                         ? node.op_type() + "#" + std::to_string(index)
                         : node.name();
  return NameLoc::get(StringAttr::get(context, scope.prefix + name),
                      FileLineColLoc::get(context, file->name(), index, 0));
}

Location Importer::locationOfValue(StringRef name) const {
  return NameLoc::get(StringAttr::get(context, name),
                      FileLineColLoc::get(context, file->name(), 0, 0));
}

// Values
// ------------------------------------------------------------------------

Value Importer::makeConstant(Location loc, ElementsAttr value) {
  OpBuilder::InsertionGuard guard(builder);
  // All constants stand at the top, in the order of their first use.
  if (lastConstant)
    builder.setInsertionPointAfter(lastConstant);
  else
    builder.setInsertionPointToStart(&function.front());
  auto op = eff::ConstantOp::create(
      builder, loc, cast<RankedTensorType>(value.getType()), value);
  lastConstant = op;
  return op;
}

Value Importer::makeDimValues(Location loc, const ShapeValue &value) {
  SmallVector<AffineExpr> exprs;
  for (const ShapeElement &element : value.elements)
    exprs.push_back(element.asSize(context));
  return eff::DimValuesOp::create(
      builder, loc, RankedTensorType::get(value.shape, value.elementType),
      eff::DimsAttr::get(context, exprs));
}

Value Importer::lookup(ImportScope &scope, StringRef name) {
  for (ImportScope *current = &scope; current; current = current->parent) {
    if (Value value = current->values.lookup(name))
      return value;
    if (current->poisoned.contains(name) || current->lists.count(name) ||
        current->unreadable.count(name))
      return {};
    const onnx::TensorProto *dense = current->initializers.lookup(name);
    const onnx::SparseTensorProto *sparse =
        current->sparseInitializers.lookup(name);
    if (!dense && !sparse)
      continue;
    const void *tensor = dense ? static_cast<const void *>(dense) : sparse;
    if (refusedTensors.contains(tensor))
      return {};
    std::string reason;
    ElementsAttr attr =
        dense ? reader.read(*dense, reason) : reader.read(*sparse, reason);
    if (!attr) {
      error(currentNode.value_or(locationOfValue(name)),
            DiagnosticCode::BadTensorData)
          << "initializer '" << name << "': " << reason;
      refusedTensors.insert(tensor);
      return {};
    }
    Value value = makeConstant(locationOfValue(name), attr);
    current->values[name] = value;
    return value;
  }
  return {};
}

bool Importer::isAbsent(const ImportScope &scope, StringRef name) const {
  if (name.empty())
    return true;
  for (const ImportScope *s = &scope; s; s = s->parent)
    if (s->absent.contains(name))
      return true;
  return false;
}

const onnx::TypeProto *Importer::declaredType(ImportScope &scope,
                                              StringRef name) const {
  return scope.declared.lookup(name);
}

std::optional<int64_t> Importer::declaredRank(ImportScope &scope,
                                              StringRef name) const {
  const onnx::TypeProto *type = declaredType(scope, name);
  if (type && type->has_tensor_type() && type->tensor_type().has_shape())
    return type->tensor_type().shape().dim_size();
  auto it = scope.ranks.find(name);
  return it == scope.ranks.end() ? std::nullopt : std::optional(it->second);
}

/// Operators of one tensor whose result has its rank, as function bodies put
/// them behind a reduction.
static bool keepsRank(const onnx::NodeProto &node) {
  static constexpr StringLiteral names[] = {
      "Abs",      "Cast",    "CastLike", "Clip",    "Exp",        "Floor",
      "Identity", "Log",     "Neg",      "Not",     "Reciprocal", "Relu",
      "Round",    "Sigmoid", "Sign",     "Softmax", "Sqrt",       "Tanh"};
  return (node.domain().empty() || node.domain() == "ai.onnx") &&
         node.input_size() > 0 && node.output_size() > 0 &&
         llvm::is_contained(names, StringRef(node.op_type()));
}

void Importer::inferRanks(ImportScope &scope, const NodeList &nodes,
                          ArrayRef<int> order) {
  for (int index : llvm::reverse(order))
    if (const onnx::NodeProto &node = nodes[index]; keepsRank(node))
      if (auto rank = declaredRank(scope, node.output(0)))
        scope.ranks[node.input(0)] = *rank;
}

const onnx::AttributeProto *
Importer::resolve(ImportScope &scope, const onnx::AttributeProto &attribute) {
  if (attribute.ref_attr_name().empty())
    return &attribute;
  return scope.attributes ? scope.attributes->lookup(attribute.ref_attr_name())
                          : nullptr;
}

const ShapeValue *Importer::contents(Value value) {
  auto it = knownContents.find(value);
  if (it != knownContents.end())
    return it->second.get();
  std::optional<ShapeValue> contents;
  if (auto constant = value.getDefiningOp<eff::ConstantOp>()) {
    contents = readShapeValue(constant.getValue());
  } else if (auto sizes = value.getDefiningOp<eff::DimValuesOp>()) {
    auto type = cast<RankedTensorType>(value.getType());
    contents = ShapeValue{
        type.getElementType(), SmallVector<int64_t>(type.getShape()), {}};
    for (AffineExpr size : sizes.getValues().getExprs())
      contents->elements.push_back(ShapeElement::of(size));
  }
  if (!contents)
    return nullptr;
  auto owned = std::make_unique<ShapeValue>(std::move(*contents));
  return knownContents.try_emplace(value, std::move(owned)).first->second.get();
}

AffineExpr Importer::declareLate(StringRef name, Block *block, int64_t min,
                                 int64_t max) {
  AffineExpr symbol = symbols.declareLate(name, min, max);
  lateBlocks[cast<AffineSymbolExpr>(symbol).getPosition()] = block;
  return symbol;
}

bool Importer::isVisible(AffineExpr size, Block *block) const {
  llvm::SmallBitVector late =
      eff::LateSizes(symbols.toAttr().getValue()).getLate(size);
  return llvm::all_of(late.set_bits(), [&](unsigned symbol) {
    Block *home = lateBlocks.lookup(symbol);
    for (Block *at = block; at; at = at->getParentOp()->getBlock())
      if (at == home)
        return true;
    return false;
  });
}

bool Importer::dependsOn(AffineExpr size, unsigned symbol) const {
  llvm::SmallBitVector late =
      eff::LateSizes(symbols.toAttr().getValue()).getLate(size);
  return symbol < late.size() && late.test(symbol);
}

/// More elements of unknown contents are data, not sizes.
static constexpr int64_t maxDefinedElements = 64;
/// What stands for all larger numbers: sentinels such as INT64_MAX must not
/// overflow where they are added to sizes.
static constexpr int64_t largestSize = int64_t(1) << 47;

const ShapeValue *Importer::defineContents(Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  const ShapeValue *known = contents(value);
  auto isUnknown = [](const ShapeElement &element) {
    return element.kind == ShapeElement::Unknown;
  };
  if (known && llvm::none_of(known->elements, isUnknown))
    return known;
  auto integer = dyn_cast<IntegerType>(type.getElementType());
  if (!integer || integer.getWidth() == 1 || !type.hasStaticShape() ||
      type.getNumElements() > maxDefinedElements)
    return known;
  auto defined = std::make_unique<ShapeValue>();
  if (known)
    *defined = *known;
  else
    *defined = {integer, SmallVector<int64_t>(type.getShape()),
                std::vector<ShapeElement>(type.getNumElements())};
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointAfterValue(value);
  Location loc = value.getLoc();
  Value wide = value;
  if (!integer.isSignlessInteger(64))
    wide = eff::ConvertOp::create(
        builder, loc, eff::withElementType(type, builder.getI64Type()), value);
  int64_t limit = integer.getWidth() < 32 ? int64_t(1) << integer.getWidth()
                                          : int64_t(1) << 32;
  bool isLarge = integer.getWidth() == 64;
  for (auto [position, element] : llvm::enumerate(defined->elements)) {
    if (!isUnknown(element))
      continue;
    AffineExpr size =
        declareLate((getNodeName(loc) + "[" + Twine(position) + "]").str(),
                    builder.getInsertionBlock(), isLarge ? INT64_MIN : -limit,
                    isLarge ? INT64_MAX : limit);
    eff::DefineSizeOp::create(builder, loc, wide, position,
                              cast<AffineSymbolExpr>(size).getPosition());
    if (isLarge)
      size = symbols.max(symbols.min(size, eff::constDim(context, largestSize)),
                         eff::constDim(context, -largestSize));
    element = ShapeElement::of(size);
  }
  return (knownContents[value] = std::move(defined)).get();
}

void Importer::addCheck(AffineExpr a, AffineExpr b, const Twine &message) {
  AffineExpr x = eff::simplify(a), y = eff::simplify(b);
  if (x == y)
    return;
  auto sizes = eff::DimsAttr::get(context, {x, y});
  auto swapped = eff::DimsAttr::get(context, {y, x});
  Block *block = builder.getInsertionBlock();
  if (block->getParentOp() != function || symbols.isLate(x) ||
      symbols.isLate(y)) {
    if (checksInBlocks.contains({block, swapped}) ||
        !checksInBlocks.insert({block, sizes}).second)
      return;
    eff::CheckSizeOp::create(
        builder, builder.getUnknownLoc(),
        eff::CheckAttr::get(context, sizes, StringAttr::get(context, message)));
    return;
  }
  if (checks.count(sizes) || checks.count(swapped))
    return;
  checks[sizes] =
      eff::CheckAttr::get(context, sizes, StringAttr::get(context, message));
}

// Nodes
// -------------------------------------------------------------------------

void Importer::addGraph(ImportScope &scope, const onnx::GraphProto &graph) {
  for (const auto &tensor : graph.initializer())
    scope.initializers[tensor.name()] = &tensor;
  for (const auto &tensor : graph.sparse_initializer())
    scope.sparseInitializers[tensor.values().name()] = &tensor;
  for (const auto &value : graph.value_info())
    scope.declared[value.name()] = &value.type();
  for (const auto &value : graph.output())
    scope.declared[value.name()] = &value.type();
}

LogicalResult Importer::importBody(ImportScope &scope, const NodeList &nodes,
                                   ArrayRef<StringRef> outputs, Location loc) {
  auto isDefined = [&](StringRef name) {
    for (ImportScope *s = &scope; s; s = s->parent)
      if (s->values.count(name) || s->poisoned.contains(name) ||
          s->lists.count(name) || s->unreadable.count(name) ||
          s->absent.contains(name) || s->initializers.count(name) ||
          s->sparseInitializers.count(name))
        return true;
    return false;
  };
  std::string reason;
  std::optional<SmallVector<int>> order =
      orderNodes(nodes, outputs, isDefined, reason);
  if (!order)
    return error(loc) << reason;
  inferRanks(scope, nodes, *order);
  for (int index : *order)
    importNode(scope, nodes[index], index);
  return success();
}

void Importer::poison(ImportScope &scope, const onnx::NodeProto &node) {
  for (const std::string &output : node.output())
    if (!output.empty())
      scope.poisoned.insert(output);
}

void Importer::bind(ImportScope &scope, const onnx::NodeProto &node,
                    ArrayRef<Value> values) {
  for (auto [name, value] : llvm::zip(node.output(), values)) {
    if (name.empty())
      continue;
    if (value)
      scope.values[name] = value;
    else
      scope.poisoned.insert(name);
  }
}

void Importer::importNode(ImportScope &scope, const onnx::NodeProto &node,
                          int index) {
  ++numImportedNodes;
  Location loc = locationOf(scope, node, index);
  Attribute outer = currentOperator;
  std::optional<Location> outerNode = std::exchange(currentNode, loc);
  std::string domain = node.domain() == "ai.onnx" ? "" : node.domain();
  currentOperator = StringAttr::get(
      context, (domain.empty() ? "" : domain + "::") + node.op_type() +
                   ", opset " + std::to_string(scope.opsets->lookup(domain)));
  // What a failed node makes is missing here; its failure has been reported.
  bool isComplete = llvm::all_of(node.input(), [&](const std::string &input) {
    return succeeded(checkReadable(scope, input, loc));
  });
  if (isComplete)
    dispatch(scope, node, loc);
  else
    poison(scope, node);
  currentOperator = outer;
  currentNode = outerNode;
}

/// Other versions of an operator that are supported, for the message.
static std::string describeVersions(StringRef domain, StringRef opType) {
  std::string text;
  for (const OpRow &row : getOpTable())
    if (row.domain == domain && row.opType == opType)
      text += (text.empty() ? "" : ", ") + std::to_string(row.first) + " to " +
              std::to_string(row.last);
  return text;
}

void Importer::dispatch(ImportScope &scope, const onnx::NodeProto &node,
                        Location loc) {
  StringRef domain =
      node.domain() == "ai.onnx" ? StringRef() : StringRef(node.domain());
  auto version = scope.opsets->find(domain);
  int64_t opset = version == scope.opsets->end() ? 1 : version->second;
  const OpRow *row = findOp(domain, node.op_type(), opset);
  if (!row) {
    std::string key =
        node.domain() + "\n" + node.op_type() + "\n" + node.overload();
    if (const onnx::FunctionProto *callee = functions.lookup(key)) {
      if (failed(inlineFunction(scope, node, *callee, loc)))
        poison(scope, node);
      return;
    }
    std::string versions = describeVersions(domain, node.op_type());
    reportUnsupported(loc, domain, node.op_type(), opset,
                      versions.empty() ? "the operator is not supported"
                                       : "this version is not supported",
                      versions.empty() ? "" : "versions " + versions + " are",
                      DiagnosticCode::UnsupportedOperator);
    return poison(scope, node);
  }
  NodeContext ctx(*this, scope, node, opset, builder, loc);
  std::optional<SmallVector<ShapeValue, 1>> values;
  if (domain.empty() && !ctx.readsLists())
    values = evaluateShapeValues(ctx, symbols);
  if (values && llvm::all_of(*values, [](const ShapeValue &value) {
        return value.isKnown();
      })) {
    SmallVector<Value> results;
    for (const ShapeValue &value : *values)
      results.push_back(value.isConstant() ? makeConstant(loc, value.toAttr())
                                           : makeDimValues(loc, value));
    return bind(scope, node, results);
  }
  int64_t errorsBefore = numErrors;
  if (ctx.hasFailed() || failed(row->handler(ctx)) || ctx.hasFailed() ||
      failed(ctx.checkAllAttributesUsed())) {
    // Nobody must be left without a reason.
    if (!ctx.hasFailed() && numErrors == errorsBefore && unsupported.empty())
      (void)ctx.error("internal error: refused for no reason that is known");
    return poison(scope, node);
  }
  if (failed(bindResults(scope, node, ctx)) || !values)
    return;
  // Partly known contents, or floats: the ops above compute them, and shape
  // arithmetic that follows may still use what is known.
  for (auto [value, result] : llvm::zip(*values, ctx.outputs()))
    if (result && !value.isUnknown())
      knownContents.try_emplace(result,
                                std::make_unique<ShapeValue>(std::move(value)));
}

LogicalResult Importer::inlineFunction(ImportScope &scope,
                                       const onnx::NodeProto &node,
                                       const onnx::FunctionProto &callee,
                                       Location loc) {
  if (llvm::is_contained(callStack, &callee))
    return error(loc) << "function '" << callee.name() << "' calls itself";
  if (callStack.size() >= maxCallDepth)
    return error(loc, DiagnosticCode::ModelTooLarge)
           << "functions call each other more than 100 deep";
  numInlinedNodes += callee.node_size();
  if (numInlinedNodes > maxInlinedNodes)
    return error(loc, DiagnosticCode::ModelTooLarge)
           << "functions expand to more than " << maxInlinedNodes << " nodes";
  if (node.input_size() > callee.input_size() ||
      node.output_size() > callee.output_size())
    return error(loc) << "more operands or results than function '"
                      << callee.name() << "' has";

  llvm::StringMap<const onnx::AttributeProto *> attributes;
  for (const onnx::AttributeProto &attribute : callee.attribute_proto())
    attributes[attribute.name()] = &attribute;
  for (const onnx::AttributeProto &attribute : node.attribute())
    if (const onnx::AttributeProto *actual = resolve(scope, attribute))
      attributes[attribute.name()] = actual;
  llvm::StringMap<int64_t> versions;
  for (const onnx::OperatorSetIdProto &opset : callee.opset_import())
    versions[opset.domain() == "ai.onnx" ? "" : opset.domain()] =
        opset.version();

  ImportScope body;
  body.attributes = &attributes;
  body.opsets = &versions;
  body.prefix = (getNodeName(loc) + "/").str();
  for (const auto &value : callee.value_info())
    body.declared[value.name()] = &value.type();
  for (auto [name, actual] : llvm::zip(callee.input(), node.input()))
    if (!isAbsent(scope, actual))
      forward(scope, actual, body, name);
  // Inputs that the call leaves out read as "".
  for (int i = 0; i < callee.input_size(); ++i)
    if (i >= node.input_size() || isAbsent(scope, node.input(i)))
      body.absent.insert(callee.input(i));

  SmallVector<StringRef> names(callee.output().begin(),
                               callee.output().begin() + node.output_size());
  callStack.push_back(&callee);
  LogicalResult imported = importBody(body, callee.node(), names, loc);
  callStack.pop_back();
  if (failed(imported))
    return failure();
  for (auto [name, result] : llvm::zip(names, node.output()))
    if (!result.empty() && !forward(body, name, scope, result))
      scope.poisoned.insert(result);
  return success();
}

void Importer::reportUnsupported(Location loc, StringRef domain,
                                 StringRef opType, int64_t opset,
                                 const Twine &reason, const Twine &remedy,
                                 DiagnosticCode code) {
  std::string message = (domain.empty() ? "" : domain.str() + "::") +
                        opType.str() + ", opset " + std::to_string(opset) +
                        ": " + reason.str();
  auto [it, isNew] = unsupportedIndex.try_emplace(message, unsupported.size());
  if (isNew)
    unsupported.push_back({loc, message, remedy.str(), {}, 0, code});
  Unsupported &entry = unsupported[it->second];
  if (entry.count++ && entry.nodes.size() < 8)
    entry.nodes.push_back(getNodeName(loc).str());
}

/// One error for every operator and reason, with the other nodes in a note.
void Importer::flushUnsupported() {
  for (const Unsupported &entry : unsupported) {
    auto [operatorName, reason] = StringRef(entry.message).split(": ");
    currentOperator = StringAttr::get(context, operatorName);
    InFlightDiagnostic diagnostic = error(entry.loc, entry.code);
    diagnostic << reason;
    if (!entry.nodes.empty()) {
      std::string nodes = llvm::join(entry.nodes, "', '");
      diagnostic.attachNote()
          << "also " << entry.count - 1 << " more: '" << nodes << "'"
          << (entry.count > int64_t(entry.nodes.size()) + 1 ? ", ..." : "");
    }
    if (!entry.remedy.empty())
      diagnostic.attachNote() << entry.remedy;
  }
  currentOperator = {};
}

} // namespace effc
