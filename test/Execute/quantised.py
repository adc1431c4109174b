#!/usr/bin/env python3
"""Quantised operators of com.microsoft, one node a model, against ONNX Runtime run live, on the fast and the plain path.

Quantised results may differ by one step: ONNX Runtime folds scales into one factor before it rounds. Floats agree to 1e-4 of the
largest one.
"""
import argparse
import pathlib
import sys
import tempfile

import ml_dtypes
import numpy as np
import onnx
import onnxruntime
from onnx import helper

import harness

RANDOM = np.random.default_rng(0)
PATHS = {"fast": (), "plain": ("--plain",)}


def u8(*shape):
    return RANDOM.integers(0, 256, shape, dtype=np.uint8)


def i8(*shape):
    return RANDOM.integers(-128, 128, shape, dtype=np.int8)


def floats(*shape):
    return RANDOM.standard_normal(shape).astype(np.float32)


def scale(value):
    return np.array(value, np.float32)


def zero(value, dtype=np.uint8):
    return np.array(value, dtype)


class Case:
    """One node: `operands` by name in order, None where one is absent; `given` are the inputs of a run."""

    def __init__(self, op, operands, given, outputs=1, label="", **attributes):
        self.op, self.operands, self.given, self.attributes = op, operands, given, attributes
        self.outputs = [f"Y{i}" for i in range(outputs)]
        self.label = f"{op} {label}".strip()

    def model(self):
        names = [name if value is not None else "" for name, value in self.operands.items()]
        node = helper.make_node(self.op, names, self.outputs, domain="com.microsoft", **self.attributes)
        inputs = [helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(self.operands[name].dtype),
                                                self.operands[name].shape) for name in self.given]
        constants = [onnx.numpy_helper.from_array(value, name) for name, value in self.operands.items()
                     if value is not None and name not in self.given]
        graph = helper.make_graph([node], "g", inputs, [onnx.ValueInfoProto(name=name) for name in self.outputs], constants)
        opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=10)

    def feed(self):
        return {name: self.operands[name] for name in self.given}


def elementwise_cases():
    for op, step in (("QLinearAdd", 0.1), ("QLinearMul", 0.3)):
        yield Case(op, dict(A=u8(3, 17), a=scale(0.02), az=zero(120), B=u8(17), b=scale(0.05), bz=zero(7), y=scale(step),
                            yz=zero(100)), ("A", "B"))
        yield Case(op, dict(A=i8(3, 17), a=scale(0.02), az=zero(-12, np.int8), B=i8(3, 1), b=scale(0.05), bz=zero(7, np.int8),
                            y=scale(step), yz=zero(-3, np.int8)), ("A", "B"), label="int8")
    yield Case("QLinearSigmoid", dict(X=u8(3, 17), x=scale(0.05), xz=zero(120), y=scale(1 / 256), yz=zero(0)), ("X",))
    yield Case("QLinearLeakyRelu", dict(X=u8(3, 17), x=scale(0.05), xz=zero(120), y=scale(0.04), yz=zero(30)), ("X",), alpha=0.1)
    for axis, opset in ((-1, 13), (1, 11), (1, 13)):
        yield Case("QLinearSoftmax", dict(X=u8(2, 3, 5), x=scale(0.05), xz=zero(120), y=scale(1 / 256), yz=zero(0)), ("X",),
                   label=f"axis {axis} opset {opset}", axis=axis, opset=opset)
    yield Case("QLinearConcat", dict(y=scale(0.07), yz=zero(100), A=u8(2, 3), a=scale(0.02), az=zero(120), B=u8(2, 5),
                                     b=scale(0.05), bz=zero(7)), ("A", "B"), axis=1)
    yield Case("QLinearWhere", dict(C=RANDOM.integers(0, 2, (3, 17)).astype(bool), A=u8(3, 17), a=scale(0.02), az=zero(120),
                                    B=u8(3, 17), b=scale(0.05), bz=zero(7), y=scale(0.06), yz=zero(100)), ("C", "A", "B"))


def pool_cases():
    for last in (0, 1):
        operands = dict(X=u8(1, 6, 7, 4) if last else u8(1, 4, 6, 7), x=scale(0.02), xz=zero(120), y=scale(0.02), yz=zero(110))
        for pads in (0, 1):
            yield Case("QLinearAveragePool", operands, ("X",), label=f"last {last} pads {pads}", kernel_shape=[3, 2],
                       pads=[1, 0, 1, 1], strides=[2, 1], channels_last=last, count_include_pad=pads)
        yield Case("QLinearGlobalAveragePool", operands, ("X",), label=f"last {last}", channels_last=last)


