"""Makes a failing model small: nodes become inputs that hold what ONNX Runtime computed there."""
import numpy as np
import onnx
from onnx import helper

from reference import Invalid, intermediate_values


def rebuild(model, nodes, extra_inputs, outputs):
    """The model of some of its nodes, without what nobody reads."""
    keep, needed = [], {value.name for value in outputs}
    for node in reversed(nodes):
        if needed & set(node.output):
            keep.append(node)
            needed |= {name for name in node.input if name}
    made = {name for node in keep for name in node.output}
    known = {value.name: value for value in [*model.graph.input, *extra_inputs]}
    graph = helper.make_graph(
        keep[::-1], model.graph.name, [value for name, value in known.items() if name in needed and name not in made], list(outputs),
        [tensor for tensor in model.graph.initializer if tensor.name in needed])
    result = helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
    return result


def describe(name, array):
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)


def fix_sizes(model, feed):
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for value in copy.graph.input:
        value.CopyFrom(describe(value.name, feed[value.name]))
    return copy


def single_outputs(model):
    for output in model.graph.output:
        yield rebuild(model, list(model.graph.node), [], [output])


def without_one_node(model, values):
    nodes = list(model.graph.node)
    outputs = {value.name for value in model.graph.output}
    for index, node in enumerate(nodes):
        rest = nodes[:index] + nodes[index + 1:]
        if outputs & set(node.output):
            # What it read is looked at instead.
            inner = [name for name in node.input if name in values]
            for name in inner:
                yield rebuild(model, rest, [], [describe(name, values[name])])
        else:
            yield rebuild(model, rest, [describe(name, values[name]) for name in node.output if name in values], model.graph.output)


def shrink(model, feed, fails):
    """(model, feed); `fails(model, feed)` tells whether the fault is still there."""
    feed = dict(feed)

    def attempt(candidate):
        try:
            return len(candidate.graph.node) > 0 and fails(candidate, feed)
        except Invalid:
            return False

    def first(candidates):
        return next((candidate for candidate in candidates if attempt(candidate)), None)

    if len(model.graph.output) > 1:
        model = first(single_outputs(model)) or model
    while True:
        try:
            values = intermediate_values(model, feed)
        except Invalid:
            break
        feed.update({name: np.asarray(value) for name, value in values.items() if name not in feed})
        smaller = first(without_one_node(model, values))
        if smaller is None:
            break
        model = smaller
    fixed = fix_sizes(model, feed)
    return (fixed if attempt(fixed) else model), {value.name: feed[value.name] for value in model.graph.input}
