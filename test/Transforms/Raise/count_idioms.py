#!/usr/bin/env python3
"""Count the idioms that effc raises (GELU, layer norm, attention, ...) in ONNX files, independently of effc.

Usage: count_idioms.py MODEL.onnx...             one line per graph and idiom: graph, idiom, count, variant
       count_idioms.py --ort MODEL.onnx...       beside it what ONNX Runtime's optimizer finds at level extended
       count_idioms.py --check idioms.tsv --root PREFIX=FOLDER...   compares the table with a fresh count
What counts is written at the top of idioms.tsv. Activations are matched by algebra (the polynomial in x and in the activation's
output must be the ideal one), the rest by structure.
"""
import argparse
import collections
import os
import sys

import numpy as np

import onnx_graph

TOLERANCE = 1e-3
COMPOSITE = {  # (domain, op) that already is the composite -> idiom
    ("", "LayerNormalization"): "layer_norm", ("com.microsoft", "SkipLayerNormalization"): "layer_norm",
    ("com.microsoft", "EmbedLayerNormalization"): "layer_norm", ("com.microsoft", "LayerNormalization"): "layer_norm",
    ("", "RMSNormalization"): "rms_norm", ("", "SimplifiedLayerNormalization"): "rms_norm",
    ("com.microsoft", "SimplifiedLayerNormalization"): "rms_norm", ("com.microsoft", "SkipSimplifiedLayerNormalization"): "rms_norm",
    ("", "GroupNormalization"): "group_norm", ("com.microsoft", "GroupNorm"): "group_norm",
    ("", "Mish"): "mish", ("", "HardSwish"): "hard_swish", ("com.microsoft", "BiasGelu"): "gelu",
    ("com.microsoft", "FastGelu"): "gelu_tanh",
    ("", "RotaryEmbedding"): "rope", ("com.microsoft", "RotaryEmbedding"): "rope",
    ("", "Attention"): "attention", ("com.microsoft", "Attention"): "attention", ("com.microsoft", "MultiHeadAttention"): "attention",
    ("com.microsoft", "GroupQueryAttention"): "attention", ("com.microsoft", "QAttention"): "attention",
}
Match = collections.namedtuple("Match", "idiom variant nodes root source", defaults=(None,))


def composites(g):
    for n in g.nodes:
        idiom = COMPOSITE.get((n.domain, n.op))
        if n.op == "Gelu":
            idiom = "gelu_tanh" if n.attr("approximate", b"none") == b"tanh" else "gelu"
        if n.op in ("Swish", "QuickGelu"):
            alpha = n.attr("alpha", 1.0 if n.op == "Swish" else 1.702)
            idiom = "silu" if close(alpha, 1) else "quick_gelu" if close(alpha, 1.702) else None
        if idiom:
            yield Match(idiom, f"op {n.op}", [n], n)
        if n.op in ("GroupQueryAttention", "Attention", "MultiHeadAttention") and n.attr("do_rotary", 0):
            for side in ("Q", "K"):
                yield Match("rope", f"do_rotary of {n.op}, {side}", [], None)


def close(a, b):
    return a is not None and abs(a - b) <= TOLERANCE * max(abs(b), 1e-30)


def closed(g, nodes, root):
    """No value but the root's is seen outside the pattern."""
    inside = set(map(id, nodes))
    return all(v not in g.results and all(id(u) in inside for u in g.users.get(v, []))
               for n in nodes if n is not root for v in n.outputs)


# ---- activations: polynomials in x and a (a = the output of the anchor), {(power of x, power of a): coefficient} ----

