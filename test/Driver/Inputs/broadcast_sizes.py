"""Models whose sizes are all symbols of their own, compiled once and run with many shapes.

Usage: broadcast_sizes.py FOLDER. Expected are the numbers of ONNX's reference evaluator, or a refusal with a message.
"""
import dataclasses
import pathlib
import re
import subprocess
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
DTYPES = {FLOAT: np.float32, INT64: np.int64, BOOL: np.bool_}


@dataclasses.dataclass
class Case:
    name: str
    nodes: list
    inputs: dict  # name -> (type, rank), or the sizes instead of the rank
    runs: list  # shapes of the inputs, or (shapes, refusal)
    output: tuple = ()  # declared sizes of the result
    values: dict = dataclasses.field(default_factory=dict)  # input -> contents by its shape


def node(op, inputs, output="y", **attributes):
    return helper.make_node(op, inputs.split(), [output], name=f"the_{op}", **attributes)


REFUSED = "operands do not broadcast"
CASES = [
    Case("add", [node("Add", "a b")], {"a": (FLOAT, 3), "b": (FLOAT, 3)}, [
        ((2, 3, 40), (2, 3, 40)), ((1, 3, 40), (2, 3, 40)), ((2, 3, 40), (2, 1, 40)), ((2, 3, 1), (2, 3, 40)),
        ((2, 3, 40), (2, 3, 1)), ((2, 1, 40), (1, 3, 1)), ((1, 1, 1), (1, 1, 1)), ((0, 3, 4), (1, 3, 4)),
        ((2, 1, 4), (2, 0, 4)), ((2, 3, 1), (2, 3, 0)), (((2, 4, 5), (2, 3, 5)), f"the_Add: {REFUSED} \\((4 and 3|3 and 4)\\)"),
        (((2, 0, 5), (2, 3, 5)), f"the_Add: {REFUSED}")]),
    Case("ranks", [node("Sub", "a b")], {"a": (FLOAT, 1), "b": (FLOAT, 4)}, [
        ((7,), (2, 3, 5, 7)), ((1,), (2, 3, 5, 7)), ((7,), (2, 3, 5, 1)), (((6,), (2, 3, 5, 7)), "the_Sub")]),
    Case("where", [node("Where", "c a b")], {"c": (BOOL, 2), "a": (FLOAT, 2), "b": (FLOAT, 2)}, [
        ((4, 9), (4, 9), (4, 9)), ((4, 1), (1, 9), (4, 9)), ((1, 1), (1, 9), (4, 1)), ((4, 9), (1, 1), (1, 1)),
        (((4, 9), (3, 9), (1, 1)), f"the_Where: {REFUSED}")]),
    Case("max", [node("Max", "a b c")], {"a": (FLOAT, 2), "b": (FLOAT, 2), "c": (FLOAT, 1)}, [
        ((4, 9), (4, 9), (9,)), ((4, 1), (1, 9), (1,)), ((1, 1), (1, 1), (9,)), (((4, 9), (4, 9), (8,)), "the_Max")]),
    Case("compare", [node("Less", "a b")], {"a": (INT64, 2), "b": (INT64, 2)}, [((3, 5), (3, 5)), ((3, 1), (1, 5)), ((1, 5), (3, 5))]),
    # What met once meets again under other names.
    Case("chain", [node("Mul", "a b", "u"), node("Add", "u c", "v"), node("Sub", "a v", "w"), node("Max", "w b u")],
         {"a": (FLOAT, 2), "b": (FLOAT, 2), "c": (FLOAT, 2)}, [
             ((6, 33), (6, 33), (6, 33)), ((6, 1), (1, 33), (6, 33)), ((1, 1), (1, 1), (6, 33)), ((1, 33), (1, 33), (6, 1)),
             (((6, 33), (1, 33), (5, 1)), f"the_Add: {REFUSED}")]),
    Case("softmax", [node("Add", "a b", "u"), node("Softmax", "u", "v"), node("ReduceSum", "u", "w", keepdims=0), node("Mul", "v w")],
         {"a": (FLOAT, 3), "b": (FLOAT, 3)}, [((2, 3, 8), (2, 3, 8)), ((2, 1, 8), (1, 3, 1)), ((1, 3, 1), (2, 3, 8))]),
    Case("prelu", [node("PRelu", "a b")], {"a": (FLOAT, 3), "b": (FLOAT, 2)}, [
        ((2, 3, 8), (3, 8)), ((2, 3, 8), (3, 1)), ((2, 3, 8), (1, 8)), (((2, 1, 8), (3, 8)), "the_PRelu")]),
    Case("matmul", [node("MatMul", "a b")], {"a": (FLOAT, 4), "b": (FLOAT, 3)}, [
        ((2, 3, 4, 5), (3, 5, 6)), ((2, 1, 4, 5), (3, 5, 6)), ((2, 3, 4, 5), (1, 5, 6)), ((1, 1, 20, 40), (7, 40, 30)),
        (((2, 3, 4, 5), (2, 5, 6)), f"the_MatMul: {REFUSED}"), (((2, 3, 4, 5), (3, 4, 6)), "the_MatMul|'b'")]),
    Case("gemm", [node("Gemm", "a b c")], {"a": (FLOAT, 2), "b": (FLOAT, 2), "c": (FLOAT, 2)}, [
        ((4, 5), (5, 6), (4, 6)), ((4, 5), (5, 6), (1, 6)), ((4, 5), (5, 6), (4, 1)), ((4, 5), (5, 6), (1, 1)),
        (((4, 5), (5, 6), (3, 6)), f"the_Gemm: {REFUSED}")]),
    Case("expand", [node("Expand", "a s")], {"a": (FLOAT, 3), "s": (INT64, [3])}, [
        ((2, 3, 4), (2, 3, 4)), ((2, 1, 4), (1, 3, 1)), ((1, 1, 1), (2, 3, 4)), ((2, 3, 4), (1, 1, 1)),
        (((2, 3, 4), (2, 4, 4)), "the_Expand: the operand does not broadcast to the shape")],
        values={"s": lambda shape: np.array(shape, np.int64)}),
    # Sizes that always differ: the smaller one is 1, or nothing fits.
    Case("longer", [node("Constant", "", "pads", value_ints=[2, 0]), node("Pad", "a pads", "u", mode="edge"), node("Min", "u a")], {"a": (FLOAT, 1)}, [
        ((1,),), (((2,),), f"the_Min: {REFUSED}"), (((40,),), f"the_Min: {REFUSED}")]),
    Case("shorter", [node("Constant", "", "pads", value_ints=[2, 0]), node("Pad", "a pads", "u", mode="edge"), node("Where", "c a u")],
         {"a": (FLOAT, 1), "c": (BOOL, 1)}, [((1,), (3,)), (((3,), (3,)), f"the_Where: {REFUSED}"), (((1,), (2,)), f"the_Where: {REFUSED}")]),
    # The declaration of the result decides which of two sizes is its own.
    Case("declared", [node("Add", "a b", "u"), node("Exp", "u")], {"a": (FLOAT, 2), "b": (FLOAT, 2)}, [
        ((4, 5), (4, 5)), ((4, 5), (1, 1)), ((1, 1), (1, 1)), (((1, 5), (4, 5)), "is not as declared")], output=("a0", "a1")),
]
# Masks, with sizes that allow tiles and without; few queries go row by row.
for kind in (FLOAT, BOOL):
    for name, q, k in (("free", 4, 4), ("tiled", ["B", "H", "S", 8], ["B", "H", "T", 8])):
        runs = []
        for queries in (3, 20):
            Q, K = (2, 4, queries, 8), (2, 4, 24, 8)
            runs += [(Q, K, K, (2, 4, queries, 24)), (Q, K, K, (1, 4, 1, 24)), (Q, K, K, (2, 1, queries, 24)), (Q, K, K, (1, 1, 1, 24)),
                     ((Q, K, K, (2, 3, 1, 24)), f"the_Attention: {REFUSED}")]
        CASES.append(Case(f"attention_{name}_{kind}", [node("Attention", "q k v m")],
                          {"q": (FLOAT, q), "k": (FLOAT, k), "v": (FLOAT, k), "m": (kind, 4)}, runs))


