#!/usr/bin/env python3
"""`--quantize` against what it means, in numpy. int8: inputs rounded to bytes in the range that the remark states, weights to integers with a
scale for each output, sums exact, bias in f32 with the mean that rounded weights lose; channels balanced; also inputs beyond the range
and none at all, outputs of zeros, and inputs that never change. int8-dynamic: the same with a range for each row. w8, w4g32, nf4g64, ternary
and others: weights that the scheme has are found again.
"""
import argparse
import hashlib
import json
import math
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import helper, numpy_helper

RANDOM = np.random.default_rng(5)
REMARK = re.compile(r"node '(\w+)'.*computed in int8: .*\((\S+) a step, zero is (\d+)\)(?:.*channels balanced by (\S+),)?")


def statistics_of(samples, channels_axis):
    """A layer's entry of the file of statistics."""
    flat = np.concatenate([x.ravel() for x in samples]).astype(np.float64)
    most = np.abs(flat).max()
    exponent = math.frexp(most)[1] if most > 0 else -126
    bins = np.bincount(np.floor((flat / 2.0**exponent + 1) * 2048).astype(int), minlength=4096)
    rows = np.concatenate([np.moveaxis(x, channels_axis, -1).reshape(-1, x.shape[channels_axis]) for x in samples])
    return {"count": flat.size, "nan": 0, "inf": 0, "min": flat.min(), "max": flat.max(), "exponent": exponent, "first_bin": 0,
            "bins": bins.tolist(), "mixed_channels": False, "channel_mins": np.minimum(rows.min(0), 0).tolist(),
            "channel_maxs": np.maximum(rows.max(0), 0).tolist(), "channel_sums": rows.astype(np.float64).sum(0).tolist(),
            "channel_squares": (rows.astype(np.float64)**2).sum(0).tolist()}


def quantize_weight(weight, squares, axis):
    """Of four clips the one with the least error for inputs of these mean squares, an output each."""
    outputs = np.moveaxis(weight, axis, 0)
    count = np.asarray(squares).reshape([-1] + [1] * (outputs.ndim - 2))
    result = np.zeros_like(outputs)
    for i, row in enumerate(outputs):
        if not row.any():
            continue
        tries = []
        for clip in np.float32([1.0, 0.9, 0.8, 0.7]):
            scale = np.float32(np.abs(row).max() * clip / np.float32(127))
            value = np.rint(np.clip(row / scale, -127, 127)) * scale
            tries.append(((count * (value.astype(np.float64) - row)**2).sum(), value))
        result[i] = min(tries, key=lambda each: each[0])[1]
    return np.moveaxis(result, 0, axis)


def quantize(x, scale, zero, factors=np.float32(1)):
    """Of x over the factors, as steps of f32 say."""
    rounded = np.rint(x * (np.float32(1) / scale / factors)) + np.float32(zero)
    return (np.clip(np.nan_to_num(rounded, nan=0, posinf=255, neginf=0), 0, 255) - zero) * np.float64(scale)


def balance(layer, weight, share):
    """What divides the channels of the input, the first axis of a matrix."""
    largest = np.maximum(np.abs(layer["channel_mins"]), layer["channel_maxs"])
    logs = share * np.log2(largest) - (1 - share) * np.log2(np.abs(weight.astype(np.float64)).max(1))
    return np.exp2(logs - logs.mean()).astype(np.float32)


