"""large_weight.py FILE: writes a model with a weight of a little more than 64 MB."""
import sys

from onnx import TensorProto, helper, save

ROWS, COLUMNS = 4097, 4096
table = helper.make_tensor("table", TensorProto.FLOAT, [ROWS, COLUMNS], b"\1" * (4 * ROWS * COLUMNS), raw=True)
x = helper.make_tensor_value_info("x", TensorProto.INT64, [2])
y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, COLUMNS])
graph = helper.make_graph([helper.make_node("Gather", ["table", "x"], ["y"])], "large", [x], [y], [table])
save(helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 21)]), sys.argv[1])
