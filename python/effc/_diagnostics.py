"""What the compiler and the runtime say, as Python objects and exceptions."""
from __future__ import annotations

import dataclasses
from typing import Sequence


@dataclasses.dataclass(frozen=True)
class Diagnostic:
    """One message of the compiler. Strings are empty where there is nothing to say."""

    severity: str
    """error, warning, remark or note"""
    code: str
    """such as EFFC-E0402; `effc.explain` says what it means"""
    file: str
    node: str
    """the ONNX node at fault"""
    operator: str
    """its operator and opset, such as `Conv, opset 17`"""
    reason: str
    remedy: str
    """details and what to do, a line each"""
    stage: str
    """the stage of the compilation that was running"""
    text: str
    """all of it, as the command line prints it"""

    def __str__(self) -> str:
        return self.text


class EffcError(Exception):
    """Base of what effc raises."""


class CompileError(EffcError):
    """A model could not be compiled. `diagnostic` is the first error, `diagnostics` all that was said."""

    def __init__(self, diagnostics: Sequence[Diagnostic], status: str) -> None:
        self.diagnostics = list(diagnostics)
        self.status = status
        errors = [d for d in self.diagnostics if d.severity == "error"]
        self.diagnostic: Diagnostic | None = errors[0] if errors else None
        super().__init__("\n".join(d.text for d in errors) or status)


class RunError(EffcError):
    """The runtime refused a model or a run. `status` is its name for the reason."""

    def __init__(self, message: str, status: str, code: int) -> None:
        self.status, self.code = status, code
        super().__init__(message or status)
