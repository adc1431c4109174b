"""A light, canonical view of an ONNX graph for counting idioms: who makes a value, who uses it, which values are constant.

Independent of effc on purpose: it reads the protos with the `onnx` package and folds constants with ONNX's own reference evaluator,
so that the counts in idioms.tsv do not share a mistake with the passes that they measure.
Canonical means: local functions inlined; Constant nodes and initializers are constants; Identity, inference Dropout and Casts between
floating types are gone; what is computed from constants or from known dims only is a constant.
"""
import numpy as np
import onnx
from onnx import helper, numpy_helper, shape_inference
from onnx.reference import ReferenceEvaluator

FLOATS = {onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16, onnx.TensorProto.DOUBLE}
FOLD_LIMIT = 1 << 16  # elements; a larger result stays an opaque constant (its value is never needed)
NEVER_FOLDED = {"If", "Loop", "Scan", "RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike"}


class Node:
    def __init__(self, proto):
        self.op = proto.op_type
        self.domain = "" if proto.domain == "ai.onnx" else proto.domain
        self.inputs = list(proto.input)
        self.outputs = list(proto.output)
        self.name = proto.name
        self.proto = proto
        self.captured = []  # outer values that subgraphs read

    def attr(self, name, default=None):
        for a in self.proto.attribute:
            if a.name == name:
                return helper.get_attribute_value(a)
        return default

    def __repr__(self):
        return f"{self.op}({', '.join(self.inputs)}) -> {', '.join(self.outputs)}"


