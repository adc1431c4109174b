#!/usr/bin/env python3
"""Measures the compiler: time, memory, size of the result and whether two compilations give the same bytes.

Usage: measure_compile.py [--effc EFFC] [--runs 5] MODEL.onnx...
Prints one row of a markdown table for each model: the median over the runs of what `effc compile -v` calls "in all" (without
starting the process), the peak of anonymous resident memory over the model's size, and the library's size over that of its weights. Each
model is compiled once more with one compile thread into another folder, and the files are compared. Use an idle machine.
"""
import argparse
import filecmp
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]


def anonymous_kib(pid):
    """RssAnon of a process and, where larger, of one of its children; effc compiles in a child that it watches."""
    peak = 0
    try:
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        peak = int(re.search(r"RssAnon:\s+(\d+)", status).group(1))
        for task in os.listdir(f"/proc/{pid}/task"):
            children = pathlib.Path(f"/proc/{pid}/task/{task}/children").read_text().split()
            peak = max([peak, *(anonymous_kib(int(child)) for child in children)])
    except (OSError, AttributeError):
        pass  # It ended in between.
    return peak


def compile_once(effc, model, folder, *options):
    """Returns (seconds in all, peak anonymous MiB)."""
    command = [effc, "compile", model, "-o", folder, "-v", *options]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    peak = 0
    while process.poll() is None:
        peak = max(peak, anonymous_kib(process.pid))
        time.sleep(0.005)
    text = process.stderr.read()
    if process.returncode != 0:
        sys.exit(f"measure_compile: {model}: {text}")
    return float(re.search(r"([\d.]+) s\s+in all", text).group(1)), peak / 1024


def same_files(first, second):
    names = sorted(p.name for p in first.iterdir())
    if names != sorted(p.name for p in second.iterdir()):
        return False
    _, mismatch, errors = filecmp.cmpfiles(first, second, names, shallow=False)
    return not mismatch and not errors


def measure(effc, model, runs):
    size = os.path.getsize(os.path.realpath(model)) / 1e6
    with tempfile.TemporaryDirectory() as folder:
        one, two = pathlib.Path(folder, "one"), pathlib.Path(folder, "two", "deeper")
        results = [compile_once(effc, model, one) for _ in range(runs)]
        compile_once(effc, model, two, "--compile-threads", "1")
        same = same_files(one, two)
        library = next(one.glob("lib*.so"))
        certificate = json.loads(next(one.glob("*.json")).read_text())
        weights = certificate["weights"]["bytes"]
        extra = (library.stat().st_size - weights) / 1000
    seconds = statistics.median(r[0] for r in results)
    peak = max(r[1] for r in results) * 1.048576
    name = pathlib.Path(model).stem
    print(f"| {name} | {size:.1f} | {seconds:.2f} | {peak:.0f} | {peak - size:.0f} | {weights / 1e6:.2f} | {extra:.0f} | "
          f"{'yes' if same else 'NO'} |", flush=True)
    return same


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--effc", default=str(ROOT / "build/release/bin/effc"))
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("models", nargs="+")
    arguments = parser.parse_args()
    print("| model | model MB | compile s | peak anonymous MB | above the model MB | weights MB | library beyond weights kB | same bytes |")
    print("|---|---|---|---|---|---|---|---|")
    same = [measure(arguments.effc, model, arguments.runs) for model in arguments.models]
    sys.exit(0 if all(same) else 1)


if __name__ == "__main__":
    main()
