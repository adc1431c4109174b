"""effc.compile: an ONNX model to a library, its header and its certificate."""
from __future__ import annotations

import ctypes
import dataclasses
import json
import os
import shutil
import tempfile
import weakref
from typing import TYPE_CHECKING, Any, Callable, Mapping, Sequence, Union

from effc import _library
from effc._diagnostics import CompileError, Diagnostic, EffcError
from effc._library import raw, text

if TYPE_CHECKING:
    from effc._session import Model

_SEVERITIES = ("note", "remark", "warning", "error")
_STATIC, _SEPARATE_WEIGHTS, _PLAIN, _F64, _VERIFY_EACH, _SANITIZE, _EXACT = (1 << bit for bit in range(7))
_LEVELS = {0: 1 << 8, 1: 1 << 9, 2: 1 << 10, 3: 0}
_INVALID_ARGUMENT, _OUT_OF_MEMORY = 2, 3

Size = Union[int, str, Sequence[Union[int, str]], "range"]
"""8, "1..512", "1,128,*", [1, 128, "*"] or range(1, 513)"""


@dataclasses.dataclass(frozen=True)
class CompileResult:
    """What a compilation wrote. Files in a temporary folder go with the result."""

    library: str
    header: str
    files: list[str]
    certificate: dict[str, Any]
    diagnostics: list[Diagnostic]
    stages: list[tuple[str, float]]
    """name and seconds of each"""
    ir: str
    """the program as text, with `stop_after`"""

    def load(self) -> Model:
        """Opens the library; the result stays as long as the model does."""
        from effc._session import Model  # noqa: PLC0415: compiling needs no runtime

        return Model(self)


def version() -> str:
    """The version of the compiler."""
    return text(_library.compiler().effc_version())


def _list(function: Callable[[int], bytes | None]) -> list[str]:
    names: list[str] = []
    while (name := function(len(names))) is not None:
        names.append(text(name))
    return names


def cpus() -> list[str]:
    """The values of `cpu`."""
    return _list(_library.compiler().effc_cpu)


def stages() -> list[str]:
    """The values of `stop_after` and `start_at`."""
    return _list(_library.compiler().effc_stage)


def explain(code: str | None = None) -> dict[str, str] | list[str]:
    """What a diagnostic's code means: title, explanation, example, remedy. Without a code: all codes."""
    library = _library.compiler()
    if code is None:
        return _list(library.effc_code)
    info = _library.EffcCodeInfo()
    if library.effc_explain(raw(code), ctypes.byref(info)):
        raise KeyError(code)
    return {name: text(getattr(info, name)) for name in ("code", "title", "explanation", "example", "remedy")}


def _size(value: Size) -> str:
    if isinstance(value, range):
        if value.step != 1 or not value:
            raise ValueError(f"{value}: a range of sizes needs step 1 and a size")
        return f"{value[0]}..{value[-1]}"
    if isinstance(value, (list, tuple)):
        return ",".join(map(str, value))
    return str(value)


def _numbers(value: Any) -> str:
    flat = value.ravel().tolist() if hasattr(value, "ravel") else value
    flat = list(flat) if isinstance(flat, (list, tuple)) else [flat]
    return ",".join(repr(float(number)) if isinstance(number, float) else str(int(number)) for number in flat)


def _strings(texts: Sequence[str]) -> Any:
    return (ctypes.c_char_p * len(texts))(*[raw(item) for item in texts])


def _diagnostic(record: _library.EffcDiagnostic) -> Diagnostic:
    return Diagnostic(_SEVERITIES[record.severity], text(record.code), text(record.file), text(record.node), text(record.op),
                      text(record.reason), text(record.remedy), text(record.stage), text(record.text))


class _Callbacks:
    """Python functions as C ones. An exception must not pass through C: it is raised when the call has returned."""

    def __init__(self, on_diagnostic: Callable[[Diagnostic], None] | None,
                 on_stage: Callable[[str, int, int], None] | None) -> None:
        self.error: BaseException | None = None
        self.diagnostic = _library.DIAGNOSTIC_FN(
            lambda _, record: self.call(on_diagnostic, _diagnostic(record.contents))) if on_diagnostic else None
        self.stage = _library.STAGE_FN(
            lambda _, name, number, count: self.call(on_stage, text(name), number, count)) if on_stage else None

    def call(self, function: Any, *arguments: Any) -> None:
        if self.error is None:
            try:
                function(*arguments)
            except BaseException as error:  # noqa: BLE001: raised again in finish()
                self.error = error

    def finish(self) -> None:
        if self.error is not None:
            raise self.error


def _read(handle: ctypes.c_void_p) -> tuple[_library.EffcResultInfo, list[Diagnostic]]:
    library, info = _library.compiler(), _library.EffcResultInfo()
    library.effc_result_describe(handle, ctypes.byref(info))
    diagnostics = []
    for index in range(info.num_diagnostics):
        record = _library.EffcDiagnostic()
        library.effc_result_diagnostic(handle, index, ctypes.byref(record))
        diagnostics.append(_diagnostic(record))
    return info, diagnostics


def _stages(handle: ctypes.c_void_p, count: int) -> list[tuple[str, float]]:
    result = []
    for index in range(count):
        name, seconds = ctypes.c_char_p(), ctypes.c_double()
        _library.compiler().effc_result_stage(handle, index, ctypes.byref(name), ctypes.byref(seconds))
        result.append((text(name.value), seconds.value))
    return result