def polynomial(g, value, leaves, nodes, depth=9):
    """The value as a polynomial in the leaves, or None; collects the nodes it passes."""
    if value in leaves:
        return {leaves[value]: 1.0}
    number = g.scalar(value)
    if number is not None:
        return {(0, 0): number}
    n = g.maker(value, "Add", "Sub", "Mul", "Div", "Pow", "Neg", "Sum")
    if n is None or depth == 0:
        return None
    terms = [polynomial(g, i, leaves, nodes, depth - 1) for i in n.inputs]
    if any(t is None for t in terms):
        return None
    if n not in nodes:
        nodes.append(n)
    if n.op == "Neg":
        return {k: -v for k, v in terms[0].items()}
    if n.op == "Pow":
        power = terms[1].get((0, 0), 0) if set(terms[1]) == {(0, 0)} else 0
        if power not in (2, 3):
            return None
        return times(terms[0], times(terms[0], terms[0])) if power == 3 else times(terms[0], terms[0])
    if n.op == "Div":
        if set(terms[1]) != {(0, 0)} or terms[1][0, 0] == 0:
            return None
        return {k: v / terms[1][0, 0] for k, v in terms[0].items()}
    if n.op == "Mul":
        return times(*terms)
    total = collections.Counter(terms[0])
    for t in terms[1:]:
        for k, v in t.items():
            total[k] += -v if n.op == "Sub" else v
    return dict(total)


def times(p, q):
    out = collections.Counter()
    for (a, b), v in p.items():
        for (c, d), w in q.items():
            out[a + c, b + d] += v * w
    return dict(out)


def same(p, ideal):
    if p is None:
        return False
    p = {k: v for k, v in p.items() if abs(v) > 1e-9}
    return set(p) == set(ideal) and all(close(p[k], v) for k, v in ideal.items())


ROOT_HALF, ROOT_2_PI = 2 ** -0.5, (2 / np.pi) ** 0.5
X, A = (1, 0), (0, 1)
ACTIVATIONS = [  # idiom, anchor op, its argument as polynomial in x, the result as polynomial in x and a
    ("gelu", "Erf", {X: ROOT_HALF}, {X: 0.5, (1, 1): 0.5}),
    ("gelu_tanh", "Tanh", {X: ROOT_2_PI, (3, 0): ROOT_2_PI * 0.044715}, {X: 0.5, (1, 1): 0.5}),
    ("silu", "Sigmoid", {X: 1.0}, {(1, 1): 1.0}),
    ("quick_gelu", "Sigmoid", {X: 1.702}, {(1, 1): 1.0}),
    ("hard_swish", "HardSigmoid", {X: 1.0}, {(1, 1): 1.0}),
    ("hard_swish", "Clip", {X: 1.0, (0, 0): 3.0}, {(1, 1): 1 / 6}),
    ("mish", "Tanh", None, {(1, 1): 1.0}),
]


def activations(g):
    for anchor in list(g.nodes):
        for idiom, op, argument, result in ACTIVATIONS:
            if anchor.op != op or anchor.domain != "":
                continue
            if op == "HardSigmoid" and not (close(anchor.attr("alpha", 0.2), 1 / 6) and close(anchor.attr("beta", 0.5), 0.5)):
                continue
            if op == "Clip" and not clip_is(g, anchor, 0, 6):
                continue
            match = activation(g, anchor, idiom, argument, result)
            if match:
                yield match
                break


def clip_is(g, n, low, high):
    bounds = [n.attr("min"), n.attr("max")] if g.opsets.get("", 1) < 11 else [g.scalar(v) for v in (n.inputs[1:3] + ["", ""])[:2]]
    return None not in bounds and abs(bounds[0] - low) < 1e-6 and close(bounds[1], high)


def activation(g, anchor, idiom, argument, result):
    if idiom == "mish":
        soft = g.maker(anchor.inputs[0], "Softplus")
        sources, extra = ([soft.inputs[0]], [soft]) if soft else ([], [])
    else:
        sources, extra = cone(g, anchor.inputs[0], 8), []
    for x in sources:
        inner = []
        if argument is not None and not same(polynomial(g, anchor.inputs[0], {x: X}, inner), argument):
            continue
        for root in above(g, anchor, 6):
            outer = []
            if same(polynomial(g, root.outputs[0], {x: X, anchor.outputs[0]: A}, outer), result):
                nodes = list({id(n): n for n in inner + outer + extra + [anchor]}.values())
                if closed(g, nodes, root):
                    return Match(idiom, spelling(g, idiom, anchor, inner, outer), nodes, root)
    return None


