"""make_mlp.py OUT [SEED]: two layers of 4x96 by 96x160 by 160x40, whose panels differ between widths of vectors."""
import sys

import numpy as np
import onnx
from onnx import helper, numpy_helper

random = np.random.default_rng(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
weights = [numpy_helper.from_array(random.standard_normal(shape).astype(np.float32), name) for name, shape in
           (("w1", (96, 160)), ("w2", (160, 40)))]
nodes = [helper.make_node("MatMul", ["x", "w1"], ["a"], name="first"), helper.make_node("Relu", ["a"], ["b"]),
         helper.make_node("MatMul", ["b", "w2"], ["y"], name="second")]
ends = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [4, size]) for name, size in (("x", 96), ("y", 40))]
graph = helper.make_graph(nodes, "mlp", ends[:1], ends[1:], weights)
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), sys.argv[1])
