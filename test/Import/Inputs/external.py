"""Writes a model whose only weight lies in another file, with any location, offset and length."""
import argparse
import pathlib

import onnx
from onnx import TensorProto, helper

parser = argparse.ArgumentParser()
parser.add_argument("model")
parser.add_argument("location")
parser.add_argument("--offset")
parser.add_argument("--length")
parser.add_argument("--keep", action="store_true", help="do not write the file with the weight")
args = parser.parse_args()

weight = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[100], data_location=TensorProto.EXTERNAL)
for key, value in (("location", args.location), ("offset", args.offset), ("length", args.length)):
    if value is not None:
        weight.external_data.add(key=key, value=value)
tensor = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [100])
graph = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "g", [tensor("x")], [tensor("y")], [weight])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
pathlib.Path(args.model).write_bytes(model.SerializeToString())
if not args.keep and not args.location.startswith(".."):
    (pathlib.Path(args.model).parent / args.location).write_bytes(bytes(400))
