"""Draws of operators that only move elements."""
import numpy as np

from graph import Skip

ANY = ("float32", "float16", "float64", "int32", "int64", "int8", "uint8", "bool")


def shape_constant(g, sizes):
    return g.constant(np.array(sizes, np.int64).reshape(len(sizes)))


def any_value(g, ranks=(1, 2, 3, 4), where=None):
    return g.value((g.float,) * 5 + ("int32", "int64", "bool"), ranks, where)


def factorise(g, count, rank):
    """Sizes whose product is `count`."""
    sizes = [1] * rank
    for prime in (2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 5, 5, 7, 11, 17):
        if count % prime == 0:
            count //= prime
            sizes[g.integer(0, rank - 1)] *= prime
    sizes[g.integer(0, rank - 1)] *= count
    return sizes


def reshape(g):
    x = any_value(g, (0, 1, 2, 3, 4, 5))
    if x.size == 0:
        raise Skip
    sizes = factorise(g, x.size, g.integer(1, 5))
    written = list(sizes)
    for axis in range(min(x.rank, len(sizes))):
        if x.shape[axis] == sizes[axis] and g.chance(0.7):
            written[axis] = 0
    if g.chance(0.6):
        written[g.integer(0, len(sizes) - 1)] = -1
    return g.emit("Reshape", [x, shape_constant(g, written)], [(x.dtype, sizes)])


def merge_axes(g):
    """What exporters do: two axes into one with 0 and -1, good for symbols."""
    x = any_value(g, (2, 3, 4), lambda v: v.size > 0)
    axis = g.integer(0, x.rank - 2)
    sizes = [*x.shape[:axis], x.shape[axis] * x.shape[axis + 1], *x.shape[axis + 2:]]
    written = [0] * axis + [-1] + list(x.shape[axis + 2:])
    return g.emit("Reshape", [x, shape_constant(g, written)], [(x.dtype, sizes)])


