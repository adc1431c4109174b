// NodeContext: checked access to one node, and building of ops that reports
// instead of aborting.
#include "NodeContext.h"
#include "Importer.h"
#include "ModelLimits.h"
#include "mlir/IR/Verifier.h"

#include <cmath>
#include <limits>

using namespace mlir;
using onnx::AttributeProto;

namespace effc {

NodeContext::NodeContext(Importer &importer, ImportScope &scope,
                         const onnx::NodeProto &node, int64_t opset,
                         OpBuilder &builder, Location loc)
    : importer(importer), scope(scope), node(node), opsetVersion(opset),
      b(builder), location(loc), results(node.output_size()),
      usedAttributes(node.attribute_size()) {}

StringRef NodeContext::opType() const { return node.op_type(); }

StringRef NodeContext::domain() const {
  return node.domain() == "ai.onnx" ? StringRef() : StringRef(node.domain());
}

unsigned NodeContext::numInputs() const { return node.input_size(); }

Value NodeContext::input(unsigned index) const {
  if (index >= numInputs() || node.input(index).empty())
    return {};
  return importer.lookup(scope, node.input(index));
}

LogicalResult NodeContext::requireInputs(unsigned count,
                                         std::optional<unsigned> max) {
  for (unsigned i = 0; i < numInputs(); ++i)
    if (inputList(i))
      return error("input " + Twine(i) + " is a sequence, not a tensor");
  for (unsigned i = 0; i < count; ++i)
    if (!hasInput(i))
      return error("input " + Twine(i) + " is missing", "",
                   DiagnosticCode::BadInputCount);
  for (unsigned i = max.value_or(count); i < numInputs(); ++i)
    if (hasInput(i))
      return error("too many inputs (" + Twine(numInputs()) + ")", "",
                   DiagnosticCode::BadInputCount);
  return success();
}

unsigned NodeContext::numOutputs() const { return node.output_size(); }

bool NodeContext::outputUsed(unsigned index) const {
  return index < numOutputs() && !node.output(index).empty();
}

StringRef NodeContext::outputName(unsigned index) const {
  return index < numOutputs() ? StringRef(node.output(index)) : StringRef();
}

LogicalResult NodeContext::setOutput(unsigned index, Value value) {
  if (!value) {
    // Whoever made the null value has reported, unless an input was absent.
    return failed ? failure()
                  : error("a required input is missing", "",
                          DiagnosticCode::BadInputCount);
  }
  if (index < results.size())
    results[index] = value;
  return success();
}

Type NodeContext::declaredElementType(unsigned output) const {
  if (!outputUsed(output))
    return {};
  const onnx::TypeProto *type =
      importer.declaredType(scope, node.output(output));
  if (!type || !type->has_tensor_type())
    return {};
  return getElementType(context(), type->tensor_type().elem_type());
}

std::optional<eff::Dims> NodeContext::declaredDims(unsigned output) const {
  if (!outputUsed(output))
    return std::nullopt;
  const onnx::TypeProto *type =
      importer.declaredType(scope, node.output(output));
  if (!type || !type->has_tensor_type() || !type->tensor_type().has_shape())
    return std::nullopt;
  eff::Dims dims;
  for (const auto &dim : type->tensor_type().shape().dim()) {
    AffineExpr size;
    if (dim.has_dim_value() && dim.dim_value() >= 0)
      size = eff::constDim(context(), dim.dim_value());
    else if (dim.has_dim_param() && !dim.dim_param().empty()) {
      size = importer.symbols.lookup(dim.dim_param());
      if (!size)
        size = importer.symbols.parse(dim.dim_param());
    }
    dims.push_back(size);
  }
  return dims;
}

std::optional<int64_t> NodeContext::declaredRank(unsigned output) const {
  if (!outputUsed(output))
    return std::nullopt;
  return importer.declaredRank(scope, node.output(output));
}

// Attributes
// --------------------------------------------------------------------

bool NodeContext::hasAttr(StringRef name) const {
  for (const AttributeProto &attribute : node.attribute())
    if (StringRef(attribute.name()) == name)
      return importer.resolve(scope, attribute) != nullptr;
  return false;
}

const AttributeProto *NodeContext::find(StringRef name) {
  for (auto [index, attribute] : llvm::enumerate(node.attribute()))
    if (StringRef(attribute.name()) == name) {
      usedAttributes.set(index);
      return importer.resolve(scope, attribute);
    }
  return nullptr;
}

/// The type that an attribute has by its fields, for IR versions that did not
/// yet write the type.
static int typeOf(const AttributeProto &attribute) {
  if (attribute.type() != AttributeProto::UNDEFINED)
    return attribute.type();
  if (attribute.has_i())
    return AttributeProto::INT;
  if (attribute.has_f())
    return AttributeProto::FLOAT;
  if (attribute.has_s())
    return AttributeProto::STRING;
  if (attribute.has_t())
    return AttributeProto::TENSOR;
  if (attribute.has_g())
    return AttributeProto::GRAPH;
  if (attribute.ints_size())
    return AttributeProto::INTS;
  if (attribute.floats_size())
    return AttributeProto::FLOATS;
  return attribute.strings_size() ? AttributeProto::STRINGS
                                  : AttributeProto::UNDEFINED;
}

const AttributeProto *NodeContext::find(StringRef name, int type,
                                        StringRef typeName) {
  const AttributeProto *attribute = find(name);
  if (!attribute)
    return nullptr;
  int actual = typeOf(*attribute);
  bool emptyList =
      actual == AttributeProto::UNDEFINED &&
      (type == AttributeProto::INTS || type == AttributeProto::FLOATS ||
       type == AttributeProto::STRINGS);
  if (actual == type || emptyList)
    return attribute;
  (void)error("attribute '" + name + "' is not of type " + typeName, "",
              DiagnosticCode::BadAttribute);
  return nullptr;
}

std::optional<int64_t> NodeContext::attrInt(StringRef name) {
  const AttributeProto *attribute = find(name, AttributeProto::INT, "int");
  return attribute ? std::optional<int64_t>(attribute->i()) : std::nullopt;
}

int64_t NodeContext::attrInt(StringRef name, int64_t fallback) {
  return attrInt(name).value_or(fallback);
}

bool NodeContext::attrBool(StringRef name, bool fallback) {
  return attrInt(name, fallback) != 0;
}

std::optional<double> NodeContext::attrFloat(StringRef name) {
  const AttributeProto *attribute = find(name, AttributeProto::FLOAT, "float");
  return attribute ? std::optional<double>(attribute->f()) : std::nullopt;
}

double NodeContext::attrFloat(StringRef name, double fallback) {
  return attrFloat(name).value_or(fallback);
}

std::optional<std::string> NodeContext::attrString(StringRef name) {
  const AttributeProto *attribute =
      find(name, AttributeProto::STRING, "string");
  return attribute ? std::optional<std::string>(attribute->s()) : std::nullopt;
}

std::string NodeContext::attrString(StringRef name, StringRef fallback) {
  return attrString(name).value_or(fallback.str());
}

std::optional<SmallVector<int64_t>> NodeContext::attrInts(StringRef name) {
  const AttributeProto *attribute = find(name, AttributeProto::INTS, "ints");
  if (!attribute)
    return std::nullopt;
  return SmallVector<int64_t>(attribute->ints().begin(),
                              attribute->ints().end());
}

SmallVector<int64_t> NodeContext::attrInts(StringRef name,
                                           ArrayRef<int64_t> fallback) {
  return attrInts(name).value_or(SmallVector<int64_t>(fallback));
}

std::optional<SmallVector<double>> NodeContext::attrFloats(StringRef name) {
  const AttributeProto *attribute =
      find(name, AttributeProto::FLOATS, "floats");
  if (!attribute)
    return std::nullopt;
  return SmallVector<double>(attribute->floats().begin(),
                             attribute->floats().end());
}

std::optional<SmallVector<std::string>>
NodeContext::attrStrings(StringRef name) {
  const AttributeProto *attribute =
      find(name, AttributeProto::STRINGS, "strings");
  if (!attribute)
    return std::nullopt;
  return SmallVector<std::string>(attribute->strings().begin(),
                                  attribute->strings().end());
}

ElementsAttr NodeContext::attrTensor(StringRef name) {
  const AttributeProto *attribute = find(name);
  if (!attribute)
    return {};
  std::string reason;
  ElementsAttr value;
  if (typeOf(*attribute) == AttributeProto::TENSOR)
    value = importer.reader.read(attribute->t(), reason);
  else if (typeOf(*attribute) == AttributeProto::SPARSE_TENSOR)
    value = importer.reader.read(attribute->sparse_tensor(), reason);
  else
    reason = "it is not of type tensor";
  if (!value)
    (void)error("attribute '" + name + "': " + reason, "",
                DiagnosticCode::BadAttribute);
  return value;
}

const onnx::GraphProto *NodeContext::attrGraph(StringRef name) {
  const AttributeProto *attribute = find(name, AttributeProto::GRAPH, "graph");
  return attribute ? &attribute->g() : nullptr;
}

void NodeContext::ignoreAttr(StringRef name) { (void)find(name); }

Type NodeContext::elementType(int64_t onnxDataType) {
  Type type = onnxDataType < 0 || onnxDataType > 255
                  ? Type()
                  : getElementType(context(), onnxDataType);
  if (!type)
    (void)unsupported("element type " +
                      getDataTypeName(onnxDataType < 0 || onnxDataType > 255
                                          ? -1
                                          : int(onnxDataType)));
  return type;
}

LogicalResult NodeContext::checkAllAttributesUsed() {
  // Written by old exporters, without meaning for inference.
  static constexpr StringRef harmless[] = {"consumed_inputs", "doc_string",
                                           "__backend"};
  for (auto [index, attribute] : llvm::enumerate(node.attribute()))
    if (!usedAttributes.test(index) &&
        !llvm::is_contained(harmless, StringRef(attribute.name())))
      return error("unknown attribute '" + Twine(attribute.name()) + "'", "",
                   DiagnosticCode::BadAttribute);
  return success();
}

// Contents
// ----------------------------------------------------------------------

const ShapeValue *NodeContext::contents(Value value) const {
  return value ? importer.contents(value) : nullptr;
}

std::optional<eff::Dims> NodeContext::sizes(Value value) const {
  if (value)
    (void)importer.defineContents(value);
  return knownSizes(value);
}

AffineExpr NodeContext::defineSize(Value value, int64_t element, int64_t min,
                                   int64_t max) {
  if (!value)
    return eff::constDim(context(), 0);
  AffineExpr size = importer.declareLate(getNodeName(location),
                                         b.getInsertionBlock(), min, max);
  eff::DefineSizeOp::create(b, location, value, element,
                            cast<AffineSymbolExpr>(size).getPosition());
  return size;
}

std::optional<eff::Dims> NodeContext::knownSizes(Value value) const {
  const ShapeValue *contents = value ? importer.contents(value) : nullptr;
  if (!contents || !isa<IntegerType>(contents->elementType))
    return std::nullopt;
  eff::Dims dims;
  for (const ShapeElement &element : contents->elements) {
    dims.push_back(element.asSize(context()));
    if (!dims.back())
      return std::nullopt;
  }
  return dims;
}

std::optional<eff::Dims> NodeContext::partialSizes(Value value) const {
  const ShapeValue *contents = value ? importer.contents(value) : nullptr;
  if (!contents || !isa<IntegerType>(contents->elementType))
    return std::nullopt;
  eff::Dims dims;
  for (const ShapeElement &element : contents->elements)
    dims.push_back(element.asSize(context()));
  return dims;
}

bool NodeContext::isLate(AffineExpr size) const {
  return importer.symbols.isLate(size);
}

std::optional<SmallVector<int64_t>> NodeContext::constants(Value value) const {
  const ShapeValue *contents = value ? importer.contents(value) : nullptr;
  if (!contents)
    return std::nullopt;
  SmallVector<int64_t> values;
  for (const ShapeElement &element : contents->elements) {
    if (element.kind != ShapeElement::Int)
      return std::nullopt;
    values.push_back(element.integer);
  }
  return values;
}

std::optional<SmallVector<double>> NodeContext::floats(Value value) const {
  const ShapeValue *contents = value ? importer.contents(value) : nullptr;
  if (!contents)
    return std::nullopt;
  SmallVector<double> values;
  for (const ShapeElement &element : contents->elements) {
    if (!element.isConstant())
      return std::nullopt;
    values.push_back(element.asDouble());
  }
  return values;
}

std::optional<SmallVector<double>>
NodeContext::elements(ElementsAttr value) const {
  std::optional<ShapeValue> contents =
      readShapeValue(value, value.getNumElements());
  if (!contents)
    return std::nullopt;
  SmallVector<double> values;
  for (const ShapeElement &element : contents->elements)
    values.push_back(element.asDouble());
  return values;
}

std::optional<double> NodeContext::scalar(Value value) const {
  std::optional<SmallVector<double>> values = floats(value);
  if (!values || values->size() != 1)
    return std::nullopt;
  return values->front();
}

std::optional<AffineExpr> NodeContext::scalarSize(Value value) {
  auto type =
      value ? dyn_cast<RankedTensorType>(value.getType()) : RankedTensorType();
  if (!type)
    return std::nullopt;
  // A vector of unknown length has one element, which is checked.
  AffineExpr one = eff::constDim(context(), 1);
  if (type.getRank() == 1 && !type.hasStaticShape()) {
    if (mlir::failed(requireEqual(eff::getDim(type, 0), one,
                                  "a number is a vector of other length")))
      return std::nullopt;
    value = createTyped<eff::SliceOp>(
        RankedTensorType::get({1}, type.getElementType()), value,
        eff::DimsAttr::get(context(), {eff::constDim(context(), 0)}),
        ArrayRef<int64_t>{1});
  } else if (eff::getConstant(eff::getNumElements(type)) != 1) {
    return std::nullopt;
  }
  std::optional<eff::Dims> values = sizes(value);
  if (!values || values->size() != 1)
    return std::nullopt;
  return values->front();
}

AffineExpr NodeContext::minSize(AffineExpr a, AffineExpr b) {
  return importer.symbols.min(a, b);
}
AffineExpr NodeContext::maxSize(AffineExpr a, AffineExpr b) {
  return importer.symbols.max(a, b);
}
std::pair<int64_t, int64_t> NodeContext::bounds(AffineExpr size) const {
  return importer.symbols.bounds(size);
}

LogicalResult NodeContext::requireEqual(AffineExpr x, AffineExpr y,
                                        const Twine &what) {
  AffineExpr difference = eff::simplify(x - y);
  if (std::optional<int64_t> constant = eff::getConstant(difference)) {
    if (*constant == 0)
      return success();
    return error(what + ": " + eff::toString(x) + " and " + eff::toString(y) +
                     " must be equal",
                 "", DiagnosticCode::SizesDiffer);
  }
  importer.addCheck(x, y, getNodeName(location) + ": " + what);
  return success();
}

LogicalResult NodeContext::requireBroadcast(AffineExpr size, AffineExpr to,
                                            const Twine &what) {
  if (eff::getConstant(size) == 1)
    return success();
  return requireEqual(
      importer.symbols.mayBeOne(size, to) ? eff::repeatedSize(size, to) : size,
      to, what);
}

AffineExpr NodeContext::meetSizes(AffineExpr a, AffineExpr b) {
  return importer.symbols.meet(a, b);
}

Value NodeContext::broadcastOperand(Value x, ArrayRef<AffineExpr> dims) {
  if (!x)
    return {};
  auto type = cast<RankedTensorType>(x.getType());
  eff::Dims own = eff::getDims(type);
  bool any = false;
  for (size_t i = 1; i <= std::min(own.size(), dims.size()); ++i) {
    AffineExpr &size = own[own.size() - i];
    AffineExpr to = dims[dims.size() - i];
    if (!to || !importer.symbols.mayBeOne(size, to))
      continue;
    size = to;
    any = true;
  }
  if (!any)
    return x;
  return createTyped<eff::BroadcastOp>(
      eff::makeTensorType(type.getElementType(), own), x);
}

void NodeContext::broadcastOperands(MutableArrayRef<Value> operands,
                                    int64_t skip) {
  eff::Dims met;
  for (Value operand : operands) {
    if (!operand)
      return;
    eff::Dims own = eff::getDims(operand.getType());
    own.pop_back_n(std::min<size_t>(skip, own.size()));
    while (met.size() < own.size())
      met.insert(met.begin(), eff::constDim(context(), 1));
    for (size_t i = 1; i <= own.size(); ++i) {
      AffineExpr &size = met[met.size() - i];
      size = meetSizes(size, own[own.size() - i]);
    }
  }
  // What the model says of the result decides between them.
  std::optional<eff::Dims> declared = declaredDims(0);
  if (declared && declared->size() == met.size() + skip)
    for (auto [size, known] : llvm::zip(met, *declared))
      if (known && known != size && importer.symbols.isPart(known, size))
        size = known;
  met.append(skip, AffineExpr());
  for (Value &operand : operands)
    operand = broadcastOperand(operand, met);
}

// Building
// ----------------------------------------------------------------------

static constexpr unsigned maxSizeParts = 300;

/// Whether an expression has more than `budget` parts, or one that did not fit
/// into 64 bits. Sizes that double at every node of a model would take all
/// time.
static bool isTooLong(AffineExpr expr, unsigned &budget) {
  if (budget == 0 || !expr)
    return true;
  --budget;
  auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
  return binary && (isTooLong(binary.getLHS(), budget) ||
                    isTooLong(binary.getRHS(), budget));
}

/// Why no value can have this type, or "".
static StringRef findFault(RankedTensorType tensor) {
  if (tensor.getRank() > 64)
    return "the result would have more than 64 dimensions";
  for (int64_t size : tensor.getShape())
    if (!ShapedType::isDynamic(size) && size < 0)
      return "a size of the result would be negative";
  if (hasTooManyElements(tensor.getShape()))
    return "the result would have more than 2^48 elements";
  for (AffineExpr size : eff::getDims(tensor))
    if (unsigned budget = maxSizeParts; isTooLong(size, budget))
      return "a size of the result is too long an expression; fix sizes of "
             "inputs with --dim or --input-shape";
  return "";
}

/// Refuses types that no value can have.
static LogicalResult checkTypes(NodeContext &ctx, TypeRange types) {
  for (Type type : types) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    StringRef fault = tensor ? findFault(tensor) : "";
    if (!fault.empty())
      return ctx.error(fault, "",
                       fault.contains("negative")
                           ? DiagnosticCode::SizesDiffer
                           : DiagnosticCode::ModelTooLarge);
  }
  return success();
}

