"""What the matchers of count_idioms.py share."""
import collections

import numpy as np

TOLERANCE = 1e-3
Match = collections.namedtuple("Match", "idiom variant nodes root source", defaults=(None,))


def close(a, b):
    return a is not None and abs(a - b) <= TOLERANCE * max(abs(b), 1e-30)


def closed(g, nodes, root):
    """No value but the root's is seen outside the pattern."""
    inside = set(map(id, nodes))
    return all(v not in g.results and all(id(u) in inside for u in g.users.get(v, []))
               for n in nodes if n is not root for v in n.outputs)


def pairs(n):
    two = n.inputs[:2]
    return [two, two[::-1]] if n.op in ("Add", "Mul") else [two]


def axes_of(g, n):
    axes = n.attr("axes")
    if axes is None and len(n.inputs) > 1 and n.inputs[1]:
        axes = g.const(n.inputs[1])
    return None if axes is None else [int(a) for a in np.ravel(axes)]


def last_axis(g, n, keep=True):
    axes, dims = axes_of(g, n), g.shape(n.inputs[0])
    if axes is None or len(axes) != 1 or bool(n.attr("keepdims", 1)) != keep:
        return False
    return axes[0] == -1 or (dims is not None and axes[0] == len(dims) - 1)


def trailing_axes(g, n):
    """Two or more trailing axes, all kept: a layer norm over them is last-axis only after a reshape."""
    axes, dims = axes_of(g, n), g.shape(n.inputs[0])
    if axes is None or len(axes) < 2 or not n.attr("keepdims", 1):
        return False
    count = len(dims) if dims is not None else 0
    return sorted(a if a < 0 else a - count for a in axes) == list(range(-len(axes), 0))
