"""The two shared libraries, loaded when they are first needed, and the C structs of their headers."""
from __future__ import annotations

import ctypes
import functools
import pathlib
from ctypes import POINTER, c_char, c_char_p, c_double, c_int, c_int32, c_int64, c_size_t, c_uint32, c_uint64, c_void_p

FOLDER = pathlib.Path(__file__).absolute().parent / "lib"
PROGRAM_ANY = 0xFFFFFFFF


class Struct(ctypes.Structure):
    """A struct of the C APIs that begins with its own size."""

    def __init__(self, **fields: object) -> None:
        super().__init__(**fields)
        self.struct_size = ctypes.sizeof(self)


class EffcDiagnostic(Struct):
    _fields_ = [("struct_size", c_uint32), ("severity", c_int32), *[(name, c_char_p) for name in (
        "code", "file", "node", "op", "reason", "remedy", "stage", "text")]]


class EffcCodeInfo(Struct):
    _fields_ = [("struct_size", c_uint32), ("reserved", c_uint32), *[(name, c_char_p) for name in (
        "code", "title", "explanation", "example", "remedy")]]


DIAGNOSTIC_FN = ctypes.CFUNCTYPE(None, c_void_p, POINTER(EffcDiagnostic))
STAGE_FN = ctypes.CFUNCTYPE(None, c_void_p, c_char_p, c_uint32, c_uint32)


class EffcCompileOptions(Struct):
    _fields_ = [
        ("struct_size", c_uint32), ("flags", c_uint32), ("output_dir", c_char_p), ("name", c_char_p), ("cpu", c_char_p),
        *[field for name in ("dims", "input_shapes", "input_values", "output_names")
          for field in ((name, POINTER(c_char_p)), (f"num_{name}", c_size_t))],
        ("external_data_dir", c_char_p), ("save_stages", c_char_p), ("stop_after", c_char_p), ("start_at", c_char_p),
        ("compile_threads", c_uint32), ("reserved", c_uint32), ("on_diagnostic", DIAGNOSTIC_FN), ("on_stage", STAGE_FN),
        ("user", c_void_p), ("states", POINTER(c_char_p)), ("num_states", c_size_t), ("quantize", c_char_p),
        ("layers", POINTER(c_char_p)), ("num_layers", c_size_t), ("tune_seconds", c_double), ("lock", c_char_p),
        ("calibrate", c_char_p)]


class EffcResultInfo(Struct):
    _fields_ = [("struct_size", c_uint32), ("status", c_int32), ("library", c_char_p), ("header", c_char_p),
                ("certificate", c_char_p), ("ir", c_char_p), ("reproducer", c_char_p), ("library_bytes", c_uint64),
                ("num_files", c_size_t), ("num_diagnostics", c_size_t), ("num_stages", c_size_t)]


class Message(ctypes.Structure):
    _fields_ = [("text", c_char * 512)]


class ModelOptions(Struct):
    _fields_ = [("struct_size", c_uint32), ("flags", c_uint32), ("weights_dir", c_char_p), ("version", c_char_p)]


class ModelInfo(Struct):
    _fields_ = [("struct_size", c_uint32), ("num_programs", c_uint32), ("name", c_char_p), ("target", c_char_p),
                ("certificate", c_char_p), ("cpu_features", c_uint64), ("weights_bytes", c_uint64), ("path", c_char_p)]


class ProgramInfo(Struct):
    _fields_ = [("struct_size", c_uint32), ("num_symbols", c_uint32), ("name", c_char_p), ("num_inputs", c_uint32),
                ("num_outputs", c_uint32), ("num_launches", c_uint32), ("num_states", c_uint32)]


class TensorDescription(Struct):
    _fields_ = [("struct_size", c_uint32), ("dtype", c_int32), ("name", c_char_p), ("rank", c_uint32),
                ("late", c_uint32), ("dims", POINTER(c_int64)), ("dim_texts", POINTER(c_char_p))]


class SymbolInfo(Struct):
    _fields_ = [("struct_size", c_uint32), ("input", c_uint32), ("axis", c_uint32), ("source", c_int32),
                ("name", c_char_p), ("min", c_int64), ("max", c_int64)]


class PoolOptions(Struct):
    _fields_ = [("struct_size", c_uint32), ("num_threads", c_int32), ("parallel_for", c_void_p), ("user", c_void_p)]


class SessionOptions(Struct):
    _fields_ = [("struct_size", c_uint32), ("num_threads", c_int32), ("pool", c_void_p)]


class Tensor(ctypes.Structure):
    _fields_ = [("data", c_void_p), ("dtype", c_int32), ("rank", c_uint32), ("shape", POINTER(c_int64)),
                ("bytes", c_size_t)]


class MemoryInfo(Struct):
    _fields_ = [("struct_size", c_uint32), ("num_plans", c_uint32), *[(name, c_uint64) for name in (
        "arena_bytes", "scratch_bytes", "plan_bytes", "last_arena_bytes", "last_live_bytes",
        "state_bytes", "dynamic_bytes")]]


class ProfileInfo(Struct):
    _fields_ = [("struct_size", c_uint32), ("reserved", c_uint32), ("kernel", c_char_p), ("origin", c_char_p),
                ("choice", c_char_p), ("calls", c_uint64), ("total_ns", c_uint64), ("flops", c_int64), ("bytes", c_int64)]