Operation *NodeContext::insert(OperationState &state, bool infer) {
  // A null operand: the step that should have made it has reported.
  if (llvm::is_contained(state.operands, Value())) {
    if (!failed)
      (void)error("a required input is missing", "",
                  DiagnosticCode::BadInputCount);
    return nullptr;
  }
  if (infer) {
    std::optional<RegisteredOperationName> info =
        state.name.getRegisteredInfo();
    auto *interface =
        info ? info->getInterface<InferTypeOpInterface>() : nullptr;
    SmallVector<Type> types;
    if (!interface || mlir::failed(interface->inferReturnTypes(
                          context(), location, state.operands,
                          state.attributes.getDictionary(context()),
                          state.getRawProperties(), state.regions, types))) {
      if (!failed)
        (void)error("operands of " + state.name.getStringRef() + " do not fit",
                    "", DiagnosticCode::OperandsDoNotFit);
      return nullptr;
    }
    state.types.assign(types.begin(), types.end());
  }
  if (mlir::failed(checkTypes(*this, state.types)))
    return nullptr;
  // A size of data may be anything.
  for (Type type : state.types)
    for (AffineExpr size : eff::getDims(type))
      if (size && importer.symbols.isLate(size) &&
          importer.symbols.bounds(size).first < 0)
        importer.addCheck(maxSize(size, eff::constDim(context(), 0)), size,
                          getNodeName(location) + ": a size is negative");
  Operation *op = b.create(state);
  if (mlir::failed(verify(op))) {
    // The verifier's own diagnostic names the node already.
    failed = true;
    importer.countError();
    op->erase();
    return nullptr;
  }
  return op;
}