def spelling(g, idiom, anchor, inner, outer):
    """The variant's name in the recipe."""
    numbers = [g.scalar(v) for n in inner for v in n.inputs]
    if idiom == "gelu":
        halves = [n for n in outer if any(close(g.scalar(v), 0.5) or close(g.scalar(v), 2) for v in n.inputs)]
        after = [n for n in halves if any(g.maker(v, "Add") and any(close(g.scalar(k), 1) for k in g.maker(v).inputs) for v in n.inputs)]
        return ("G1" if any(n.op == "Div" for n in inner) else "G2") + (", 0.5 on (1 + erf)" if after else "")
    if idiom == "gelu_tanh":
        return "G4" if any(n.op == "Pow" for n in inner) else "G6" if any(close(v, 1) for v in numbers) else "G5"
    return {"quick_gelu": "G7", "silu": "x*Sigmoid(x)", "mish": "x*Tanh(Softplus(x))"}.get(idiom, f"x*{anchor.op}")


def cone(g, value, depth):
    """Non-constant values from which `value` may be computed by arithmetic, nearest first."""
    seen, todo = [], [value]
    for _ in range(depth):
        seen += [v for v in todo if v not in seen]
        todo = [i for v in todo if g.maker(v, "Add", "Sub", "Mul", "Div", "Pow", "Neg") for i in g.maker(v).inputs if i not in g.consts]
    return seen


def above(g, node, depth):
    """Nodes that the node's output reaches through arithmetic, nearest first."""
    seen, todo = [], [node]
    for _ in range(depth):
        todo = [u for n in todo for u in g.users.get(n.outputs[0], []) if u.domain == "" and u.op in ("Add", "Sub", "Mul", "Div")]
        seen += [n for n in todo if n not in seen]
    return seen


# ---- normalisations ----

def mean_of(g, value):
    """(source, nodes) when value is the mean of source over its last axis with the axis kept."""
    n = g.maker(value)
    if n is None:
        return None
    if n.op == "ReduceMean" and (last_axis(g, n) or trailing_axes(g, n)):
        return n.inputs[0], [n]
    for a, b in pairs(n) if n.op in ("Mul", "Div") else ():
        total, c = g.maker(a, "ReduceSum"), g.scalar(b)
        if total and c and last_axis(g, total):
            dims = g.shape(total.inputs[0])
            if dims and dims[-1] and close(c if n.op == "Div" else 1 / c, dims[-1]):
                return total.inputs[0], [n, total]
    return None


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


def root_of(g, value):
    """(variance value, nodes) when value is sqrt(variance + small constant)."""
    n = g.maker(value, "Sqrt")
    half = None if n else g.maker(value, "Pow")
    if half and close(g.scalar(half.inputs[1]), 0.5):
        n = half
    add = g.maker(n.inputs[0], "Add") if n else None
    for a, b in pairs(add) if add else ():
        eps = g.scalar(b)
        if eps is not None and 0 < eps <= 1e-2:
            return a, [n, add]
    return None


def square_of(g, value):
    n = g.maker(value, "Mul", "Pow")
    if n is None:
        return None
    if n.op == "Pow" and close(g.scalar(n.inputs[1]), 2):
        return (n.inputs[0], n.inputs[0]), [n]
    return (tuple(n.inputs), [n]) if n.op == "Mul" else None


def norms(g):
    for n in g.nodes:
        if n.domain == "" and n.op in ("Div", "Mul"):
            found = scaled_by_root(g, n) or norm_by_moments(g, n)
            if found:
                yield found


