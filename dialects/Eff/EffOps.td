// All operations of the dialect, by theme.
#ifndef EFF_OPS_TD
#define EFF_OPS_TD

include "Eff/EffDialect.td"
include "Eff/EffAttrs.td"
include "Eff/EffEnums.td"
include "Eff/EffInterfaces.td"
include "Eff/ElementwiseOps.td"
include "Eff/LinearOps.td"
include "Eff/ShapeOps.td"
include "Eff/ReduceOps.td"
include "Eff/NormOps.td"
include "Eff/WindowOps.td"
include "Eff/SampleOps.td"
include "Eff/SignalOps.td"
include "Eff/AttentionOps.td"
include "Eff/ControlOps.td"

#endif // EFF_OPS_TD
