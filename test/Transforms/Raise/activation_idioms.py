"""GELU and its kin, matched by algebra: the anchor's argument must be the ideal polynomial in x, and the result the ideal one in x and a.

a is the anchor's output (Erf, Tanh, Sigmoid, ...). A polynomial is {(power of x, power of a): coefficient}; so every spelling of
G1 to G7 (recipe, section 2.4) is one case.
"""
import collections

import numpy as np

from patterns import Match, close, closed


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
