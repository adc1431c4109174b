"""A random ONNX graph in the making: values with known type and shape, nodes, inputs, initializers.

Everything follows from a seed. Sizes come from a small pool, some of which are symbols: an input that uses one declares it by
name, so one graph has several inputs that share sizes, as real models do.
"""
import dataclasses

import numpy as np
import onnx
from onnx import helper, numpy_helper

MAX_ELEMENTS = 3000
FLOATS = ("float32", "float16", "float64")
INTS = ("int32", "int64", "int8", "uint8")


class Skip(Exception):
    """No values fit the operator that was drawn."""


@dataclasses.dataclass
class Value:
    name: str
    dtype: str
    shape: tuple

    @property
    def rank(self):
        return len(self.shape)

    @property
    def size(self):
        return int(np.prod(self.shape, dtype=np.int64))


def onnx_type(dtype):
    return helper.np_dtype_to_tensor_dtype(np.dtype(dtype))


class Graph:
    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.opset = self.pick((13, 17, 18, 21, 21, 22, 23))
        self.values, self.nodes, self.initializers = [], [], []
        self.inputs = []  # (Value, symbols by axis, array)
        self.names = 0
        self.float = self.pick(("float32",) * 8 + ("float16", "float64"))
        # A pool of sizes: most graphs have no empty tensor, and every second one has symbols.
        self.symbols = {}
        symbolic = self.chance(0.5)
        for name in ("b", "n", "s"):
            if symbolic and self.chance(0.6):
                self.symbols[name] = int(self.pick((1, 2, 3, 4, 5, 7, 9))) if not self.chance(0.04) else 0
        self.empty = self.chance(0.06)
        # In some graphs every size of an input may be a symbol of its own, as exporters leave them: what meets in a broadcast
        # is then only known at run time. Drawn apart, so that other graphs stay what their seed made them.
        self.free = np.random.default_rng((seed, 1))
        self.has_free = bool(self.free.random() < 0.15)

    # Choosing -------------------------------------------------------------------------------------------

    def pick(self, options):
        return options[int(self.rng.integers(len(options)))]

    def chance(self, probability):
        return bool(self.rng.random() < probability)

    def integer(self, low, high):
        """Both ends included."""
        return int(self.rng.integers(low, high + 1))

    def draw_size(self):
        """A size, and the symbol it stands for or ""."""
        if self.symbols and self.chance(0.35):
            name = self.pick(sorted(self.symbols))
            return self.symbols[name], name
        if self.empty and self.chance(0.15):
            return 0, ""
        return self.pick((1, 1, 2, 3, 4, 4, 5, 6, 8, 8, 9, 16, 17, 24, 33)), ""

    # Values ---------------------------------------------------------------------------------------------

    def name(self, stem):
        self.names += 1
        return f"{stem}{self.names}"

    def data(self, dtype, shape, kind="any"):
        """Contents: `positive`, `small` (numbers that divide), or any."""
        if dtype == "bool":
            return np.asarray(self.rng.random(shape) < 0.5)
        if np.dtype(dtype).kind in "iu":
            low = 0 if dtype.startswith("u") else -6
            values = self.rng.integers(1 if kind == "positive" else low, 7, shape)
            return values.astype(dtype)
        values = self.rng.standard_normal(shape)
        if kind == "any" and self.chance(0.1):
            values = np.round(values * 2)  # ties and equal elements
        if kind == "positive":
            values = np.abs(values) + 0.25
        return np.asarray(values).astype(dtype)

    def new_input(self, dtype, shape, symbols=None, kind="any"):
        value = Value(self.name("x"), dtype, tuple(shape))
        self.guard(value)
        symbols = dict(symbols or {})
        for axis, size in enumerate(value.shape):
            if self.has_free and size > 0 and axis not in symbols and self.free.random() < 0.6:
                symbols[axis] = f"{value.name}_d{axis}"
        self.inputs.append((value, symbols, np.asarray(self.data(dtype, value.shape, kind))))
        self.values.append(value)
        return value

    def constant(self, array):
        """An initializer, or now and then a Constant node."""
        array = np.asarray(array)
        value = Value(self.name("w"), array.dtype.name, array.shape)
        tensor = numpy_helper.from_array(array, value.name)
        if self.chance(0.15):
            self.nodes.append(helper.make_node("Constant", [], [value.name], name=self.name("n"), value=tensor))
        else:
            self.initializers.append(tensor)
        return value

    def draw(self, dtype, rank):
        """A new input of drawn sizes."""
        while True:
            drawn = [self.draw_size() for _ in range(rank)]
            shape = tuple(size for size, _ in drawn)
            if np.prod(shape, dtype=np.int64) <= MAX_ELEMENTS:
                break
        return self.new_input(dtype, shape, {axis: name for axis, (_, name) in enumerate(drawn) if name})

    def value(self, dtypes=None, ranks=(1, 2, 2, 3, 3, 4), where=None):
        """A value of one of the types and ranks: mostly one that is there, late ones first."""
        dtypes = dtypes or (self.float,)
        there = [v for v in self.values if v.dtype in dtypes and v.rank in ranks and (where is None or where(v))]
        if there and self.chance(0.85):
            back = min(int(self.rng.exponential(2.0)), len(there) - 1)
            return there[-1 - back]
        if where is None and len(self.inputs) < 6:
            return self.draw(self.pick(dtypes), self.pick(ranks))
        if there:
            return self.pick(there)
        raise Skip

    def operand(self, dtype, shape, kind="any"):
        """Something of exactly this shape: a value that is there, an input or a constant."""
        shape = tuple(shape)
        there = [v for v in self.values if v.dtype == dtype and v.shape == shape]
        if kind == "any" and there and self.chance(0.6):
            return self.pick(there)
        if len(self.inputs) < 6 and self.chance(0.4):
            symbols = {axis: name for axis, size in enumerate(shape) for name, value in self.symbols.items()
                       if value == size and size > 1 and self.chance(0.5)}
            return self.new_input(dtype, shape, symbols, kind)
        if np.prod(shape, dtype=np.int64) > MAX_ELEMENTS:
            raise Skip
        return self.constant(self.data(dtype, shape, kind))

    def guard(self, value):
        if value.size > MAX_ELEMENTS or value.rank > 6:
            raise Skip

    def emit(self, op, inputs, outputs, domain="", **attributes):
        """Adds a node; `outputs` are (dtype, shape). One value, or a tuple of several."""
        made = [Value(self.name("v"), dtype, tuple(int(size) for size in shape)) for dtype, shape in outputs]
        for value in made:
            self.guard(value)
        names = [value.name if value is not None else "" for value in inputs]
        self.nodes.append(helper.make_node(op, names, [v.name for v in made], name=self.name("n"), domain=domain, **attributes))
        self.values.extend(made)
        return made[0] if len(made) == 1 else tuple(made)

    # The model ------------------------------------------------------------------------------------------

    def mark(self):
        return (len(self.values), len(self.nodes), len(self.initializers), len(self.inputs), self.names)

    def undo(self, mark):
        """Forgets what was added since mark(): a draw that came to nothing."""
        for rows, length in zip((self.values, self.nodes, self.initializers, self.inputs), mark):
            del rows[length:]

    def finish(self):
        """(model, inputs by name). Outputs are what nobody reads and now and then something in between."""
        made = {name for node in self.nodes for name in node.output if node.op_type != "Constant"}
        read = {name for node in self.nodes for name in node.input}
        outputs = [v for v in self.values if v.name in made and (v.name not in read or self.chance(0.08))]
        model = make_model(self.nodes, self.inputs, self.initializers, outputs, self.opset)
        return model, {value.name: array for value, _, array in self.inputs}


def make_model(nodes, inputs, initializers, outputs, opset):
    def info(value, symbols):
        shape = [symbols.get(axis, size) for axis, size in enumerate(value.shape)]
        return helper.make_tensor_value_info(value.name, onnx_type(value.dtype), shape)

    read = {name for node in nodes for name in node.input}
    graph = helper.make_graph(
        nodes, "fuzz", [info(value, symbols) for value, symbols, _ in inputs if value.name in read],
        [helper.make_tensor_value_info(v.name, onnx_type(v.dtype), None) for v in outputs],
        [tensor for tensor in initializers if tensor.name in read])
    opsets = [helper.make_opsetid("", opset)]
    if any(node.domain for node in nodes):
        opsets.append(helper.make_opsetid("com.microsoft", 1))
    return onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8)
