#!/usr/bin/env python3
"""effc calibrate: statistics against NumPy's, of the same tensors computed by ONNX Runtime; interruption; threads; full disks.

Weights and inputs are small integers, so that both compute the same and sums of squares do not depend on how they are added.
"""
import argparse
import json
import os
import pathlib
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

import harness

RANDOM = np.random.default_rng(0)
BINS = 4096


def integers(*shape):
    return RANDOM.integers(-2, 3, shape).astype(np.float32)


def make_model(nodes, inputs, outputs, weights):
    tensors = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    values = [[helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name, shape in ends.items()]
              for ends in (inputs, outputs)]
    graph = helper.make_graph(nodes, "g", *values, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


class Convolutions:
    """Convolutions and products of any batch; two layers read one tensor."""

    options = ()
    layers = {"stem": "x", "down": "a", "fc": "flat", "other": "flat", "last": "p"}

    def __init__(self):
        self.model = make_model(
            [helper.make_node("Conv", ["x", "w1"], ["c1"], name="stem"),
             helper.make_node("Relu", ["c1"], ["a"]),
             helper.make_node("Conv", ["a", "w2"], ["c2"], name="down", strides=[2, 2]),
             helper.make_node("Relu", ["c2"], ["b"]),
             helper.make_node("Flatten", ["b"], ["flat"]),
             helper.make_node("Gemm", ["flat", "w3"], ["p"], name="fc"),
             helper.make_node("MatMul", ["flat", "w4"], ["q"], name="other"),
             helper.make_node("MatMul", ["p", "w5"], ["r"], name="last"),
             helper.make_node("Add", ["q", "r"], ["y"])],
            {"x": ["n", 3, 7, 7]}, {"y": ["n", 6]},
            {"w1": integers(8, 3, 1, 1), "w2": integers(12, 8, 3, 3), "w3": integers(108, 10), "w4": integers(108, 6),
             "w5": integers(10, 6)})

    def sample(self, number):
        batch = 1 + number % 3
        return {"x": integers(batch, 3, 7, 7) * 2.0 ** (number % 5)}


class Rows:
    """A number of rows that follows from data, and a product of two computed tensors."""

    options = ("--dim", "n=1..64")
    layers = {"pick": "rows", "gram": "h"}

    def __init__(self):
        self.model = make_model(
            [helper.make_node("Greater", ["k", "zero"], ["keep"]),
             helper.make_node("Compress", ["x", "keep"], ["rows"], axis=0),
             helper.make_node("MatMul", ["rows", "w"], ["h"], name="pick"),
             helper.make_node("Transpose", ["h"], ["t"], perm=[1, 0]),
             helper.make_node("MatMul", ["h", "t"], ["y"], name="gram")],
            {"x": ["n", 16], "k": ["n"]}, {"y": ["m", "m"]},
            {"w": integers(16, 5), "zero": np.zeros((), np.float32)})

    def sample(self, number):
        return {"x": integers(9 + number, 16), "k": integers(9 + number) + 0.5}


class Slow:
    """Small samples, long runs."""

    options = ()

    def __init__(self):
        self.model = make_model(
            [helper.make_node("Mul", ["x", "column"], ["a"]),
             helper.make_node("MatMul", ["a", "w1"], ["b"], name="wide"),
             helper.make_node("Tanh", ["b"], ["c"]),
             helper.make_node("MatMul", ["c", "w2"], ["d"], name="narrow"),
             helper.make_node("ReduceMax", ["d"], ["y"])],
            {"x": [1, 64]}, {"y": [1, 1]},
            {"column": RANDOM.standard_normal((512, 1)).astype(np.float32),
             "w1": RANDOM.standard_normal((64, 2048)).astype(np.float32), "w2": integers(2048, 8)})

    def sample(self, number):
        return {"x": RANDOM.standard_normal((1, 64)).astype(np.float32)}


def write_samples(case, folder, number):
    """The samples as they are fed; of each three one is a folder."""
    folder.mkdir(parents=True)
    feeds = {}
    for i in range(number):
        feed = case.sample(i)
        name = f"{i:04}" if i % 3 == 2 else f"{i:04}.npz"
        if i % 3 == 2:
            (folder / name).mkdir()
            for key, value in feed.items():
                if i % 2:
                    np.save(folder / name / f"{key}.npy", value)
                else:
                    (folder / name / f"{key}.pb").write_bytes(numpy_helper.from_array(value).SerializeToString())
        else:
            np.savez(folder / name, **feed)
        feeds[name] = feed
    (folder / "labels.npy").write_bytes(b"not a sample")
    return feeds


def exponent_of(values):
    return int(np.frexp(np.max(np.abs(values)))[1])


def describe(tensors):
    """What the file should say of a tensor, channels aside."""
    values = np.concatenate([tensor.ravel() for tensor in tensors]).astype(np.float64)
    exponent = exponent_of(values)
    places = np.floor(values * 2.0 ** (11 - exponent)).astype(int) + BINS // 2
    bins = np.bincount(places, minlength=BINS)
    used = np.nonzero(bins)[0]
    return {"count": values.size, "nan": 0, "inf": 0, "min": values.min(), "max": values.max(), "exponent": exponent,
            "first_bin": int(used[0]), "bins": bins[used[0]:used[-1] + 1].tolist()}


def compute(model, names, feeds):
    """The tensors of these names for each feed, by ONNX Runtime."""
    shown = onnx.ModelProto()
    shown.CopyFrom(model)
    outputs = {output.name for output in shown.graph.output}
    inputs = {value.name for value in shown.graph.input}
    shown.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in outputs | inputs)
    session = onnxruntime.InferenceSession(shown.SerializeToString(), providers=["CPUExecutionProvider"])
    wanted = [name for name in names if name not in inputs]
    for feed in feeds:
        yield {**feed, **dict(zip(wanted, session.run(wanted, feed)))}


