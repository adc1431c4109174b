#!/usr/bin/env python3
"""Runs the held-out digits through compiled models and ONNX Runtime, in turn, and prints a table.

usage: compare.py --program DIGITS --libraries FOLDER    (called by tools/demo)
"""
import argparse
import importlib.util
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
MODELS = {"cnn": "convolutional network", "vit": "vision transformer"}
ROW = "{:24s} {:>12s} {:>10s} {:>12s} {:>10s} {:>10s}"


def measure(command):
    """The JSON that `command` prints."""
    run = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if run.returncode != 0:
        sys.exit(f"{command[0]} failed:\n{run.stderr.strip()}")
    return json.loads(run.stdout)


def print_row(name, figures, size_bytes):
    accuracy = f"{figures['correct']}/{figures['count']}"
    print(ROW.format(name, accuracy, f"{100 * figures['correct'] / figures['count']:.2f} %",
                     f"{figures['median_ms']:.3f} ms", f"{size_bytes / 2**20:.1f} MB", f"{figures['memory_mb']:.1f} MB"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", type=pathlib.Path, required=True, help="examples/digits/digits.c, built")
    parser.add_argument("--libraries", type=pathlib.Path, required=True, help="folder of libcnn.so and libvit.so")
    parser.add_argument("--without-onnxruntime", action="store_true", help="measure effc alone")
    parser.add_argument("--count", type=int, help="only the first COUNT digits")
    args = parser.parse_args()
    with_ort = not args.without_onnxruntime and importlib.util.find_spec("onnxruntime") is not None
    with np.load(HERE / "heldout.npz") as heldout:
        pixels, answers = (heldout[name][: args.count].astype(np.uint8) for name in ("image", "label"))
    with tempfile.TemporaryDirectory() as folder:
        images, labels = pathlib.Path(folder, "images"), pathlib.Path(folder, "labels")
        pixels.tofile(images)
        answers.tofile(labels)
        print(f"{len(answers)} handwritten digits, one at a time, one thread:\n")
        print(ROW.format("", "correct", "accuracy", "median time", "size", "memory"))
        for model, description in MODELS.items():
            library = args.libraries / f"lib{model}.so"
            print(f"{model}: {description}")
            print_row("  effc", measure([args.program, library, images, labels]), library.stat().st_size)
            if with_ort:
                onnx = HERE / f"{model}.onnx"
                figures = measure([sys.executable, HERE / "onnxruntime_digits.py", onnx, images, labels])
                print_row("  ONNX Runtime", figures, figures["engine_bytes"] + onnx.stat().st_size)
    print("\nsize: what an application ships, for effc the compiled library, for ONNX Runtime its engine and the model.")
    print("memory: by how much loading the engine, opening and running the model makes a process grow.")
    if not with_ort and not args.without_onnxruntime:
        print("ONNX Runtime is not installed, so there is nothing to compare with (tools/dev/setup --force tries again).")


if __name__ == "__main__":
    main()
