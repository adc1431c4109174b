"""Layer, RMS and group norm written out (LN1 to LN5, RMS1, RMS2 of the recipe's section 2.4, and JAX's form), by structure."""
from patterns import Match, close, closed, last_axis, pairs, trailing_axes


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
