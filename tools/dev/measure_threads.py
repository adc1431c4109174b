#!/usr/bin/env python3
"""Compares two threads of one session with two processes of one thread each, for docs/evidence.md.

    PYTHONPATH=build/release/python tools/dev/measure_threads.py MODELS [NAME...] --effc build/release/bin/effc

In each round, for a turn each: one process on one core; two such processes, each pinned to a core of its own, at the same time; one
process with two threads on both cores. The gain of the processes is their common rate over that of one alone, the gain of the
threads is the rate on two threads over the same; threads / processes is the bar of 0.95. Medians over the rounds; models whose runs
take less than --least ms are left out.
"""
import argparse
import pathlib
import statistics
import subprocess
import sys
import tempfile

CORES = 2
WORKER = """
import os, sys, time
import numpy as np
import effc
library, feed, cores = sys.argv[1], sys.argv[2], [int(core) for core in sys.argv[3].split(",")]
os.sched_setaffinity(0, cores)
session = effc.Model(library).session(threads=len(cores))
names = {tensor.name for tensor in session.model.inputs}
with np.load(feed) as data:
    inputs = {name: data[name] for name in data.files if name in names}
outputs = session.run(inputs)
print("ready", flush=True)
for line in sys.stdin:
    seconds, runs, begin = float(line), 0, time.perf_counter()
    while runs == 0 or time.perf_counter() < begin + seconds:
        session.run(inputs, outputs=outputs)
        runs += 1
    print(runs / (time.perf_counter() - begin), flush=True)
"""


class Worker:
    def __init__(self, library, feed, cores):
        self.process = subprocess.Popen([sys.executable, "-c", WORKER, library, feed, ",".join(map(str, cores))],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline().strip() != "ready":
            raise RuntimeError(f"{library} does not run on {feed}")

    def start(self, seconds):
        self.process.stdin.write(f"{seconds}\n")
        self.process.stdin.flush()

    def rate(self):
        return float(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def together(workers, seconds):
    """Runs a second of all workers at the same time."""
    for worker in workers:
        worker.start(seconds)
    return sum(worker.rate() for worker in workers)


def measure(library, feed, args):
    """(ms of a run on one thread, gain of the processes, gain of the threads), or the first alone where it is short."""
    workers = [Worker(library, feed, [0]), Worker(library, feed, [1]), Worker(library, feed, [0, 1])]
    try:
        rounds = []
        for _ in range(args.rounds):
            alone = together(workers[:1], args.seconds)
            if 1e3 / alone < args.least:
                return 1e3 / alone, None, None
            rounds.append((1e3 / alone, together(workers[:2], args.seconds) / alone, together(workers[2:], args.seconds) / alone))
        return [statistics.median(column) for column in zip(*rounds)]
    finally:
        for worker in workers:
            worker.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", type=pathlib.Path)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--effc", default="build/release/bin/effc")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.0, help="of a turn (default: 1)")
    parser.add_argument("--least", type=float, default=5.0, help="milliseconds of a run (default: 5)")
    args = parser.parse_args()
    names = args.names or sorted(path.stem for path in args.models.glob("*.npz"))
    print("| model | ms, 1 thread | gain of two processes | gain of two threads | threads / processes |\n|---|---|---|---|---|")
    libraries = {}
    status = 0
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            base = name.partition("@")[0]
            if base not in libraries:
                done = subprocess.run([args.effc, "compile", args.models / f"{base}.onnx", "-o", f"{folder}/{base}", "-q"], check=False)
                libraries[base] = next(pathlib.Path(f"{folder}/{base}").glob("*.so")) if done.returncode == 0 else None
            if not libraries[base]:
                print(f"| {name} | does not compile with free sizes | | | |", flush=True)
                continue
            ms, processes, threads = measure(libraries[base], args.models / f"{name}.npz", args)
            if processes:
                status |= threads < 0.95 * processes
                print(f"| {name} | {ms:.2f} | {processes:.2f} | {threads:.2f} | {threads / processes:.2f} |", flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
