#!/usr/bin/env python3
"""Times 3x3 convolutions by Winograd's algorithm against the direct sum, and measures the error of both, for docs/evidence.md.

    PYTHONPATH=build/dev/python tools/dev/measure_winograd.py --effc build/dev/bin/effc 64@56 128@28 256@14 512@7

CHANNELS@SIZE is a chain of eight layers with weights like trained ones (He variance, long tails) behind ReLU; it is compiled with
and without --exact, and both run in turn in this process. Times are processor time of the thread (with more threads: of the
clock), an eighth of a run, with the two transposes at its ends; the ratio is the median over the rounds. Errors are those of one
layer against sums in double, divided by the largest output.
"""
import argparse
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import effc
import numpy as np
import onnx
from onnx import helper, numpy_helper

LAYERS = 8


def make_model(path, channels, size, layers, rng):
    """Saves the chain; returns its weights."""
    nodes, weights, x = [], [], "x"
    for i in range(layers):
        spread = np.exp(rng.normal(size=(channels, 1, 1, 1)) * 0.4) * np.sqrt(2 / (9 * channels))
        weights.append((rng.standard_t(5, size=(channels, channels, 3, 3)) * spread).astype(np.float32))
        nodes.append(helper.make_node("Conv", [x, f"w{i}"], [f"c{i}"], pads=[1] * 4))
        x = f"c{i}"
        if layers > 1:
            nodes.append(helper.make_node("Relu", [x], [f"r{i}"]))
            x = f"r{i}"
    shape = [1, channels, size, size]
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", 1, shape)],
                              [helper.make_tensor_value_info(x, 1, shape)],
                              [numpy_helper.from_array(w, f"w{i}") for i, w in enumerate(weights)])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return weights


def make_input(channels, size, rng):
    """What comes out of a ReLU: half zeros, channels of different scale."""
    shape = (1, channels, size, size)
    x = np.maximum(rng.normal(size=shape) + rng.normal(size=(1, channels, 1, 1)) * 0.5, 0)
    return (x * np.exp(rng.normal(size=(1, channels, 1, 1)) * 0.7)).astype(np.float32)


def open_session(args, model, folder, *options):
    subprocess.run([args.effc, "compile", model, "-o", folder, "-q", f"--cpu={args.cpu}", *options], check=True)
    return effc.Model(next(pathlib.Path(folder).glob("*.so"))).session(threads=args.threads)


def time_layer(session, feed, clock):
    """Microseconds of a layer, the median of a few runs."""
    session.run(feed)
    times = []
    for _ in range(3):
        begin = clock()
        session.run(feed)
        times.append(clock() - begin)
    return statistics.median(times) * 1e6 / LAYERS


def measure_error(args, channels, size, folder):
    """(Winograd, direct): the largest over three seeds of max error / max."""
    worst = [0.0, 0.0]
    for seed in range(3):
        rng = np.random.default_rng(seed)
        weight = make_model(f"{folder}/one.onnx", channels, size, 1, rng)[0].astype(float)
        x = make_input(channels, size, rng)
        padded = np.pad(x[0].astype(float), ((0, 0), (1, 1), (1, 1)))
        expected = sum(np.einsum("chw,oc->ohw", padded[:, r:r + size, c:c + size], weight[:, :, r, c], optimize=True)
                       for r in range(3) for c in range(3))
        for i, options in enumerate(([], ["--exact"])):
            y = open_session(args, f"{folder}/one.onnx", f"{folder}/one{seed}{i}", *options).run({"x": x})
            error = np.abs(next(iter(y.values()))[0] - expected).max() / np.abs(expected).max()
            worst[i] = max(worst[i], float(error))
    return worst


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("layers", nargs="+", metavar="CHANNELS@SIZE")
    parser.add_argument("--effc", default="build/dev/bin/effc")
    parser.add_argument("--cpu", default="native")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=25)
    args = parser.parse_args()
    print("| layer | direct us | Winograd us | direct / Winograd | error, Winograd | error, direct | choice |")
    print("|---|---|---|---|---|---|---|")
    for layer in args.layers:
        channels, size = map(int, layer.split("@"))
        with tempfile.TemporaryDirectory() as folder:
            rng = np.random.default_rng(0)
            make_model(f"{folder}/chain.onnx", channels, size, LAYERS, rng)
            feed = {"x": make_input(channels, size, rng)}
            fast = open_session(args, f"{folder}/chain.onnx", f"{folder}/fast")
            direct = open_session(args, f"{folder}/chain.onnx", f"{folder}/direct", "--exact")
            clock = time.thread_time if args.threads == 1 else time.perf_counter
            rounds = [(time_layer(direct, feed, clock), time_layer(fast, feed, clock)) for _ in range(args.rounds)]
            median = [statistics.median(times) for times in zip(*rounds)]
            ratio = statistics.median(slow / quick for slow, quick in rounds)
            choice = next(entry.choice for entry in fast.profile() if "conv" in entry.kernel)
            errors = measure_error(args, channels, size, folder)
        print(f"| {layer} | {median[0]:.0f} | {median[1]:.0f} | {ratio:.2f} | {errors[0]:.1e} | {errors[1]:.1e} "
              f"| {choice} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
