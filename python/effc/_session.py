"""Running compiled models with numpy arrays, without copies where memory allows."""
from __future__ import annotations

import ctypes
import dataclasses
import json
import os
import threading
from typing import TYPE_CHECKING, Any, Iterable, Mapping, Sequence, Union

import numpy as np

from effc import _library
from effc._diagnostics import RunError
from effc._dtypes import FROM_NUMPY, STORED_AS, to_numpy
from effc._library import raw, text

if TYPE_CHECKING:
    from effc._compiler import CompileResult

_INVALID_ARGUMENT = 1
# effrt_symbol_source
_SOURCES = ("input", "state", "data")


@dataclasses.dataclass(frozen=True)
class TensorInfo:
    """An input or output. A size is a number or, where it is free, its text: "batch", "past + seq"."""

    name: str
    dtype: np.dtype
    shape: tuple[int | str, ...]
    late: bool = False
    """a size follows from data and is known after a run only"""


@dataclasses.dataclass(frozen=True)
class Symbol:
    """A free size, accepted from `min` to `max`. `source` says of what: dimension `axis` of input `input`, of a state,
    or of nothing that is known before a run ("data")."""

    name: str
    input: int
    axis: int
    min: int
    max: int
    source: str


@dataclasses.dataclass(frozen=True)
class Program:
    """An entry point. The specialised ones come first, the general one last."""

    name: str
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    symbols: tuple[Symbol, ...]
    num_launches: int
    states: tuple[tuple[TensorInfo, TensorInfo], ...] = ()
    """tensors that sessions keep, as the model's input and output"""


@dataclasses.dataclass(frozen=True)
class ProfileEntry:
    """Totals of one kernel launch since profiling was switched on."""

    kernel: str
    nodes: str
    """the ONNX nodes it came from"""
    choice: str
    """how it was generated"""
    calls: int
    total_ns: int
    flops: int
    bytes: int


def _check(status: int, message: str) -> None:
    if status:
        name = text(_library.runtime().effrt_status_string(status))
        raise RunError(message or name, name, status)


def _describe(function: Any, info: Any, *arguments: Any) -> Any:
    _check(function(*arguments, ctypes.byref(info)), "")
    return info


def _tensor_info(info: _library.TensorDescription) -> TensorInfo:
    name = text(info.name)
    shape = tuple(info.dims[axis] if info.dims[axis] >= 0 else text(info.dim_texts[axis]) for axis in range(info.rank))
    return TensorInfo(name, to_numpy(info.dtype, f"'{name}'"), shape, bool(info.late))


