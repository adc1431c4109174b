"""Draws of operators that compute over axes: contractions, reductions, norms, windows, quantization, recurrence."""
import numpy as np

from graph import Skip
from movement import shape_constant


def not_empty(value):
    return value.size > 0


# Contractions --------------------------------------------------------------------------------------------


def matmul(g):
    x = g.value(("float32", "float32", g.float), (2, 3, 4))
    columns = g.pick((1, 2, 3, 4, 8, 16, 17, 33))
    batch = x.shape[:-2] if g.chance(0.4) else [1 if g.chance(0.5) else size for size in x.shape[:-2]] if g.chance(0.4) else []
    y = g.operand(x.dtype, (*batch, x.shape[-1], columns))
    product = g.emit("MatMul", [x, y], [(x.dtype, (*x.shape[:-1], columns))])
    if g.chance(0.4):
        product = g.emit("Add", [product, g.constant(g.data(x.dtype, (columns,)))], [(x.dtype, product.shape)])
    return product


def matmul_self(g):
    """x times its own transpose."""
    x = g.value(("float32", g.float), (2, 3, 4))
    order = [*range(x.rank - 2), x.rank - 1, x.rank - 2]
    y = g.emit("Transpose", [x], [(x.dtype, [x.shape[axis] for axis in order])], perm=order)
    return g.emit("MatMul", [x, y], [(x.dtype, (*x.shape[:-1], x.shape[-2]))])


def gemm(g):
    a = g.value(("float32", "float32", "float64"), (2,))
    trans_a, trans_b = g.integer(0, 1), g.integer(0, 1)
    rows, inner = a.shape[::-1] if trans_a else a.shape
    columns = g.pick((1, 3, 4, 8, 17))
    b = g.operand(a.dtype, (columns, inner) if trans_b else (inner, columns))
    inputs = [a, b]
    if g.chance(0.7):
        inputs.append(g.operand(a.dtype, g.pick(((columns,), (1, columns), (rows, columns), (rows, 1), ()))))
    attributes = {name: round(float(g.rng.uniform(0.2, 2)), 2) for name in ("alpha", "beta") if g.chance(0.3)}
    return g.emit("Gemm", inputs, [(a.dtype, (rows, columns))], transA=trans_a, transB=trans_b, **attributes)


def einsum(g):
    x = g.value(("float32",), (3,), not_empty)
    b, i, j = x.shape
    k = g.pick((1, 3, 4, 8))
    text, other, result = g.pick((("bij,jk->bik", (j, k), (b, i, k)), ("bij,bjk->bki", (b, j, k), (b, k, i)), ("bij->bji", None, (b, j, i)),
                                  ("bij,bij->b", x.shape, (b,)), ("bij->bi", None, (b, i)), ("bij,bkj->bik", (b, k, j), (b, i, k))))
    inputs = [x] if other is None else [x, g.operand(x.dtype, other)]
    return g.emit("Einsum", inputs, [(x.dtype, result)], equation=text)


# Windows -------------------------------------------------------------------------------------------------


def image(g, ranks=(4, 4, 4, 3, 5)):
    """N, C, then small spatial sizes."""
    there = [v for v in g.values if v.dtype == "float32" and v.rank in ranks and min(v.shape) > 0 and max(v.shape[1:]) <= 33]
    if there and g.chance(0.7):
        return g.pick(there)
    rank = g.pick(ranks)
    batch, name = (g.symbols["b"], "b") if g.symbols.get("b", 0) > 0 and g.chance(0.5) else (g.pick((1, 1, 2)), "")
    high = {3: 20, 4: 11, 5: 5}[rank]
    shape = (batch, g.pick((1, 2, 3, 4, 6, 8, 16)), *(g.integer(2, high) for _ in range(rank - 2)))
    return g.new_input("float32", shape, {0: name} if name else {})


