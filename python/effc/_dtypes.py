"""ONNX element types and their numpy counterparts; narrow floats and integers come from ml_dtypes."""
from __future__ import annotations

import numpy as np

try:
    import ml_dtypes
except ImportError:  # f32 and its like need nothing but numpy
    ml_dtypes = None

# effrt_dtype: TensorProto.DataType. Every element takes whole bytes, as in numpy.
_PLAIN = {
    1: np.float32, 2: np.uint8, 3: np.int8, 4: np.uint16, 5: np.int16, 6: np.int32, 7: np.int64, 9: np.bool_,
    10: np.float16, 11: np.float64, 12: np.uint32, 13: np.uint64,
}
_NARROW = {
    16: "bfloat16", 17: "float8_e4m3fn", 18: "float8_e4m3fnuz", 19: "float8_e5m2", 20: "float8_e5m2fnuz", 21: "uint4",
    22: "int4", 23: "float4_e2m1fn", 24: "float8_e8m0fnu", 25: "uint2", 26: "int2",
}

TO_NUMPY: dict[int, np.dtype] = {code: np.dtype(kind) for code, kind in _PLAIN.items()}
TO_NUMPY.update({code: np.dtype(getattr(ml_dtypes, name)) for code, name in _NARROW.items() if hasattr(ml_dtypes, name)})
FROM_NUMPY: dict[np.dtype, int] = {dtype: code for code, dtype in TO_NUMPY.items()}
# ml_dtypes keeps no sign in the upper bits of these, the runtime does.
STORED_AS: dict[np.dtype, np.dtype] = {TO_NUMPY[code]: np.dtype(np.int8) for code in (22, 26) if code in TO_NUMPY}


def to_numpy(code: int, what: str) -> np.dtype:
    """The numpy type of an element type; `what` has it."""
    if code in TO_NUMPY:
        return TO_NUMPY[code]
    needed = f"ml_dtypes.{_NARROW[code]}" if code in _NARROW else f"element type {code}"
    raise TypeError(f"{what} needs {needed}, which is not installed")
