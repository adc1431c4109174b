// Writes the program of a case, runs it and compares.
#include "LoopCase.h"

#include "HostRunner.h"
#include "effc/InitAll.h"
#include "mlir/Parser/Parser.h"
#include "llvm/ADT/StringExtras.h"
#include <cmath>

using namespace effc;
using namespace mlir;

namespace {

class Program {
public:
  Program(const LoopCase &c, bool symbolic) : c(c), symbolic(symbolic) {}

  std::string type(const Shape &shape, const std::string &element) const {
    std::string extents, dims;
    bool dynamic = false;
    for (int64_t size : shape) {
      auto it = c.dims.find(size);
      bool named = symbolic && it != c.dims.end();
      dynamic |= named;
      extents += (named ? "?" : std::to_string(size)) + "x";
      dims += (dims.empty() ? "" : ", ") +
              (named ? it->second : std::to_string(size));
    }
    return "tensor<" + extents + element +
           (dynamic ? ", #eff.dims<" + dims + ">>" : ">");
  }
  std::string type(const Tensor &tensor) const {
    return type(tensor.shape, tensor.element);
  }

  std::string write() const {
    std::string arguments, constants;
    for (size_t i = 0; i < c.inputs.size(); ++i) {
      std::string name = "%a" + std::to_string(i);
      if (c.constants.count(i))
        constants += "  " + name + " = eff.constant " + literal(c.inputs[i]) +
                     " : " + type(c.inputs[i]) + "\n";
      else
        arguments +=
            (arguments.empty() ? "" : ", ") + name + ": " + type(c.inputs[i]);
    }
    std::string results, values;
    for (size_t i = 0; i < c.expected.size(); ++i) {
      results += (i ? ", " : "") + type(c.expected[i]);
      values += std::string(i ? ", " : "") + "%r" +
                (c.expected.size() > 1 ? "#" + std::to_string(i) : "");
    }
    return "func.func @main(" + arguments + ") -> (" + results + ") {\n" +
           constants + body(results) + "\n  return " + values + " : " +
           results + "\n}\n";
  }

  std::vector<int64_t> symbols() const {
    std::vector<int64_t> values;
    for (auto &[size, name] : c.dims) {
      size_t number;
      if (StringRef(name).drop_front().getAsInteger(10, number))
        continue;
      values.resize(std::max(values.size(), number + 1));
      values[number] = size;
    }
    return values;
  }

private:
  static std::string literal(const Tensor &tensor) {
    std::vector<char> bytes = tensor.encode();
    if (bytes.empty())
      return "dense<>";
    return "dense<\"0x" + llvm::toHex(StringRef(bytes.data(), bytes.size())) +
           "\">";
  }

  std::string body(const std::string &results) const {
    if (c.text.find("%r =") == std::string::npos) {
      std::string operands;
      for (const Tensor &input : c.inputs)
        operands += (operands.empty() ? "" : ", ") + type(input);
      return "  %r" +
             (c.expected.size() > 1 ? ":" + std::to_string(c.expected.size())
                                    : "") +
             " = " + c.text + " : (" + operands + ") -> (" + results + ")";
    }
    std::string text;
    for (size_t i = 0; i < c.text.size(); ++i) {
      if (c.text[i] != '$') {
        text += c.text[i];
        continue;
      }
      char what = c.text[++i];
      if (what != 'r') {
        text += type(c.inputs[what - '0']);
      } else if (c.text[i + 1] == ':') {
        size_t end = c.text.find_first_of(" ,)\n", i);
        text += type(c.expected[0].shape, c.text.substr(i + 2, end - i - 2));
        i = end - 1;
      } else {
        text += type(c.expected[0]);
      }
    }
    return text;
  }

  const LoopCase &c;
  bool symbolic;
};

MLIRContext &getContext() {
  static MLIRContext *context = [] {
    DialectRegistry registry;
    registerAllDialects(registry);
    registerCPUTarget(registry);
    auto *result = new MLIRContext(registry, MLIRContext::Threading::DISABLED);
    result->loadAllAvailableDialects();
    return result;
  }();
  return *context;
}

bool isClose(Real actual, Real expected, const LoopCase &c) {
  if (std::isnan(expected) || std::isnan(actual))
    return std::isnan(expected) && std::isnan(actual);
  if (actual == expected)
    return true;
  return std::fabs(actual - expected) <=
         c.absolute + c.relative * std::fabs(expected);
}

void compare(const Tensor &actual, const Tensor &expected, const LoopCase &c) {
  int shown = 0;
  for (size_t i = 0; i < expected.values.size() && shown < 4; ++i) {
    Real x = actual.values[i], y = expected.values[i];
    if (isFloatElement(expected.element) ? isClose(x, y, c) : x == y)
      continue;
    ++shown;
    ADD_FAILURE() << "element " << i << " of " << expected.values.size()
                  << " is " << x << ", expected " << y;
  }
}

void runOnce(const LoopCase &c, bool plain, bool symbolic,
             const std::string &cpu) {
  Program program(c, symbolic);
  std::string text = program.write();
  SCOPED_TRACE((plain ? "plain path, " : "fast path, ") + cpu + ": " +
               text.substr(0, 1500));
  MLIRContext &context = getContext();
  OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(text, &context);
  ASSERT_TRUE(module);
  auto target = resolveCPU(cpu, UnknownLoc::get(&context));
  ASSERT_TRUE(succeeded(target));
  auto runner = HostRunner::create(std::move(module), *target, plain,
                                   c.winograd ? WinogradUse::Always
                                              : WinogradUse::WhereFaster);
  ASSERT_TRUE(succeeded(runner));
  if (!plain && c.launches)
    EXPECT_EQ((*runner)->countLaunches(), *c.launches);
  std::vector<HostRunner::Bytes> inputs;
  for (size_t i = 0; i < c.inputs.size(); ++i)
    if (!c.constants.count(i))
      inputs.push_back(c.inputs[i].encode());
  std::vector<int64_t> symbols = program.symbols();
  auto first = (*runner)->run(inputs, symbols, 1);
  ASSERT_TRUE(succeeded(first));
  EXPECT_EQ(first->error, c.error);
  if (c.error)
    return;
  for (size_t i = 0; i < c.expected.size(); ++i) {
    Tensor actual = Tensor::decode(c.expected[i].element, c.expected[i].shape,
                                   first->results[i]);
    compare(actual, c.expected[i], c);
  }
  // Any split gives the same bits.
  auto second = (*runner)->run(inputs, symbols, 2);
  ASSERT_TRUE(succeeded(second));
  EXPECT_TRUE(first->results == second->results);
}

} // namespace

void effc::check(const LoopCase &c) {
  for (bool symbolic : {false, true}) {
    if (symbolic && c.dims.empty())
      continue;
    // The plain path treats both alike.
    for (bool plain : {true, false})
      if (!plain || !symbolic)
        for (const std::string &cpu : c.cpus)
          runOnce(c, plain, symbolic, cpu);
  }
}
