"""Writes a model of DEPTH loops, one in the other, around OPERATOR: nested_loops.py FILE DEPTH OPERATOR"""
import sys

from onnx import TensorProto, helper, save

path, depth, operator = sys.argv[1], int(sys.argv[2]), sys.argv[3]


def body(level):
    """x, doubled along its axis by the loops within, goes through OPERATOR."""
    names = {key: f"{key}{level}" for key in ("i", "go", "in", "kept", "inner", "out")}
    nodes = [helper.make_node("Identity", [names["go"]], [names["kept"]])]
    if level + 1 < depth:
        nodes.append(helper.make_node("Loop", ["trips", ""], [names["inner"]], body=body(level + 1)))
        nodes[-1].input.append(names["in"])
    else:
        nodes.append(helper.make_node("Concat", [names["in"], names["in"]], [names["inner"]], axis=0))
    nodes.append(helper.make_node(operator, [names["inner"]], [names["out"]]))
    inputs = [
        helper.make_tensor_value_info(names["i"], TensorProto.INT64, []),
        helper.make_tensor_value_info(names["go"], TensorProto.BOOL, []),
        helper.make_tensor_value_info(names["in"], TensorProto.FLOAT, None),
    ]
    outputs = [
        helper.make_tensor_value_info(names["kept"], TensorProto.BOOL, []),
        helper.make_tensor_value_info(names["out"], TensorProto.FLOAT, None),
    ]
    return helper.make_graph(nodes, f"body{level}", inputs, outputs)


graph = helper.make_graph(
    [helper.make_node("Loop", ["trips", "", "x"], ["y"], body=body(0))],
    "loops",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2]), helper.make_tensor_value_info("trips", TensorProto.INT64, [])],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
)
save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
