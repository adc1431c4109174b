// The C header of a model.
#ifndef EFFC_LIB_EMIT_HEADER_H
#define EFFC_LIB_EMIT_HEADER_H

#include "effc/Emit/Certificate.h"
#include "effc/Emit/ModelTable.h"
#include "llvm/Support/raw_ostream.h"

namespace effc {

/// Writes a header that needs nothing but the C library, for C11 and C++17.
void writeHeader(const ModelTable &table, const CertificateInfo &info,
                 llvm::raw_ostream &os);

} // namespace effc

#endif // EFFC_LIB_EMIT_HEADER_H
