// Verifiers, shape functions, costs and folds of WindowOps.td.
#include "Eff/EffOps.h"

using namespace mlir;
using namespace effc::eff;
