"""effc as a backend of ONNX (onnx.backend.base): what takes a Backend class can run models through effc.

    from effc.backend import EffcBackend
    outputs = EffcBackend.run_model(model, [array])
"""
from __future__ import annotations

from typing import Any, Sequence

import numpy as np
import onnx
import onnx.backend.base
import onnx.helper

from effc._compiler import CompileResult, compile  # noqa: A004
from effc._diagnostics import CompileError
from effc._session import Session


class EffcBackendRep(onnx.backend.base.BackendRep):
    """A model that is ready to run."""

    def __init__(self, result: CompileResult) -> None:
        self.session = Session(result)

    def run(self, inputs: Any, **kwargs: Any) -> tuple[np.ndarray, ...]:
        """Outputs in the order of the model, for inputs in their order or by name."""
        if isinstance(inputs, np.ndarray):
            inputs = [inputs]
        return tuple(self.session.run(inputs).values())


class EffcBackend(onnx.backend.base.Backend):
    """Compiles for the machine that it runs on. Keyword arguments are those of effc.compile."""

    @classmethod
    def prepare(cls, model: onnx.ModelProto, device: str = "CPU", **kwargs: Any) -> EffcBackendRep:
        """Compiles a model; raises effc.CompileError when that cannot be."""
        cls._require(device)
        return EffcBackendRep(compile(model, **kwargs))

    @classmethod
    def run_model(cls, model: onnx.ModelProto, inputs: Any, device: str = "CPU", **kwargs: Any) -> tuple[np.ndarray, ...]:
        """Compiles and runs once."""
        return cls.prepare(model, device, **kwargs).run(inputs)

    @classmethod
    def run_node(cls, node: onnx.NodeProto, inputs: Sequence[Any], device: str = "CPU",
                 outputs_info: Sequence[tuple[Any, tuple[int, ...]]] | None = None, **kwargs: Any) -> tuple[np.ndarray, ...]:
        """Runs one node of the newest opset, or of `opset_version`, on arrays."""
        version = kwargs.pop("opset_version", onnx.defs.onnx_opset_version())
        arrays = [np.asarray(value) for value in inputs]
        names = [name for name in node.input if name]
        if len(names) != len(arrays):
            raise ValueError(f"{node.op_type} names {len(names)} inputs, {len(arrays)} are given")

        def declare(name: str, dtype: Any, shape: Sequence[int] | None) -> onnx.ValueInfoProto:
            return onnx.helper.make_tensor_value_info(name, onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), shape)

        outputs = [name for name in node.output if name]
        if outputs_info is not None:
            declared = [declare(name, dtype, shape) for name, (dtype, shape) in zip(outputs, outputs_info)]
        else:
            declared = [onnx.ValueInfoProto(name=name, type=onnx.TypeProto(tensor_type=onnx.TypeProto.Tensor()))
                        for name in outputs]
        graph = onnx.helper.make_graph(
            [node], "node", [declare(name, a.dtype, a.shape) for name, a in zip(names, arrays)], declared)
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid(node.domain, version)])
        return cls.run_model(model, arrays, device, **kwargs)

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """Only the CPU."""
        return onnx.backend.base.Device(device).type == onnx.backend.base.DeviceType.CPU

    @classmethod
    def is_compatible(cls, model: onnx.ModelProto, device: str = "CPU", **kwargs: Any) -> bool:
        """Whether the importer takes the model."""
        if not cls.supports_device(device):
            return False
        try:
            compile(model, stop_after="import", **kwargs)
        except CompileError:
            return False
        return True

    @classmethod
    def _require(cls, device: str) -> None:
        if not cls.supports_device(device):
            raise ValueError(f"effc makes code for the CPU, not for {device}")


prepare = EffcBackend.prepare
run_model = EffcBackend.run_model
run_node = EffcBackend.run_node
supports_device = EffcBackend.supports_device
is_compatible = EffcBackend.is_compatible
