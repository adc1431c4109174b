// The certificate as a page for people: one HTML file that needs nothing else.
#ifndef EFFC_LIB_EMIT_REPORT_H
#define EFFC_LIB_EMIT_REPORT_H

#include <string>

namespace effc {

/// `certificate` is the JSON that docs/schema/certificate.json describes. The
/// page has neither scripts nor links, and equal input gives equal bytes.
std::string makeReport(const std::string &certificate);

} // namespace effc

#endif // EFFC_LIB_EMIT_REPORT_H