def split_axis(g):
    x = any_value(g, (1, 2, 3, 4), lambda v: v.size > 0)
    axis = g.integer(0, x.rank - 1)
    factors = [f for f in (2, 3, 4, 8) if x.shape[axis] % f == 0]
    if not factors:
        raise Skip
    factor = g.pick(factors)
    sizes = [*x.shape[:axis], x.shape[axis] // factor, factor, *x.shape[axis + 1:]]
    written = [0] * axis + [-1, factor] + list(x.shape[axis + 1:])
    return g.emit("Reshape", [x, shape_constant(g, written)], [(x.dtype, sizes)])


def flatten(g):
    x = any_value(g, (1, 2, 3, 4))
    axis = g.integer(0, x.rank)
    rows = int(np.prod(x.shape[:axis], dtype=np.int64))
    columns = int(np.prod(x.shape[axis:], dtype=np.int64))
    return g.emit("Flatten", [x], [(x.dtype, (rows, columns))], axis=axis)


def transpose(g):
    x = any_value(g, (2, 3, 4, 5))
    order = [int(axis) for axis in g.rng.permutation(x.rank)]
    if g.chance(0.15):
        return g.emit("Transpose", [x], [(x.dtype, x.shape[::-1])])
    return g.emit("Transpose", [x], [(x.dtype, [x.shape[axis] for axis in order])], perm=order)


def squeeze(g):
    x = any_value(g, (1, 2, 3, 4, 5), lambda v: 1 in v.shape)
    axes = [axis for axis, size in enumerate(x.shape) if size == 1 and g.chance(0.7)]
    if not axes:
        raise Skip
    written = [axis - x.rank if g.chance(0.3) else axis for axis in axes]
    shape = [size for axis, size in enumerate(x.shape) if axis not in axes]
    return g.emit("Squeeze", [x, shape_constant(g, written)], [(x.dtype, shape)])


def unsqueeze(g):
    x = any_value(g, (0, 1, 2, 3, 4))
    rank = x.rank + g.integer(1, 2)
    axes = sorted(int(axis) for axis in g.rng.permutation(rank)[:rank - x.rank])
    sizes = iter(x.shape)
    shape = [1 if axis in axes else next(sizes) for axis in range(rank)]
    return g.emit("Unsqueeze", [x, shape_constant(g, axes)], [(x.dtype, shape)])


def concat(g):
    x = any_value(g)
    axis = g.integer(0, x.rank - 1)
    parts = [x]
    for _ in range(g.integer(1, 3)):
        shape = list(x.shape)
        if g.chance(0.6):
            shape[axis] = g.pick((0 if g.empty else 1, 1, 2, 3, 5, 8))
        parts.insert(g.integer(0, len(parts)), g.operand(x.dtype, shape))
    shape = list(x.shape)
    shape[axis] = sum(part.shape[axis] for part in parts)
    return g.emit("Concat", parts, [(x.dtype, shape)], axis=axis - x.rank if g.chance(0.3) else axis)


def split(g):
    x = any_value(g, where=lambda v: max(v.shape) >= 2)
    axis = g.pick([axis for axis, size in enumerate(x.shape) if size >= 2])
    cut = g.integer(1, x.shape[axis] - 1)
    sizes = [cut, x.shape[axis] - cut]
    shapes = [[*x.shape[:axis], size, *x.shape[axis + 1:]] for size in sizes]
    return g.emit("Split", [x, shape_constant(g, sizes)], [(x.dtype, shape) for shape in shapes], axis=axis)


def slices(g):
    x = any_value(g)
    axes = sorted(int(axis) for axis in g.rng.permutation(x.rank)[:g.integer(1, x.rank)])
    shape, starts, ends, steps = list(x.shape), [], [], []
    for axis in axes:
        size, step = x.shape[axis], g.pick((1, 1, 1, 2, 3, -1, -2))
        start, end = g.integer(-size - 1, size + 1), g.pick((g.integer(-size - 1, size + 1), 2**31 - 1, -2**31))
        shape[axis] = len(range(size)[slice(start, end, step)]) if size else 0
        if shape[axis] == 0 and not g.empty:
            raise Skip
        # ONNX clamps a start that Python would wrap once more; both agree inside of [-size, size].
        if not -size <= start <= size or (end < -size and step > 0) or (end >= size and step < 0):
            raise Skip
        starts.append(start)
        ends.append(end)
        steps.append(step)
    inputs = [x, shape_constant(g, starts), shape_constant(g, ends), shape_constant(g, axes), shape_constant(g, steps)]
    return g.emit("Slice", inputs, [(x.dtype, shape)])


def expand(g):
    x = any_value(g, (1, 2, 3))
    shape = [g.integer(1, 4) if size == 1 else size for size in x.shape]
    shape = [g.integer(1, 3) for _ in range(g.integer(0, 1))] + shape
    written = [1 if size > 1 and g.chance(0.3) and len(shape) == x.rank and size == old else size
               for size, old in zip(shape, [0] * (len(shape) - x.rank) + list(x.shape))]
    return g.emit("Expand", [x, shape_constant(g, written)], [(x.dtype, shape)])


def tile(g):
    x = any_value(g, (1, 2, 3))
    repeats = [g.pick((1, 1, 2, 3)) for _ in x.shape]
    return g.emit("Tile", [x, shape_constant(g, repeats)], [(x.dtype, [a * b for a, b in zip(x.shape, repeats)])])


def pad(g):
    x = g.value((g.float, g.float, "int32"), (1, 2, 3, 4), lambda v: v.size > 0)
    mode = g.pick(("constant", "constant", "edge", "reflect"))
    low, high = ([0 if g.chance(0.5) else g.integer(0, min(2, size - 1) if mode == "reflect" else 2) for size in x.shape]
                 for _ in range(2))
    if mode == "constant" and g.chance(0.2):
        axis = g.integer(0, x.rank - 1)
        low[axis] = -1 if x.shape[axis] > 2 else 0
    inputs = [x, shape_constant(g, low + high)]
    if mode == "constant" and g.chance(0.5):
        inputs.append(g.constant(np.array(g.integer(-2, 2), x.dtype)))
    return g.emit("Pad", inputs, [(x.dtype, [a + b + c for a, b, c in zip(low, x.shape, high)])], mode=mode)


def indices(g, bound, shape):
    """Numbers in [-bound, bound), constant or not."""
    array = g.rng.integers(-bound if g.chance(0.3) else 0, bound, shape)
    array = array.astype(g.pick(("int64", "int64", "int32")))
    if len(g.inputs) < 6 and g.chance(0.4):
        value = g.new_input(array.dtype.name, array.shape)
        g.inputs[-1] = (value, {}, array)
        # Nothing else may change or reuse what must stay in range.
        g.values.remove(value)
        return value
    return g.constant(array)


def gather(g):
    x = any_value(g, where=lambda v: v.size > 0)
    axis = g.integer(0, x.rank - 1)
    index = indices(g, x.shape[axis], g.pick(((), (1,), (3,), (2, 2))))
    return g.emit("Gather", [x, index], [(x.dtype, [*x.shape[:axis], *index.shape, *x.shape[axis + 1:]])], axis=axis)


def gather_elements(g):
    x = any_value(g, where=lambda v: v.size > 0)
    axis = g.integer(0, x.rank - 1)
    shape = [g.integer(1, size) for size in x.shape]
    index = indices(g, x.shape[axis], shape)
    return g.emit("GatherElements", [x, index], [(x.dtype, shape)], axis=axis)


def gather_nd(g):
    x = any_value(g, (1, 2, 3), lambda v: v.size > 0)
    depth = g.integer(1, x.rank)
    index = indices(g, min(x.shape[:depth]), (g.integer(1, 3), depth))
    if index.dtype != "int64":
        raise Skip
    return g.emit("GatherND", [x, index], [(x.dtype, [index.shape[0], *x.shape[depth:]])])


def scatter_elements(g):
    x = g.value(where=lambda v: v.size > 0)
    axis = g.integer(0, x.rank - 1)
    shape = [g.integer(1, size) for size in x.shape]
    # Every place at most once: the order of double ones is open.
    array = np.argsort(g.rng.random(x.shape), axis=axis)[tuple(slice(size) for size in shape)].astype(np.int64)
    updates = g.operand(x.dtype, shape)
    return g.emit("ScatterElements", [x, g.constant(array), updates], [(x.dtype, x.shape)], axis=axis)


def scatter_nd(g):
    x = g.value(where=lambda v: v.size > 0)
    count = g.integer(1, x.shape[0])
    array = g.rng.permutation(x.shape[0])[:count].reshape(count, 1).astype(np.int64)
    updates = g.operand(x.dtype, (count, *x.shape[1:]))
    return g.emit("ScatterND", [x, g.constant(array), updates], [(x.dtype, x.shape)])


def depth_and_space(g):
    x = g.value(ranks=(4,), where=lambda v: v.size > 0)
    n, c, h, w = x.shape
    if c % 4 == 0 and g.chance(0.7):
        return g.emit("DepthToSpace", [x], [(x.dtype, (n, c // 4, h * 2, w * 2))], blocksize=2, mode=g.pick(("DCR", "CRD")))
    if h % 2 or w % 2:
        raise Skip
    return g.emit("SpaceToDepth", [x], [(x.dtype, (n, c * 4, h // 2, w // 2))], blocksize=2)


def trilu(g):
    x = g.value((g.float, g.float, "int64"), (2, 3))
    if g.opset < 14:
        raise Skip
    return g.emit("Trilu", [x, g.constant(np.array(g.integer(-2, 2), np.int64))], [(x.dtype, x.shape)], upper=g.integer(0, 1))


def one_hot(g):
    index = indices(g, 5, g.pick(((3,), (2, 3))))
    shape = [*index.shape, 5]
    if index.dtype != "int64":
        raise Skip
    return g.emit("OneHot", [index, g.constant(np.array(5, np.int64)), g.constant(np.array([0, 1], np.float32))],
                  [("float32", shape)])


def sizes_of(g):
    """Shape arithmetic that ends in a Reshape."""
    x = any_value(g, (2, 3), lambda v: v.size > 0)
    shape = g.emit("Shape", [x], [("int64", (x.rank,))])
    first = g.emit("Slice", [shape, shape_constant(g, [0]), shape_constant(g, [1])], [("int64", (1,))])
    target = g.emit("Concat", [first, shape_constant(g, [-1])], [("int64", (2,))], axis=0)
    for value in (shape, first, target):
        g.values.remove(value)
    return g.emit("Reshape", [x, target], [(x.dtype, (x.shape[0], x.size // x.shape[0]))])


DRAWS = {reshape: 3, merge_axes: 2, split_axis: 2, flatten: 1, transpose: 5, squeeze: 1, unsqueeze: 2, concat: 4, split: 2,
         slices: 4, expand: 2, tile: 1, pad: 2, gather: 3, gather_elements: 1, gather_nd: 1, scatter_elements: 1, scatter_nd: 1,
         depth_and_space: 1, trilu: 1, one_hot: 1, sizes_of: 1}
