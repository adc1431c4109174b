"""What ONNX Runtime computes, and how far a right answer may be from it.

Inputs are run twice more, each element off by some units in its last place: where a result moves, the graph is ill-conditioned
there or stands at a jump (Floor, ArgMax), and a right answer may move as far. Integers that do not move must be equal.
"""
import numpy as np
import onnx
import onnxruntime
from onnx import helper

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


def perturb(array, rng):
    if array.dtype.kind != "f":
        return array
    noise = 1 + PERTURBATION[array.dtype.name] * rng.choice((-1.0, -0.5, 0.5, 1.0), array.shape)
    return np.asarray(array * noise).astype(array.dtype)


class Reference:
    def __init__(self, model, feed, seed=0):
        feed = {value.name: feed[value.name] for value in model.graph.input}
        session, rng = open_session(model), np.random.default_rng(seed)
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
            bad = (got != want) & (moved[0] == want) & (moved[1] == want)
        else:
            bad = self.differs(got, want, moved)
        if not bad.any():
            return ""
        at = tuple(int(i) for i in np.argwhere(bad)[0])
        return f"{list(at)}: got {got[at]}, expected {want[at]} ({int(bad.sum())} of {want.size} differ)"

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
            "Elu", "Celu", "Selu", "HardSigmoid", "HardSwish", "Less", "Greater", "LessOrEqual", "GreaterOrEqual", "ReduceLogSumExp"}


def orders_nan(model, feed):
    """Whether an operator that orders its elements reads a NaN."""
    values = {**feed, **intermediate_values(model, feed)}
    return any(node.op_type in ORDERING and
               any(values[name].dtype.kind == "f" and np.isnan(values[name]).any() for name in node.input if name in values)
               for node in model.graph.node)