class Graph:
    """One graph body. `outer` is the enclosing body: its constants are visible here."""

    def __init__(self, proto, opsets, types, outer=None):
        self.opsets, self.outer, self.types, self.bodies = opsets, outer, types, []
        self.consts = dict(outer.consts) if outer else {}
        for t in proto.initializer:
            self.consts[t.name] = LazyTensor(t)
        self.results = [o.name for o in proto.output]
        self.nodes = [Node(n) for n in proto.node]
        self.partial = {}  # small integer tensors: list with an int or None per element
        self._canonicalise()
        for n in self.nodes:
            for a in n.proto.attribute:
                for body in ([a.g] if a.type == onnx.AttributeProto.GRAPH else a.graphs):
                    sub = Graph(body, opsets, {**types, **value_types(body)}, self)
                    self.bodies.append(sub)
                    n.captured += [self.alias.get(v, v) for v in free_values(body)]
        self._index()

    def _index(self):
        self.makers = {o: n for n in self.nodes for o in n.outputs if o}
        self.users = {}
        for n in self.nodes:
            if n.domain == "" and n.op in ("Shape", "Size"):
                continue  # asks for dims, not for the value
            for v in dict.fromkeys(n.inputs + n.captured):
                self.users.setdefault(v, []).append(n)

    # ---- queries ----
    def maker(self, value, *ops):
        n = self.makers.get(value)
        return n if n is not None and n.domain == "" and (not ops or n.op in ops) else None

    def const(self, value):
        c = self.consts.get(value)
        return c.array() if c is not None else None

    def scalar(self, value):
        """The number a value is everywhere, else None."""
        c = self.consts.get(value)
        if c is None or c.size() == 0 or c.size() > FOLD_LIMIT:
            return None
        a = c.array()
        if a.dtype.kind not in "fiub" and a.dtype.name != "bfloat16":
            return None
        a = a.astype(np.float64).ravel()
        return float(a[0]) if (a == a[0]).all() else None

    def shape(self, value):
        """Dims with None where unknown; None when even the rank is unknown."""
        c = self.consts.get(value)
        if c is not None:
            return list(c.dims())
        return self.types.get(value, (0, None))[1]

    def element(self, value):
        return self.types.get(value, (0, None))[0]

    # ---- canonical form ----
    def _canonicalise(self):
        self.alias, kept = {}, []
        for n in self.nodes:
            n.inputs = [self.alias.get(i, i) for i in n.inputs]
            if n.domain == "" and n.op == "Constant":
                value = constant_value(n)
                if value is not None:
                    self.consts[n.outputs[0]] = LazyArray(value)
                    continue
            if self._transparent(n) and n.outputs[0] not in self.results:
                self.alias[n.outputs[0]] = n.inputs[0]
                if n.inputs[0] in self.partial:
                    self.partial[n.outputs[0]] = self.partial[n.inputs[0]]
                continue
            if self._transparent(n):  # the value before it becomes the result, unless it is one already
                source, target = n.inputs[0], n.outputs[0]
                if source not in self.results and any(source in k.outputs for k in kept):
                    rename(kept, source, target)
                    self.alias[source] = target
                    self.types[target] = self.types.get(source, self.types.get(target, (0, None)))
                    continue
            if not self._fold(n):
                kept.append(n)
        self.nodes = kept
        self.results = [self.alias.get(r, r) for r in self.results]

    def _transparent(self, n):
        if n.domain != "":
            return False
        if n.op == "Identity":
            return True
        if n.op == "Dropout":  # a training-mode dropout would name its third input
            training = n.inputs[2] if len(n.inputs) > 2 else ""
            return not training or self.scalar(training) == 0
        if n.op == "Cast":
            source = self.element(n.inputs[0])
            return (source in FLOATS and n.attr("to") in FLOATS) or source == n.attr("to")
        return False

    def _fold(self, n):
        """Turns a node whose value is known into constants; true when it did."""
        if n.domain != "" or n.op in NEVER_FOLDED or len(n.outputs) != 1:
            return False
        out = n.outputs[0]
        known = self._known_elements(n)
        if known is not None:
            self.partial[out] = known
            if all(k is not None for k in known[0]):
                self.consts[out] = LazyArray(np.array(known[0], np.int64).reshape(() if known[1] else (-1,)))
                return True
        ins = [i for i in n.inputs if i]
        if not ins and n.op != "Constant":
            return False
        if not all(i in self.consts for i in ins):
            return False
        if any(self.consts[i].size() > FOLD_LIMIT for i in ins):
            self.consts[out] = LazyTensor(onnx.TensorProto(), [d or 0 for d in self.shape(out) or [FOLD_LIMIT + 1]])
            return True
        try:
            proto = onnx.NodeProto()
            proto.CopyFrom(n.proto)
            proto.domain = ""
            del proto.input[:]
            proto.input.extend(n.inputs)
            value = ReferenceEvaluator(proto, opsets=dict(self.opsets)).run(None, {i: self.consts[i].array() for i in ins})[0]
        except Exception:
            return False
        if not isinstance(value, np.ndarray):
            value = np.asarray(value)
        self.consts[out] = LazyArray(value)
        return True

    def _known_elements(self, n):
        """(elements, is a scalar) of a small integer tensor computed from dims, or None."""
        get = lambda v: self.partial.get(v) or ints(self.const(v) if v in self.consts and self.consts[v].size() <= 64 else None)
        if n.op == "Shape":
            dims = self.shape(n.inputs[0])
            if dims is None:
                return None
            return list(dims)[n.attr("start", 0):n.attr("end", len(dims))], False
        first = get(n.inputs[0]) if n.inputs else None
        if n.op in ("Cast", "Squeeze", "Unsqueeze") and first is not None:
            if n.op == "Cast" and n.attr("to") not in (onnx.TensorProto.INT64, onnx.TensorProto.INT32):
                return None
            return first[0], n.op == "Squeeze" or (n.op == "Cast" and first[1])
        if n.op == "Gather" and first is not None and not first[1]:
            index = self.const(n.inputs[1])
            if index is None or index.ndim > 1 or (np.abs(index) > len(first[0])).any():
                return None
            return [first[0][int(i)] for i in np.ravel(index)], index.ndim == 0
        if n.op == "Slice" and first is not None and len(n.inputs) >= 3 and not first[1]:
            bounds = [self.const(v) for v in n.inputs[1:3]]
            if any(b is None or b.size != 1 for b in bounds) or len(n.inputs) > 4:
                return None
            return first[0][int(np.ravel(bounds[0])[0]):int(np.ravel(bounds[1])[0])], False
        if n.op == "Concat":
            parts = [get(v) for v in n.inputs]
            return (sum((p[0] for p in parts), []), False) if all(p is not None and not p[1] for p in parts) else None
        return None


def ints(a):
    if a is None or a.dtype not in (np.int64, np.int32) or a.ndim > 1:
        return None
    return [int(v) for v in a.ravel()], a.ndim == 0


