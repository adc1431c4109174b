#!/usr/bin/env python3
"""effc compile --validate: the certificate's figures against NumPy's, from what two libraries give for the same samples."""
import argparse
import json
import os
import pathlib
import sys
import tempfile

import numpy as np
import onnx
from onnx import helper, numpy_helper

import harness

RANDOM = np.random.default_rng(0)
PROGRAM = """
import pathlib, sys
import numpy as np
if sys.argv[1] == "fail":
    sys.exit(3)
files = sorted(pathlib.Path(sys.argv[2]).iterdir())
print("a line before", len(files))
print(repr(sum(float(np.load(file)["scores"].astype(np.float64).sum()) for file in files)))
"""


def floats(*shape):
    return RANDOM.standard_normal(shape).astype(np.float32)


def make_model():
    """A classifier of any batch with a second output."""
    weights = {"w1": floats(8, 3, 3, 3) / 5, "w2": floats(288, 512) / 17, "w3": floats(512, 10) / 22}
    nodes = [helper.make_node("Conv", ["x", "w1"], ["c"], name="conv"),
             helper.make_node("Relu", ["c"], ["r"]),
             helper.make_node("Flatten", ["r"], ["f"]),
             helper.make_node("MatMul", ["f", "w2"], ["h"], name="fc1"),
             helper.make_node("Relu", ["h"], ["a"]),
             helper.make_node("MatMul", ["a", "w3"], ["scores"], name="fc2")]
    inputs = [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["n", 3, 8, 8])]
    outputs = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n", size]) for name, size in (("scores", 10), ("h", 512))]
    tensors = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "g", inputs, outputs, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def cosine(a, b):
    a, b = a.astype(np.float64).ravel(), b.astype(np.float64).ravel()
    return a @ b / np.sqrt((a @ a) * (b @ b))


def figures(before, after, labels):
    """What the certificate should say, from the outputs of both libraries, by sample."""
    outputs = {}
    for name in before[0]:
        want = np.concatenate([run[name].ravel() for run in before]).astype(np.float64)
        got = np.concatenate([run[name].ravel() for run in after]).astype(np.float64)
        outputs[name] = {"elements": want.size, "mse": np.mean((got - want) ** 2), "mean_square": np.mean(want ** 2),
                         "cosine": np.mean([cosine(a[name], b[name]) for a, b in zip(before, after)])}
    scores = [np.concatenate([run["scores"].astype(np.float64) for run in runs]) for runs in (before, after)]
    logs = [log_softmax(rows) for rows in scores]
    return outputs, {"cosine": (1, outputs["scores"]["cosine"]), "mse": (0, outputs["scores"]["mse"]),
                     "top1": [np.mean(rows.argmax(-1) == labels) for rows in scores],
                     "nats": [-np.mean(rows[np.arange(len(labels)), labels]) for rows in logs],
                     "kl": (0, np.mean(np.sum(np.exp(logs[0]) * (logs[0] - logs[1]), -1))),
                     "command": [rows.sum() for rows in scores]}


def log_softmax(rows):
    rows = rows - rows.max(-1, keepdims=True)
    return rows - np.log(np.exp(rows).sum(-1, keepdims=True))


def make_text_model():
    """Scores of the next of 20 tokens, from this one and the one before; behind a Softmax they are probabilities."""
    weights = {"table": floats(20, 64), "w": floats(64, 256) / 8, "v": floats(256, 20) / 8}
    nodes = [helper.make_node("Gather", ["table", "tokens"], ["e"]),
             helper.make_node("MatMul", ["e", "w"], ["h"], name="up"),
             helper.make_node("Relu", ["h"], ["a"]),
             helper.make_node("MatMul", ["a", "v"], ["s"], name="down"),
             helper.make_node("Softmax", ["s"], ["p"], axis=-1)]
    inputs = [helper.make_tensor_value_info("tokens", onnx.TensorProto.INT64, ["n", "t"])]
    outputs = [helper.make_tensor_value_info("p", onnx.TensorProto.FLOAT, ["n", "t", 20])]
    tensors = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "g", inputs, outputs, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def check_text(effc, folder):
    """`nats` of a language model: why it is wrong, or nothing."""
    model, samples = folder / "text.onnx", folder / "texts"
    onnx.save(make_text_model(), model)
    samples.mkdir()
    feeds = [{"tokens": RANDOM.integers(0, 20, (1 + i % 2, 9))} for i in range(6)]
    for i, feed in enumerate(feeds):
        np.savez(samples / f"{i}.npz", **feed)
    want = []
    for name, *options in (("text0",), ("text1", "--quantize=bf16", f"--validate={samples}", "--metric=nats")):
        library, why = effc.compile(model, folder / name, "m", options)
        losses = []
        for feed in feeds if not why else []:
            outputs, why = effc.run(library, feed, folder, 1)
            if why:
                return why
            p = outputs["p"].astype(np.float64)[:, :-1]
            losses.append(-np.log(np.take_along_axis(p, feed["tokens"][:, 1:, None], -1)).ravel())
        if why:
            return why
        want.append(np.mean(np.concatenate(losses)))
    quality = json.loads((folder / "text1" / "m.json").read_text())["quality"]
    got = [quality["before"], quality["after"]]
    return "" if np.allclose(got, want, rtol=1e-6, atol=0) and got[0] != got[1] else f"{got}, not {want}"