class Model:
    """A compiled library, opened. May be shared by threads and sessions."""

    def __init__(self, path: str | os.PathLike[str] | CompileResult, *, weights_dir: str | os.PathLike[str] | None = None,
                 trust_weights: bool = False) -> None:
        self._handle = ctypes.c_void_p()
        # Keeps the files of a temporary folder.
        self._result = path if hasattr(path, "library") else None
        self.path = os.fspath(self._result.library if self._result else path)
        runtime, message = _library.runtime(), _library.Message()
        options = _library.ModelOptions()
        options.flags = int(trust_weights)
        options.weights_dir = None if weights_dir is None else os.fsencode(weights_dir)
        _check(runtime.effrt_model_open(os.fsencode(self.path), ctypes.byref(options), ctypes.byref(self._handle),
                                        ctypes.byref(message)), text(message.text))
        info = _describe(runtime.effrt_model_describe, _library.ModelInfo(), self._handle)
        self.name, self.target = text(info.name), text(info.target)
        self.certificate: dict[str, Any] = json.loads(info.certificate)
        self.cpu_features, self.weights_bytes = int(info.cpu_features), int(info.weights_bytes)
        self.programs = tuple(self._program(index) for index in range(info.num_programs))

    def _program(self, index: int) -> Program:
        runtime = _library.runtime()
        info = _describe(runtime.effrt_model_program, _library.ProgramInfo(), self._handle, index)
        symbols = (_describe(runtime.effrt_model_symbol, _library.SymbolInfo(), self._handle, index, i)
                   for i in range(info.num_symbols))
        return Program(
            text(info.name), self._tensors(runtime.effrt_model_input, index, info.num_inputs),
            self._tensors(runtime.effrt_model_output, index, info.num_outputs),
            tuple(Symbol(text(s.name), s.input, s.axis, s.min, s.max, _SOURCES[s.source]) for s in symbols),
            info.num_launches, tuple(self._state(index, i) for i in range(info.num_states)))

    def _tensors(self, function: Any, program: int, count: int) -> tuple[TensorInfo, ...]:
        return tuple(_tensor_info(_describe(function, _library.TensorDescription(), self._handle, program, index))
                     for index in range(count))

    def _state(self, program: int, index: int) -> tuple[TensorInfo, TensorInfo]:
        before, after = _library.TensorDescription(), _library.TensorDescription()
        _check(_library.runtime().effrt_model_state(self._handle, program, index, ctypes.byref(before), ctypes.byref(after)), "")
        return _tensor_info(before), _tensor_info(after)

    @property
    def inputs(self) -> tuple[TensorInfo, ...]:
        """Of the general entry point."""
        return self.programs[-1].inputs

    @property
    def outputs(self) -> tuple[TensorInfo, ...]:
        """Of the general entry point."""
        return self.programs[-1].outputs

    @property
    def states(self) -> tuple[str, ...]:
        """The names, as inputs, of the tensors that sessions keep from run to run."""
        return tuple(before.name for before, _ in self.programs[-1].states)

    def session(self, threads: int = 0, pool: Pool | None = None) -> Session:
        """A session on the model."""
        return Session(self, threads, pool)

    def __repr__(self) -> str:
        return f"<effc.Model '{self.name}' for {self.target}, {len(self.inputs)} inputs, {len(self.outputs)} outputs>"

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            _library.runtime().effrt_model_close(self._handle)


class Pool:
    """Threads that several sessions share; 0: one per core."""

    def __init__(self, threads: int = 0) -> None:
        self._handle = ctypes.c_void_p()
        options, message = _library.PoolOptions(), _library.Message()
        options.num_threads = threads
        _check(_library.runtime().effrt_pool_create(ctypes.byref(options), ctypes.byref(self._handle), ctypes.byref(message)),
               text(message.text))

    @property
    def num_threads(self) -> int:
        return int(_library.runtime().effrt_pool_num_threads(self._handle))

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            _library.runtime().effrt_pool_destroy(self._handle)


Feed = Union[Mapping[str, Any], Sequence[Any]]


def _input(value: Any, info: TensorInfo) -> tuple[np.ndarray, np.dtype]:
    """Dense memory in the machine's order and its type; a copy only where the value's is not so."""
    if not isinstance(value, np.ndarray):
        # Python numbers have no type of their own; DLPack is no copy.
        value = np.from_dlpack(value) if hasattr(value, "__dlpack__") else np.asarray(value, info.dtype)
    if value.dtype not in FROM_NUMPY and not value.dtype.isnative:
        value = value.astype(value.dtype.newbyteorder("="))
    if value.dtype not in FROM_NUMPY:
        raise TypeError(f"input '{info.name}' has type {value.dtype}, the model takes {info.dtype}")
    stored = value.astype(STORED_AS.get(value.dtype, value.dtype), copy=False)
    return np.require(stored, None, ["C", "A"]), value.dtype


def _tensor(array: np.ndarray, dtype: np.dtype) -> _library.Tensor:
    shape = (ctypes.c_int64 * array.ndim)(*array.shape)
    return _library.Tensor(array.ctypes.data, FROM_NUMPY[dtype], array.ndim, shape, array.nbytes)