def scaled_by_root(g, n):
    """n divides something by sqrt(mean(square) + eps): a layer norm when that is x - mean(x), else an RMS norm."""
    inverse, options = [], []
    if n.op == "Div":
        options = [(n.inputs[0], n.inputs[1], [])]
    elif n.op == "Mul":
        for a, b in pairs(n):
            r = g.maker(b, "Reciprocal") or g.maker(b, "Div")
            if r and (r.op == "Reciprocal" or close(g.scalar(r.inputs[0]), 1)):
                options.append((a, r.inputs[-1], [r]))
    for a, s, inverse in options:
        root = root_of(g, s)
        mean = mean_of(g, root[0]) if root else None
        square = square_of(g, mean[0]) if mean else None
        if not square:
            continue
        nodes = [n] + inverse + root[1] + mean[1] + square[1]
        found = layer_norm(g, n, a, square[0], nodes, inverse) or rms_norm(g, n, a, square[0], nodes, inverse)
        if found:
            return found
    return None


def centred(g, value):
    """(x, nodes) when value is x - mean(x)."""
    d = g.maker(value, "Sub")
    m = mean_of(g, d.inputs[1]) if d else None
    return (d.inputs[0], [d] + m[1]) if m and m[0] == d.inputs[0] else None


def layer_norm(g, n, a, squared, nodes, inverse):
    inner = [centred(g, v) for v in squared]
    if any(c is None for c in inner):
        return None
    x, all_nodes = inner[0][0], nodes + [k for c in inner for k in c[1]]
    outer = centred(g, a)
    if outer and outer[0] == x and inner[1][0] == x:
        all_nodes += outer[1]
        unique = list({id(k): k for k in all_nodes}.values())
        subs = sum(k.op == "Sub" for k in unique)
        wide = any(k.op == "ReduceMean" and trailing_axes(g, k) for k in unique)
        variant = ("optional: over two trailing axes " if wide else "") + ("LN2" if subs > 1 else "LN1") + (" reciprocal" if inverse else "")
        return Match("layer_norm", variant, unique, n) if closed(g, unique, n) else None
    return folded_layer_norm(g, n, a, x, all_nodes)


def folded_layer_norm(g, n, a, x, nodes):
    """LN4: k = rsqrt * g; x * k + (b - mean * k). n is the product with g."""
    k = n.outputs[0]
    users = g.users.get(k, [])
    scaled = [u for u in users if u.op == "Mul" and x in u.inputs]
    shift = [u for u in users if u.op == "Mul" and x not in u.inputs]
    if len(users) != 2 or not scaled or not shift:
        return None
    other = [v for v in shift[0].inputs if v != k]
    m = mean_of(g, other[0]) if other else None
    sub = [u for u in g.users.get(shift[0].outputs[0], []) if u.op == "Sub" and u.inputs[1] == shift[0].outputs[0]]
    if not m or m[0] != x or len(sub) != 1:
        return None
    root = [u for u in g.users.get(sub[0].outputs[0], []) if u.op == "Add" and scaled[0].outputs[0] in u.inputs]
    if len(root) != 1:
        return None
    unique = list({id(v): v for v in nodes + m[1] + [scaled[0], shift[0], sub[0], root[0]]}.values())
    return Match("layer_norm", "LN4", unique, root[0]) if closed(g, unique, root[0]) else None


