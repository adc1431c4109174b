// Diagnostics.def as a table.
#include "effc/Support/DiagnosticCodes.h"
#include <algorithm>
#include <cctype>

namespace effc {

const std::vector<DiagnosticInfo> &getDiagnosticTable() {
  static const std::vector<DiagnosticInfo> table = {
#define EFFC_DIAGNOSTIC(CODE, NAME, TITLE, EXPLANATION, EXAMPLE, REMEDY)       \
  {"EFFC-" #CODE, #NAME, TITLE, EXPLANATION, EXAMPLE, REMEDY},
#include "effc/Support/Diagnostics.def"
#undef EFFC_DIAGNOSTIC
  };
  return table;
}

const DiagnosticInfo &getDiagnosticInfo(DiagnosticCode code) {
  return getDiagnosticTable()[static_cast<size_t>(code)];
}

const char *getCodeText(DiagnosticCode code) {
  return getDiagnosticInfo(code).code;
}

const DiagnosticInfo *findDiagnostic(const std::string &code) {
  std::string wanted = code;
  for (char &c : wanted)
    c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  if (wanted.rfind("EFFC-", 0) != 0)
    wanted = "EFFC-" + wanted;
  const std::vector<DiagnosticInfo> &table = getDiagnosticTable();
  auto it =
      std::find_if(table.begin(), table.end(), [&](const DiagnosticInfo &row) {
        return wanted == row.code;
      });
  return it == table.end() ? nullptr : &*it;
}

std::string makePrintable(const std::string &text) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string result;
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7f)
      result += c;
    else if (c == '\n' || c == '\t')
      result += c == '\n' ? "\\n" : "\\t";
    else
      result += {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
  }
  return result;
}

} // namespace effc
