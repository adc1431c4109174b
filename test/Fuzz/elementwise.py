"""Draws of elementwise operators, with broadcasting."""
import numpy as np

from graph import FLOATS, Skip

UNARY = ("Abs", "Neg", "Exp", "Sqrt", "Reciprocal", "Sin", "Cos", "Tanh", "Erf", "Sigmoid", "Ceil", "Floor", "Round", "Sign",
         "Relu", "Softplus", "Softsign", "HardSwish", "Mish", "Atan", "Asinh", "Sinh", "Cosh", "Identity", "Log", "Asin",
         "Acos", "Acosh", "Atanh", "Tan")
WITH_ATTRIBUTES = {"LeakyRelu": ("alpha",), "Elu": ("alpha",), "Selu": (), "Celu": ("alpha",), "HardSigmoid": ("alpha", "beta"),
                   "ThresholdedRelu": ("alpha",), "Shrink": ("lambd", "bias")}
SINCE = {"Mish": 18, "HardSwish": 14, "Gelu": 20}


def broadcast_partner(g, value, kind="any"):
    """An operand whose shape broadcasts with the value's, perhaps of another rank."""
    shape = list(value.shape)
    if g.chance(0.3):
        shape = shape[g.integer(0, len(shape)):]
    if g.chance(0.45):
        shape = [1 if g.chance(0.4) else size for size in shape]
    elif g.chance(0.1):
        shape = [1] * g.integer(1, 2) + shape
    return g.operand(value.dtype, shape, kind)


def spread(*values):
    return np.broadcast_shapes(*(v.shape for v in values))


def unary(g):
    op, x = g.pick(UNARY), g.value()
    if SINCE.get(op, 0) > g.opset:
        raise Skip
    return g.emit(op, [x], [(x.dtype, x.shape)])


def unary_attributes(g):
    op, x = g.pick(sorted(WITH_ATTRIBUTES)), g.value()
    attributes = {name: round(float(g.rng.uniform(0.1, 1.5)), 3) for name in WITH_ATTRIBUTES[op] if g.chance(0.7)}
    return g.emit(op, [x], [(x.dtype, x.shape)], **attributes)


def unary_integer(g):
    x = g.value(("int32", "int64", "int8"))
    return g.emit(g.pick(("Abs", "Neg", "Sign")), [x], [(x.dtype, x.shape)])


def binary(g):
    op = g.pick(("Add", "Sub", "Mul", "Div", "Add", "Mul", "Max", "Min", "Pow"))
    x = g.value((g.float,) * 3 + ("int32", "int64"))
    integer = x.dtype not in FLOATS
    if op == "Pow" and not integer:
        x = g.emit("Abs", [x], [(x.dtype, x.shape)])
    y = broadcast_partner(g, x, "positive" if op in ("Div", "Pow") and integer else "any")
    if g.chance(0.3) and op not in ("Div", "Pow"):
        x, y = y, x
    return g.emit(op, [x, y], [(x.dtype, spread(x, y))])


def modulo(g):
    x = g.value(("int32", "int64", "float32"))
    y = broadcast_partner(g, x, "positive")
    fmod = 1 if x.dtype in FLOATS or g.chance(0.5) else 0
    return g.emit("Mod", [x, y], [(x.dtype, spread(x, y))], fmod=fmod)


def variadic(g):
    x = g.value()
    rest = [broadcast_partner(g, x) for _ in range(g.integer(0, 3))]
    return g.emit(g.pick(("Sum", "Mean", "Max", "Min")), [x, *rest], [(x.dtype, spread(x, *rest))])


def compare(g):
    x = g.value(("float32", "float64", "int32", "int64"))
    y = broadcast_partner(g, x)
    op = g.pick(("Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"))
    return g.emit(op, [x, y], [("bool", spread(x, y))])


def logical(g):
    x = g.value(("bool",))
    if g.chance(0.3):
        return g.emit("Not", [x], [("bool", x.shape)])
    y = broadcast_partner(g, x)
    return g.emit(g.pick(("And", "Or", "Xor")), [x, y], [("bool", spread(x, y))])


def bitwise(g):
    if g.opset < 18:
        raise Skip
    x = g.value(("int32", "int64", "uint8", "int8"))
    if g.chance(0.25):
        return g.emit("BitwiseNot", [x], [(x.dtype, x.shape)])
    y = broadcast_partner(g, x)
    return g.emit(g.pick(("BitwiseAnd", "BitwiseOr", "BitwiseXor")), [x, y], [(x.dtype, spread(x, y))])


def where(g):
    x = g.value((g.float, g.float, "int32", "int64"))
    y = broadcast_partner(g, x)
    shape = spread(x, y)
    condition = g.operand("bool", [size if g.chance(0.7) else 1 for size in shape])
    return g.emit("Where", [condition, x, y], [(x.dtype, spread(condition, x, y))])


def clip(g):
    x = g.value((g.float, g.float, "int32", "int64"))
    low, high = (g.constant(np.array(bound, x.dtype)) if g.chance(0.8) else None for bound in (-2, g.integer(0, 3)))
    inputs = [x, low, high] if high is not None else [x, low] if low is not None else [x]
    return g.emit("Clip", inputs, [(x.dtype, x.shape)])


def cast(g):
    x = g.value(("float32", "float16", "float64", "int32", "int64", "int8", "uint8", "bool"))
    to = g.pick(("float32", "float16", "float64", "int32", "int64", "bool", "float32", g.float))
    if x.dtype in FLOATS and to not in (*FLOATS, "bool"):
        # Beyond the range of the result anything may happen.
        x = g.emit("Clip", [x, g.constant(np.array(-100, x.dtype)), g.constant(np.array(100, x.dtype))], [(x.dtype, x.shape)])
    from graph import onnx_type
    return g.emit("Cast", [x], [(to, x.shape)], to=onnx_type(to))


def prelu(g):
    x = g.value(("float32",), ranks=(2, 3, 4))
    slope = g.constant(g.data(x.dtype, (x.shape[1],) + (1,) * (x.rank - 2)))
    return g.emit("PRelu", [x, slope], [(x.dtype, x.shape)])


DRAWS = {unary: 8, unary_attributes: 3, unary_integer: 1, binary: 12, modulo: 1, variadic: 2, compare: 2, logical: 1, bitwise: 1,
         where: 3, clip: 2, cast: 4, prelu: 1}