def check_statistics(case, feeds, statistics):
    """Lines that say what is wrong."""
    if sorted(statistics["layers"]) != sorted(case.layers):
        yield f"layers are {sorted(statistics['layers'])}"
        return
    tensors = list(compute(case.model, sorted(set(case.layers.values())), feeds))
    for layer, name in case.layers.items():
        own = [row[name] for row in tensors]
        got = statistics["layers"][layer]
        for key, value in describe(own).items():
            if got[key] != value:
                yield f"layer {layer}: {key} is {str(got[key])[:80]}, not {str(value)[:80]}"
        # Convolutions have channels first in the model and last in memory; in a flattened tensor their order is the compiler's.
        axis = 1 if own[0].ndim == 4 else own[0].ndim - 1
        rows = [np.moveaxis(tensor, axis, -1).reshape(-1, tensor.shape[axis]).astype(np.float64) for tensor in own]
        if len({row.shape[1] for row in rows}) > 1:
            if not got["mixed_channels"]:
                yield f"layer {layer}: has channels"
            continue
        rows = np.concatenate(rows)
        wanted = {"mins": np.minimum(rows.min(0), 0), "maxs": np.maximum(rows.max(0), 0), "sums": rows.sum(0), "squares": (rows ** 2).sum(0)}
        for key, value in wanted.items():
            if sorted(got[f"channel_{key}"]) != sorted(value):
                yield f"layer {layer}: channel_{key} differ"
        if name != "flat" and got["channel_squares"] != wanted["squares"].tolist():
            yield f"layer {layer}: channels in another order"


class Runner:
    def __init__(self, effc, case, folder):
        self.effc, self.case, self.folder = shutil.which(effc) or effc, case, folder
        self.model, self.samples = folder / "m.onnx", folder / "samples"
        folder.mkdir()
        onnx.save(case.model, self.model)

    def command(self, file, *options):
        return [self.effc, "calibrate", str(self.model), "-o", str(self.folder / file), "--samples", str(self.samples),
                *self.case.options, *options]

    def run(self, file, *options, **extra):
        return subprocess.run(self.command(file, *options), capture_output=True, text=True, check=False, timeout=300, **extra)

    def read(self, file):
        return (self.folder / file).read_bytes()

    def leftovers(self):
        return sorted(path.name for path in self.folder.iterdir() if ".partial" in path.name or ".new" in path.name)


def check_case(runner, tally):
    name = type(runner.case).__name__
    feeds = write_samples(runner.case, runner.samples, 20)
    run = runner.run("one.stats", "--threads", "1")
    why = run.stderr.strip() if run.returncode or run.stderr.count("\n") != 1 else ""
    if not why:
        statistics = json.loads(runner.read("one.stats"))
        wrong = list(check_statistics(runner.case, list(feeds.values()), statistics))
        if [row["name"] for row in statistics["samples"]] != sorted(feeds) or not statistics["complete"]:
            wrong.append("samples are not as given")
        why = "; ".join(wrong)
    tally.case("FAIL" if why else "PASS", name, "statistics", why=why)
    run = runner.run("two.stats", "--threads", "2")
    why = "" if run.returncode == 0 and runner.read("one.stats") == runner.read("two.stats") else "other bytes " + run.stderr
    tally.case("FAIL" if why else "PASS", name, "threads", why=why)


