"""Written-out softmax, rotary embedding and attention (A1 to A12, R1 of the recipe's section 2.4), by structure."""
import numpy as np

from patterns import Match, closed, last_axis, pairs


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
