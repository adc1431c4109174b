// Verifiers, shape functions, costs and folds of ReduceOps.td.
#include "Eff/EffOps.h"

using namespace mlir;
using namespace effc::eff;
