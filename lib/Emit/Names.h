// C identifiers made of ONNX names.
#ifndef EFFC_LIB_EMIT_NAMES_H
#define EFFC_LIB_EMIT_NAMES_H

#include "llvm/ADT/StringRef.h"
#include <set>
#include <string>

namespace effc {

/// An identifier that is no keyword of C or C++; `fallback` stands for text
/// without a letter or digit.
std::string makeIdentifier(llvm::StringRef text, llvm::StringRef fallback);

/// Identifiers that differ from each other.
class UniqueNames {
public:
  std::string add(llvm::StringRef text, llvm::StringRef fallback);

private:
  std::set<std::string> used;
};

} // namespace effc

#endif // EFFC_LIB_EMIT_NAMES_H
