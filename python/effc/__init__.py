"""effc from Python: compile ONNX models ahead of time and run what that gives.

    import effc
    result = effc.compile("model.onnx", cpu="native", dims={"batch": 1})
    session = effc.Session(effc.Model(result.library))
    outputs = session.run({"image": array})

Two C APIs lie beneath, effc-c/effc.h and effrt/effrt.h, called through ctypes; running a model needs only the second.
`effc.backend` is an ONNX backend. docs/python.md shows more.
"""
from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from effc._compiler import CompileResult, compile, cpus, explain, stages, version  # noqa: A004
    from effc._diagnostics import CompileError, Diagnostic, EffcError, RunError
    from effc._session import Model, Pool, ProfileEntry, Program, Session, Symbol, TensorInfo

# Looked up on first use: modules beside this one serve tests and tools without the libraries.
_HOMES = {
    "_compiler": ("CompileResult", "compile", "cpus", "explain", "stages", "version"),
    "_diagnostics": ("CompileError", "Diagnostic", "EffcError", "RunError"),
    "_session": ("Model", "Pool", "ProfileEntry", "Program", "Session", "Symbol", "TensorInfo"),
}

__all__ = sorted(name for names in _HOMES.values() for name in names)  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    for module, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f"effc.{module}"), name)
    raise AttributeError(f"module 'effc' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