def norm_by_moments(g, n):
    """JAX's layer norm: (x - mean) * (rsqrt(max(0, mean(x*x) - mean*mean) + eps) * g), axes lost and put back."""
    for a, b in pairs(n) if n.op == "Mul" else ():
        d, scale = g.maker(a, "Sub"), g.maker(b, "Mul")
        for r, weight in pairs(scale) if scale and d else ():
            r = g.maker(r, "Reciprocal")
            root = root_of(g, r.inputs[0]) if r and weight in g.consts else None
            mean, mean_nodes = unbroadcast(g, d.inputs[1])
            variance, nodes = unbroadcast(g, root[0]) if root else (None, [])
            spread = g.maker(variance, "Sub") if root else None
            square = g.maker(spread.inputs[1], "Mul") if spread else None
            if square and set(square.inputs) == {mean} and moment(g, mean) and moment(g, spread.inputs[0]):
                nodes += mean_nodes + [n, d, scale, r, spread, square] + root[1] + moment(g, mean) + moment(g, spread.inputs[0])
                power = g.maker(moment(g, spread.inputs[0])[-1].inputs[0], "Mul")
                nodes = list({id(v): v for v in nodes + [power]}.values())
                if closed(g, nodes, n):
                    return Match("layer_norm", "optional: variance as mean(x*x) - mean*mean", nodes, n)
    return None


def unbroadcast(g, value):
    """The value before Reshape, Expand and max(0, .)."""
    nodes = []
    while g.maker(value, "Reshape", "Expand", "Unsqueeze", "Max"):
        n = g.maker(value)
        value = next((i for i in n.inputs if g.scalar(i) is None), n.inputs[0])
        nodes.append(n)
    return value, nodes


def moment(g, value):
    """Nodes of ReduceSum * (1/n) or ReduceMean."""
    n = g.maker(value, "Mul", "ReduceMean")
    if n is None or n.op == "ReduceMean":
        return [n] if n else None
    total = next((g.maker(i, "ReduceSum") for i in n.inputs if g.maker(i, "ReduceSum")), None)
    return [n, total] if total else None


def rms_norm(g, n, a, squared, nodes, inverse):
    if squared[0] != squared[1] or centred(g, squared[0]) or any(k.op == "ReduceMean" and trailing_axes(g, k) for k in nodes):
        return None
    if a != squared[0]:  # x * (rsqrt * g) or x * rsqrt with the roles swapped
        return None
    return Match("rms_norm", "RMS2" if inverse else "RMS1", nodes, n) if closed(g, nodes, n) else None


def group_norms(g):
    for n in g.nodes:
        if n.op != "InstanceNormalization" or n.domain != "":
            continue
        before = g.maker(n.inputs[0], "Reshape")
        after = [u for u in g.users.get(n.outputs[0], []) if u.op == "Reshape"]
        if before and len(after) == 1 and closed(g, [before, n, after[0]], after[0]):
            yield Match("group_norm", "Reshape-InstanceNormalization-Reshape", [before, n, after[0]], after[0])


# ---- softmax, rope, attention ----

def softmaxes(g):
    """exp(x - max) / sum of it, over the last axis."""
    for n in g.nodes:
        if n.op != "Div" or n.domain != "":
            continue
        e, total = g.maker(n.inputs[0], "Exp"), kept(g, n.inputs[1], "ReduceSum")
        d = g.maker(e.inputs[0], "Sub") if e else None
        top = kept(g, d.inputs[1], "ReduceMax") if d else None
        if total and top and total[0] == n.inputs[0] and top[0] == d.inputs[0]:
            nodes = [n, e, d] + total[1] + top[1]
            if closed(g, nodes, n):
                yield Match("softmax", "A12", nodes, n, d.inputs[0])


def kept(g, value, op):
    """(source, nodes) when value is a reduction of source over its last axis, the axis kept (or lost and put back)."""
    nodes = []
    while True:
        n = g.maker(value)
        if n is None:
            return None
        nodes.append(n)
        if n.op == op:
            lost = len(nodes) > 1
            return (n.inputs[0], nodes) if last_axis(g, n, keep=not lost) else None
        if n.op == "Max":  # max(x, -inf)
            rest = [i for i in n.inputs if g.scalar(i) != -np.inf]
            if len(rest) != 1:
                return None
            value = rest[0]
        elif n.op in ("Reshape", "Unsqueeze", "Expand"):
            dims = g.shape(n.outputs[0])
            if not dims or dims[-1] != 1:
                return None
            value = n.inputs[0]
        else:
            return None


