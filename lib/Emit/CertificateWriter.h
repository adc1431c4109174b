// Certificate as JSON; docs/schema/certificate.json describes it.
#ifndef EFFC_LIB_EMIT_CERTIFICATEWRITER_H
#define EFFC_LIB_EMIT_CERTIFICATEWRITER_H

#include "effc/Emit/Emit.h"
#include "effc/Emit/ModelTable.h"
#include <string>

namespace effc {

/// The part that follows from model and options: it goes into the library, so
/// it cannot hold the library's own size.
std::string makeCertificate(const ModelTable &table,
                            const LibraryOptions &options);

/// The same with what is known once the files are written.
std::string completeCertificate(const std::string &certificate,
                                uint64_t libraryBytes,
                                const std::string &libraryName);

} // namespace effc

#endif // EFFC_LIB_EMIT_CERTIFICATEWRITER_H
