// effc-import MODEL.onnx: prints the `eff` form of a model. For tests and for
// looking at what the importer made of a file.
#include "effc/Import/Import.h"
#include "effc/Support/Diagnostics.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Support/FileUtilities.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/ToolOutputFile.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
namespace cl = llvm::cl;

static cl::opt<std::string> input(cl::Positional, cl::desc("MODEL.onnx"));
static cl::opt<std::string> output("o", cl::desc("File to write"),
                                   cl::value_desc("file"), cl::init("-"));
static cl::list<std::string> dims("dim", cl::desc("Fix a named size"),
                                  cl::value_desc("name=size"));
static cl::list<std::string> inputShapes("input-shape",
                                         cl::desc("Fix the shape of an input"),
                                         cl::value_desc("name=1x3x?"));
static cl::list<std::string> inputValues("input-value",
                                         cl::desc("Make an input a constant"),
                                         cl::value_desc("name=1,2"));
static cl::list<std::string> outputs("output", cl::desc("Keep this output"),
                                     cl::value_desc("name"));
static cl::list<std::string> states("state", cl::desc("Keep an input as state"),
                                    cl::value_desc("in:out"));
static cl::opt<std::string>
    externalDataDir("external-data-dir",
                    cl::desc("Trusted folder of external data"),
                    cl::value_desc("dir"));
static cl::opt<bool> elide("elide", cl::desc("Shorten large constants"));
static cl::opt<bool> locations("locations", cl::desc("Print locations"));
static cl::opt<bool> quiet("quiet", cl::desc("Only report errors"));
static cl::opt<std::string> diagnostics("diagnostics", cl::desc("text or json"),
                                        cl::init("text"));
static cl::opt<std::string>
    listOps("list-ops", cl::desc("Print the supported operators: markdown or "
                                 "json"));

/// "name=value" pairs; false and a message on anything else.
static bool parseOptions(effc::ImportOptions &options) {
  for (StringRef text : dims) {
    auto [name, value] = text.rsplit('=');
    auto [low, high] = value.split("..");
    int64_t min, max;
    if (name.empty() || low.getAsInteger(10, min) ||
        (high.empty() ? low : high).getAsInteger(10, max)) {
      llvm::errs() << "effc-import: --dim wants name=size or name=min..max, "
                      "not '"
                   << text << "'\n";
      return false;
    }
    options.dims.push_back({name.str(), min, max});
  }
  for (StringRef text : inputShapes) {
    auto [name, value] = text.rsplit('=');
    std::vector<int64_t> shape;
    SmallVector<StringRef> sizes;
    value.split(sizes, 'x', -1, /*KeepEmpty=*/false);
    for (StringRef size : sizes) {
      shape.push_back(-1);
      if (size != "?" &&
          (size.getAsInteger(10, shape.back()) || shape.back() < 0)) {
        llvm::errs() << "effc-import: --input-shape wants name=1x3x?, not '"
                     << text << "'\n";
        return false;
      }
    }
    options.inputShapes.emplace_back(name.str(), std::move(shape));
  }
  for (StringRef text : inputValues) {
    auto [name, list] = text.rsplit('=');
    std::vector<double> values;
    SmallVector<StringRef> numbers;
    list.split(numbers, ',');
    for (StringRef number : numbers)
      if (number.getAsDouble(values.emplace_back())) {
        llvm::errs() << "effc-import: --input-value wants name=1,2, not '"
                     << text << "'\n";
        return false;
      }
    options.inputValues.emplace_back(name.str(), std::move(values));
  }
  options.outputs.assign(outputs.begin(), outputs.end());
  options.states.assign(states.begin(), states.end());
  options.externalDataDir = externalDataDir;
  return true;
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  cl::ParseCommandLineOptions(argc, argv, "Prints the eff form of a model\n");
  if (!listOps.empty()) {
    effc::printSupportedOps(
        llvm::outs(), listOps == "json" ? effc::SupportedOpsFormat::Json
                                        : effc::SupportedOpsFormat::Markdown);
    return 0;
  }
  effc::ImportOptions options;
  if (!parseOptions(options))
    return 2;
  MLIRContext context(MLIRContext::Threading::DISABLED);
  effc::DiagnosticPrinter printer(&context, llvm::errs(),
                                  diagnostics == "json"
                                      ? effc::DiagnosticsFormat::Json
                                      : effc::DiagnosticsFormat::Text);
  if (quiet)
    printer.hideRemarks();
  OwningOpRef<ModuleOp> module = effc::importOnnxFile(input, &context, options);
  if (!module)
    return 1;
  std::string reason;
  std::unique_ptr<llvm::ToolOutputFile> file = openOutputFile(output, &reason);
  if (!file) {
    llvm::errs() << "effc-import: " << reason << "\n";
    return 2;
  }
  OpPrintingFlags flags;
  if (elide)
    flags.elideLargeElementsAttrs(16).elideLargeResourceString(64);
  if (locations)
    flags.enableDebugInfo(true, /*prettyForm=*/false);
  module->print(file->os(), flags);
  file->os() << "\n";
  file->keep();
  return 0;
}