def convolve(x, weight):
    """3x3, a pixel of zeros around."""
    padded = np.pad(x, [(0, 0), (0, 0), (1, 1), (1, 1)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (2, 3))
    return np.einsum("nchwij,ocij->nohw", windows, weight, optimize=True)


class Case:
    """One layer, so that nothing but the order of f32 arithmetic may differ."""
    scheme, stated, balanced = ["--quantize=int8", "--calibrate"], REMARK, False

    def __init__(self, label, kind, samples, weight, given):
        self.label, self.kind, self.samples, self.weight, self.given = label, kind, samples, weight, given
        self.bias = RANDOM.normal(size=weight.shape[0 if kind == "Conv" else 1]).astype(np.float32)

    def save(self, path):
        constants = [numpy_helper.from_array(self.weight, "w"), numpy_helper.from_array(self.bias, "b")]
        attributes = {"pads": [1, 1, 1, 1]} if self.kind == "Conv" else {}
        node = helper.make_node(self.kind, ["x", "w", "b"], ["y"], name="layer", **attributes)
        graph = helper.make_graph([node], "g", [helper.make_tensor_value_info("x", 1, self.given.shape)],
                                  [helper.make_tensor_value_info("y", 1, None)], constants)
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)]), path)

    def expect(self, stated, layer):
        squares, means = np.asarray(layer["channel_squares"]), np.asarray(layer["channel_sums"]) / self.count_rows()
        if self.kind == "Conv":
            weight = quantize_weight(self.weight, squares, 0).astype(np.float64)
            lost = np.einsum("ocij,c->o", self.weight - weight, means)
            return convolve(quantize(self.given, np.float32(stated[2]), int(stated[3])), weight) + (self.bias + lost)[:, None, None]
        if self.balanced not in (None, bool(stated[4])):
            return None
        factors = balance(layer, self.weight, float(stated[4])) if stated[4] else np.ones(len(squares), np.float32)
        x = quantize(self.given, np.float32(stated[2]), int(stated[3]), factors)
        scaled = self.weight * factors[:, None]
        weight = quantize_weight(scaled, squares / factors.astype(np.float64)**2, 1).astype(np.float64)
        return x @ weight + self.bias + (scaled - weight).T @ (means / factors)

    def count_rows(self):
        return sum(x.size // x.shape[1] for x in self.samples)


def quantize_rows(x):
    largest = np.maximum(np.abs(x).max(1, keepdims=True), np.float32(2.0**-90))
    scale = largest * np.float32(1 / 127)
    return np.rint(x * (np.float32(1) / scale)) * scale.astype(np.float64)


class BalancedCase(Case):
    """Channels of all sizes."""
    balanced = True


class DynamicCase(Case):
    """A range for each row."""
    scheme, stated = ["--quantize=int8-dynamic"], re.compile("each row in a range of its own")

    def expect(self, stated, layer):
        return quantize_rows(self.given) @ quantize_weight(self.weight, np.ones(self.weight.shape[0]), 1).astype(np.float64) + self.bias


# Quantiles of the normal distribution (QLoRA, appendix E).
NORMAL_FLOATS = np.float32([-1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
                            -0.18477343022823334, -0.09105003625154495, 0, 0.07958029955625534, 0.16093020141124725,
                            0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1])


class WeightCase(Case):
    """Weights that the scheme has without error: `numbers` times a scale for each group, whose ends each group reaches."""

    def __init__(self, scheme, numbers, group):
        self.scheme, self.stated = [f"--quantize={scheme}"], re.compile(f"computed in {scheme}: only the weights, estimated error 0 ")
        depth, outputs = 512, 768
        codes = RANDOM.integers(0, numbers.shape[-1], (depth // group, group, outputs))
        codes[:, 0], codes[:, 1] = 0, numbers.shape[-1] - 1
        # A zero point of its own for each group, if there are several rows of numbers.
        rows = RANDOM.integers(0, numbers.shape[0], (depth // group, 1, outputs))
        # A power of two, so that multiples of the scale are exact.
        scales = np.exp2(RANDOM.integers(-7, 4, (depth // group, 1, outputs)))
        weight = (numbers[rows, codes] * scales).astype(np.float32).reshape(depth, outputs)
        given = RANDOM.normal(size=(2, depth)).astype(np.float32)
        super().__init__(scheme, "Gemm", [given], weight, given)

    def expect(self, stated, layer):
        return self.given.astype(np.float64) @ self.weight + self.bias


def cases():
    normal = lambda *shape: RANDOM.normal(size=shape).astype(np.float32)
    x, w = normal(256, 192), normal(192, 320)
    w[:, 5] = 0
    w[:, 6] *= 1e-38
    w[:, 7] *= 1e30
    plain = Case("gemm", "Gemm", [x, normal(256, 192)], w, x)
    plain.balanced = None
    yield plain
    wild = x.copy()
    wild[0, :4] = [np.nan, np.inf, -np.inf, 1e30]
    yield Case("beyond the range", "Gemm", [x], w[:, :300], wild)
    yield Case("positive", "Gemm", [np.abs(x)], normal(192, 320), np.abs(x))
    yield Case("never changes", "Gemm", [np.full((256, 192), 3, np.float32)], normal(192, 320), x)
    yield Case("small", "Gemm", [x * np.float32(1e-3)], normal(192, 320), x * np.float32(1e-3))
    heavy = RANDOM.standard_t(2, size=(256, 192)).astype(np.float32)
    tails = Case("heavy tails", "Gemm", [heavy], normal(192, 320), heavy)
    tails.balanced = None
    yield tails
    image = normal(1, 48, 20, 21) + 1
    small = x.copy()
    small[:3] = [[0], [1e-38], [1e30]]
    yield DynamicCase("rows of all sizes", "Gemm", [small], normal(192, 320), small)
    for bits, group, name in ((4, 32, "w4g32"), (4, 64, "w4g64"), (4, 128, "w4g128"), (8, 128, "w8"), (3, 32, "w3g32"), (3, 128, "w3g128"),
                              (2, 32, "w2g32"), (2, 64, "w2g64")):
        integers = np.arange(2**bits)
        yield WeightCase(name, (integers - 2**(bits - 1))[None], group)
        yield WeightCase(name + "a", integers - integers[:, None], group)
    yield WeightCase("nf4g64", NORMAL_FLOATS[None], 64)
    yield WeightCase("ternary", np.array([[-1, 0, 1]]), 512)
    yield Case("conv, padded", "Conv", [image], normal(64, 48, 3, 3), image)
    yield Case("conv, negative", "Conv", [-np.abs(image)], normal(64, 48, 3, 3), -np.abs(image))
    uneven = x * np.exp2(RANDOM.uniform(-5, 5, 192)).astype(np.float32)
    yield BalancedCase("channels of all sizes", "Gemm", [uneven], normal(192, 320), uneven)


def version_of(effc):
    return subprocess.run([effc, "--version"], check=True, capture_output=True, text=True).stdout.split()[1]


def check(case, folder, effc):
    model, library = folder / "m.onnx", folder / "out"
    case.save(model)
    layer = statistics_of(case.samples, 1)
    (folder / "m.stats").write_text(json.dumps({
        "format": "effc-statistics", "format_version": 2, "compiler": {"name": "effc", "version": version_of(effc)},
        "model": {"file": "m.onnx", "sha256": hashlib.sha256(model.read_bytes()).hexdigest(), "external_sha256": ""}, "options": [], "complete": True,
        "samples": [], "layers": {"layer": layer}}))
    np.savez(folder / "in.npz", x=case.given)
    scheme = case.scheme + ([folder / "m.stats"] if case.scheme[-1] == "--calibrate" else [])
    done = subprocess.run([effc, "compile", model, "-o", library, *scheme, "-v"], capture_output=True, text=True, check=False)
    stated = case.stated.search(done.stderr)
    if done.returncode != 0 or not stated:
        return f"not quantised: {done.stderr}"
    subprocess.run([effc, "run", library / "libm.so", "--inputs", folder / "in.npz", "--outputs", folder / "y.npz"], check=True,
                   capture_output=True)
    got = np.load(folder / "y.npz")["y"]
    expected = case.expect(stated, layer)
    if expected is None:
        return f"quantised in another way: {stated[0]}"
    # Each output may be off by roundings of f32; a step of a byte would be a thousand times as much.
    columns = tuple(i for i in range(got.ndim) if i != 1)
    error = (np.abs(got - expected) / (np.abs(expected).max(columns, keepdims=True) + 1e-30)).max()
    return None if error < 2e-5 else f"off by {error:.3g}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--effc", default="effc")
    effc, failures = parser.parse_args().effc, 0
    with tempfile.TemporaryDirectory() as folder:
        for case in cases():
            reason = check(case, pathlib.Path(folder), effc)
            failures += reason is not None
            print(f"{case.label}: {reason or 'ok'}")
    sys.exit(failures != 0)


if __name__ == "__main__":
    main()