Value NodeContext::finish(OperationState &state, bool infer) {
  Operation *op = insert(state, infer);
  return op ? op->getResult(0) : Value();
}

Value NodeContext::constant(ElementsAttr value) {
  return value ? importer.makeConstant(location, value) : Value();
}

/// C++ leaves the conversion of what does not fit undefined.
static int64_t clampToInteger(double value) {
  constexpr double limit = 0x1p63;
  if (std::isnan(value))
    return 0;
  if (value >= limit)
    return std::numeric_limits<int64_t>::max();
  return value < -limit ? std::numeric_limits<int64_t>::min() : int64_t(value);
}

Value NodeContext::splat(Type elementType, double value,
                         ArrayRef<int64_t> shape) {
  auto type = RankedTensorType::get(shape, elementType);
  if (mlir::failed(checkTypes(*this, type)))
    return {};
  Attribute element;
  if (auto floatType = dyn_cast<FloatType>(elementType))
    element = FloatAttr::get(floatType, value);
  else
    element = IntegerAttr::get(
        elementType,
        APInt(elementType.getIntOrFloatBitWidth(), clampToInteger(value),
              /*isSigned=*/true, /*implicitTrunc=*/true));
  return constant(DenseElementsAttr::get(type, element));
}

Value NodeContext::constantI64(ArrayRef<int64_t> values) {
  auto type = RankedTensorType::get(values.size(), b.getI64Type());
  return constant(DenseElementsAttr::get(type, values));
}