class LazyTensor:
    """A constant whose bytes are decoded only when asked for."""

    def __init__(self, proto, dims=None):
        self.proto, self._dims = proto, dims if dims is not None else list(proto.dims)

    def dims(self):
        return self._dims

    def size(self):
        return int(np.prod(self._dims, dtype=np.int64)) if self._dims else 1

    def array(self):
        return numpy_helper.to_array(self.proto)


class LazyArray(LazyTensor):
    def __init__(self, value):
        self.value, self._dims = value, list(value.shape)

    def array(self):
        return self.value


def constant_value(n):
    for a in n.proto.attribute:
        v = helper.get_attribute_value(a)
        if a.name == "value":
            return numpy_helper.to_array(v)
        if a.name in ("value_int", "value_ints"):
            return np.array(v, np.int64)
        if a.name in ("value_float", "value_floats"):
            return np.array(v, np.float32)
    return None


def rename(nodes, old, new):
    for n in nodes:
        n.inputs = [new if i == old else i for i in n.inputs]
        n.outputs = [new if o == old else o for o in n.outputs]


def free_values(body):
    """Names that a body reads but does not define."""
    made = {i.name for i in body.input} | {t.name for t in body.initializer}
    made |= {o for n in body.node for o in n.output}
    read = [i for n in body.node for i in n.input if i] + [o.name for o in body.output]
    for n in body.node:
        for a in n.attribute:
            for g in ([a.g] if a.type == onnx.AttributeProto.GRAPH else a.graphs):
                read += free_values(g)
    return [r for r in dict.fromkeys(read) if r not in made]


def value_types(graph):
    found = {}
    for v in list(graph.input) + list(graph.value_info) + list(graph.output):
        t = v.type.tensor_type
        dims = [d.dim_value if d.HasField("dim_value") else None for d in t.shape.dim] if t.HasField("shape") else None
        found[v.name] = (t.elem_type, dims)
    for t in graph.initializer:
        found[t.name] = (t.data_type, list(t.dims))
    return found


def load(path):
    """The canonical main graph of a model file (its bodies hang below it)."""
    model = onnx.load(path, load_external_data=False)
    if model.functions:
        model = onnx.inliner.inline_local_functions(model)
    opsets = {("" if o.domain == "ai.onnx" else o.domain): o.version for o in model.opset_import}
    light = without_payloads(model)
    for _ in range(12):
        types = infer(model, light)
        graph = Graph(model.graph, opsets, types)
        if not add_reshape_ranks(graph, light, types):
            break
    return graph


def without_payloads(model):
    light = onnx.ModelProto()
    light.CopyFrom(model)
    for t in light.graph.initializer:  # shape inference needs dims, not payloads
        if np.prod(t.dims, dtype=np.int64) > 4096:
            t.ClearField("raw_data")
            t.ClearField("float_data")
    if len(light.graph.node) > 1:  # declared shapes may be wrong; inference is better
        for o in light.graph.output:
            if o.type.tensor_type.elem_type:
                o.type.tensor_type.ClearField("shape")
    return light


def infer(model, light):
    try:
        inferred = shape_inference.infer_shapes(light, data_prop=True)
    except Exception:
        inferred = light
    return {**value_types(model.graph), **{k: v for k, v in value_types(inferred.graph).items() if v[1] is not None or v[0]}}


def add_reshape_ranks(graph, light, types):
    """ONNX's inference gives up on a Reshape to a computed shape; the length of that shape still is the rank."""
    added = False
    for n in graph.nodes:
        if n.op not in ("Reshape", "Expand") or n.domain != "" or graph.shape(n.outputs[0]) is not None:
            continue
        known = graph.partial.get(n.inputs[1])
        dims = known[0] if known else None
        if n.inputs[1] in graph.consts:
            dims = [int(v) for v in np.ravel(graph.const(n.inputs[1]))]
        length = graph.shape(n.inputs[1])
        if dims is None and length and length[0] is not None:
            dims = [None] * length[0]
        element = graph.element(n.inputs[0]) or onnx.TensorProto.FLOAT
        if dims is not None:
            dims = [d if d is not None and d > 0 else None for d in dims]
            light.graph.value_info.append(helper.make_tensor_value_info(n.outputs[0], element, dims))
            added = True
    return added
