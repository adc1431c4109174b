// Whole libraries: written, loaded, run; two in one program; all or nothing.
#include "effc/Emit/Emit.h"
#include "TestModule.h"
#include "effrt/effrt.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Program.h"
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace mlir;
using namespace effc;

static bool hardLinksWork = true;

/// Takes the place of libc's, to stand for file systems without hard links.
extern "C" int link(const char *from, const char *to) noexcept {
  if (hardLinksWork)
    return linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
  errno = EPERM;
  return -1;
}

namespace {

class LibraryTest : public EmitTest {
protected:
  LibraryTest() {
    std::string pattern = testing::TempDir() + "/effc-emit-XXXXXX";
    folder = mkdtemp(pattern.data());
  }
  ~LibraryTest() override { (void)llvm::sys::fs::remove_directories(folder); }

  LibraryOptions makeOptions(const std::string &name) {
    LibraryOptions options;
    options.name = name;
    options.outputDir = folder;
    options.triple = EFFC_TEST_TRIPLE;
    options.target = "v3";
    options.runtimeArchive = EFFC_TEST_RUNTIME;
    options.certificate.compilerVersion = "test";
    return options;
  }

  FailureOr<LibraryResult> emit(const LibraryOptions &options) {
    auto module = parse(kTestModule);
    std::vector<KernelObject> objects;
    auto buffer = llvm::MemoryBuffer::getFile(EFFC_TEST_KERNELS);
    EXPECT_TRUE(bool(buffer));
    objects.push_back({"kernels", std::move(*buffer)});
    std::vector<LibraryVersion> versions;
    versions.push_back({*module, std::move(objects), "v3", 0});
    return emitLibrary(std::move(versions), options);
  }

  std::string read(const std::string &name) {
    auto buffer = llvm::MemoryBuffer::getFile(folder + "/" + name);
    return buffer ? (*buffer)->getBuffer().str() : "";
  }

  void write(const std::string &name, const std::string &text) {
    std::error_code code;
    llvm::raw_fd_ostream(folder + "/" + name, code) << text;
    ASSERT_FALSE(code);
  }

  /// Runs a program; its standard output.
  std::string execute(std::vector<std::string> command, int expected = 0) {
    std::string output = folder + "/stdout";
    (void)llvm::sys::fs::remove(output);
    auto program = llvm::sys::findProgramByName(command[0]);
    EXPECT_TRUE(bool(program)) << command[0];
    std::vector<llvm::StringRef> arguments(command.begin(), command.end());
    std::optional<llvm::StringRef> redirects[] = {std::nullopt, output,
                                                  std::nullopt};
    int code =
        llvm::sys::ExecuteAndWait(*program, arguments, std::nullopt, redirects);
    EXPECT_EQ(code, expected) << command[0];
    return read("stdout");
  }

  size_t countFiles() {
    size_t count = 0;
    std::error_code code;
    for (llvm::sys::fs::directory_iterator it(folder, code), end;
         it != end && !code; it.increment(code))
      ++count;
    return count;
  }

  void runByPath(const std::string &path) {
    effrt_model *model = nullptr;
    effrt_message message;
    ASSERT_EQ(effrt_model_open(path.c_str(), nullptr, &model, &message), 0)
        << message.text;
    effrt_session *session = nullptr;
    ASSERT_EQ(effrt_session_create(model, nullptr, &session, &message), 0)
        << message.text;
    effrt_model_close(model);
    float x[8] = {1, 0, 0, 0, 0, 0, 0, 1}, y[6] = {};
    int64_t batch = 2;
    void *inputs[] = {x}, *outputs[] = {y};
    ASSERT_EQ(effrt_session_run_symbols(session, 0, &batch, inputs, outputs), 0)
        << effrt_session_error(session);
    float expected[] = {44, 88, 132, 44, 84, 124};
    for (int i = 0; i < 6; ++i)
      EXPECT_EQ(y[i], expected[i]);
    effrt_session_destroy(session);
  }

  std::string folder;
};

const char *kProgram = R"(
#include "one.h"
#include "two.h"
#include <stdio.h>
int main(void) {
  one_session *first;
  two_session *second;
  one_options options = {0};
  options.struct_size = sizeof(options);
  options.num_threads = 2;
  if (one_create(&options, &first) || two_create(NULL, &second))
    return 1;
  float x[4] = {1, 1, 1, 1}, y[3], z[3];
  if (one_run(first, 1, x, y) || two_run(second, 1, y, z) == 99)
    return 2;
  if (one_run(first, 101, x, y) == 0 || !one_last_error(first)[0])
    return 3;
  printf("%g %g %g %d\n", y[0], y[1], y[2], (int)one_elements_y(1));
  one_destroy(first);
  two_destroy(second);
  return 0;
}
)";

TEST_F(LibraryTest, WritesALibraryThatRuns) {
  FailureOr<LibraryResult> result = emit(makeOptions("model"));
  ASSERT_TRUE(succeeded(result));
  ASSERT_EQ(result->files.size(), 4u);
  EXPECT_EQ(result->files[0], folder + "/libmodel.so");
  EXPECT_EQ(countFiles(), 4u);
  runByPath(result->files[0]);
}