def half(g, value):
    """(source, nodes) when value is cut out of source."""
    n = g.makers.get(value)
    if n is None or n.domain != "" or n.op not in ("Slice", "Split"):
        return None
    return n.inputs[0], [n]


def ropes(g):
    """x * cos + concat(-x_hi, x_lo) * sin."""
    for n in g.nodes:
        if n.op != "Add" or n.domain != "":
            continue
        for straight, turned in pairs(n):
            found = rope(g, n, g.maker(straight, "Mul"), g.maker(turned, "Mul"))
            if found:
                yield found
                break


def rope(g, root, straight, turned):
    if not straight or not turned:
        return None
    for rotated, _ in pairs(turned):
        join = g.maker(rotated, "Concat")
        if not join or len(join.inputs) != 2:
            continue
        neg = g.maker(join.inputs[0], "Neg")
        high, low = half(g, neg.inputs[0]) if neg else None, half(g, join.inputs[1])
        if high and low and high[0] == low[0] and high[0] in straight.inputs:
            nodes = list({id(v): v for v in [root, straight, turned, join, neg] + high[1] + low[1]}.values())
            if closed(g, nodes, root):
                return Match("rope", "R1", nodes, root)
    return None


def attentions(g, explicit):
    softs = [(n, [n], n.inputs[0]) for n in g.nodes if n.op == "Softmax" and n.domain == "" and softmax_is_last(g, n)]
    softs += [(m.root, m.nodes, m.source) for m in explicit]
    for root, nodes, scores in softs:
        found = attention(g, root, nodes, scores)
        if found:
            yield found


def softmax_is_last(g, n):
    axis, dims = n.attr("axis", 1 if g.opsets.get("", 1) < 13 else -1), g.shape(n.inputs[0])
    return axis == -1 or (dims is not None and axis == len(dims) - 1) or (dims is None and axis == 3)


def attention(g, soft, nodes, scores):
    up = scores_of(g, scores)
    if not up:
        return None
    nodes, product, steps = list(nodes) + up[0], up[1], up[2]
    value, tail = soft.outputs[0], []
    while True:  # from the probabilities to the product with V
        users = g.users.get(value, [])
        guard = [u for u in users if u.op == "Where"]
        if len(users) == 2 and guard and any(u.op == "IsNaN" for u in users):  # rows without keys give zeros
            nan = [u for u in users if u.op == "IsNaN"][0]
            tail += [nan, guard[0]]
            value, steps = guard[0].outputs[0], steps + ["nan-guard"]
            continue
        if len(users) != 1 or value in g.results:
            return None
        user = users[0]
        if user.op in ("Reshape", "Cast"):
            tail.append(user)
            value = user.outputs[0]
            continue
        break
    if user.op != "MatMul" or user.inputs[0] != value or user.inputs[1] in g.consts:
        return None
    nodes += tail + [product, user]
    nodes = list({id(v): v for v in nodes}.values())
    if not closed(g, nodes, user):
        return None
    return Match("attention", describe(g, product, user, steps), nodes, user)


def scores_of(g, value):
    """From the softmax's argument back to Q K^T: (nodes between, the product, what was met)."""
    nodes, steps = [], []
    for _ in range(10):
        n = g.makers.get(value)
        if n is None or n.domain != "":
            return None
        if n.op == "MatMul":
            return None if any(i in g.consts for i in n.inputs) else (nodes, n, steps)
        following = next_score(g, n, steps)
        if following is None:
            return None
        nodes.append(n)
        value = following
    return None


