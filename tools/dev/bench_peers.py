#!/usr/bin/env python3
"""Times compiled models against ONNX Runtime, in turn, for docs/evidence.md.

    tools/dev/bench_peers.py MODELS [NAME...] --effc build/release/bin/effc --threads 1,2 --rounds 5 --json times.json

MODELS is a folder of NAME.onnx and NAME.npz (inputs), as make_models.py and make_inputs.py leave it; NAME@variant shares the
compiled library of NAME. Each engine runs in its own process, pinned to as many cores as it has threads; the rounds
alternate between the engines and between who comes first, so that a noisy machine disturbs both alike. A figure is the
median over the rounds of each round's median. Prints a Markdown table; the JSON also has every round, memory and load time.
"""
import argparse
import json
import math
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time


def worker(model, inputs, threads, seconds):
    """ONNX Runtime in this process: the same JSON keys as `effc bench --json`."""
    import resource

    import numpy as np
    import onnxruntime

    with np.load(inputs) as file:
        feed = {key: file[key] for key in file.files}
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    start = time.perf_counter()
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    opened = time.perf_counter()
    session.run(None, feed)
    first, runs = time.perf_counter(), []
    session.run(None, feed)
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(runs) < 3:
        begin = time.perf_counter()
        session.run(None, feed)
        runs.append((time.perf_counter() - begin) * 1e3)
    return {"median_ms": statistics.median(runs), "best_ms": min(runs), "runs": len(runs), "open_ms": (opened - start) * 1e3,
            "first_run_ms": (first - opened) * 1e3, "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "version": onnxruntime.__version__}


def measure(command, threads, limit_s):
    """The JSON that `command`, pinned to `threads` cores, prints; or what went wrong."""
    cores = sorted(os.sched_getaffinity(0))[:threads]
    try:
        run = subprocess.run([str(part) for part in command], capture_output=True, text=True, errors="replace", check=False,
                             timeout=limit_s, preexec_fn=lambda: os.sched_setaffinity(0, cores))
        if run.returncode == 0:
            return json.loads(run.stdout), ""
        last = [line for line in run.stderr.splitlines() if line.strip()][-1:] or ["no message"]
        return None, f"exit {run.returncode}: {last[0].strip()[:200]}"
    except subprocess.TimeoutExpired:
        return None, f"no end after {limit_s} s"
    except json.JSONDecodeError:
        return None, "printed no JSON"


class Bench:
    def __init__(self, args, libraries):
        self.args, self.libraries, self.compiled = args, pathlib.Path(libraries), {}

    def library(self, name):
        """(compiled library of the model, why there is none); variants share their model's."""
        base = name.partition("@")[0]
        model = self.args.models / f"{base}.onnx"
        dims = self.fixed_dims(model, name) if self.args.static else []
        key = name if dims else base
        if key not in self.compiled:
            ident = "".join(c if c.isalnum() else "_" for c in key)
            target = self.libraries / ident
            library = target / f"lib{ident}.so"
            why, start = "", time.monotonic()
            if not (self.args.libraries and library.exists()):
                command = [self.args.effc, "compile", model, "-o", target, "--name", ident, *dims, *self.args.option]
                run = subprocess.run([str(part) for part in command], capture_output=True, text=True, errors="replace", check=False)
                if run.returncode:
                    lines = [line for line in run.stderr.splitlines() if line.strip()] or ["no message"]
                    why = f"effc compile: exit {run.returncode}: {lines[0].strip()[:200]}"
            self.compiled[key] = library, why, time.monotonic() - start
        return self.compiled[key]

    def fixed_dims(self, model, name):
        import numpy as np
        import onnx

        graph = onnx.load(model, load_external_data=False).graph
        with np.load(self.args.models / f"{name}.npz") as feed:
            shapes = {key: feed[key].shape for key in feed.files}
        dims = {dim.dim_param: shapes[value.name][axis] for value in graph.input if value.name in shapes
                for axis, dim in enumerate(value.type.tensor_type.shape.dim) if dim.dim_param}
        return [f"--dim={symbol}={size}" for symbol, size in dims.items()]

    def row(self, name, threads):
        """All rounds of a model on one number of threads."""
        library, why, compile_s = self.library(name)
        inputs = self.args.models / f"{name}.npz"
        model = self.args.models / f"{name.partition('@')[0]}.onnx"
        commands = {
            "onnxruntime": [sys.executable, __file__, "--worker", model, inputs, threads, self.args.seconds],
            "effc": [self.args.effc, "bench", library, "--inputs", inputs, "--threads", threads, "--seconds", self.args.seconds, "--json"],
        }
        row = {"model": name, "threads": threads, "compile_s": compile_s, "rounds": {engine: [] for engine in commands}, "errors": {}}
        if why:
            row["errors"]["effc"] = why
        for number in range(self.args.rounds):
            for engine in sorted(commands, reverse=number % 2 == 1):
                if engine in row["errors"]:
                    continue
                result, why = measure(commands[engine], threads, self.args.timeout)
                if why:
                    row["errors"][engine] = why
                else:
                    row["rounds"][engine].append(result)
        for engine, rounds in row["rounds"].items():
            if rounds:
                row[engine] = {key: statistics.median(r[key] for r in rounds if key in r)
                               for key in ("median_ms", "best_ms", "open_ms", "first_run_ms", "rss_mb") if any(key in r for r in rounds)}
        if "effc" in row and "onnxruntime" in row:
            row["ratio"] = row["onnxruntime"]["median_ms"] / row["effc"]["median_ms"]
        return row


def cell(row, engine):
    return f"{row[engine]['median_ms']:.3f}" if engine in row else "-"


def print_row(row):
    ratio = f"{row['ratio']:.2f}" if "ratio" in row else "-"
    print(f"| {row['model']} | {row['threads']} | {cell(row, 'effc')} | {cell(row, 'onnxruntime')} | {ratio} |", flush=True)
    for engine, why in row["errors"].items():
        print(f"{row['model']}: {engine}: {why}", file=sys.stderr)


def cpu_name():
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
        return next((line.partition(":")[2].strip() for line in file if line.startswith("model name")), platform.processor())


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", type=pathlib.Path, help="folder of NAME.onnx and NAME.npz")
    parser.add_argument("names", nargs="*", help="which (default: all that have both)")
    parser.add_argument("--effc", default="effc", help="the compiler (default: effc on PATH)")
    parser.add_argument("--libraries", type=pathlib.Path, help="folder to keep compiled libraries in; those that are there are used again")
    parser.add_argument("--static", action="store_true", help="compile every variant with its sizes fixed")
    parser.add_argument("--option", action="append", default=[], help="passed on to effc compile, such as --option=--plain")
    parser.add_argument("--threads", type=lambda text: [int(part) for part in text.split(",")], default=[1])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1, help="of measuring, per engine and round (default: 1)")
    parser.add_argument("--timeout", type=float, default=300, help="seconds for one process (default: 300)")
    parser.add_argument("--json", type=pathlib.Path, help="write every round there")
    return parser.parse_args()


def main():
    if sys.argv[1:2] == ["--worker"]:
        model, inputs, threads, seconds = sys.argv[2:6]
        print(json.dumps(worker(model, inputs, int(threads), float(seconds))))
        return 0
    args = arguments()
    names = args.names or sorted(path.stem for path in args.models.glob("*.npz") if (args.models / f"{path.stem.partition('@')[0]}.onnx").exists())
    rows = []
    print("| model | threads | effc ms | ONNX Runtime ms | ONNX Runtime / effc |\n|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory(prefix="effc-bench-") as scratch:
        bench = Bench(args, args.libraries or scratch)
        for name in names:
            for threads in args.threads:
                rows.append(bench.row(name, threads))
                print_row(rows[-1])
                if args.json:
                    args.json.write_text(json.dumps({"cpu": cpu_name(), "load": os.getloadavg(), "rows": rows}, indent=1))
    ratios = [row["ratio"] for row in rows if "ratio" in row]
    if ratios:
        mean = math.exp(statistics.mean(map(math.log, ratios)))
        print(f"\n{len(ratios)} rows on {cpu_name()}: geometric mean {mean:.2f}, lowest {min(ratios):.2f}; above 1 effc is faster.")
    return 1 if any(row["errors"] for row in rows) or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
