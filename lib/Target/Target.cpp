// Anchors the vtable of Target.
#include "effc/Target/Target.h"

effc::Target::~Target() = default;