def windows(g, sizes, dilate=True):
    """Attributes of a window and the sizes it leaves."""
    kernel = [g.integer(1, min(3, size)) for size in sizes]
    strides = [g.pick((1, 1, 2, 3)) for _ in sizes]
    dilations = [g.pick((1, 1, 2)) if dilate and 2 * (k - 1) < size else 1 for k, size in zip(kernel, sizes)]
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations)]
    low, high = ([g.integer(0, max(0, k // 2)) for k in kernel] for _ in range(2))
    left = [(size + a + b - r) // s + 1 for size, a, b, r, s in zip(sizes, low, high, reach, strides)]
    if min(left) < 1:
        raise Skip
    return kernel, strides, dilations, low + high, left


def conv(g):
    x = image(g)
    channels = x.shape[1]
    kernel, strides, dilations, pads, left = windows(g, x.shape[2:])
    groups = g.pick([group for group in (1, 1, 2, channels) if channels % group == 0])
    outputs = groups * g.pick((1, 2, 3, 4, 8) if groups < 4 else (1, 1, 2))
    weight = g.constant(g.data("float32", (outputs, channels // groups, *kernel)) * np.float32(0.5))
    inputs = [x, weight] + ([g.constant(g.data("float32", (outputs,)))] if g.chance(0.6) else [])
    return g.emit("Conv", inputs, [(x.dtype, (x.shape[0], outputs, *left))], kernel_shape=kernel, strides=strides, dilations=dilations,
                  pads=pads, group=groups)


def conv_transpose(g):
    x = image(g, (4, 3))
    groups = 2 if x.shape[1] % 2 == 0 and g.chance(0.3) else 1
    outputs = g.pick((1, 2, 3, 4))
    kernel = [g.integer(1, 3) for _ in x.shape[2:]]
    strides = [g.pick((1, 2)) for _ in kernel]
    pads = [g.integer(0, (k - 1) // 2) for k in kernel]
    left = [(size - 1) * s + k - 2 * p for size, s, k, p in zip(x.shape[2:], strides, kernel, pads)]
    if min(left) < 1:
        raise Skip
    weight = g.constant(g.data("float32", (x.shape[1], outputs, *kernel)))
    return g.emit("ConvTranspose", [x, weight], [(x.dtype, (x.shape[0], outputs * groups, *left))], kernel_shape=kernel, strides=strides,
                  pads=pads + pads, group=groups)


def pool(g):
    x = image(g)
    op = g.pick(("MaxPool", "MaxPool", "AveragePool", "AveragePool", "LpPool", "GlobalAveragePool", "GlobalMaxPool"))
    if op.startswith("Global"):
        return g.emit(op, [x], [(x.dtype, (*x.shape[:2], *(1 for _ in x.shape[2:])))])
    kernel, strides, dilations, pads, left = windows(g, x.shape[2:], op == "MaxPool")
    attributes = {"dilations": dilations} if op == "MaxPool" else {}
    if op == "AveragePool":
        attributes["count_include_pad"] = g.integer(0, 1)
    if any(p >= k for p, k in zip(pads, kernel * 2)):
        raise Skip
    return g.emit(op, [x], [(x.dtype, (*x.shape[:2], *left))], kernel_shape=kernel, strides=strides, pads=pads, **attributes)


def resize(g):
    x = image(g, (4,))
    sizes = [*x.shape[:2], *(g.pick((size, size * 2, g.integer(1, 12))) for size in x.shape[2:])]
    mode = g.pick(("nearest", "linear", "cubic"))
    attributes = {"mode": mode, "coordinate_transformation_mode": g.pick(("half_pixel", "asymmetric", "align_corners"))}
    if mode == "nearest":
        attributes["nearest_mode"] = g.pick(("floor", "round_prefer_floor", "ceil"))
    if g.chance(0.5):
        scales = [1.0, 1.0, float(g.pick((1, 2, 3))), float(g.pick((1, 2)))]
        sizes = [int(size * scale) for size, scale in zip(x.shape, scales)]
        inputs = [x, None, g.constant(np.array(scales, np.float32))]
    else:
        inputs = [x, None, None, shape_constant(g, sizes)]
    return g.emit("Resize", inputs, [(x.dtype, sizes)], **attributes)


# Over axes -----------------------------------------------------------------------------------------------


def reduce(g):
    op = g.pick(("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceSumSquare",
                 "ReduceLogSumExp", "ReduceSum", "ReduceMean"))
    types = (g.float, "float32", "int32", "int64") if op in ("ReduceSum", "ReduceMax", "ReduceMin") else (g.float, "float32")
    x = g.value(types, (1, 2, 3, 4), not_empty)
    axes = sorted(int(axis) for axis in g.rng.permutation(x.rank)[:g.integer(1, x.rank)])
    keep = g.integer(0, 1)
    shape = [1 if axis in axes else size for axis, size in enumerate(x.shape) if keep or axis not in axes]
    written = [axis - x.rank if g.chance(0.3) else axis for axis in axes]
    if g.opset >= (13 if op == "ReduceSum" else 18):
        return g.emit(op, [x, shape_constant(g, written)], [(x.dtype, shape)], keepdims=keep)
    return g.emit(op, [x], [(x.dtype, shape)], keepdims=keep, axes=written)


def arg_reduce(g):
    x = g.value(("float32", "int32"), (1, 2, 3), not_empty)
    axis, keep = g.integer(0, x.rank - 1), g.integer(0, 1)
    shape = [1 if a == axis else size for a, size in enumerate(x.shape) if keep or a != axis]
    return g.emit(g.pick(("ArgMax", "ArgMin")), [x], [("int64", shape)], axis=axis, keepdims=keep, select_last_index=g.integer(0, 1))


def top_k(g):
    x = g.value(("float32", "int64"), (1, 2, 3), not_empty)
    axis = g.integer(0, x.rank - 1)
    k = g.integer(1, x.shape[axis])
    shape = [*x.shape[:axis], k, *x.shape[axis + 1:]]
    return g.emit("TopK", [x, shape_constant(g, [k])], [(x.dtype, shape), ("int64", shape)], axis=axis, largest=g.integer(0, 1))


def cumulate(g):
    x = g.value(("float32", "int64"), (1, 2, 3))
    axis = g.constant(np.array(g.integer(0, x.rank - 1), np.int64))
    return g.emit("CumSum", [x, axis], [(x.dtype, x.shape)], exclusive=g.integer(0, 1), reverse=g.integer(0, 1))


def softmax(g):
    x = g.value(("float32", "float32", g.float), (1, 2, 3, 4), not_empty)
    axis = g.pick((-1, -1, g.integer(-x.rank, x.rank - 1)))
    return g.emit(g.pick(("Softmax", "Softmax", "LogSoftmax", "Hardmax")), [x], [(x.dtype, x.shape)], axis=axis)


def layer_norm(g):
    if g.opset < 17:
        raise Skip
    x = g.value(("float32",), (2, 3, 4), not_empty)
    axis = g.integer(1, x.rank - 1)
    scale, bias = (g.constant(g.data(x.dtype, x.shape[axis:])) for _ in range(2))
    return g.emit("LayerNormalization", [x, scale, bias][:g.pick((2, 3, 3))], [(x.dtype, x.shape)], axis=axis, epsilon=g.pick((1e-5, 1e-3)))


def channel_norm(g):
    x = image(g)
    channels = x.shape[1]
    op = g.pick(("BatchNormalization", "InstanceNormalization", "GroupNormalization"))
    scale, bias = (g.constant(g.data("float32", (channels,))) for _ in range(2))
    if op == "BatchNormalization":
        mean, variance = g.constant(g.data("float32", (channels,))), g.constant(g.data("float32", (channels,), "positive"))
        return g.emit(op, [x, scale, bias, mean, variance], [(x.dtype, x.shape)])
    if op == "InstanceNormalization":
        return g.emit(op, [x, scale, bias], [(x.dtype, x.shape)])
    if g.opset < 21 or channels % 2:
        raise Skip
    return g.emit(op, [x, scale, bias], [(x.dtype, x.shape)], num_groups=g.pick((1, 2, channels)), epsilon=1e-4)


def other_norm(g):
    x = g.value(("float32",), (2, 3, 4), not_empty)
    if x.rank == 4 and g.chance(0.5):
        return g.emit("LRN", [x], [(x.dtype, x.shape)], size=g.pick((1, 3, 5)), alpha=0.1, beta=0.7)
    return g.emit("LpNormalization", [x], [(x.dtype, x.shape)], axis=g.integer(-x.rank, x.rank - 1), p=g.pick((1, 2)))


# Quantization --------------------------------------------------------------------------------------------


def quantize_round_trip(g):
    x = g.value(("float32",), (1, 2, 3, 4), not_empty)
    scale = g.constant(np.array(g.pick((0.03, 0.1, 0.25)), np.float32))
    kind = g.pick(("uint8", "int8"))
    zero = g.constant(np.array(g.integer(0, 20), kind))
    q = g.emit("QuantizeLinear", [x, scale, zero], [(kind, x.shape)])
    return g.emit("DequantizeLinear", [q, scale, zero], [("float32", x.shape)])


def matmul_integer(g):
    a = g.operand("uint8", (g.integer(1, 9), g.integer(1, 17)))
    b = g.operand(g.pick(("uint8", "int8")), (a.shape[1], g.integer(1, 17)))
    inputs = [a, b] + ([g.constant(np.array(3, np.uint8)), g.constant(np.array(2, b.dtype))] if g.chance(0.6) else [])
    return g.emit("MatMulInteger", inputs, [("int32", (a.shape[0], b.shape[1]))])


# Recurrence ----------------------------------------------------------------------------------------------


def recurrent(g):
    op = g.pick(("LSTM", "GRU", "RNN"))
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[op]
    x = g.value(("float32",), (3,), not_empty)
    steps, batch, width = x.shape
    hidden, both = g.pick((1, 3, 4, 8)), g.chance(0.3)
    directions = 2 if both else 1
    w, r, b = (g.constant(g.data("float32", (directions, *shape)) * np.float32(0.4))
               for shape in ((gates * hidden, width), (gates * hidden, hidden), (2 * gates * hidden,)))
    results = [("float32", (steps, directions, batch, hidden)), ("float32", (directions, batch, hidden))]
    attributes = {"linear_before_reset": g.integer(0, 1)} if op == "GRU" else {}
    return g.emit(op, [x, w, r, b][:g.pick((3, 4))], results, hidden_size=hidden,
                  direction="bidirectional" if both else g.pick(("forward", "reverse")), **attributes)


DRAWS = {matmul: 6, matmul_self: 1, gemm: 3, einsum: 1, conv: 5, conv_transpose: 2, pool: 3, resize: 2, reduce: 6, arg_reduce: 1, top_k: 1,
         cumulate: 1, softmax: 4, layer_norm: 3, channel_norm: 3, other_norm: 1, quantize_round_trip: 1, matmul_integer: 1,
         recurrent: 1}