def next_score(g, n, steps):
    if n.op in ("Reshape", "Cast"):
        return n.inputs[0]
    if n.op == "Tanh":
        steps.append("softcap")
        return n.inputs[0]
    if n.op in ("Mul", "Div"):
        for a, b in pairs(n):
            if scale_like(g, b) and leads_to_product(g, a):
                steps.append("scale")
                return a
        for a, b in pairs(n) if n.op == "Mul" else ():
            if leads_to_product(g, a):
                steps.append("mask product")
                return a
        return None
    if n.op in ("Add", "Sub"):
        for a, b in pairs(n):
            if leads_to_product(g, a) and not leads_to_product(g, b):
                steps.append(f"{mask_kind(g, b)} mask" + (" added" if n.op == "Add" else " subtracted"))
                return a
        return None
    if n.op == "Where":
        for a, b in ((n.inputs[1], n.inputs[2]), (n.inputs[2], n.inputs[1])):
            if g.scalar(b) is not None or filled(g, b):
                steps.append("where mask")
                return a
    return None


def filled(g, value):
    n = g.maker(value, "ConstantOfShape", "Expand")
    return n is not None


def scale_like(g, value):
    """A constant number, or one computed from a dimension: sqrt(cast(shape...))."""
    if g.scalar(value) is not None:
        return True
    for _ in range(8):
        n = g.maker(value, "Sqrt", "Cast", "Gather", "Slice", "Squeeze", "Unsqueeze", "Shape", "Div", "Pow", "Mul")
        if n is None:
            return False
        if n.op == "Shape":
            return True
        value = next((i for i in n.inputs if i not in g.consts), n.inputs[0])
    return False


def leads_to_product(g, value):
    todo = [value]
    for _ in range(8):
        step = []
        for v in todo:
            n = g.makers.get(v)
            if n is None or n.domain != "":
                continue
            if n.op == "MatMul":
                if not any(i in g.consts for i in n.inputs):
                    return True
            elif n.op in ("Mul", "Div", "Add", "Sub", "Where", "Tanh", "Reshape", "Cast"):
                step += [i for i in n.inputs[:1] + n.inputs[1:] if i not in g.consts]
        todo = step
    return False


def describe(g, first, second, steps):
    """Variant of the recipe, mask, grouped heads."""
    masks = [s for s in reversed(steps) if "mask" in s]
    sides = {side for side, v in (("Q", first.inputs[0]), ("K", first.inputs[1])) if scaled_side(g, v)} if "scale" not in steps else set()
    kind = "A3" if sides == {"Q", "K"} else "A2" if sides else "A1"
    if any("where" in m or "product" in m for m in masks):
        kind = "A5"
    rank = len(g.shape(first.inputs[0]) or [])
    words = [kind + (" A8 3-D" if rank == 3 else "")] + (masks or ["no mask"])
    words += [s for s in ("nan-guard", "softcap") if s in steps]
    if any(expanded(g, v) for v in (first.inputs[1], second.inputs[1])):
        words.append("GQA")
    return ", ".join(dict.fromkeys(words))


def scaled_side(g, value):
    n = through(g, value, ("Transpose", "Reshape"))
    return n is not None and n.op in ("Mul", "Div") and any(scale_like(g, i) for i in n.inputs)


def mask_kind(g, value):
    """How an additive mask is made, from the ops that it is computed with."""
    if value in g.consts:
        return "constant"
    ops, todo = set(), [value]
    for _ in range(12):
        makers = [g.maker(v) for v in todo if g.maker(v)]
        ops |= {n.op for n in makers if n.op not in ("Shape", "Gather")}
        todo = [i for n in makers if n.op not in ("Shape", "Gather", "MatMul", "Softmax") for i in n.inputs if i not in g.consts]
    if "LessOrEqual" in ops:
        return "causal M4" + (" and padding" if "And" in ops else "")
    if "Where" in ops:
        return "padding M4" if ops & {"And", "GreaterOrEqual"} else "all-true (folds to none)" if "Expand" in ops else "boolean A4"
    return "M1" if {"Sub", "Mul"} <= ops else "runtime"


def through(g, value, ops):
    n = g.makers.get(value)
    while n is not None and n.op in ops:
        n = g.makers.get(n.inputs[0])
    return n


