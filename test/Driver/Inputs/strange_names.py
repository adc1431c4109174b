"""Writes a model whose names are hard on C headers and JSON."""
import sys

import onnx
from onnx import TensorProto, helper

names = ["*/ #error", "int", "1st", "a b", "a_b", "session", "ü", ""]
inputs = [helper.make_tensor_value_info(name or "in", TensorProto.FLOAT, ["batch-size", "int", "/*"]) for name in names]
nodes = [helper.make_node("Relu", [value.name], [value.name + "?"], name="n*/" + value.name) for value in inputs]
outputs = [helper.make_tensor_value_info(node.output[0], TensorProto.FLOAT, ["batch-size", "int", "/*"]) for node in nodes]
graph = helper.make_graph(nodes, "g", inputs, outputs)
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), sys.argv[1])