def _call(model: Any, options: _library.EffcCompileOptions) -> tuple[int, ctypes.c_void_p]:
    """Compiles a path, bytes, or whatever serializes to them, as onnx.ModelProto does."""
    library, handle = _library.compiler(), ctypes.c_void_p()
    if isinstance(model, (str, os.PathLike)):
        return library.effc_compile_file(os.fsencode(model), ctypes.byref(options), ctypes.byref(handle)), handle
    data = model if isinstance(model, (bytes, bytearray, memoryview)) else model.SerializeToString()
    data = bytes(data)
    return library.effc_compile_bytes(data, len(data), b"model.onnx", None, ctypes.byref(options),
                                      ctypes.byref(handle)), handle


def compile(  # noqa: A001: effc.compile is the name that users look for
    model: Any, output_dir: str | os.PathLike[str] | None = None, *, name: str | None = None, cpu: str = "native",
    dims: Mapping[str, Size] | None = None, input_shapes: Mapping[str, Sequence[int | None]] | None = None,
    input_values: Mapping[str, Any] | None = None, output_names: Sequence[str] = (), opt_level: int = 3,
    static: bool = False, separate_weights: bool = False, plain: bool = False, compute: str = "f32",
    external_data_dir: str | os.PathLike[str] | None = None, compile_threads: int = 0,
    save_stages: str | os.PathLike[str] | None = None, stop_after: str | None = None, start_at: str | None = None,
    verify_each: bool = False, states: str | Sequence[str] = (), sanitize: bool = False, exact: bool = False, quantize: str | None = None,
    layers: Mapping[str, str] | None = None, tune: float = 0, lock: str | os.PathLike[str] | None = None,
    calibrate: str | os.PathLike[str] | None = None, on_diagnostic: Callable[[Diagnostic], None] | None = None,
    on_stage: Callable[[str, int, int], None] | None = None,
) -> CompileResult:
    """Compiles a model: a path, the bytes of an ONNX file, or an onnx.ModelProto.

    Options are those of `effc compile`: `states` holds "IN:OUT" pairs, or is "auto"; `layers` are those of `--set`, as
    {"*attention*": "quantize=off"}; `tune` is in seconds; `calibrate` is a file of `effc calibrate`. Without an output folder the
    files lie in a temporary one, which goes with the result and the models loaded from it. Raises CompileError, which carries the diagnostics.
    """
    if opt_level not in _LEVELS:
        raise ValueError(f"opt_level {opt_level}: expected 0 to 3")
    if compute not in ("f32", "f64"):
        raise ValueError(f"compute {compute!r}: expected 'f32' or 'f64'")
    options, callbacks = _library.EffcCompileOptions(), _Callbacks(on_diagnostic, on_stage)
    options.flags = _LEVELS[opt_level] | _STATIC * static | _SEPARATE_WEIGHTS * separate_weights | _PLAIN * plain
    options.flags |= _F64 * (compute == "f64") | _VERIFY_EACH * verify_each | _SANITIZE * sanitize | _EXACT * exact
    texts = {
        "dims": [f"{key}={_size(value)}" for key, value in (dims or {}).items()],
        "input_shapes": [f"{key}=" + "x".join("?" if size is None or size < 0 else str(size) for size in shape)
                         for key, shape in (input_shapes or {}).items()],
        "input_values": [f"{key}={_numbers(value)}" for key, value in (input_values or {}).items()],
        "output_names": list(output_names),
        "states": [states] if isinstance(states, str) else list(states),
        "layers": [f"{nodes}: {option}" for nodes, option in (layers or {}).items()],
    }
    for field, values in texts.items():
        setattr(options, field, _strings(values))
        setattr(options, f"num_{field}", len(values))
    for field, value in {"name": name, "cpu": cpu, "stop_after": stop_after, "start_at": start_at,
                         "external_data_dir": external_data_dir, "save_stages": save_stages,
                         "quantize": quantize, "lock": lock, "calibrate": calibrate}.items():
        setattr(options, field, raw(None if value is None else os.fspath(value)))
    options.compile_threads, options.tune_seconds = compile_threads, tune
    if callbacks.diagnostic:
        options.on_diagnostic = callbacks.diagnostic
    if callbacks.stage:
        options.on_stage = callbacks.stage
    return _compile_into(model, output_dir, options, callbacks)


def _compile_into(model: Any, output_dir: str | os.PathLike[str] | None, options: _library.EffcCompileOptions,
                  callbacks: _Callbacks) -> CompileResult:
    temporary = None
    if output_dir is None and not options.stop_after:
        output_dir = temporary = tempfile.mkdtemp(prefix="effc-")
    options.output_dir = None if output_dir is None else os.fsencode(output_dir)
    handle = ctypes.c_void_p()
    try:
        status, handle = _call(model, options)
        callbacks.finish()
        result = _finish(status, handle)
    except BaseException:
        if temporary:
            shutil.rmtree(temporary, ignore_errors=True)
        raise
    finally:
        _library.compiler().effc_result_destroy(handle)
    if temporary:
        weakref.finalize(result, shutil.rmtree, temporary, ignore_errors=True)
    return result


def _finish(status: int, handle: ctypes.c_void_p) -> CompileResult:
    library = _library.compiler()
    if status == _OUT_OF_MEMORY:
        raise MemoryError("effc ran out of memory")
    if status == _INVALID_ARGUMENT or not handle:
        raise EffcError(text(library.effc_status_string(status)))
    info, diagnostics = _read(handle)
    if status:
        raise CompileError(diagnostics, text(library.effc_status_string(status)))
    files = [os.fsdecode(library.effc_result_file(handle, index)) for index in range(info.num_files)]
    return CompileResult(
        library=os.fsdecode(info.library), header=os.fsdecode(info.header), files=files,
        certificate=json.loads(info.certificate) if info.certificate else {}, diagnostics=diagnostics,
        stages=_stages(handle, info.num_stages), ir=text(info.ir))
