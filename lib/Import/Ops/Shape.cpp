// Handlers of operators that move data or change shapes.
#include "Utils.h"

using namespace mlir;

namespace effc {

LogicalResult importIdentity(NodeContext &ctx) {
  if (failed(ctx.requireInputs(1)))
    return failure();
  return ctx.setOutput(0, ctx.input(0));
}

} // namespace effc
