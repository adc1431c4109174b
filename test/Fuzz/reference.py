"""What ONNX Runtime computes, and how far a right answer may be from it.

Inputs are run twice more, each element off by some units in its last place: where a result moves, the graph is ill-conditioned
there or stands at a jump (Floor, ArgMax), and a right answer may move as far. Integers that do not move must be equal. Where
that does not explain a difference, every value on the way is moved too: 1 + Erf(-3) loses digits that no input has.
"""
import numpy as np
import onnx
import onnxruntime
from onnx import helper

ROUNDING = {"float16": 1e-3, "float32": 4e-7, "float64": 4e-7}  # of values on the way, relative: some of the narrowest float's last places
PERTURBATION = {"float16": 2e-3, "float32": 4e-6, "float64": 4e-6}
# (relative, absolute per size of the largest element) by the narrowest float of the graph.
TOLERANCE = {"float16": (1e-2, 4e-3), "float32": (1e-3, 1e-5), "float64": (1e-3, 1e-5)}

onnxruntime.set_default_logger_severity(4)


class Invalid(Exception):
    """ONNX Runtime does not take the model either."""


def open_session(model):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions have no common base
        raise Invalid(str(error)) from error


def run_session(session, feed):
    try:
        return session.run(None, feed)
    except Exception as error:
        raise Invalid(str(error)) from error


def narrowest(model):
    """The least precise float that any value has."""
    kinds = {value.type.tensor_type.elem_type for value in [*model.graph.input, *model.graph.output]}
    kinds |= {tensor.data_type for tensor in model.graph.initializer}
    kinds |= {a.i for node in model.graph.node if node.op_type == "Cast" for a in node.attribute if a.name == "to"}
    return "float16" if onnx.TensorProto.FLOAT16 in kinds else "float32"


def noise(dtype, shape, sizes, rng):
    # From one unit in the last place on: some jumps are that near.
    return np.asarray(1 + sizes[dtype.name] * rng.choice((-1.0, -0.5, -0.3, -0.15, 0.15, 0.3, 0.5, 1.0), shape))


def perturb(array, rng):
    if array.dtype.kind != "f":
        return array
    return np.asarray(array * noise(array.dtype, array.shape, PERTURBATION, rng)).astype(array.dtype)


def with_rounding(model, values, rng):
    """The model with every float on the way, of which `values` has the shapes, multiplied by about 1."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.node[:]
    for node in model.graph.node:
        moved = copy.graph.node.add()
        moved.CopyFrom(node)
        for index, name in enumerate(node.output):
            # Weights made by Constant stay: some operators want them as they are.
            value = values.get(name)
            if value is None or value.dtype.kind != "f" or value.dtype.name not in ROUNDING or node.op_type == "Constant":
                continue
            factor = noise(value.dtype, value.shape, ROUNDING, rng).astype(value.dtype)
            copy.graph.initializer.append(onnx.numpy_helper.from_array(factor, f"{name}.noise"))
            moved.output[index] = f"{name}.exact"
            copy.graph.node.append(helper.make_node("Mul", [f"{name}.exact", f"{name}.noise"], [name]))
    return copy


class Reference:
    def __init__(self, model, feed, seed=0):
        feed = {value.name: feed[value.name] for value in model.graph.input}
        session, rng = open_session(model), np.random.default_rng(seed)
        self.model, self.feed, self.rng, self.is_thorough = model, feed, rng, False
        self.wanted = run_session(session, feed)
        self.moved = [run_session(session, {name: perturb(array, rng) for name, array in feed.items()}) for _ in range(2)]
        self.tolerance = TOLERANCE[narrowest(model)]

    def compare(self, index, got):
        """What is wrong with output number `index`, or ""."""
        want = self.wanted[index]
        if got.dtype != want.dtype:
            return f"type {got.dtype} instead of {want.dtype}"
        if got.shape != want.shape:
            return f"shape {list(got.shape)} instead of {list(want.shape)}"
        if want.size == 0 or np.array_equal(got, want):
            return ""
        moved = [run[index] for run in self.moved]
        if want.dtype.kind != "f":
            bad = (got != want) & np.logical_and.reduce([run == want for run in moved])
        else:
            bad = self.differs(got, want, moved)
        if not bad.any():
            return ""
        if not self.is_thorough:
            self.move_values_on_the_way()
            return self.compare(index, got)
        at = tuple(int(i) for i in np.argwhere(bad)[0])
        return f"{list(at)}: got {got[at]}, expected {want[at]} ({int(bad.sum())} of {want.size} differ)"

    def move_values_on_the_way(self):
        self.is_thorough = True
        values = intermediate_values(self.model, self.feed)
        for _ in range(40):
            noisy = with_rounding(self.model, values, self.rng)
            self.moved.append(run_session(open_session(noisy), self.feed))

    def differs(self, got, want, moved):
        got, want, *moved = (array.astype(np.float64) for array in (got, want, *moved))
        finite = np.isfinite(want)
        scale = max(1.0, float(np.abs(want[finite]).max())) if finite.any() else 1.0
        relative, absolute = self.tolerance
        with np.errstate(invalid="ignore", over="ignore"):
            allowed = absolute * scale + relative * np.abs(want)
            for other in moved:
                shift = np.abs(other - want)
                allowed = allowed + 10 * np.where(np.isfinite(shift), shift, 0)
            same = (got == want) | (np.isnan(got) & np.isnan(want)) | (finite & (np.abs(got - want) <= allowed))
            # Where a small change makes a number of an infinity or the other way round, nothing is known.
            unsure = np.zeros(want.shape, bool)
            for other in moved:
                unsure |= ~((other == want) | (np.isnan(other) & np.isnan(want)) | (finite & np.isfinite(other)))
        return ~same & ~unsure


def intermediate_values(model, feed):
    """All values of the model by name."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    names = [name for node in model.graph.node for name in node.output if name]
    del copy.graph.output[:]
    copy.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in names)
    feed = {value.name: feed[value.name] for value in model.graph.input}
    return dict(zip(names, run_session(open_session(copy), feed)))