def compare(got, want):
    """Lines that say what differs."""
    outputs, metrics = want
    if [row["name"] for row in got["outputs"]] != list(outputs):
        yield "other outputs"
        return
    pairs = [(f"{name}.{key}", row[key], value) for row, (name, rows) in zip(got["outputs"], outputs.items())
             for key, value in rows.items()]
    pairs += [(key, got[key], value) for key, value in zip(("before", "after"), metrics[got["metric"]])]
    for name, figure, value in pairs:
        if not np.isclose(figure, value, rtol=1e-6, atol=1e-15):
            yield f"{name} is {figure}, not {value}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--effc", default=harness.default_tool())
    arguments = parser.parse_args()
    if harness.not_built(arguments.effc):
        return 0
    effc, tally = harness.Effc(arguments.effc, 300), harness.Tally()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        model, samples = folder / "m.onnx", folder / "samples"
        onnx.save(make_model(), model)
        samples.mkdir()
        feeds = [{"x": floats(1 + i % 2, 3, 8, 8)} for i in range(20)]
        for i, feed in enumerate(feeds):
            np.savez(samples / f"{i:02}.npz", **feed)
        library, why = effc.compile(model, folder / "plain", "m")
        before = []
        for feed in feeds if not why else []:
            outputs, why = effc.run(library, feed, folder, 1)
            before.append(outputs)
        labels = np.concatenate([run["scores"].argmax(-1) for run in before])
        labels[::5] = (labels[::5] + 1) % 10  # some are missed
        np.save(folder / "labels.npy", labels)
        (folder / "metric.py").write_text(PROGRAM)
        command = f"{sys.executable} {folder}/metric.py"
        for metric, *scheme in (("cosine", "--quantize=bf16"), ("mse", "--quantize=int8", f"--calibrate={samples}"),
                                (f"top1:{folder}/labels.npy", "--quantize=int8", f"--calibrate={folder}/mse/effc.stats"),
                                ("kl", "--quantize=bf16"), (f"nats:{folder}/labels.npy", "--quantize=bf16"),
                                (f"command:{command} sum", "--quantize=bf16")):
            out = folder / metric.split(":")[0]
            library, why = effc.compile(model, out, "m", (*scheme, f"--validate={samples}", f"--metric={metric}"))
            after = []
            for feed in feeds if not why else []:
                outputs, why = effc.run(library, feed, folder, 2)
                after.append(outputs)
            if not why:
                quality = json.loads((out / "m.json").read_text())["quality"]
                why = "; ".join(compare(quality, figures(before, after, labels)))
            tally.case("FAIL" if why else "PASS", metric.split(":")[0], why=why)
        why = check_text(effc, folder)
        tally.case("FAIL" if why else "PASS", "nats of a text", why=why)
        np.save(folder / "high.npy", np.full_like(labels, 10))
        np.save(folder / "few.npy", labels[:-1])
        np.save(folder / "many.npy", np.append(labels, 0))
        for label, options, message in (
                ("few labels", (f"--validate={samples}", f"--metric=top1:{folder}/few.npy"), "there are only 29 labels"),
                ("many labels", (f"--validate={samples}", f"--metric=top1:{folder}/many.npy"), "there are 31 labels for 30 rows"),
                ("no labels", (f"--validate={samples}", f"--metric=top1:{folder}/none.npy"), "cannot open"),
                ("no index", (f"--validate={samples}", f"--metric=nats:{folder}/high.npy"), "10 is no index into rows of 10"),
                ("no tokens", (f"--validate={samples}", "--metric=nats"), "no input holds a token"),
                ("command fails", (f"--validate={samples}", f"--metric=command:{command} fail"), "failed with exit 3"),
                ("command says nothing", (f"--validate={samples}", "--metric=command:true"), "is no number: ''"),
                ("no samples", (f"--validate={folder}/none",), "cannot read the folder")):
            why = effc.call("compile", model, "-o", folder / "bad", "--quantize=bf16", *options)
            good = message in why and "exit 1" in why and not (folder / "bad").exists()
            tally.case("PASS" if good else "FAIL", label, why="" if good else why)
        why = effc.call("compile", model, "-o", folder / "bad", f"--validate={samples}")
        good = "it needs --quantize" in why
        tally.case("PASS" if good else "FAIL", "nothing lossy", why="" if good else why)
    return tally.close()


if __name__ == "__main__":
    os.environ.pop("EFFC_THREADS", None)
    sys.exit(main())
