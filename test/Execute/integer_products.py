#!/usr/bin/env python3
"""Quantised products and convolutions, one node a model: the fast path, which multiplies bytes, against the plain one, which centres
them in 32 bits. Both must give the same bits, whatever the signs, the zero points and who knows them, up to sums that wrap around.
"""
import argparse
import itertools
import pathlib
import sys
import tempfile

import numpy as np
import onnx
from onnx import helper

import harness

RANDOM = np.random.default_rng(0)
TYPES = (np.uint8, np.int8)


def bytes_of(dtype, *shape):
    """All values, the ends of the range among them half of the time."""
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    values = RANDOM.integers(low, high + 1, shape)
    ends = RANDOM.choice([low, high], shape)
    return np.where(RANDOM.integers(0, 2, shape), ends, values).astype(dtype)


class Case:
    """One node: `operands` by name in order, None where one is absent; `given` are the inputs of a run."""

    def __init__(self, op, operands, given, label, **attributes):
        self.op, self.operands, self.given, self.attributes = op, operands, given, attributes
        self.label = f"{op} {label}"

    def save(self, path):
        names = [name if value is not None else "" for name, value in self.operands.items()]
        inputs = [helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(self.operands[name].dtype),
                                                self.operands[name].shape) for name in self.given]
        constants = [onnx.numpy_helper.from_array(value, name) for name, value in self.operands.items()
                     if value is not None and name not in self.given]
        node = helper.make_node(self.op, names, ["out"], **self.attributes)
        graph = helper.make_graph([node], "g", inputs, [onnx.ValueInfoProto(name="out")], constants)
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), path)

    def feed(self):
        return {name: self.operands[name] for name in self.given}


def matmul_cases():
    for a, b in itertools.product(TYPES, TYPES):
        types = f"{np.dtype(a)} {np.dtype(b)}"
        for label, az, bz in (("none", None, None), ("numbers", bytes_of(a), bytes_of(b)),
                              ("rows and columns", bytes_of(a, 5), bytes_of(b, 21))):
            operands = dict(A=bytes_of(a, 5, 67), B=bytes_of(b, 67, 21), az=az, bz=bz)
            zeros = [name for name in ("az", "bz") if operands[name] is not None]
            yield Case("MatMulInteger", operands, ["A"], f"{types} {label}")
            yield Case("MatMulInteger", operands, ["A", "B"], f"{types} {label}, both given")
            if zeros:
                yield Case("MatMulInteger", operands, ["A", *zeros[:1]], f"{types} {label}, late zero")
                yield Case("MatMulInteger", operands, ["A", "B", *zeros], f"{types} {label}, all given")
        operands = dict(A=bytes_of(a, 2, 3, 5, 16), B=bytes_of(b, 3, 16, 7), az=bytes_of(a), bz=bytes_of(b))
        yield Case("MatMulInteger", operands, ["A", "B"], f"{types} batches")
        # More than 2^31 / (255 * 255) products of the largest bytes.
        ends = [np.full(shape, np.iinfo(dtype).max if dtype == np.uint8 else np.iinfo(dtype).min, dtype)
                for dtype, shape in ((a, (2, 140000)), (b, (140000, 3)))]
        yield Case("MatMulInteger", dict(A=ends[0], B=ends[1], az=np.array(1, a), bz=np.array(2, b)), ["A"], f"{types} wraps")
        yield Case("QLinearMatMul", dict(A=bytes_of(a, 5, 64), a=np.float32(0.02), az=bytes_of(a), B=bytes_of(b, 64, 24),
                                         b=np.abs(RANDOM.standard_normal(24)).astype(np.float32), bz=bytes_of(b, 24),
                                         y=np.float32(9), yz=np.uint8(101)), ["A"], types)


def conv_cases():
    sizes = {"3x3": dict(x=(1, 8, 9, 9), w=(12, 8, 3, 3), pads=[1, 1, 1, 1]), "1x1": dict(x=(2, 33, 5, 5), w=(40, 33, 1, 1)),
             "strided": dict(x=(1, 3, 11, 10), w=(16, 3, 3, 3), strides=[2, 2], pads=[0, 1, 1, 0]),
             "grouped": dict(x=(1, 8, 7, 7), w=(12, 4, 3, 3), group=2, pads=[1, 1, 1, 1]),
             "depthwise": dict(x=(1, 18, 7, 7), w=(18, 1, 3, 3), group=18, pads=[1, 1, 1, 1]),
             "1d": dict(x=(1, 6, 30), w=(8, 6, 5), dilations=[2], pads=[4, 4])}
    for (label, size), w in itertools.product(sizes.items(), TYPES):
        attributes = {key: value for key, value in size.items() if key not in ("x", "w")}
        x_shape, w_shape = size["x"], size["w"]
        for zeros in ("numbers", "late"):
            operands = dict(X=bytes_of(np.uint8, *x_shape), W=bytes_of(w, *w_shape), xz=bytes_of(np.uint8), wz=bytes_of(w))
            given = ["X", "xz"] if zeros == "late" else ["X"]
            yield Case("ConvInteger", operands, given, f"{label} {np.dtype(w)} {zeros}", **attributes)
        for x in TYPES:
            operands = dict(X=bytes_of(x, *x_shape), x=np.float32(0.02), xz=bytes_of(x), W=bytes_of(w, *w_shape),
                            w=np.abs(RANDOM.standard_normal(w_shape[0])).astype(np.float32),
                            wz=bytes_of(w, w_shape[0]) if w == np.uint8 else np.zeros(w_shape[0], w), y=np.float32(9), yz=bytes_of(x),
                            b=RANDOM.integers(-2**31, 2**31, w_shape[0]).astype(np.int32))
            yield Case("QLinearConv", operands, ["X"], f"{label} {np.dtype(x)} {np.dtype(w)}", **attributes)


def run(effc, case, folder, flags):
    """(result, what is wrong or "")."""
    model = pathlib.Path(folder, "model.onnx")
    case.save(model)
    library, why = effc.compile(model, folder, "node", flags)
    got, why = effc.run(library, case.feed(), folder, 1) if not why else ({}, why)
    return got.get("out"), why


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--effc", default=harness.default_tool("effc"), help="the compiler (default: that of the build, or effc on PATH)")
    parser.add_argument("--filter", default="", help="only cases whose name contains this")
    parser.add_argument("--cpu", default="native", help="the machine of the fast path")
    args = parser.parse_args()
    effc, tally = harness.Effc(args.effc, 60), harness.Tally()
    for case in (case for case in (*matmul_cases(), *conv_cases()) if args.filter in case.label):
        results = []
        for flags in (("--plain",), (f"--cpu={args.cpu}",)):
            with tempfile.TemporaryDirectory() as folder:
                got, why = run(effc, case, folder, flags)
            if why:
                break
            results.append(got)
        if not why and not np.array_equal(*results):
            first = tuple(np.argwhere(results[0] != results[1])[0])
            why = f"{list(first)} is {results[1][first]} instead of {results[0][first]}"
        tally.case("FAIL" if why else "PASS", case.label, why=why)
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