class Session:
    """Runs a model; what it learns about shapes stays. Calls from several threads wait for each other."""

    def __init__(self, model: Model | str | os.PathLike[str] | CompileResult, threads: int = 0, pool: Pool | None = None) -> None:
        self.model = model if isinstance(model, Model) else Model(model)
        self._handle, self._lock, self._pool = ctypes.c_void_p(), threading.Lock(), pool
        options, message = _library.SessionOptions(), _library.Message()
        options.num_threads = threads
        options.pool = pool._handle if pool else None
        _check(_library.runtime().effrt_session_create(self.model._handle, ctypes.byref(options), ctypes.byref(self._handle),
                                                       ctypes.byref(message)), text(message.text))

    def run(self, inputs: Feed, *, outputs: Mapping[str, Any] | None = None, program: int | None = None) -> dict[str, np.ndarray]:
        """Runs once: arrays by the names of the inputs, or all in their order, to arrays by the names of the outputs.

        Inputs are numpy arrays or speak DLPack. `outputs` may give memory for some results: writable dense arrays, or
        what speaks DLPack, of the right type and at least the size; the arrays that come back are these. `program`
        picks an entry point; else it is the first that takes the shapes.
        """
        index = _library.PROGRAM_ANY if program is None else program
        signature = self.model.programs[-1 if program is None else program]
        arrays = [_input(value, info) for value, info in zip(self._order(inputs, signature.inputs), signature.inputs)]
        feed = (_library.Tensor * len(arrays))(*[_tensor(array, dtype) for array, dtype in arrays])
        with self._lock:
            results = self._allocate(index, feed, signature.outputs, outputs or {})
            # Null data and shape: the session keeps the output until it has been copied.
            filled = (_library.Tensor * len(results))(*[_library.Tensor() if array is None else _tensor(array, info.dtype)
                                                        for array, info in zip(results, signature.outputs)])
            self._call(_library.runtime().effrt_session_run, index, feed, filled)
            results = [self._fetch(i, info) if array is None else array
                       for i, (array, info) in enumerate(zip(results, signature.outputs))]
        return {info.name: array.astype(info.dtype, copy=False) for info, array in zip(signature.outputs, results)}

    __call__ = run

    @staticmethod
    def _order(inputs: Feed, infos: Sequence[TensorInfo]) -> Iterable[Any]:
        if not isinstance(inputs, Mapping):
            if len(inputs) != len(infos):
                raise RunError(f"{len(inputs)} inputs are given, the model takes {len(infos)}", "count mismatch", 2)
            return inputs
        names = [info.name for info in infos]
        missing, unknown = [n for n in names if n not in inputs], [n for n in inputs if n not in names]
        if missing or unknown:
            reasons = [f"input '{name}' is missing" for name in missing] + [f"'{name}' is no input" for name in unknown]
            raise RunError("; ".join(reasons), "count mismatch", 2)
        return [inputs[name] for name in names]

    def _call(self, function: Any, program: int, feed: Any, results: Any) -> None:
        status = function(self._handle, program, feed, len(feed), results, len(results))
        if status:
            _check(status, text(_library.runtime().effrt_session_error(self._handle)))

    def _allocate(self, program: int, feed: Any, infos: Sequence[TensorInfo], given: Mapping[str, Any]) -> list[np.ndarray | None]:
        unknown = [name for name in given if name not in {info.name for info in infos}]
        if unknown:
            raise RunError(f"'{unknown[0]}' is no output", "invalid argument", _INVALID_ARGUMENT)
        resolved = (_library.Tensor * len(infos))()
        self._call(_library.runtime().effrt_session_resolve, program, feed, resolved)
        arrays: list[np.ndarray | None] = []
        for tensor, info in zip(resolved, infos):
            shape = tuple(tensor.shape[axis] for axis in range(tensor.rank))
            if any(size < 0 for size in shape):
                if info.name in given:
                    raise RunError(f"the size of output '{info.name}' follows from data: no memory can be given",
                                   "invalid argument", _INVALID_ARGUMENT)
                arrays.append(None)
            elif info.name in given:
                arrays.append(_output(given[info.name], info, shape))
            else:
                arrays.append(np.empty(shape, STORED_AS.get(info.dtype, info.dtype)))
        return arrays

    def _fetch(self, index: int, info: TensorInfo) -> np.ndarray:
        """A copy of an output that the session holds."""
        tensor = _library.Tensor()
        _check(_library.runtime().effrt_session_output(self._handle, index, ctypes.byref(tensor)), f"output '{info.name}'")
        return _copy(tensor, info)

    def cancel(self) -> None:
        """From any thread: ends the run in progress, or else the next one, with RunError."""
        _library.runtime().effrt_session_cancel(self._handle)

    def reset(self) -> None:
        """States back to the beginning."""
        self._guarded(_library.runtime().effrt_session_reset)

    def fork(self) -> Session:
        """A new session with a copy of the states."""
        session = object.__new__(Session)
        session.model, session._pool, session._lock = self.model, self._pool, threading.Lock()
        session._handle = ctypes.c_void_p()
        self._guarded(_library.runtime().effrt_session_fork, ctypes.byref(session._handle))
        return session

    def truncate(self, symbol: str, length: int) -> None:
        """Keeps the first `length` along the axes of states that are called `symbol`."""
        self._guarded(_library.runtime().effrt_session_truncate, raw(symbol), length)

    def get_state(self, name: str) -> np.ndarray | None:
        """A copy of a state; None at the beginning, when it is zeros."""
        index, tensor = self._state_index(name), _library.Tensor()
        info = self.model.programs[-1].states[index][0]
        with self._lock:
            _check(_library.runtime().effrt_session_get_state(self._handle, index, ctypes.byref(tensor)),
                   text(_library.runtime().effrt_session_error(self._handle)))
            return _copy(tensor, info) if tensor.shape else None

    def set_state(self, name: str, value: Any) -> None:
        """Copies an array into a state, which takes its sizes."""
        index = self._state_index(name)
        array, dtype = _input(value, self.model.programs[-1].states[index][0])
        tensor = _tensor(array, dtype)
        self._guarded(_library.runtime().effrt_session_set_state, index, ctypes.byref(tensor))

    def _state_index(self, name: str) -> int:
        if name not in self.model.states:
            raise RunError(f"'{name}' is no state of the model", "invalid argument", _INVALID_ARGUMENT)
        return self.model.states.index(name)

    def _guarded(self, function: Any, *arguments: Any) -> None:
        with self._lock:
            status = function(self._handle, *arguments)
            if status:
                _check(status, text(_library.runtime().effrt_session_error(self._handle)))

    def memory(self) -> dict[str, int]:
        """Bytes that the session holds, see effrt_memory_info."""
        info = _library.MemoryInfo()
        _check(_library.runtime().effrt_session_memory(self._handle, ctypes.byref(info)), "")
        return {name: int(getattr(info, name)) for name, _ in info._fields_[1:]}

    def set_profiling(self, enabled: bool = True) -> None:
        """Off at first; switching it on clears the totals."""
        _check(_library.runtime().effrt_session_set_profiling(self._handle, int(enabled)), "")

    def profile(self, program: int | None = None) -> list[ProfileEntry]:
        """Totals of each launch of a program (the general one if none is named), in order of execution."""
        index = len(self.model.programs) - 1 if program is None else program
        entries = []
        for launch in range(self.model.programs[index].num_launches):
            info = _library.ProfileInfo()
            _check(_library.runtime().effrt_session_profile(self._handle, index, launch, ctypes.byref(info)), "")
            entries.append(ProfileEntry(text(info.kernel), text(info.origin), text(info.choice), int(info.calls),
                                        int(info.total_ns), int(info.flops), int(info.bytes)))
        return entries

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            _library.runtime().effrt_session_destroy(self._handle)


def _copy(tensor: _library.Tensor, info: TensorInfo) -> np.ndarray:
    """An array of a tensor that belongs to the session."""
    shape, dtype = tuple(tensor.shape[axis] for axis in range(tensor.rank)), STORED_AS.get(info.dtype, info.dtype)
    data = ctypes.string_at(tensor.data, tensor.bytes) if tensor.bytes else b""
    return np.frombuffer(bytearray(data), dtype).reshape(shape).astype(info.dtype, copy=False)


def _output(value: Any, info: TensorInfo, shape: tuple[int, ...]) -> np.ndarray:
    """The caller's memory for an output."""
    array = value if isinstance(value, np.ndarray) else np.from_dlpack(value)
    flags = array.flags
    if array.dtype != info.dtype or array.shape != shape or not (flags.c_contiguous and flags.writeable and flags.aligned):
        raise RunError(f"memory for output '{info.name}' must be a writable dense array of {info.dtype}{list(shape)}, "
                       f"not {array.dtype}{list(array.shape)}", "invalid argument", _INVALID_ARGUMENT)
    if info.dtype in STORED_AS:
        raise RunError(f"memory for output '{info.name}' cannot be given: {info.dtype} is converted", "invalid argument",
                       _INVALID_ARGUMENT)
    return array
