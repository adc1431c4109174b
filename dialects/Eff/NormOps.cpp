// Verifiers, shape functions, costs and folds of NormOps.td.
#include "Eff/EffOps.h"

using namespace mlir;
using namespace effc::eff;
