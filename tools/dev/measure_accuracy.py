#!/usr/bin/env python3
"""Measures the error of the fast path beside ONNX Runtime's own, both against the plain path in double, for docs/evidence.md.

    PYTHONPATH=build/release/python VENV/bin/python tools/dev/measure_accuracy.py MODELS [NAME...] [--option=--exact]

MODELS is a folder of NAME.onnx and NAME.npz; NAME@variant shares the model of NAME and is compiled for its own sizes. An error is
the largest difference of an output divided by its largest element; of outputs that are no floats, the share of elements that
differ. The bar is 2: the largest over the outputs of our error over ONNX Runtime's, where one unit in the last place of the largest
element (6e-8) is the least that counts.
"""
import argparse
import math
import pathlib
import subprocess
import sys
import tempfile

import effc
import numpy as np
import onnx
import onnxruntime

UNIT = 2.0**-24


def compile_model(args, path, feed, folder, *options):
    """A session of the model compiled for the sizes of `feed`; scalars such as a sample rate become constants."""
    graph = onnx.load(path, load_external_data=False).graph
    fixed = []
    for value in graph.input:
        if value.name not in feed:
            continue
        array = feed[value.name]
        if array.ndim == 0 and array.dtype.kind in "iu":
            fixed.append(f"--input-value={value.name}={array.item()}")
        elif not all(dim.HasField("dim_value") for dim in value.type.tensor_type.shape.dim):
            fixed.append(f"--input-shape={value.name}={'x'.join(map(str, array.shape))}")
    subprocess.run([args.effc, "compile", path, "-o", folder, "-q", *fixed, *options], check=True)
    return effc.Model(next(pathlib.Path(folder).glob("*.so"))).session(threads=1)


def run(session, feed):
    names = {tensor.name for tensor in session.model.inputs}
    return session.run({name: value for name, value in feed.items() if name in names})


def error_of(result, exact):
    """Largest difference over the largest element; infinite where only one of both is finite."""
    if exact.dtype.kind != "f":
        return float(np.mean(np.asarray(result) != exact)) if exact.size else 0.0
    result, exact = np.asarray(result, dtype=float), exact.astype(float)
    finite = np.isfinite(exact)
    if not np.array_equal(finite, np.isfinite(result)):
        return math.inf
    if not finite.any():
        return 0.0
    return float(np.abs(result[finite] - exact[finite]).max() / max(np.abs(exact[finite]).max(), 1e-30))


def measure(args, name):
    """[(output, our error, ONNX Runtime's)]."""
    path = args.models / f"{name.partition('@')[0]}.onnx"
    with np.load(args.models / f"{name}.npz") as data:
        feed = {key: data[key] for key in data.files}
    with tempfile.TemporaryDirectory() as folder:
        exact = run(compile_model(args, path, feed, f"{folder}/exact", "--plain", "--compute=f64"), feed)
        ours = run(compile_model(args, path, feed, f"{folder}/fast", *args.option), feed)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    wanted = {value.name for value in session.get_inputs()}
    theirs = dict(zip([value.name for value in session.get_outputs()], session.run(None, {k: v for k, v in feed.items() if k in wanted})))
    return [(output, error_of(ours[output], exact[output]), error_of(theirs[output], exact[output])) for output in exact if output in theirs]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", type=pathlib.Path)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--effc", default="build/release/bin/effc")
    parser.add_argument("--option", action="append", default=[], help="of the fast path, such as --option=--exact")
    args = parser.parse_args()
    names = args.names or sorted(path.stem for path in args.models.glob("*.npz"))
    print("| model | error of effc | error of ONNX Runtime | largest ratio | of output |\n|---|---|---|---|---|")
    status = 0
    for name in names:
        try:
            errors = measure(args, name)
        except (subprocess.CalledProcessError, effc.EffcError, RuntimeError) as error:
            print(f"| {name} | {error} | | | |", flush=True)
            status = 1
            continue
        ratio, worst = max((max(ours, UNIT) / max(theirs, UNIT), output) for output, ours, theirs in errors)
        status |= ratio > 2
        print(f"| {name} | {max(e[1] for e in errors):.1e} | {max(e[2] for e in errors):.1e} | {ratio:.2f} | {worst} |", flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