OUT = POINTER(c_void_p)
# Function: result, arguments.
_COMPILER = {
    "effc_version": (c_char_p, []),
    "effc_status_string": (c_char_p, [c_int]),
    "effc_explain": (c_int, [c_char_p, POINTER(EffcCodeInfo)]),
    "effc_code": (c_char_p, [c_uint32]),
    "effc_cpu": (c_char_p, [c_uint32]),
    "effc_stage": (c_char_p, [c_uint32]),
    "effc_compile_file": (c_int, [c_char_p, POINTER(EffcCompileOptions), OUT]),
    "effc_compile_bytes": (c_int, [c_char_p, c_size_t, c_char_p, c_char_p, POINTER(EffcCompileOptions), OUT]),
    "effc_result_destroy": (None, [c_void_p]),
    "effc_result_describe": (c_int, [c_void_p, POINTER(EffcResultInfo)]),
    "effc_result_file": (c_char_p, [c_void_p, c_size_t]),
    "effc_result_diagnostic": (c_int, [c_void_p, c_size_t, POINTER(EffcDiagnostic)]),
    "effc_result_stage": (c_int, [c_void_p, c_size_t, POINTER(c_char_p), POINTER(c_double)]),
}
_TENSORS = [c_void_p, c_uint32, POINTER(Tensor), c_uint32, POINTER(Tensor), c_uint32]
_RUNTIME = {
    "effrt_status_string": (c_char_p, [c_int]),
    "effrt_model_open": (c_int, [c_char_p, POINTER(ModelOptions), OUT, POINTER(Message)]),
    "effrt_model_close": (None, [c_void_p]),
    "effrt_model_describe": (c_int, [c_void_p, POINTER(ModelInfo)]),
    "effrt_model_program": (c_int, [c_void_p, c_uint32, POINTER(ProgramInfo)]),
    "effrt_model_symbol": (c_int, [c_void_p, c_uint32, c_uint32, POINTER(SymbolInfo)]),
    "effrt_model_input": (c_int, [c_void_p, c_uint32, c_uint32, POINTER(TensorDescription)]),
    "effrt_model_output": (c_int, [c_void_p, c_uint32, c_uint32, POINTER(TensorDescription)]),
    "effrt_model_state": (c_int, [c_void_p, c_uint32, c_uint32, POINTER(TensorDescription), POINTER(TensorDescription)]),
    "effrt_pool_create": (c_int, [POINTER(PoolOptions), OUT, POINTER(Message)]),
    "effrt_pool_destroy": (None, [c_void_p]),
    "effrt_pool_num_threads": (c_int32, [c_void_p]),
    "effrt_session_create": (c_int, [c_void_p, POINTER(SessionOptions), OUT, POINTER(Message)]),
    "effrt_session_destroy": (None, [c_void_p]),
    "effrt_session_error": (c_char_p, [c_void_p]),
    "effrt_session_resolve": (c_int, _TENSORS),
    "effrt_session_run": (c_int, _TENSORS),
    "effrt_session_output": (c_int, [c_void_p, c_uint32, POINTER(Tensor)]),
    "effrt_session_cancel": (None, [c_void_p]),
    "effrt_session_reset": (c_int, [c_void_p]),
    "effrt_session_fork": (c_int, [c_void_p, OUT]),
    "effrt_session_truncate": (c_int, [c_void_p, c_char_p, c_int64]),
    "effrt_session_get_state": (c_int, [c_void_p, c_uint32, POINTER(Tensor)]),
    "effrt_session_set_state": (c_int, [c_void_p, c_uint32, POINTER(Tensor)]),
    "effrt_session_memory": (c_int, [c_void_p, POINTER(MemoryInfo)]),
    "effrt_session_set_profiling": (c_int, [c_void_p, c_int]),
    "effrt_session_profile": (c_int, [c_void_p, c_uint32, c_uint32, POINTER(ProfileInfo)]),
}


def _load(name: str, functions: dict[str, tuple]) -> ctypes.CDLL:
    path = FOLDER / name
    if not path.exists():
        raise ImportError(f"{path} is missing: install the package from the build folder (pip install build/dev/python)")
    library = ctypes.CDLL(str(path))
    for function, (result, arguments) in functions.items():
        entry = getattr(library, function)
        entry.restype, entry.argtypes = result, arguments
    return library


@functools.lru_cache(maxsize=None)
def compiler() -> ctypes.CDLL:
    """libeffc-c.so."""
    return _load("libeffc-c.so", _COMPILER)


@functools.lru_cache(maxsize=None)
def runtime() -> ctypes.CDLL:
    """libeffrt.so."""
    return _load("libeffrt.so", _RUNTIME)


def text(value: bytes | None) -> str:
    """Names in a model are bytes; those that are no UTF-8 come back the same when they are passed in again."""
    return (value or b"").decode("utf-8", "surrogateescape")


def raw(value: str | bytes | pathlib.PurePath | None) -> bytes | None:
    """The way back."""
    if value is None or isinstance(value, bytes):
        return value
    return str(value).encode("utf-8", "surrogateescape")
