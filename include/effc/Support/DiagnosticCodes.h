// The code that every diagnostic carries: stable, listed by `effc explain` and
// in docs/generated/diagnostics.md. Plain C++, so that tools need no header of
// MLIR.
#ifndef EFFC_SUPPORT_DIAGNOSTICCODES_H
#define EFFC_SUPPORT_DIAGNOSTICCODES_H

#include <string>
#include <vector>

namespace effc {

enum class DiagnosticCode {
#define EFFC_DIAGNOSTIC(CODE, NAME, TITLE, EXPLANATION, EXAMPLE, REMEDY) NAME,
#include "effc/Support/Diagnostics.def"
#undef EFFC_DIAGNOSTIC
};

/// A row of Diagnostics.def.
struct DiagnosticInfo {
  /// "EFFC-E0401".
  const char *code;
  /// The name in DiagnosticCode.
  const char *name;
  /// A few words, no full stop.
  const char *title;
  const char *explanation;
  /// What it looks like.
  const char *example;
  const char *remedy;
};

const DiagnosticInfo &getDiagnosticInfo(DiagnosticCode code);
/// "EFFC-E0401".
const char *getCodeText(DiagnosticCode code);
/// All rows, by code.
const std::vector<DiagnosticInfo> &getDiagnosticTable();
/// The row of "EFFC-E0401", "effc-e0401" or "E0401"; null when there is none.
const DiagnosticInfo *findDiagnostic(const std::string &code);

/// The text on one line of a terminal: names in a model are any bytes, and must
/// neither look like a message of their own nor steer the terminal.
std::string makePrintable(const std::string &text);

} // namespace effc

#endif // EFFC_SUPPORT_DIAGNOSTICCODES_H
