// Names of models, functions and parameters as C sees them.
#include "Names.h"
#include "Objects.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;

namespace effc {

static bool isKeyword(StringRef word) {
  static const llvm::StringSet<> words = {
      "alignas",  "alignof",   "and",     "asm",       "auto",     "bitand",
      "bitor",    "bool",      "break",   "case",      "catch",    "char",
      "class",    "compl",     "const",   "constexpr", "continue", "decltype",
      "default",  "delete",    "do",      "double",    "else",     "enum",
      "explicit", "export",    "extern",  "false",     "float",    "for",
      "friend",   "goto",      "if",      "inline",    "int",      "int8_t",
      "int16_t",  "int32_t",   "int64_t", "long",      "mutable",  "namespace",
      "new",      "noexcept",  "not",     "nullptr",   "operator", "or",
      "private",  "protected", "public",  "register",  "restrict", "return",
      "short",    "signed",    "sizeof",  "static",    "struct",   "switch",
      "template", "this",      "throw",   "true",      "try",      "typedef",
      "typeid",   "typename",  "uint8_t", "uint16_t",  "uint32_t", "uint64_t",
      "union",    "unsigned",  "using",   "virtual",   "void",     "volatile",
      "while",    "xor",       "size_t"};
  return words.contains(word);
}

std::string makeIdentifier(StringRef text, StringRef fallback) {
  std::string result;
  for (char c : text)
    result += llvm::isAlnum(c) || c == '_' ? c : '_';
  if (result.find_first_not_of('_') == std::string::npos)
    result = fallback.str();
  // Leading underscores and digits are reserved or impossible in C.
  if (result.empty() || !llvm::isAlpha(result[0]))
    result = fallback.str() + "_" + StringRef(result).ltrim('_').str();
  return isKeyword(result) ? result + "_" : result;
}

std::string UniqueNames::add(StringRef text, StringRef fallback) {
  std::string base = makeIdentifier(text, fallback), name = base;
  for (int suffix = 2; !used.insert(name).second; ++suffix)
    name = base + "_" + std::to_string(suffix);
  return name;
}

bool isModelName(StringRef name) {
  return !name.empty() && makeIdentifier(name, "model") == name;
}

std::string getKernelPrefix(size_t version) {
  std::string prefix = "effc_kernel_";
  return version == 0 ? prefix : prefix + "v" + std::to_string(version) + "_";
}

std::string makeModelName(StringRef text) {
  return makeIdentifier(text, "model");
}

std::string getRunFunction(const ModelTable &table, size_t index) {
  std::string base = table.name + "_run";
  // Earlier programs claim their names first, so the result is stable.
  UniqueNames names;
  names.add(base, base);
  std::string name;
  if (table.best().programs[index].name == "main")
    return base;
  for (size_t i = 0; i <= index; ++i)
    name = names.add(base + "_" + table.best().programs[i].name, base);
  return name;
}

std::vector<std::string> getTypedFunctions(const ModelTable &table) {
  std::vector<std::string> names = {table.name + "_create"};
  for (size_t i = 0; i < table.best().programs.size(); ++i)
    names.push_back(getRunFunction(table, i));
  if (table.hasStates())
    for (StringRef suffix : {"_reset", "_fork", "_truncate"})
      names.push_back(table.name + suffix.str());
  for (StringRef suffix : {"_destroy", "_status_string", "_last_error"})
    names.push_back(table.name + suffix.str());
  return names;
}

} // namespace effc