def check_bad_sample(runner, tally):
    """Work before a bad sample is kept; with the sample mended the result is as if nothing had happened."""
    path = runner.samples / "0013.npz"
    good = path.read_bytes()
    feed = dict(np.load(path))
    for label, change, message in (
            ("NaN", {"x": np.full_like(feed["x"], np.nan)}, "input 'x' (f32 [n, 3, 7, 7]) holds NaN at element 0"),
            ("type", {"x": feed["x"].astype(np.float64)}, "input 'x' (f32 [n, 3, 7, 7]) is f64 [2, 3, 7, 7]"),
            ("shape", {"x": feed["x"][:, :2]}, "input 'x' (f32 [n, 3, 7, 7]) is f32 [2, 2, 7, 7] in the sample"),
            ("name", {"X": feed["x"]}, "input 'x' (f32 [n, 3, 7, 7]) is missing; the sample has 'X'")):
        np.savez(path, **change)
        run = runner.run("bad.stats")
        fails = run.returncode == 1 and f"error: sample '0013.npz': {message}" in run.stderr and "EFFC-E0611" in run.stderr
        kept = json.loads(runner.read("bad.stats.partial"))
        fails = fails and len(kept["samples"]) == 13 and not kept["complete"] and not (runner.folder / "bad.stats").exists()
        tally.case("PASS" if fails else "FAIL", "bad sample", label, why="" if fails else run.stderr)
    path.write_bytes(b"PK")
    run = runner.run("bad.stats")
    fails = run.returncode == 1 and "sample '0013.npz': cannot" in run.stderr
    tally.case("PASS" if fails else "FAIL", "bad sample", "file", why="" if fails else run.stderr)
    path.write_bytes(good)
    run = runner.run("bad.stats")
    same = "going on after sample 13 of 20" in run.stderr and runner.read("bad.stats") == runner.read("one.stats")
    tally.case("PASS" if same and not runner.leftovers() else "FAIL", "bad sample", "mended", why="" if same else run.stderr)


def check_other_partial(runner, tally):
    """What is of something else is not gone on with."""
    whole = json.loads(runner.read("one.stats"))
    changes = {
        "model": lambda s: s["model"].update(sha256="0" * 64),
        "samples": lambda s: s["samples"][0].update(name="other"),
        "has changed": lambda s: s["samples"][0].update(sha256="0" * 64),
        "options": lambda s: s["options"].append("--dim=n=1"),
        "lacks": lambda s: s["layers"].pop("stem"),
        "consistent": lambda s: s["layers"]["stem"].update(count=1)}
    for label, change in changes.items():
        changed = json.loads(json.dumps(whole))
        change(changed)
        (runner.folder / "p.stats.partial").write_text(json.dumps(changed))
        run = runner.run("p.stats")
        good = run.returncode == 0 and f"warning: '{runner.folder / 'p.stats.partial'}' is not used" in run.stderr and label in run.stderr
        good = good and runner.read("p.stats") == runner.read("one.stats") and not runner.leftovers()
        tally.case("PASS" if good else "FAIL", "other partial", label, why="" if good else run.stderr)


def check_kills(runner, tally):
    """Killed again and again at any moment, then let go on."""
    write_samples(runner.case, runner.samples, 300)
    run = runner.run("whole.stats")
    kills = partials = 0
    random.seed(1)
    while run.returncode == 0 and kills < 20 and partials < 4:
        process = subprocess.Popen(runner.command("killed.stats"), stderr=subprocess.DEVNULL)
        try:
            process.wait(random.uniform(0.3, 3.0))
            break
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        kills += 1
        time.sleep(0.1)  # the process that works ends with the one that was killed
        partials += (runner.folder / "killed.stats.partial").exists()
    run = runner.run("killed.stats")
    same = run.returncode == 0 and runner.read("killed.stats") == runner.read("whole.stats") and not runner.leftovers()
    tally.case("PASS" if same else "FAIL", f"killed {kills} times, {partials} with something done", why="" if same else run.stderr)


def check_full_disk(runner, tally):
    """No room for the file: an error, nothing half written, and what was there stays."""
    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))

    (runner.folder / "full.stats").write_text("old")
    run = runner.run("full.stats", preexec_fn=limit)
    good = run.returncode == 1 and "full.stats.partial': File too large" in run.stderr and "EFFC-E0606" in run.stderr
    good = good and runner.read("full.stats") == b"old" and not runner.leftovers()
    tally.case("PASS" if good else "FAIL", "full disk", why="" if good else run.stderr)
    run = runner.run("full.stats")
    good = run.returncode == 0 and runner.read("full.stats") == runner.read("one.stats")
    tally.case("PASS" if good else "FAIL", "disk with room", why="" if good else run.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--effc", default=harness.default_tool())
    arguments = parser.parse_args()
    if harness.not_built(arguments.effc):
        return 0
    os.environ.pop("EFFC_THREADS", None)
    tally = harness.Tally()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        runner = Runner(arguments.effc, Convolutions(), folder / "convolutions")
        check_case(runner, tally)
        check_bad_sample(runner, tally)
        check_other_partial(runner, tally)
        check_full_disk(runner, tally)
        check_case(Runner(arguments.effc, Rows(), folder / "rows"), tally)
        check_kills(Runner(arguments.effc, Slow(), folder / "kills"), tally)
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
