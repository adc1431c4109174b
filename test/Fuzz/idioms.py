"""Draws of what frameworks write out in many nodes: what raising and fusion look for."""
import numpy as np

from compute import conv, not_empty
from graph import Skip
from movement import shape_constant


def scalar(g, number, dtype="float32"):
    return g.constant(np.array(number, dtype))


def reduce_last(g, op, x):
    """Over the last axis, kept."""
    shape = (*x.shape[:-1], 1)
    if g.opset >= (13 if op == "ReduceSum" else 18):
        return g.emit(op, [x, shape_constant(g, [-1])], [(x.dtype, shape)], keepdims=1)
    return g.emit(op, [x], [(x.dtype, shape)], keepdims=1, axes=[-1])


def same(g, op, *inputs):
    return g.emit(op, inputs, [(inputs[0].dtype, np.broadcast_shapes(*(v.shape for v in inputs)))])


def affine(g, x):
    """Times weights, plus weights, over the last axis; each of them perhaps not."""
    for op in ("Mul", "Add"):
        if g.chance(0.8):
            x = same(g, op, x, g.constant(g.data(x.dtype, x.shape[-1:])))
    return x


def layer_norm(g):
    x = g.value(("float32",), (2, 3), not_empty)
    centred = same(g, "Sub", x, reduce_last(g, "ReduceMean", x))
    square = same(g, "Pow", centred, scalar(g, 2)) if g.chance(0.6) else same(g, "Mul", centred, centred)
    variance = reduce_last(g, "ReduceMean", square)
    deviation = same(g, "Sqrt", same(g, "Add", variance, scalar(g, 1e-5)))
    return affine(g, same(g, "Div", centred, deviation))


def rms_norm(g):
    x = g.value(("float32",), (2, 3), not_empty)
    square = same(g, "Pow", x, scalar(g, 2)) if g.chance(0.5) else same(g, "Mul", x, x)
    root = same(g, "Sqrt", same(g, "Add", reduce_last(g, "ReduceMean", square), scalar(g, 1e-5)))
    if g.chance(0.5):
        return affine(g, same(g, "Mul", x, same(g, "Reciprocal", root)))
    return affine(g, same(g, "Div", x, root))


def softmax(g):
    x = g.value(("float32",), (2, 3, 4), not_empty)
    e = same(g, "Exp", same(g, "Sub", x, reduce_last(g, "ReduceMax", x)))
    return same(g, "Div", e, reduce_last(g, "ReduceSum", e))


def gelu(g):
    x = g.value(("float32",))
    if g.chance(0.5):
        inner = same(g, "Erf", same(g, "Div", x, scalar(g, np.sqrt(2))))
    else:
        cube = same(g, "Mul", same(g, "Mul", x, x), x)
        inner = same(g, "Add", x, same(g, "Mul", cube, scalar(g, 0.044715)))
        inner = same(g, "Tanh", same(g, "Mul", inner, scalar(g, np.sqrt(2 / np.pi))))
    gate = same(g, "Add", inner, scalar(g, 1))
    if g.chance(0.5):
        return same(g, "Mul", same(g, "Mul", x, gate), scalar(g, 0.5))
    return same(g, "Mul", same(g, "Mul", x, scalar(g, 0.5)), gate)


def silu(g):
    x = g.value(("float32",))
    return same(g, "Mul", x, same(g, "Sigmoid", x))


def conv_norm_activation(g):
    x = conv(g)
    channels = x.shape[1]
    scale, bias, mean = (g.constant(g.data("float32", (channels,))) for _ in range(3))
    x = g.emit("BatchNormalization", [x, scale, bias, mean, g.constant(g.data("float32", (channels,), "positive"))], [(x.dtype, x.shape)])
    if g.chance(0.4):
        x = same(g, "Add", x, g.operand(x.dtype, x.shape))
    return same(g, g.pick(("Relu", "HardSwish", "Sigmoid", "Tanh")) if g.opset >= 14 else "Relu", x)


def project(g, x, width):
    y = g.emit("MatMul", [x, g.constant(g.data("float32", (x.shape[-1], width)) * np.float32(0.5))], [("float32", (*x.shape[:-1], width))])
    return same(g, "Add", y, g.constant(g.data("float32", (width,)))) if g.chance(0.6) else y


def heads_of(g, x, heads, swap):
    batch, steps, width = x.shape
    head = width // heads
    x = g.emit("Reshape", [x, shape_constant(g, [0, g.pick((0, -1)), heads, head])], [("float32", (batch, steps, heads, head))])
    order = (0, 2, 3, 1) if swap else (0, 2, 1, 3)
    return g.emit("Transpose", [x], [("float32", [x.shape[axis] for axis in order])], perm=order)