Value NodeContext::dimValues(ArrayRef<AffineExpr> values, Type elementType,
                             ArrayRef<int64_t> shape) {
  ShapeValue contents{elementType, SmallVector<int64_t>(shape), {}};
  for (AffineExpr value : values)
    contents.elements.push_back(ShapeElement::of(value));
  if (contents.isConstant())
    return constant(contents.toAttr());
  return importer.makeDimValues(location, contents);
}

// Failure
// -----------------------------------------------------------------------

LogicalResult NodeContext::error(const Twine &reason, const Twine &remedy,
                                 DiagnosticCode code) {
  failed = true;
  importer.countError();
  InFlightDiagnostic diagnostic = emitError(location, code) << reason;
  std::string text = remedy.str();
  if (!text.empty())
    diagnostic.attachNote() << text;
  return failure();
}

LogicalResult NodeContext::unsupported(const Twine &reason,
                                       const Twine &remedy) {
  failed = true;
  reportedUnsupported = true;
  importer.reportUnsupported(location, domain(), opType(), opsetVersion, reason,
                             remedy, DiagnosticCode::UnsupportedForm);
  return failure();
}

void NodeContext::warning(const Twine &message) {
  emitWarning(location, DiagnosticCode::NodeWarning) << message;
}

void NodeContext::remark(DiagnosticCode code, const Twine &message) {
  emitRemark(location, code) << message;
}

} // namespace effc
