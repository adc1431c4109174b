// All or nothing: files are written into a temporary folder inside the output
// folder, then renamed.
#ifndef EFFC_LIB_EMIT_OUTPUTFOLDER_H
#define EFFC_LIB_EMIT_OUTPUTFOLDER_H

#include "mlir/IR/Diagnostics.h"
#include "llvm/Support/raw_ostream.h"
#include <string>
#include <vector>

namespace effc {

class OutputFolder {
public:
  OutputFolder(llvm::StringRef folder, mlir::Location loc)
      : folder(folder.str()), loc(loc) {}
  OutputFolder(const OutputFolder &) = delete;
  /// Removes what was not committed, and folders that open() made for it.
  ~OutputFolder();

  mlir::LogicalResult open();

  /// Where to write a file that commit() moves to its place.
  std::string add(llvm::StringRef name);
  /// Where to write a file that goes away.
  std::string getWorkPath(llvm::StringRef name) const;
  const std::string &getWorkDir() const { return work; }

  /// Writes a whole file; what fails is reported.
  mlir::LogicalResult
  write(llvm::StringRef path,
        llvm::function_ref<mlir::LogicalResult(llvm::raw_pwrite_stream &)>
            contents);

  /// Makes the files of add() durable and moves them to their places. On
  /// failure earlier files are as before.
  mlir::FailureOr<std::vector<std::string>> commit();

private:
  mlir::LogicalResult makeFolders();
  mlir::LogicalResult fail(llvm::StringRef what, llvm::StringRef path,
                           std::error_code code);
  std::error_code replace(llvm::StringRef name);
  void restore();

  struct Replaced {
    std::string target;
    /// The earlier file; empty when there was none.
    std::string backup;
  };

  std::string folder;
  mlir::Location loc;
  std::string work;
  std::vector<std::string> names;
  std::vector<std::string> madeFolders;
  std::vector<Replaced> replaced;
};

} // namespace effc

#endif // EFFC_LIB_EMIT_OUTPUTFOLDER_H
