"""make_bench_set.py FOLDER: a Relu, its batch of 8, and a file that is no model, as a benchmark set."""
import pathlib
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper

folder = pathlib.Path(sys.argv[1])
graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y/z"])], "m", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3])],
                          [helper.make_tensor_value_info("y/z", TensorProto.FLOAT, ["n", 3])])
onnx.save(helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 21)]), folder / "a.onnx")
(folder / "broken.onnx").write_bytes(b"no model")
for name, batch in (("a", 1), ("a@b8", 8), ("broken", 1)):
    np.savez(folder / f"{name}.npz", x=np.linspace(-1, 1, 3 * batch, dtype=np.float32).reshape(batch, 3))