def make_model(case):
    def sizes(name, rank):
        return rank if isinstance(rank, list) else [f"{name}{axis}" for axis in range(rank)]

    inputs = [helper.make_tensor_value_info(name, kind, sizes(name, rank)) for name, (kind, rank) in case.inputs.items()]
    kind = BOOL if case.nodes[-1].op_type == "Less" else FLOAT
    output = helper.make_tensor_value_info("y", kind, case.output or None)
    graph = helper.make_graph(case.nodes, case.name, inputs, [output])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 23)], ir_version=10)


def make_feed(case, shapes, rng):
    feed = {}
    for (name, (kind, _)), shape in zip(case.inputs.items(), shapes):
        if name in case.values:
            feed[name] = case.values[name](shape)
        else:
            feed[name] = np.asarray(rng.standard_normal(shape) * 2).astype(DTYPES[kind])
            if kind == BOOL:
                feed[name] = np.asarray(rng.random(shape) < 0.7)
    return feed


def run(library, feed, folder):
    np.savez(folder / "in.npz", **feed)
    done = subprocess.run(["effc", "run", library, "--inputs", folder / "in.npz", "--output", f"y={folder / 'y.npy'}"],
                          capture_output=True, text=True)
    return (np.load(folder / "y.npy"), "") if done.returncode == 0 else (None, done.stdout + done.stderr)


def check(case, path, folder):
    model, rng = make_model(case), np.random.default_rng(7)
    file = folder / f"{case.name}.onnx"
    onnx.save(model, file)
    name = f"{case.name}_{path}"
    sizes = {dim.dim_param for value in model.graph.input for dim in value.type.tensor_type.shape.dim if dim.dim_param}
    ranges = [f"--dim={size}=0..1000" for size in sorted(sizes)]
    subprocess.run(["effc", "compile", file, "-o", folder / name, "-q", "--name", name, *ranges, *(["--plain"] if path == "plain" else [])],
                   check=True)
    failures = 0
    for entry in case.runs:
        refusal = entry[1] if isinstance(entry[-1], str) else ""
        shapes = entry[0] if refusal else entry
        feed = make_feed(case, shapes, rng)
        got, message = run(folder / name / f"lib{name}.so", feed, folder)
        if refusal:
            good = got is None and re.search(refusal, message)
        else:
            want = ReferenceEvaluator(model).run(None, feed)[0]
            good = got is not None and got.shape == want.shape and np.allclose(got, want, 1e-4, 1e-4, equal_nan=True)
        if not good:
            failures += 1
            print(f"{name} {shapes}: {'was to be refused, ' if refusal else ''}{message or getattr(got, 'shape', '')}")
    return failures


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(exist_ok=True)
    chosen = [case for case in CASES if len(sys.argv) < 3 or case.name in sys.argv[2:]]
    sys.exit(sum(check(case, path, folder) for case in chosen for path in ("fast", "plain")) > 0)


main()
