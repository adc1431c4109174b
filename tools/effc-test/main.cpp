// effc-test: runs tests in the format of the ONNX backend suite, many in one
// process, and prints a line of JSON for each. test/Backend/run_node_tests.py
// drives it and judges what it says.
#include "Server.h"
#include <CLI/CLI.hpp>
#include <filesystem>
#include <fstream>
#include <iostream>

namespace fs = std::filesystem;
using namespace effc::test;

namespace {

struct Arguments {
  std::vector<std::string> folders;
  std::string mode = "static", filter, list, tolerances;
  bool serve = false;
  ExecutorOptions options;
};

} // namespace

/// The folders of all tests, in order.
static std::vector<std::string> listTests(const Arguments &arguments) {
  std::set<std::string> names;
  std::ifstream list(arguments.list);
  for (std::string line; std::getline(list, line);)
    if (!line.empty() && line[0] != '#')
      names.insert(line);
  std::vector<std::string> tests;
  auto add = [&](const fs::path &folder) {
    // "DIR/" names DIR.
    fs::path path = folder.has_filename() ? folder : folder.parent_path();
    std::string name = path.filename().string();
    if (fs::exists(path / "model.onnx") &&
        name.find(arguments.filter) != std::string::npos &&
        (arguments.list.empty() || names.count(name)))
      tests.push_back(path.string());
  };
  for (const std::string &folder : arguments.folders) {
    if (fs::exists(fs::path(folder) / "model.onnx")) {
      add(folder);
      continue;
    }
    for (const fs::directory_entry &entry : fs::directory_iterator(folder))
      add(entry.path());
  }
  std::sort(tests.begin(), tests.end());
  return tests;
}

static int runAll(const Arguments &arguments,
                  const ToleranceTable &tolerances) {
  Executor executor;
  bool good = true;
  std::vector<std::string> tests = listTests(arguments);
  if (tests.empty()) {
    std::cerr << "effc-test: no test to run\n";
    return 2;
  }
  for (const std::string &folder : tests) {
    std::string error;
    auto test = readTestCase(folder, error);
    if (!test) {
      std::cerr << "effc-test: " << error << "\n";
      return 2;
    }
    ExecutorOptions options = arguments.options;
    options.tolerance = tolerances.get(test->name);
    Verdict verdict = executor.run(*test, options);
    good &= verdict.status == Status::Pass;
    std::cout << formatVerdict(verdict) << std::flush;
  }
  return good ? 0 : 1;
}

int main(int argc, char **argv) {
  Arguments arguments;
  CLI::App app("Runs ONNX test folders in this process, a line of JSON each");
  app.add_option("FOLDER", arguments.folders, "Tests, or folders of tests")
      ->check(CLI::ExistingDirectory);
  app.add_option("--mode", arguments.mode,
                 "static, dynamic (no size is known) or constant "
                 "(inputs are initializers)")
      ->check(CLI::IsMember({"static", "dynamic", "constant"}));
  app.add_flag("--plain", arguments.options.plain, "The plain path");
  app.add_option("-O", arguments.options.optLevel, "0 (quick) to 3")
      ->check(CLI::Range(0, 3));
  app.add_flag("--sanitize", arguments.options.sanitize,
               "AddressSanitizer in the kernels; preload its runtime");
  app.add_option("--filter", arguments.filter, "Only names that contain this");
  app.add_option("--list", arguments.list, "Only the names in this file")
      ->check(CLI::ExistingFile);
  app.add_option("--threads", arguments.options.threads, "Of each session");
  app.add_option("--tolerances", arguments.tolerances,
                 "test/Execute/tolerances.json")
      ->check(CLI::ExistingFile);
  app.add_flag("--serve", arguments.serve,
               "Take requests from standard input (see Server.h)");
  CLI11_PARSE(app, argc, argv);
  ToleranceTable tolerances;
  std::string error;
  if (!arguments.tolerances.empty() &&
      !tolerances.read(arguments.tolerances, error)) {
    std::cerr << "effc-test: " << error << "\n";
    return 2;
  }
  arguments.options.mode = *parseMode(arguments.mode);
  if (!arguments.serve)
    return runAll(arguments, tolerances);
  std::ios::sync_with_stdio(false);
  Executor executor;
  return serve(executor, tolerances, arguments.options);
}