TEST_F(LibraryTest, NeedsNothingButTheCLibrary) {
  ASSERT_TRUE(succeeded(emit(makeOptions("model"))));
  std::string needed =
      execute({EFFC_TEST_READELF, "-d", folder + "/libmodel.so"});
  size_t count = 0;
  for (size_t at = 0; (at = needed.find("(NEEDED)", at)) != std::string::npos;
       ++at)
    ++count;
  EXPECT_NE(needed.find("[libc.so.6]"), std::string::npos);
  EXPECT_LE(count, 2u) << needed;
  EXPECT_NE(needed.find("[libmodel.so]"), std::string::npos);
  std::string symbols =
      execute({EFFC_TEST_NM, "-D", "--defined-only", folder + "/libmodel.so"});
  for (const char *name :
       {"effc_model_model", "effc_model_table", "model_create", "model_run",
        "model_destroy", "model_status_string", "model_last_error"})
    EXPECT_NE(symbols.find(std::string(" ") + name + "\n"), std::string::npos)
        << name;
  EXPECT_EQ(std::count(symbols.begin(), symbols.end(), '\n'), 7) << symbols;
}

TEST_F(LibraryTest, SameInputSameBytes) {
  for (bool isStatic : {false, true}) {
    LibraryOptions options = makeOptions("model");
    options.staticLibrary = isStatic;
    std::string name = isStatic ? "libmodel.a" : "libmodel.so";
    ASSERT_TRUE(succeeded(emit(options)));
    std::string first = read(name);
    ASSERT_TRUE(succeeded(emit(options)));
    EXPECT_FALSE(first.empty());
    EXPECT_TRUE(first == read(name)) << name;
  }
}

TEST_F(LibraryTest, TwoModelsLinkIntoOneProgram) {
  for (bool isStatic : {false, true}) {
    for (const char *name : {"one", "two"}) {
      LibraryOptions options = makeOptions(name);
      options.staticLibrary = isStatic;
      ASSERT_TRUE(succeeded(emit(options)));
    }
    write("main.c", kProgram);
    std::string program = folder + "/program";
    execute({EFFC_TEST_CC, "-std=c11", "-Wall", "-Wextra", "-Werror",
             "-pedantic", "-fuse-ld=lld", folder + "/main.c", "-o", program,
             "-L" + folder, "-Wl,-rpath," + folder, "-lone", "-ltwo", "-lm",
             "-lpthread"});
    EXPECT_EQ(execute({program}), "48 96 140 3\n");
    for (const char *name : {"one", "two"})
      for (const char *suffix : {".so", ".a"})
        (void)llvm::sys::fs::remove(folder + "/lib" + name + suffix);
  }
}

TEST_F(LibraryTest, HeaderIsCAndCxx) {
  ASSERT_TRUE(succeeded(emit(makeOptions("model"))));
  std::string header = read("model.h");
  EXPECT_NE(header.find("in_put: [batch, 4] (ONNX name 'in put')"),
            std::string::npos)
      << header;
  write("a.c", "#include \"model.h\"\n");
  write("a.cpp", "#include \"model.h\"\n");
  execute({EFFC_TEST_CC, "-std=c11", "-pedantic", "-Wall", "-Wextra", "-Werror",
           "-fsyntax-only", folder + "/a.c"});
  execute({EFFC_TEST_CXX, "-std=c++17", "-pedantic", "-Wall", "-Wextra",
           "-Werror", "-fsyntax-only", folder + "/a.cpp"});
}

TEST_F(LibraryTest, KeepsWeightsInTheirOwnFile) {
  LibraryOptions options = makeOptions("model");
  options.separateWeights = true;
  FailureOr<LibraryResult> result = emit(options);
  ASSERT_TRUE(succeeded(result));
  EXPECT_EQ(read("model.weights").size(), 76u);
  runByPath(result->files[0]);
}

TEST_F(LibraryTest, FailureLeavesNothing) {
  std::vector<std::string> messages;
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
    messages.push_back(diagnostic.str());
  });
  LibraryOptions options = makeOptions("model");
  options.outputDir = folder + "/deep/er";
  options.runtimeArchive = folder + "/absent.a";
  EXPECT_TRUE(failed(emit(options)));
  EXPECT_EQ(countFiles(), 0u);

  // A folder in the place of the header: what was there before comes back.
  write("libmodel.so", "before");
  ASSERT_EQ(mkdir((folder + "/model.h").c_str(), 0777), 0);
  EXPECT_TRUE(failed(emit(makeOptions("model"))));
  EXPECT_EQ(read("libmodel.so"), "before");
  EXPECT_EQ(countFiles(), 2u);
  EXPECT_NE(messages.back().find("model.h"), std::string::npos);

  options = makeOptions("int");
  EXPECT_TRUE(failed(emit(options)));
  EXPECT_NE(messages.back().find("cannot name a model"), std::string::npos);
}

TEST_F(LibraryTest, KeepsEarlierFilesWithoutHardLinks) {
  ScopedDiagnosticHandler handler(&context, [](Diagnostic &) {});
  hardLinksWork = false;
  write("libmodel.so", "before");
  ASSERT_EQ(mkdir((folder + "/model.h").c_str(), 0777), 0);
  EXPECT_TRUE(failed(emit(makeOptions("model"))));
  EXPECT_EQ(read("libmodel.so"), "before");
  EXPECT_EQ(countFiles(), 2u);
  ASSERT_EQ(rmdir((folder + "/model.h").c_str()), 0);
  EXPECT_TRUE(succeeded(emit(makeOptions("model"))));
  hardLinksWork = true;
  EXPECT_NE(read("libmodel.so"), "before");
  EXPECT_EQ(countFiles(), 4u);
}

} // namespace
