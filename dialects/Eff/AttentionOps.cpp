// Verifiers, shape functions, costs and folds of AttentionOps.td.
#include "Eff/EffOps.h"

using namespace mlir;
using namespace effc::eff;
