#!/usr/bin/env python3
"""Measures what quantisation costs in quality, beside ONNX Runtime's own quantiser, for docs/evidence.md.

    PYTHONPATH=build/release/python VENV/bin/python tools/dev/measure_quantization.py compare MODEL.onnx SAMPLES --scheme int8 --scheme bf16
    ... measure_quantization.py digits MNIST_FOLDER HELDOUT.npz SAMPLES [--seed 0]
    ... measure_quantization.py text TOKENIZER.json FILE.txt SAMPLES [--seed 0]

SAMPLES has the folders `calibrate` and `validate`, of NAME.npz whose keys are inputs; a key `label` that is no input is the class that the
first output should give. Every tool calibrates with the same samples. `quantize_static` and `quantize_dynamic` of ONNX Runtime have
their default options; the second of its rows has weights by channel. Errors are against ONNX Runtime in f32: the mean square of the
difference over that of the output, the cosine, and the share of right classes. `digits` and `text` write such folders from MNIST's files
(without the held-out digits) and from lines of text.
"""
import argparse
import gzip
import pathlib
import subprocess
import sys
import tempfile

import effc
import numpy as np
import onnxruntime


def read_samples(folder, names):
    return [{key: array[key] for key in array.files if key in names or key == "label"}
            for array in map(np.load, sorted(pathlib.Path(folder).glob("*.npz")))]


def inputs_of(sample):
    return {name: value for name, value in sample.items() if name != "label"}


def run_runtime(path, samples):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return [session.run(None, inputs_of(sample)) for sample in samples]


def quantize_by_runtime(model, samples, folder, **options):
    from onnxruntime.quantization import CalibrationDataReader, quantize_dynamic, quantize_static

    class Reader(CalibrationDataReader):
        rest = iter([inputs_of(sample) for sample in samples])

        def get_next(self):
            return next(self.rest, None)

    path = pathlib.Path(folder) / "quantised.onnx"
    if options.pop("dynamic", False):
        quantize_dynamic(model, path)
    else:
        quantize_static(model, path, Reader(), **options)
    return path


def run_effc(args, scheme, samples, folder):
    options = [f"--quantize={scheme}"]
    if scheme == "int8":
        statistics = pathlib.Path(folder) / "statistics"
        subprocess.run([args.effc, "calibrate", args.model, "-o", statistics, "--samples", args.samples / "calibrate", "-q"], check=True)
        options += ["--calibrate", statistics]
    subprocess.run([args.effc, "compile", args.model, "-o", pathlib.Path(folder) / "out", "-q", *options], check=True)
    session = effc.Model(next((pathlib.Path(folder) / "out").glob("*.so"))).session(threads=1)
    names = [output.name for output in session.model.outputs]
    return [[result[name] for name in names] for result in (session.run(inputs_of(sample)) for sample in samples)]


def report(label, results, exact, samples):
    """One row: of each output its error and cosine; of the first the right classes."""
    cells = []
    for index in range(len(exact[0])):
        got = np.concatenate([np.ravel(result[index]) for result in results]).astype(float)
        wanted = np.concatenate([np.ravel(result[index]) for result in exact]).astype(float)
        error = np.mean((got - wanted)**2) / np.mean(wanted**2)
        cells.append(f"{error:.3e} / {got @ wanted / np.sqrt((got @ got) * (wanted @ wanted)):.5f}")
    if "label" in samples[0]:
        right = sum(int((np.argmax(result[0], -1).ravel() == np.ravel(sample["label"])).sum()) for result, sample in zip(results, samples))
        cells.append(f"{right} of {sum(np.size(sample['label']) for sample in samples)}")
    print(f"| {label} | " + " | ".join(cells) + " |", flush=True)


def compare(args):
    session = onnxruntime.InferenceSession(str(args.model), providers=["CPUExecutionProvider"])
    names = {value.name for value in session.get_inputs()}
    calibrate, validate = (read_samples(args.samples / part, names) for part in ("calibrate", "validate"))
    exact = run_runtime(args.model, validate)
    report("ONNX Runtime f32", exact, exact, validate)
    for scheme in args.scheme or ["int8"]:
        with tempfile.TemporaryDirectory() as folder:
            report(f"effc {scheme}", run_effc(args, scheme, validate, folder), exact, validate)
    for label, options in (("static", {}), ("static, by channel", {"per_channel": True}), ("dynamic", {"dynamic": True})):
        with tempfile.TemporaryDirectory() as folder:
            path = quantize_by_runtime(args.model, calibrate, folder, **options)
            report(f"ONNX Runtime {label}", run_runtime(path, validate), exact, validate)


def write(args, calibrate, validate):
    for part, samples in (("calibrate", calibrate), ("validate", validate)):
        folder = args.samples / part
        folder.mkdir(parents=True, exist_ok=True)
        for index, sample in enumerate(samples):
            np.savez(folder / f"{index:04}.npz", **sample)


def make_digits(args):
    """Those that training saw, in random order, and batches of the others."""
    images = np.frombuffer(gzip.decompress((args.mnist / "mnist-t10k-images.idx3.gz").read_bytes())[16:], np.uint8).reshape(-1, 1, 1, 28, 28)
    seen = np.random.RandomState(0).permutation(10000)[:8000]
    chosen = np.random.default_rng(args.seed).permutation(seen)[:args.count]
    held = np.load(args.heldout)
    batches = [{"image": held["image"][i:i + 100].astype(np.float32) / 255, "label": held["label"][i:i + 100]}
               for i in range(0, len(held["label"]), 100)]
    write(args, [{"image": images[i].astype(np.float32) / 255} for i in chosen], batches)


def make_text(args):
    import tokenizers
    tokenizer = tokenizers.Tokenizer.from_file(str(args.tokenizer))
    tokenizer.no_padding()
    lines = [line for line in args.text.read_text().splitlines() if len(line) > 20]
    order = np.random.default_rng(args.seed).permutation(len(lines))

    def sample(line):
        ids = np.array([tokenizer.encode(line).ids], np.int64)
        return {"input_ids": ids, "attention_mask": np.ones_like(ids)}

    write(args, [sample(lines[i]) for i in order[:args.count]], [sample(lines[i]) for i in order[args.count:args.count + 500]])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(required=True)
    verb = verbs.add_parser("compare")
    verb.add_argument("model", type=pathlib.Path)
    verb.add_argument("samples", type=pathlib.Path)
    verb.add_argument("--scheme", action="append")
    verb.add_argument("--effc", default="build/release/bin/effc")
    verb.set_defaults(do=compare)
    for name, do, files in (("digits", make_digits, ("mnist", "heldout")), ("text", make_text, ("tokenizer", "text"))):
        verb = verbs.add_parser(name)
        for file in (*files, "samples"):
            verb.add_argument(file, type=pathlib.Path)
        verb.add_argument("--seed", type=int, default=0)
        verb.add_argument("--count", type=int, default=64, help="samples to calibrate with")
        verb.set_defaults(do=do)
    args = parser.parse_args()
    args.do(args)
    return 0


if __name__ == "__main__":
    sys.exit(main())