def product_cases():
    operands = dict(A=u8(2, 9, 16), B=i8(16, 12), a=scale(0.02), b=scale(0.03), az=zero(120), bz=zero(3, np.int8), c=floats(12))
    yield Case("MatMulIntegerToFloat", operands, ("A",))
    yield Case("MatMulIntegerToFloat", {**operands, "b": np.abs(floats(12)), "bz": i8(12)}, ("A",), label="columns")
    operands = dict(A=floats(2, 9, 16), B=i8(16, 12), b=np.abs(floats(12)), bz=i8(12), c=floats(12))
    yield Case("DynamicQuantizeMatMul", operands, ("A",))
    yield Case("DynamicQuantizeMatMul", {**operands, "bz": None}, ("A",), label="no zero point")
    for a, b in ((0, 0), (1, 0), (0, 1), (1, 1)):
        operands = dict(A=u8(16, 9) if a else u8(9, 16), a=scale(0.02), az=zero(120), B=i8(12, 16) if b else i8(16, 12),
                        b=np.abs(floats(12)) * np.float32(0.02), bz=i8(12), C=RANDOM.integers(-5000, 5000, 12).astype(np.int32),
                        y=scale(0.9), yz=zero(128))
        yield Case("QGemm", operands, ("A",), label=f"{a} {b}", transA=a, transB=b, alpha=1.5)
    yield Case("QGemm", {**operands, "y": None, "yz": None}, ("A",), label="float", transA=1, transB=1)
    operands = dict(X=u8(2, 5, 16), W=i8(16, 48), c=floats(48), x=scale(0.02), w=scale(0.02), mask=np.array([5, 3], np.int32),
                    xz=zero(120), wz=zero(3, np.int8))
    for causal in (0, 1):
        yield Case("QAttention", operands, ("X", "mask"), label=f"causal {causal}", num_heads=4, unidirectional=causal)
    yield Case("QAttention", {**operands, "mask": None, "past": floats(2, 2, 4, 3, 4)}, ("X", "past"), outputs=2, label="past",
               num_heads=4, unidirectional=1)


def block_cases():
    for bits in (2, 4, 8):
        for k, n, block in ((64, 24, 32), (48, 10, 16), (100, 7, 32)):
            blocks = -(-k // block)
            sizes = dict(K=k, N=n, bits=bits, block_size=block)
            operands = dict(A=floats(3, k), B=u8(n, blocks, block * bits // 8), s=np.abs(floats(n, blocks)), z=None, g=None, c=None)
            packed = u8(n, -(-blocks * bits // 8))
            yield Case("MatMulNBits", operands, ("A",), label=f"{bits} bits {k}", **sizes)
            yield Case("MatMulNBits", {**operands, "z": packed, "c": floats(n)}, ("A",), label=f"{bits} bits {k} bias", **sizes)
            yield Case("MatMulNBits", {**operands, "z": packed}, ("A", "B", "s", "z"), label=f"{bits} bits {k} late", **sizes)
            if bits == 4:
                order = RANDOM.permutation(np.arange(k) // block).astype(np.int32)
                yield Case("MatMulNBits", {**operands, "g": order}, ("A",), label=f"groups {k}", **sizes)
                yield Case("MatMulNBits", {**operands, "z": floats(n, blocks) + 8}, ("A",), label=f"float zeros {k}", **sizes)
    for name, bits in (("uint8", 4), ("uint8", 8), ("uint4", 4), ("int4", 4)):
        low = -8 if name == "int4" else 0
        rows, zeros = ((u8(20, 8 * bits), u8(20, bits // 2)) if name == "uint8" else
                       ((RANDOM.integers(0, 16, shape) + low).astype(getattr(ml_dtypes, name)) for shape in ((20, 64), (20, 4))))
        operands = dict(D=rows, i=RANDOM.integers(-20, 20, (2, 3)), s=floats(20, 4))
        extra = {"bits": bits} if name == "uint8" else {}
        for label, more in (("", {}), ("zeros", {"z": zeros})):
            yield Case("GatherBlockQuantized", {**operands, **more}, ("i",), label=f"{name} {bits} {label}", block_size=16, **extra)


def wrong(got, want):
    """What is wrong with a result, or ""."""
    if got.shape != want.shape or got.dtype != want.dtype:
        return f"{got.dtype}{list(got.shape)} instead of {want.dtype}{list(want.shape)}"
    error = np.abs(got.astype(np.float64) - want.astype(np.float64)).max(initial=0)
    limit = 1e-4 * np.abs(want).max(initial=0) if want.dtype.kind == "f" else 1
    return "" if error <= limit else f"differs by {error:.3g}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--effc", default=harness.default_tool("effc"), help="the compiler (default: that of the build, or effc on PATH)")
    parser.add_argument("--filter", default="", help="only cases whose name contains this")
    args = parser.parse_args()
    effc, tally = harness.Effc(args.effc, 60), harness.Tally()
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    cases = [*elementwise_cases(), *pool_cases(), *product_cases(), *block_cases()]
    for case in (case for case in cases if args.filter in case.label):
        data = case.model().SerializeToString()
        want = onnxruntime.InferenceSession(data, options).run(case.outputs, case.feed())
        for path, flags in PATHS.items():
            with tempfile.TemporaryDirectory() as folder:
                model = pathlib.Path(folder, "model.onnx")
                model.write_bytes(data)
                library, why = effc.compile(model, folder, "node", flags)
                got, why = effc.run(library, case.feed(), folder, 1) if not why else ({}, why)
            why = why or next(filter(None, (wrong(got[name], value) for name, value in zip(case.outputs, want))), "")
            tally.case("FAIL" if why else "PASS", case.label, path, why=why)
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