def expanded(g, value):
    n = g.makers.get(value)
    while n is not None and n.op in ("Transpose", "Reshape", "Mul"):
        n = g.makers.get(n.inputs[0])
    return n is not None and n.op == "Expand"


# ---- all of a model ----

def matches(g):
    explicit = list(softmaxes(g))
    heads = list(attentions(g, explicit))
    inside = {id(n) for m in heads for n in m.nodes}
    found = list(composites(g)) + list(activations(g)) + list(norms(g)) + list(group_norms(g)) + list(ropes(g)) + heads
    found += [m for m in explicit if id(m.root) not in inside]
    for body in g.bodies:
        found += matches(body)
    return found


def rows(path):
    """[(idiom, count, variants)] of a model."""
    kinds = collections.defaultdict(collections.Counter)
    for m in matches(onnx_graph.load(path)):
        kinds[m.idiom][m.variant] += 1
    return [(i, sum(v.values()), "; ".join(f"{k} x{c}" if len(v) > 1 else k for k, c in sorted(v.items()))) for i, v in sorted(kinds.items())]


ORT_OPS = {  # what ONNX Runtime's fusions leave behind
    **{k[1]: v for k, v in COMPOSITE.items()}, "Gelu": "gelu", "QuickGelu": "quick_gelu",
}


def ort_counts(path):
    import tempfile
    import onnx
    import onnxruntime as ort
    ort.set_default_logger_severity(4)
    with tempfile.TemporaryDirectory() as t:
        options = ort.SessionOptions()
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        options.optimized_model_filepath = os.path.join(t, "o.onnx")
        options.intra_op_num_threads = 1
        try:
            ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except Exception as e:
            return {"error": str(e).replace("\n", " ")[:120]}
        found = collections.Counter()

        def walk(graph):
            for n in graph.node:
                if n.op_type in ORT_OPS:
                    found[ORT_OPS[n.op_type]] += 1
                for a in n.attribute:
                    if a.type == onnx.AttributeProto.GRAPH:
                        walk(a.g)
        walk(onnx.load(options.optimized_model_filepath, load_external_data=False).graph)
        return dict(found)


def check(table, roots):
    """Compares a table's counts with a fresh count; rows whose file is absent are skipped and counted."""
    want, wrong, skipped, checked = collections.defaultdict(dict), 0, 0, 0
    for line in open(table):
        if line.strip() and not line.startswith("#"):
            graph, idiom, count = line.rstrip("\n").split("\t")[:3]
            want[graph].update({idiom: int(count)} if idiom != "-" else {})
            want[graph]
    for graph, idioms in want.items():
        prefix, rest = graph.split("/", 1)
        path = os.path.join(roots.get(prefix, ""), rest)
        if prefix not in roots or not os.path.exists(path):
            skipped += 1
            continue
        got = {i: c for i, c, _ in rows(path)}
        checked += 1
        if got != idioms:
            wrong += 1
            print(f"FAIL {graph}: table {idioms}, counted {got}")
    print(f"{checked - wrong} passed, {wrong} failed, {skipped} skipped")
    return bool(wrong)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("models", nargs="*")
    ap.add_argument("--ort", action="store_true", help="also print ONNX Runtime's counts")
    ap.add_argument("--check", metavar="TSV")
    ap.add_argument("--root", action="append", default=[], metavar="PREFIX=FOLDER", help="where the graphs of the table lie")
    a = ap.parse_args()
    if a.check:
        return check(a.check, dict(r.split("=", 1) for r in a.root))
    for path in a.models:
        found = rows(path) or [("-", 0, "")]
        ort = ort_counts(path) if a.ort else {}
        for idiom, count, variants in found:
            print(path, idiom, count, variants + (f"\tORT {ort.pop(idiom, 0)}" if a.ort and "error" not in ort else ""), sep="\t")
        for idiom, count in ort.items():
            print(path, f"ORT {idiom}", count, sep="\t")
    return 0


if __name__ == "__main__":
    sys.exit(main())
