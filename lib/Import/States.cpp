// Inputs and outputs that a session keeps from run to run: which belong
// together, and whether one can follow the other.
#include "Importer.h"
#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;

namespace effc {

template <typename Values>
static bool hasName(const Values &values, StringRef name) {
  return llvm::any_of(values,
                      [&](const auto &value) { return value.name() == name; });
}

/// The output that an input like "past_key_values.0.key" becomes by the
/// convention of exporters; "" for other inputs.
static std::string findPresent(const onnx::GraphProto &graph, StringRef input) {
  for (StringRef past : {"past_key_values", "past"}) {
    StringRef rest = input;
    if (!rest.consume_front(past) ||
        !(rest.starts_with(".") || rest.starts_with("_")))
      continue;
    for (StringRef present : {"present_key_values", "present"}) {
      std::string output = (present + rest).str();
      if (hasName(graph.output(), output))
        return output;
    }
  }
  return "";
}

/// "IN:OUT"; either name may hold colons.
static std::optional<std::pair<std::string, std::string>>
splitState(const onnx::GraphProto &graph, StringRef text) {
  for (size_t at = text.find(':'); at != StringRef::npos;
       at = text.find(':', at + 1))
    if (hasName(graph.input(), text.take_front(at)) &&
        hasName(graph.output(), text.drop_front(at + 1)))
      return std::make_pair(text.take_front(at).str(),
                            text.drop_front(at + 1).str());
  return std::nullopt;
}

LogicalResult Importer::resolveStates() {
  const onnx::GraphProto &graph = file->model().graph();
  Location loc = FileLineColLoc::get(context, file->name(), 0, 0);
  auto fault = [&](const Twine &message) {
    return error(loc, DiagnosticCode::BadOption)
           << "option --state: " << message;
  };
  for (const std::string &text : options.states) {
    size_t before = states.size();
    if (text == "auto") {
      for (const onnx::ValueInfoProto &input : graph.input())
        if (std::string output = findPresent(graph, input.name());
            !output.empty())
          states.push_back({input.name(), output});
      if (states.size() == before)
        return fault("no input and output are called like past_key_values.0 "
                     "and present.0; name them with --state IN:OUT");
    } else if (auto state = splitState(graph, text)) {
      states.push_back(*state);
    } else {
      return fault("'" + text +
                   "' is no input and output of the model as IN:OUT");
    }
  }
  llvm::StringSet<> ins, outs;
  for (const auto &[input, output] : states) {
    if (!ins.insert(input).second)
      return fault("input '" + input + "' is named twice");
    if (!outs.insert(output).second)
      return fault("output '" + output + "' is named twice");
  }
  return success();
}

bool Importer::isState(const onnx::ValueInfoProto &input) const {
  return llvm::is_contained(llvm::make_first_range(states), input.name());
}

/// Sizes that only a state gives are 0 at first. Elsewhere they were taken for
/// positive unless their name says that they count the past.
LogicalResult Importer::checkStateSymbols(SmallVectorImpl<Attribute> &entries) {
  for (auto [position, entry] : llvm::enumerate(entries)) {
    auto symbol = dyn_cast<eff::SymbolAttr>(entry);
    if (!symbol || !isState(*inputs[symbol.getInput()]) || symbol.getMin() == 0)
      continue;
    bool used = false;
    for (Type type : function.getArgumentTypes())
      for (AffineExpr size : eff::getDims(type))
        used |= size.isFunctionOfSymbol(position);
    if (used) {
      StringRef name = inputs[symbol.getInput()]->name();
      InFlightDiagnostic diagnostic =
          error(locationOfValue(name), DiagnosticCode::BadOption);
      diagnostic << "option --state: no input gives dim " << symbol.getAxis()
                 << " ('" << symbol.getName().getValue() << "') of state '"
                 << name << "', which is not empty at first";
      diagnostic.attachNote() << "fix it with --input-shape or --dim";
      return diagnostic;
    }
    entry = eff::SymbolAttr::get(context, symbol.getName(), symbol.getInput(),
                                 symbol.getAxis(), 0, symbol.getMax());
  }
  return success();
}

/// Whether a size depends on sizes that the state itself gives.
static bool isGivenByState(AffineExpr size, ArrayRef<Attribute> entries,
                           llvm::function_ref<bool(unsigned)> isStateInput) {
  bool given = false;
  size.walk([&](AffineExpr expr) {
    auto position = dyn_cast<AffineSymbolExpr>(expr);
    if (!position || position.getPosition() >= entries.size())
      return;
    auto symbol = dyn_cast<eff::SymbolAttr>(entries[position.getPosition()]);
    given |= !symbol || isStateInput(symbol.getInput());
  });
  return given;
}

LogicalResult Importer::checkState(unsigned argument, unsigned result,
                                   ArrayRef<Attribute> entries) {
  auto before = cast<RankedTensorType>(function.getArgumentTypes()[argument]);
  auto after = cast<RankedTensorType>(function.getResultTypes()[result]);
  StringRef input = inputs[argument]->name(), output = outputs[result]->name();
  auto fault = [&] {
    return error(locationOfValue(input), DiagnosticCode::BadOption)
           << "option --state: output '" << output << "' cannot follow input '"
           << input << "': ";
  };
  if (before.getElementType() != after.getElementType())
    return fault() << "it is " << after.getElementType() << ", not "
                   << before.getElementType();
  if (before.getRank() != after.getRank())
    return fault() << "it has rank " << after.getRank() << ", not "
                   << before.getRank();
  eff::Dims sizes = eff::getDims(before), next = eff::getDims(after);
  for (auto [axis, size, other] : llvm::enumerate(sizes, next)) {
    if (!size || !other || isGivenByState(size, entries, [&](unsigned input) {
          return isState(*inputs[input]);
        }))
      continue;
    // The next run on such inputs must find what this one leaves.
    std::optional<int64_t> difference =
        eff::getConstant(eff::simplify(other - size));
    if (difference && *difference != 0)
      return fault() << "dim " << axis << " is " << eff::toString(other)
                     << ", not " << eff::toString(size);
    if (!difference)
      addCheck(other, size,
               "dim " + Twine(axis) + " of output '" + output +
                   "' cannot follow state '" + input + "'");
  }
  return success();
}

LogicalResult Importer::declareStates() {
  SmallVector<Attribute> entries(symbols.toAttr().begin(),
                                 symbols.toAttr().end());
  SmallVector<int64_t> pairs;
  for (const auto &[input, output] : states) {
    auto findIn = [](const auto &list, StringRef name) {
      return llvm::find_if(
                 list,
                 [&](const auto *value) { return value->name() == name; }) -
             list.begin();
    };
    int64_t argument = findIn(inputs, input), result = findIn(outputs, output);
    if (argument == int64_t(inputs.size()))
      return error(locationOfValue(input), DiagnosticCode::BadOption)
             << "option --state: input '" << input << "' is a constant";
    if (failed(checkState(argument, result, entries)))
      return failure();
    pairs.append({argument, result});
  }
  if (failed(checkStateSymbols(entries)))
    return failure();
  if (!pairs.empty())
    function->setAttr("eff.states", builder.getDenseI64ArrayAttr(pairs));
  function->setAttr("eff.symbols", builder.getArrayAttr(entries));
  return success();
}

} // namespace effc
