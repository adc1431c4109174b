// Everything that the tools register.
#ifndef EFFC_INITALL_H
#define EFFC_INITALL_H

namespace mlir {
class DialectRegistry;
} // namespace mlir

namespace effc {

/// All dialects that occur between import and object code.
void registerAllDialects(mlir::DialectRegistry &registry);

/// All passes and pipelines of effc.
void registerAllPasses();

} // namespace effc

#endif // EFFC_INITALL_H
