// The support page, from the table that dispatch uses.
#include "OpTable.h"
#include "effc/Import/Import.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

namespace effc {

/// Rows by domain and name; ai.onnx comes first.
static SmallVector<const OpRow *> sortedRows() {
  SmallVector<const OpRow *> rows;
  for (const OpRow &row : getOpTable())
    rows.push_back(&row);
  llvm::sort(rows, [](const OpRow *a, const OpRow *b) {
    return std::tie(a->domain, a->opType, a->first) <
           std::tie(b->domain, b->opType, b->first);
  });
  return rows;
}

static StringRef domainName(const OpRow &row) {
  return row.domain.empty() ? "ai.onnx" : row.domain;
}

static void printMarkdown(llvm::raw_ostream &out) {
  out << "# Supported ONNX operators\n\n"
      << "Generated from `lib/Import/OnnxOps.def`; restrictions are reported "
         "at import.\n";
  StringRef domain = "-";
  for (const OpRow *row : sortedRows()) {
    if (row->domain != domain) {
      domain = row->domain;
      out << "\n## " << domainName(*row)
          << "\n\n| operator | opset versions |\n|---|---|\n";
    }
    out << "| " << row->opType << " | " << row->first << " to " << row->last
        << " |\n";
  }
}

static void printJson(llvm::raw_ostream &out) {
  llvm::json::OStream json(out, /*IndentSize=*/1);
  json.array([&] {
    for (const OpRow *row : sortedRows())
      json.object([&] {
        json.attribute("domain", domainName(*row));
        json.attribute("operator", row->opType);
        json.attribute("first", row->first);
        json.attribute("last", row->last);
        json.attribute("tier", row->tier);
      });
  });
  out << "\n";
}

void printSupportedOps(llvm::raw_ostream &out, SupportedOpsFormat format) {
  if (format == SupportedOpsFormat::Json)
    printJson(out);
  else
    printMarkdown(out);
}

} // namespace effc