# ONNX leaves open which of NaN and a number is larger.
ORDERING = {"TopK", "MaxPool", "GlobalMaxPool", "Max", "Min", "ReduceMax", "ReduceMin", "ArgMax", "ArgMin", "Clip", "Relu", "Hardmax",
            "Sign", "Softmax", "LogSoftmax", "Cast", "QuantizeLinear", "ThresholdedRelu", "Shrink", "LpNormalization", "LeakyRelu",
            "Elu", "Celu", "Selu", "HardSigmoid", "HardSwish", "Less", "Greater", "LessOrEqual", "GreaterOrEqual", "ReduceLogSumExp",
            "LSTM", "GRU", "RNN"}


def orders_nan(model, values):
    """Whether an operator that orders its elements reads a NaN."""
    return any(node.op_type in ORDERING and
               any(values[name].dtype.kind == "f" and np.isnan(values[name]).any() for name in node.input if name in values)
               for node in model.graph.node)


def overflows_power(model, values):
    """Whether a power does not fit its integer type or a double, which ONNX Runtime computes and converts; others wrap."""
    for node in model.graph.node:
        base, exponent = (values.get(name) for name in node.input[:2]) if node.op_type == "Pow" else (None, None)
        if base is None or exponent is None or base.dtype.kind not in "iu":
            continue
        with np.errstate(all="ignore"):
            exact = np.power(base.astype(np.float64), exponent.astype(np.float64))
        if not (np.abs(exact) < min(np.iinfo(base.dtype).max, 2 ** 53)).all():
            return True
    return False


def scales_nothing(model, values):
    """Whether a Gemm with a beta has no inner size; ONNX Runtime then leaves beta out."""
    return any(node.op_type == "Gemm" and any(a.name == "beta" for a in node.attribute) and
               any(values[name].size == 0 for name in node.input[:2] if name in values) for node in model.graph.node)


def spreads_nan(model, values):
    """Whether a convolution, a Resize that interpolates or an LRN reads what is not finite: taps of weight zero make NaN of it in the one or in
    the other (neighbours that are computed together, dims that keep their size), running sums in ONNX Runtime."""
    def has_taps(node):
        return node.op_type in ("Conv", "ConvTranspose", "LRN") or node.op_type == "Resize" and any(a.s in (b"cubic", b"linear") for a in node.attribute)

    return any(has_taps(node) and not np.isfinite(values[node.input[0]]).all()
               for node in model.graph.node if node.input and node.input[0] in values)


def normalises_equals(model, values):
    """Whether an InstanceNormalization reads a channel of equal elements; ONNX Runtime takes large products from each other there."""
    for node in model.graph.node:
        x = values.get(node.input[0]) if node.op_type == "InstanceNormalization" else None
        if x is not None and x.size and (np.ptp(x.reshape(*x.shape[:2], -1).astype(np.float64), axis=-1) == 0).any():
            return True
    return False


def rounds_threshold(model, values):
    """Whether a Shrink of half floats meets its bound; the standard rounds the attribute to the type, ONNX Runtime does not."""
    for node in model.graph.node:
        x = values.get(node.input[0]) if node.op_type == "Shrink" else None
        bound = next((a.f for a in node.attribute if a.name == "lambd"), 0.5)
        if x is not None and x.dtype == np.float16 and (np.abs(x) == np.float16(bound)).any():
            return True
    return False


def open_question(model, feed):
    """What ONNX leaves open, or ONNX Runtime does otherwise, and the graph meets with these inputs, or ""."""
    values = {**feed, **intermediate_values(model, feed)}
    values.update((tensor.name, onnx.numpy_helper.to_array(tensor)) for tensor in model.graph.initializer)
    if orders_nan(model, values):
        return "a NaN is ordered"
    if scales_nothing(model, values):
        return "a Gemm without inner size scales its bias"
    if spreads_nan(model, values):
        return "a convolution, a Resize or an LRN reads a NaN"
    if normalises_equals(model, values):
        return "an InstanceNormalization reads equal elements"
    if rounds_threshold(model, values):
        return "a Shrink of half floats meets its bound"
    return "a power of integers overflows" if overflows_power(model, values) else ""
