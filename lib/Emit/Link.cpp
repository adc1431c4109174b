// Runs lld in this process, one link at a time, with fixed options, so that
// equal inputs give equal bytes and no compiler is needed where effc runs.
#include "Link.h"
#include "effc/Support/Diagnostics.h"
#include "lld/Common/Driver.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"
#include <dlfcn.h>
#include <mutex>

LLD_HAS_DRIVER(elf)

using namespace mlir;
namespace fs = llvm::sys::fs;
namespace path = llvm::sys::path;

namespace effc {

//===----------------------------------------------------------------------===//
// What is linked in
//===----------------------------------------------------------------------===//

static std::string getMultiarch(const llvm::Triple &triple) {
  return (triple.getArchName() + "-linux-gnu").str();
}

static bool isHost(const llvm::Triple &triple) {
  return triple.getArch() == llvm::Triple(LLVM_HOST_TRIPLE).getArch();
}

/// The folder of the program or shared library that this code is part of.
static std::string getOwnFolder() {
  // Any address of it does.
  static int anchor;
  Dl_info info;
  SmallString<256> file;
  if (dladdr(&anchor, &info) && StringRef(info.dli_fname).contains(".so") &&
      !fs::real_path(info.dli_fname, file))
    return path::parent_path(file).str();
  std::string program = fs::getMainExecutable(nullptr, &anchor);
  return path::parent_path(program).str();
}

FailureOr<std::string> findRuntimeArchive(const llvm::Triple &triple,
                                          Location loc) {
  std::string bin = getOwnFolder();
  std::string arch = getMultiarch(triple);
  SmallVector<std::string> folders = {"../lib/effc/" + arch};
  if (isHost(triple))
    folders.append({"../lib/effc", "../lib", "../lib64", "../lib/" + arch});
  for (const std::string &folder : folders) {
    SmallString<256> candidate(bin);
    path::append(candidate, folder, "libeffrt_model.a");
    if (fs::exists(candidate)) {
      path::remove_dots(candidate, /*remove_dot_dot=*/true);
      return candidate.str().str();
    }
  }
  InFlightDiagnostic error = emitError(loc, DiagnosticCode::MissingRuntime)
                             << "cannot find the runtime libeffrt_model.a for "
                             << arch;
  Diagnostic &note = error.attachNote();
  note << "it belongs into '" << bin << "/" << folders.front() << "'; ";
  if (isHost(triple))
    note << "install effc again";
  else
    note << "build effc where clang and a C library for " << arch
         << " are installed (Debian: libc6-dev-arm64-cross)";
  return error;
}

/// The C library to link against, by its run-time name: development files are
/// not needed.
static FailureOr<std::string>
findSystemLibrary(StringRef name, const llvm::Triple &triple, Location loc) {
  std::string arch = getMultiarch(triple);
  std::vector<std::string> folders = {"/lib/" + arch, "/usr/lib/" + arch,
                                      "/usr/" + arch + "/lib",
                                      "/usr/" + arch + "/lib64"};
  if (isHost(triple))
    llvm::append_range(folders, std::vector<std::string>{"/lib64", "/usr/lib64",
                                                         "/lib", "/usr/lib"});
  for (const std::string &folder : folders) {
    std::string candidate = folder + "/" + name.str();
    if (fs::exists(candidate))
      return candidate;
  }
  InFlightDiagnostic error = emitError(loc, DiagnosticCode::MissingRuntime)
                             << "cannot find the C library " << name << " for "
                             << arch;
  error.attachNote() << "looked in " << llvm::join(folders, ", ")
                     << (isHost(triple) ? "" : " (Debian: libc6-arm64-cross)")
                     << "; --static needs no C library";
  return error;
}

//===----------------------------------------------------------------------===//
// lld
//===----------------------------------------------------------------------===//

static LogicalResult runLinker(const std::vector<std::string> &arguments,
                               Location loc) {
  // lld keeps its state in globals; after some failures they are beyond
  // repair for this process.
  static std::mutex mutex;
  static bool usable = true;
  std::lock_guard<std::mutex> lock(mutex);
  if (!usable)
    return emitError(loc) << "internal error: the linker failed before in this "
                             "process and cannot run again";
  std::vector<const char *> argv = {"ld.lld"};
  for (const std::string &argument : arguments)
    argv.push_back(argument.c_str());
  std::string output, errors;
  llvm::raw_string_ostream outputStream(output), errorStream(errors);
  lld::Result result = lld::lldMain(argv, outputStream, errorStream,
                                    {{lld::Gnu, &lld::elf::link}});
  usable = result.canRunAgain;
  if (result.retCode == 0)
    return success();
  StringRef text = StringRef(errors).trim();
  if (text.contains("No space left on device"))
    return emitError(loc, DiagnosticCode::NoSpace)
           << "no space left on the device of the output";
  return emitError(loc) << "internal error: linking failed: "
                        << text.take_front(2000);
}

static FailureOr<std::string> writeVersionScript(const LinkInputs &inputs) {
  std::string file = inputs.workDir + "/exports.map";
  std::error_code code;
  llvm::raw_fd_ostream os(file, code);
  if (!code) {
    os << "{ global:";
    for (const std::string &name : inputs.exports)
      os << " " << name << ";";
    os << " local: *; };\n";
    os.close();
    code = os.error();
    os.clear_error();
  }
  if (code)
    return emitError(inputs.loc, DiagnosticCode::CannotWriteOutput)
           << "cannot write '" << file << "': " << code.message();
  return file;
}

LogicalResult linkShared(const LinkInputs &inputs, StringRef soname,
                         StringRef output) {
  FailureOr<std::string> script = writeVersionScript(inputs);
  if (failed(script))
    return failure();
  std::vector<std::string> arguments = {"-shared",
                                        "-o",
                                        output.str(),
                                        "-soname",
                                        soname.str(),
                                        "--gc-sections",
                                        "--build-id=none",
                                        "-z",
                                        "relro",
                                        "-z",
                                        "noexecstack",
                                        "--strip-debug",
                                        "--hash-style=gnu",
                                        "--version-script=" + *script};
  if (!inputs.sanitize)
    llvm::append_range(arguments, std::vector<std::string>{"-z", "defs"});
  llvm::append_range(arguments, inputs.objects);
  if (!inputs.weights.empty())
    arguments.push_back(inputs.weights);
  arguments.push_back(inputs.runtimeArchive);
  for (StringRef name : {"libm.so.6", "libc.so.6"}) {
    FailureOr<std::string> library =
        findSystemLibrary(name, inputs.triple, inputs.loc);
    if (failed(library))
      return failure();
    arguments.push_back(*library);
  }
  return runLinker(arguments, inputs.loc);
}

LogicalResult linkRelocatable(const LinkInputs &inputs, StringRef output) {
  std::vector<std::string> arguments = {"-r", "--strip-debug", "-o",
                                        output.str()};
  llvm::append_range(arguments, inputs.objects);
  arguments.push_back(inputs.runtimeArchive);
  return runLinker(arguments, inputs.loc);
}

} // namespace effc
