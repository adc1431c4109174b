// An archive that does not leak: kernels, table and runtime are linked into one
// relocatable object, all symbols but the exported ones become local, and the
// weights stay an object of their own. So two models, or a model and libeffrt,
// can be linked into one program.
#include "Link.h"
#include "effc/Support/Diagnostics.h"
#include "llvm/ObjCopy/ConfigManager.h"
#include "llvm/ObjCopy/ObjCopy.h"
#include "llvm/Object/ArchiveWriter.h"
#include "llvm/Object/ObjectFile.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

namespace effc {

LogicalResult linkRelocatable(const LinkInputs &inputs, StringRef output);

static llvm::Error localise(StringRef file,
                            const std::vector<std::string> &exports,
                            raw_ostream &os) {
  auto binary = llvm::object::createBinary(file);
  if (!binary)
    return binary.takeError();
  llvm::objcopy::ConfigManager config;
  config.Common.InputFilename = file;
  config.Common.OutputFilename = file;
  for (const std::string &name : exports)
    if (llvm::Error error = config.Common.SymbolsToKeepGlobal.addMatcher(
            llvm::objcopy::NameOrPattern::create(
                name, llvm::objcopy::MatchStyle::Literal,
                [](llvm::Error error) { return error; })))
      return error;
  return llvm::objcopy::executeObjcopyOnBinary(config, *binary->getBinary(),
                                               os);
}

static llvm::Expected<llvm::NewArchiveMember> makeMember(StringRef file,
                                                         StringRef name) {
  auto member = llvm::NewArchiveMember::getFile(file, /*Deterministic=*/true);
  if (member)
    member->MemberName = name;
  return member;
}

static llvm::Error writeArchive(const LinkInputs &inputs, StringRef object,
                                StringRef member, StringRef output) {
  std::string names[] = {member.str() + ".o", member.str() + "_weights.o"};
  std::vector<llvm::NewArchiveMember> members;
  auto model = makeMember(object, names[0]);
  if (!model)
    return model.takeError();
  members.push_back(std::move(*model));
  if (!inputs.weights.empty()) {
    auto weights = makeMember(inputs.weights, names[1]);
    if (!weights)
      return weights.takeError();
    members.push_back(std::move(*weights));
  }
  return llvm::writeArchive(output, members,
                            llvm::SymtabWritingMode::NormalSymtab,
                            llvm::object::Archive::K_GNU,
                            /*Deterministic=*/true, /*Thin=*/false);
}

LogicalResult linkStatic(const LinkInputs &inputs, StringRef member,
                         StringRef output) {
  std::string linked = inputs.workDir + "/linked.o";
  std::string local = inputs.workDir + "/local.o";
  if (failed(linkRelocatable(inputs, linked)))
    return failure();
  std::error_code code;
  llvm::raw_fd_ostream os(local, code);
  if (code)
    return emitError(inputs.loc, DiagnosticCode::CannotWriteOutput)
           << "cannot write '" << local << "': " << code.message();
  llvm::Error error = localise(linked, inputs.exports, os);
  os.close();
  code = os.error();
  os.clear_error();
  if (!error && code)
    error = llvm::errorCodeToError(code);
  if (!error)
    error = writeArchive(inputs, local, member, output);
  if (error)
    return emitError(inputs.loc, DiagnosticCode::CannotWriteOutput)
           << "cannot write the archive: " << llvm::toString(std::move(error));
  return success();
}

} // namespace effc
