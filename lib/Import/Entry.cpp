// The function `main` of a model: options, arguments with their sizes, outputs.
#include "Eff/LateSizes.h"
#include "Importer.h"
#include "ModelLimits.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;

namespace effc {

/// As many as `#eff.dims` can name.
static constexpr size_t maxSymbols = 4096;
/// As the official checker.
static constexpr int maxFunctions = 10000;
static constexpr int64_t minOpset = 7, maxOpset = 28;

/// Versions, names and counts; payloads are checked where they are read.
LogicalResult Importer::checkModel() {
  const onnx::ModelProto &model = file->model();
  Location loc = FileLineColLoc::get(context, file->name(), 0, 0);
  for (const onnx::OperatorSetIdProto &opset : model.opset_import()) {
    std::string domain = opset.domain() == "ai.onnx" ? "" : opset.domain();
    auto [it, isNew] = opsets.try_emplace(domain, opset.version());
    if (!isNew && it->second != opset.version())
      return error(loc) << "two versions of domain '" << domain
                        << "' are imported: " << it->second << " and "
                        << opset.version();
  }
  auto opset = opsets.find("");
  bool usesDefaultDomain =
      llvm::any_of(model.graph().node(), [](const onnx::NodeProto &node) {
        return node.domain().empty() || node.domain() == "ai.onnx";
      });
  if (opset == opsets.end() && usesDefaultDomain)
    return error(loc, DiagnosticCode::UnsupportedOpset)
           << "the model imports no version of domain ai.onnx";
  if (opset != opsets.end() && opset->second < minOpset) {
    InFlightDiagnostic diagnostic =
        error(loc, DiagnosticCode::UnsupportedOpset);
    diagnostic << "opset " << opset->second << " is older than " << minOpset;
    diagnostic.attachNote() << "onnx.version_converter can raise it";
    return diagnostic;
  }
  if (opset != opsets.end() && opset->second > maxOpset)
    return error(loc, DiagnosticCode::UnsupportedOpset)
           << "opset " << opset->second << " is newer than " << maxOpset
           << ", the newest that is supported";
  llvm::StringSet<> names;
  for (const onnx::TensorProto &tensor : model.graph().initializer())
    if (!names.insert(tensor.name()).second)
      return error(loc) << "initializer '" << tensor.name()
                        << "' is defined twice";
  for (const onnx::SparseTensorProto &tensor :
       model.graph().sparse_initializer())
    if (!names.insert(tensor.values().name()).second)
      return error(loc) << "initializer '" << tensor.values().name()
                        << "' is defined twice";
  if (model.functions_size() > maxFunctions)
    return error(loc, DiagnosticCode::ModelTooLarge)
           << "more than " << maxFunctions << " local functions";
  for (const onnx::FunctionProto &callee : model.functions())
    functions[callee.domain() + "\n" + callee.name() + "\n" +
              callee.overload()] = &callee;
  return success();
}

LogicalResult Importer::selectOutputs() {
  const onnx::GraphProto &graph = file->model().graph();
  Location loc = FileLineColLoc::get(context, file->name(), 0, 0);
  if (options.outputs.empty())
    for (const onnx::ValueInfoProto &output : graph.output())
      outputs.push_back(&output);
  std::vector<std::string> wanted = options.outputs;
  for (const auto &[input, output] : states)
    if (!wanted.empty() && !llvm::is_contained(wanted, output))
      wanted.push_back(output);
  for (const std::string &name : wanted) {
    auto it = llvm::find_if(graph.output(), [&](const auto &output) {
      return output.name() == name;
    });
    if (it == graph.output().end())
      return error(loc, DiagnosticCode::NoSuchInput)
             << "option --output-names: the model has no output '" << name
             << "'";
    outputs.push_back(&*it);
  }
  if (outputs.empty())
    return error(loc) << "the graph has no output";
  return success();
}

/// Resolves `--dim` and `--input-shape` to constants for symbols and dims.
LogicalResult Importer::applyShapeOptions() {
  Location loc = FileLineColLoc::get(context, file->name(), 0, 0);
  for (const DimRange &range : options.dims) {
    const std::string &name = range.name;
    if (range.min < 0 || range.max < range.min)
      return error(loc, DiagnosticCode::BadInputOption)
             << "option --dim: no size of '" << name << "' is between "
             << range.min << " and " << range.max;
    bool known = llvm::any_of(inputs, [&](const auto *input) {
      return llvm::any_of(
          input->type().tensor_type().shape().dim(),
          [&](const auto &dim) { return dim.dim_param() == name; });
    });
    if (!known)
      return error(loc, DiagnosticCode::NoSuchInput)
             << "option --dim: no input has a size named '" << name << "'";
    if (range.min == range.max)
      symbols.define(name, eff::constDim(context, range.min));
  }
  for (const auto &[name, shape] : options.inputShapes) {
    auto it = llvm::find_if(inputs, [&, &name = name](const auto *input) {
      return input->name() == name;
    });
    if (it == inputs.end())
      return error(loc, DiagnosticCode::NoSuchInput)
             << "option --input-shape: the model has no input '" << name << "'";
    const auto &declared = (*it)->type().tensor_type().shape();
    if ((*it)->type().tensor_type().has_shape() &&
        declared.dim_size() != int64_t(shape.size()))
      return error(loc, DiagnosticCode::BadInputOption)
             << "option --input-shape: input '" << name << "' has rank "
             << declared.dim_size();
    for (auto [axis, size] : llvm::enumerate(shape)) {
      if (size < 0)
        continue;
      shapeOverrides[{name, axis}] = size;
      if (int64_t(axis) < declared.dim_size() &&
          !declared.dim(axis).dim_param().empty())
        symbols.define(declared.dim(axis).dim_param(),
                       eff::constDim(context, size));
    }
  }
  return success();
}

/// Only the length of a past may be 0 (the first step of a decoder). Knowing
/// that other sizes are not lets `x[-1:]` have extent 1.
static int64_t defaultMinimum(StringRef symbol, StringRef input) {
  auto mayBeEmpty = [](StringRef name) {
    return name.contains_insensitive("past") ||
           name.contains_insensitive("cache");
  };
  return mayBeEmpty(symbol) || (mayBeEmpty(input) && symbol.empty()) ? 0 : 1;
}

static bool isPlainName(StringRef text) {
  return text.find_first_of("+-*/() ") == StringRef::npos;
}

AffineExpr Importer::declareSymbol(StringRef name, StringRef param,
                                   StringRef input, int64_t index,
                                   int64_t axis) {
  int64_t min = defaultMinimum(param, input), max = options.maxFreeSize;
  for (const DimRange &range : options.dims)
    if (range.name == param) {
      min = range.min;
      max = range.max;
    }
  AffineExpr symbol = symbols.declare(name, index, axis, min, max);
  if (isState(*inputs[index]))
    symbols.markState(symbol);
  return symbol;
}

AffineExpr Importer::importDim(const onnx::ValueInfoProto &input, int64_t index,
                               int64_t axis) {
  const auto &shape = input.type().tensor_type().shape();
  std::optional<int64_t> declared;
  StringRef param;
  if (axis < shape.dim_size()) {
    // Broken files write -1 for an unknown size.
    if (shape.dim(axis).has_dim_value() && shape.dim(axis).dim_value() >= 0)
      declared = shape.dim(axis).dim_value();
    param = shape.dim(axis).dim_param();
  }
  auto chosen = shapeOverrides.find({input.name(), axis});
  if (chosen != shapeOverrides.end()) {
    if (declared && *declared != chosen->second) {
      error(locationOfValue(input.name()), DiagnosticCode::BadInputOption)
          << "option --input-shape: dim " << axis << " of input '"
          << input.name() << "' is " << *declared << " in the model";
      return {};
    }
    return eff::constDim(context, chosen->second);
  }
  if (declared)
    return eff::constDim(context, *declared);
  if (!param.empty()) {
    if (AffineExpr known = symbols.lookup(param))
      return known;
    AffineExpr expression = symbols.parse(param);
    // "-1" is no name either.
    if (expression && eff::getConstant(expression).value_or(0) >= 0)
      return expression;
    if (!expression)
      return declareSymbol(param, param, input.name(), index, axis);
  }
  std::string name = input.name() + "_dim" + std::to_string(axis);
  while (symbols.lookup(name))
    name += "_";
  return declareSymbol(name, "", input.name(), index, axis);
}

Type Importer::importArgument(const onnx::ValueInfoProto &input,
                              int64_t index) {
  Location loc = locationOfValue(input.name());
  if (!input.type().has_tensor_type()) {
    error(loc, DiagnosticCode::UnsupportedInputType)
        << "input '" << input.name() << "' is "
        << (input.type().has_sequence_type()   ? "a sequence"
            : input.type().has_optional_type() ? "an optional"
                                               : "not a tensor")
        << "; only tensors can be inputs";
    return {};
  }
  const auto &tensor = input.type().tensor_type();
  Type elementType = getElementType(context, tensor.elem_type());
  if (!elementType) {
    error(loc, DiagnosticCode::UnsupportedInputType)
        << "input '" << input.name() << "': element type "
        << getDataTypeName(tensor.elem_type()) << " is not supported";
    return {};
  }
  int64_t rank = tensor.shape().dim_size();
  if (!tensor.has_shape()) {
    auto it = llvm::find_if(options.inputShapes, [&](const auto &option) {
      return option.first == input.name();
    });
    if (it == options.inputShapes.end()) {
      InFlightDiagnostic diagnostic = error(loc, DiagnosticCode::NoRank);
      diagnostic << "input '" << input.name() << "' has no declared rank";
      diagnostic.attachNote() << "give its shape with --input-shape";
      return {};
    }
    rank = it->second.size();
  }
  if (rank > 64) {
    error(loc, DiagnosticCode::ModelTooLarge)
        << "input '" << input.name() << "' has rank " << rank
        << ", more than 64";
    return {};
  }
  eff::Dims dims;
  for (int64_t axis = 0; axis < rank; ++axis) {
    AffineExpr dim = importDim(input, index, axis);
    if (!dim)
      return {};
    dims.push_back(dim);
  }
  RankedTensorType type = eff::makeTensorType(elementType, dims);
  if (!hasTooManyElements(type.getShape()))
    return type;
  error(loc, DiagnosticCode::ModelTooLarge)
      << "input '" << input.name() << "' has more than 2^48 elements";
  return {};
}

LogicalResult Importer::collectInputs() {
  const onnx::GraphProto &graph = file->model().graph();
  Location loc = FileLineColLoc::get(context, file->name(), 0, 0);
  llvm::StringSet<> names, fixed;
  for (const auto &[name, values] : options.inputValues)
    fixed.insert(name);
  for (const onnx::ValueInfoProto &input : graph.input()) {
    if (!names.insert(input.name()).second)
      return error(loc) << "input '" << input.name() << "' is declared twice";
    if (fixed.erase(input.name())) {
      fixedInputs.push_back(&input);
      continue;
    }
    if (top.initializers.count(input.name())) {
      // From IR 4 on this is a default that a caller may override.
      if (file->model().ir_version() >= 4)
        emitRemark(locationOfValue(input.name()),
                   DiagnosticCode::InitializerIsConstant)
            << "input '" << input.name()
            << "' has a default; it becomes a constant";
      continue;
    }
    inputs.push_back(&input);
  }
  if (!fixed.empty())
    return error(loc, DiagnosticCode::NoSuchInput)
           << "option --input-value: the model has no input '"
           << fixed.begin()->getKey() << "'";
  return success();
}

LogicalResult Importer::importFixedInputs() {
  for (const onnx::ValueInfoProto *input : fixedInputs) {
    Location loc = locationOfValue(input->name());
    const auto &tensor = input->type().tensor_type();
    auto option = llvm::find_if(options.inputValues, [&](const auto &entry) {
      return entry.first == input->name();
    });
    ShapeValue value{getElementType(context, tensor.elem_type()), {}, {}};
    int64_t count = 1;
    for (const auto &dim : tensor.shape().dim()) {
      // A free size is that of the list.
      int64_t size = dim.has_dim_value() ? dim.dim_value()
                                         : int64_t(option->second.size());
      value.shape.push_back(size);
      if (size < 0 || size > maxShapeElements ||
          (count *= size) > maxShapeElements)
        return error(loc, DiagnosticCode::BadInputOption)
               << "option --input-value: input '" << input->name()
               << "' has too many elements";
    }
    size_t given = option->second.size();
    if (!value.elementType || (given != 1 && int64_t(given) != count))
      return error(loc, DiagnosticCode::BadInputOption)
             << "option --input-value: input '" << input->name() << "' has "
             << count << " elements, given are " << given;
    for (int64_t i = 0; i < count; ++i) {
      double number = option->second[given == 1 ? 0 : i];
      value.elements.push_back(isa<FloatType>(value.elementType)
                                   ? ShapeElement::ofFloat(number)
                                   : ShapeElement::of(int64_t(number)));
    }
    top.values[input->name()] = makeConstant(loc, value.toAttr());
  }
  return success();
}

/// Of an argument or a result. All are set at once: one by one, each would copy
/// the list.
static DictionaryAttr getNameAttrs(Builder &builder, StringRef name) {
  return builder.getDictionaryAttr(
      builder.getNamedAttr("eff.name", builder.getStringAttr(name)));
}

LogicalResult Importer::importArguments() {
  Location loc = FileLineColLoc::get(context, file->name(), 0, 0);
  if (failed(collectInputs()))
    return failure();
  if (failed(applyShapeOptions()))
    return failure();
  // A size that an input gives is never that of a state. Plain names first, so
  // that "past + 1" finds "past" wherever it stands.
  SmallVector<unsigned> order;
  for (bool state : {false, true})
    for (unsigned index = 0; index < inputs.size(); ++index)
      if (isState(*inputs[index]) == state)
        order.push_back(index);
  for (unsigned index : order)
    for (auto [axis, dim] :
         llvm::enumerate(inputs[index]->type().tensor_type().shape().dim()))
      if (!dim.dim_param().empty() && isPlainName(dim.dim_param()) &&
          !symbols.lookup(dim.dim_param()) &&
          !shapeOverrides.count({inputs[index]->name(), int64_t(axis)}))
        declareSymbol(dim.dim_param(), dim.dim_param(), inputs[index]->name(),
                      index, axis);
  SmallVector<Type> types(inputs.size());
  bool complete = true;
  for (unsigned index : order) {
    types[index] = importArgument(*inputs[index], index);
    complete &= bool(types[index]);
  }
  if (!complete)
    return failure();
  if (symbols.size() > maxSymbols)
    return error(loc, DiagnosticCode::ModelTooLarge)
           << "more than " << maxSymbols << " free sizes";
  function = func::FuncOp::create(builder, loc, "main",
                                  builder.getFunctionType(types, {}));
  Block *block = function.addEntryBlock();
  SmallVector<DictionaryAttr> names;
  for (auto [index, input] : llvm::enumerate(inputs)) {
    top.values[input->name()] = block->getArgument(index);
    names.push_back(getNameAttrs(builder, input->name()));
  }
  function.setAllArgAttrs(names);
  builder.setInsertionPointToEnd(block);
  return importFixedInputs();
}

LogicalResult Importer::checkDeclaredOutput(const onnx::ValueInfoProto &output,
                                            Value value) {
  const auto &declared = output.type().tensor_type();
  auto type = cast<RankedTensorType>(value.getType());
  Location loc = locationOfValue(output.name());
  if (!output.type().has_tensor_type())
    return success();
  Type elementType = getElementType(context, declared.elem_type());
  if (elementType && elementType != type.getElementType())
    return error(loc) << "output '" << output.name() << "' is declared "
                      << elementType << " and computed "
                      << type.getElementType();
  if (!declared.has_shape())
    return success();
  bool ranksAgree = declared.shape().dim_size() == type.getRank();
  bool fits = ranksAgree;
  for (int64_t axis = 0; fits && axis < type.getRank(); ++axis) {
    const auto &dim = declared.shape().dim(axis);
    fits = !dim.has_dim_value() || dim.dim_value() < 0 ||
           type.isDynamicDim(axis) || type.getDimSize(axis) == dim.dim_value();
  }
  if (fits)
    return success();
  std::string text;
  for (const auto &dim : declared.shape().dim())
    text += (text.empty() ? "" : "x") +
            (dim.has_dim_value() ? std::to_string(dim.dim_value()) : "?");
  // Shrunk and edited models keep old sizes there; a rank is never wrong by
  // accident.
  if (ranksAgree) {
    emitWarning(loc, DiagnosticCode::DeclaredShapeDiffers)
        << "output '" << output.name() << "' is declared " << text
        << " and computed " << type;
    return success();
  }
  return error(loc) << "output '" << output.name() << "' is declared " << text
                    << " and computed " << type;
}

/// Of sizes that met in a broadcast, the one that an output is declared to have
/// is its size: the others are 1 or the same.
void Importer::useDeclaredSizes(const onnx::ValueInfoProto &output,
                                Value value) {
  const auto &shape = output.type().tensor_type().shape();
  eff::Dims dims = eff::getDims(value.getType());
  for (auto [declared, size] : llvm::zip(shape.dim(), dims)) {
    AffineExpr known = symbols.lookup(declared.dim_param());
    if (known && known != size && !symbols.isLate(size) &&
        symbols.isPart(known, size))
      addCheck(size, known,
               "output '" + output.name() + "': a size is not as declared");
  }
}

LogicalResult Importer::finishFunction() {
  SmallVector<Value> results;
  for (const onnx::ValueInfoProto *output : outputs) {
    Location loc = locationOfValue(output->name());
    if (failed(checkReadable(top, output->name(), loc)))
      return failure();
    Value value = lookup(top, output->name());
    if (!value)
      return error(loc, DiagnosticCode::UnsupportedForm)
             << "output '" << output->name() << "' is "
             << (lookupList(top, output->name())
                     ? "a sequence"
                     : "an optional without an element")
             << "; only tensors can be outputs";
    if (failed(checkDeclaredOutput(*output, value)))
      return failure();
    useDeclaredSizes(*output, value);
    results.push_back(value);
  }
  Location loc = function.getLoc();
  func::ReturnOp::create(builder, loc, results);
  function.setType(builder.getFunctionType(function.getArgumentTypes(),
                                           ValueRange(results).getTypes()));
  SmallVector<DictionaryAttr> names;
  for (const onnx::ValueInfoProto *output : outputs)
    names.push_back(getNameAttrs(builder, output->name()));
  function.setAllResultAttrs(names);
  function->setAttr("eff.symbols", symbols.toAttr());
  eff::eraseDeadOps(function);
  checksInBlocks.clear();
  collectEqualities(
      function, symbols,
      [&](Operation *op, AffineExpr a, AffineExpr b, StringRef what) {
        builder.setInsertionPoint(op);
        addCheck(a, b, getNodeName(op->getLoc()) + ": " + what);
      });
  unifySizes();
  if (failed(declareStates()))
    return failure();
  SmallVector<Attribute> checkList;
  for (auto &[sizes, check] : checks)
    checkList.push_back(check);
  function->setAttr("eff.checks", builder.getArrayAttr(checkList));
  return success();
}

OwningOpRef<ModuleOp> Importer::run() {
  // Diagnostics that ops emit while they are built learn their operator here.
  ScopedDiagnosticHandler annotate(context, [&](Diagnostic &diagnostic) {
    if (currentOperator && getOperator(diagnostic).empty())
      setOperator(diagnostic, currentOperator);
    return failure();
  });
  Location loc = FileLineColLoc::get(context, file->name(), 0, 0);
  OwningOpRef<ModuleOp> owner = ModuleOp::create(loc);
  module = *owner;
  builder.setInsertionPointToEnd(module.getBody());
  const onnx::GraphProto &graph = file->model().graph();
  addGraph(top, graph);
  top.opsets = &opsets;
  if (failed(checkModel()) || failed(resolveStates()) ||
      failed(selectOutputs()) || failed(importArguments()))
    return {};
  SmallVector<StringRef> names;
  for (const onnx::ValueInfoProto *output : outputs)
    names.push_back(output->name());
  LogicalResult imported = importBody(top, graph.node(), names, loc);
  flushUnsupported();
  if (failed(imported) || numErrors)
    return {};
  if (failed(finishFunction()) || numErrors || failed(verify(module)))
    return {};
  return owner;
}

static OwningOpRef<ModuleOp> importBytes(ArrayRef<char> bytes, StringRef name,
                                         StringRef folder, MLIRContext *context,
                                         const ImportOptions &options) {
  context->loadDialect<eff::EffDialect, func::FuncDialect>();
  bool trusted = !options.externalDataDir.empty();
  auto file = std::make_shared<ModelFile>(
      name, trusted ? StringRef(options.externalDataDir) : folder, trusted);
  std::string reason;
  auto loc = FileLineColLoc::get(context, name, 0, 0);
  if (!checkModelLimits(bytes, reason)) {
    emitError(loc, DiagnosticCode::ModelTooLarge) << reason;
    return {};
  }
  if (!file->parse(bytes, reason)) {
    emitError(loc, DiagnosticCode::NotAModel) << reason;
    return {};
  }
  bool reported = false;
  ScopedDiagnosticHandler watch(context, [&](Diagnostic &diagnostic) {
    reported |= diagnostic.getSeverity() == DiagnosticSeverity::Error;
    return failure();
  });
  OwningOpRef<ModuleOp> module = Importer(file, context, options).run();
  // Nobody must be left without a reason.
  if (!module && !reported)
    emitError(loc) << "internal error: refused for no reason that is known";
  if (std::string hash;
      module && options.hashExternal && !(hash = file->hashExternal()).empty())
    (*module)->setAttr(kExternalHashAttr, StringAttr::get(context, hash));
  return module;
}

static std::pair<StringRef, StringRef> splitPath(StringRef path) {
  auto [folder, name] = path.rsplit('/');
  return name.empty()
             ? std::make_pair(StringRef(), path)
             : std::make_pair(folder.empty() ? StringRef("/") : folder, name);
}

OwningOpRef<ModuleOp> importOnnxFile(StringRef path, MLIRContext *context,
                                     const ImportOptions &options) {
  auto [folder, name] = splitPath(path);
  std::string reason;
  std::shared_ptr<MappedFile> bytes = MappedFile::open(path, reason);
  if (!bytes) {
    emitError(FileLineColLoc::get(context, name, 0, 0),
              DiagnosticCode::CannotReadModel)
        << "cannot read '" << path << "': " << reason;
    return {};
  }
  return importBytes(bytes->bytes(), name, folder, context, options);
}

OwningOpRef<ModuleOp> importOnnxBytes(StringRef bytes, StringRef name,
                                      StringRef folder, MLIRContext *context,
                                      const ImportOptions &options) {
  return importBytes(ArrayRef<char>(bytes.data(), bytes.size()), name, folder,
                     context, options);
}

} // namespace effc