def attention(g):
    x = g.value(("float32",), (3,), not_empty)
    heads, head = g.pick((1, 2, 3)), g.pick((2, 4, 8))
    batch, steps, _ = x.shape
    q, k, v = (project(g, x, heads * head) for _ in range(3))
    q, k, v = heads_of(g, q, heads, False), heads_of(g, k, heads, True), heads_of(g, v, heads, False)
    scores = g.emit("MatMul", [q, k], [("float32", (batch, heads, steps, steps))])
    scale = g.pick((None, ("Mul", 1 / np.sqrt(head)), ("Div", np.sqrt(head))))
    if scale:
        scores = same(g, scale[0], scores, scalar(g, scale[1]))
    if g.chance(0.5):
        mask = np.where(np.tri(steps, dtype=bool) if g.chance(0.5) else g.rng.random((steps, steps)) < 0.8, 0, g.pick((-1e4, -np.inf)))
        mask[np.all(mask < 0, axis=-1)] = 0
        scores = same(g, "Add", scores, g.constant(mask.astype(np.float32)))
    weights = g.emit("Softmax", [scores], [("float32", scores.shape)], axis=-1)
    y = g.emit("MatMul", [weights, v], [("float32", (batch, heads, steps, head))])
    y = g.emit("Transpose", [y], [("float32", (batch, steps, heads, head))], perm=(0, 2, 1, 3))
    y = g.emit("Reshape", [y, shape_constant(g, [0, 0, heads * head])], [("float32", (batch, steps, heads * head))])
    return project(g, y, x.shape[-1]) if g.chance(0.6) else y


def mlp(g):
    x = g.value(("float32",), (2, 3), not_empty)
    hidden = same(g, g.pick(("Relu", "Sigmoid", "Tanh", "Softplus")), project(g, x, g.pick((4, 8, 17))))
    y = project(g, hidden, x.shape[-1])
    return same(g, "Add", x, y) if g.chance(0.7) else y


def rope(g):
    x = g.value(("float32",), (3, 4), lambda v: v.size > 0 and v.shape[-1] % 2 == 0)
    half = x.shape[-1] // 2
    angles = g.rng.random((x.shape[-2], half)) * 3
    cos, sin = (g.constant(np.concatenate([f(angles)] * 2, -1).astype(np.float32)) for f in (np.cos, np.sin))
    shape = (*x.shape[:-1], half)
    low, high = (g.emit("Slice", [x, shape_constant(g, [a]), shape_constant(g, [b]), shape_constant(g, [x.rank - 1])],
                        [("float32", shape)]) for a, b in ((0, half), (half, 2**31 - 1)))
    turned = g.emit("Concat", [same(g, "Neg", high), low], [("float32", x.shape)], axis=x.rank - 1)
    return same(g, "Add", same(g, "Mul", x, cos), same(g, "Mul", turned, sin))


def glu(g):
    x = g.value(("float32",), (2, 3, 4), lambda v: v.size > 0 and v.shape[-1] % 2 == 0)
    half = x.shape[-1] // 2
    shapes = [("float32", (*x.shape[:-1], half))] * 2
    a, b = g.emit("Split", [x, shape_constant(g, [half, half])], shapes, axis=x.rank - 1)
    return same(g, "Mul", a, same(g, "Sigmoid", b))


def there_and_back(g):
    """A transpose, something elementwise, its inverse: what layout propagation removes."""
    x = g.value(("float32",), (3, 4), not_empty)
    order = [int(axis) for axis in g.rng.permutation(x.rank)]
    y = g.emit("Transpose", [x], [(x.dtype, [x.shape[axis] for axis in order])], perm=order)
    y = same(g, g.pick(("Relu", "Tanh", "Neg")), y)
    if g.chance(0.4):
        y = same(g, "Add", y, g.operand(y.dtype, y.shape))
    return g.emit("Transpose", [y], [(x.dtype, x.shape)], perm=[order.index(axis) for axis in range(x.rank)])


def residual(g):
    x = g.value(("float32",))
    other = [v for v in g.values if v.shape == x.shape and v.dtype == x.dtype and v is not x]
    if not other:
        raise Skip
    return same(g, "Add", x, g.pick(other))


DRAWS = {layer_norm: 2, rms_norm: 2, softmax: 1, gelu: 2, silu: 2, conv_norm_activation: 3, attention: 2, mlp: 2, rope: 1, glu: 1,
         there_and_back: 2, residual: 3}
