/* The kernels of this folder by name. */
#include "Ops.h"

#include <stddef.h>

const effrt_op_entry effrt_op_table[] = {{"effrt_op_nms", effrt_op_nms},
                                         {"effrt_op_unique", effrt_op_unique},
                                         {NULL, NULL}};
