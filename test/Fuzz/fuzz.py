#!/usr/bin/env python3
"""Random small graphs through ONNX Runtime and effc's plain and fast path: all three must agree.

A graph follows from its seed (`--seed 17 --count 1` makes it again). What differs, crashes or hangs is made smaller and
written as a folder that effc-test runs: model.onnx, data, and why.txt. A model that effc refuses with a message is no
failure; how many and why is printed.
"""
import argparse
import collections
import dataclasses
import multiprocessing
import os
import pathlib
import re
import shutil
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "Execute"), str(HERE.parent / "Backend")]

import harness  # noqa: E402
import numpy as np  # noqa: E402
import onnx  # noqa: E402
import worker  # noqa: E402

PATHS = ("plain", "fast")


@dataclasses.dataclass
class Outcome:
    seed: int
    status: str  # agree, refused, invalid, mismatch, crash, hang, fault
    why: str = ""
    nodes: int = 0
    seconds: dict = dataclasses.field(default_factory=dict)


def name_of(seed):
    return f"graph_{seed}"


class Checker:
    """Generates, runs and compares; one in each process."""

    def __init__(self, args):
        import generate
        import reference

        self.generate, self.reference, self.args = generate, reference, args
        self.opt_level = int(args.opt_levels[0])
        self.worker = worker.Worker(args.effc_test, args.timeout, args.memory)

    def run_effc(self, model, feed, path):
        """(status, message, arrays in the order of the outputs)"""
        payload = [model.SerializeToString()]
        payload += [onnx.numpy_helper.from_array(feed[value.name], value.name).SerializeToString() for value in model.graph.input]
        verdict = self.worker.ask({"name": "fuzz", "plain": path == "plain", "opt_level": self.opt_level, "results": True, "model": len(payload[0]),
                                   "inputs": [len(part) for part in payload[1:]], "outputs": [], "threads": self.args.threads}, payload)
        arrays = [np.frombuffer(result["data"], onnx.helper.tensor_dtype_to_np_dtype(result["dtype"])).reshape(result["shape"])
                  for result in verdict.get("results", ())]
        return verdict["status"], verdict["message"], arrays

    def check_path(self, model, feed, path, expected):
        """(status, why) of one path."""
        status, message, arrays = self.run_effc(model, feed, path)
        if status == "run-error":
            # Sizes of run time may break what the compiler took for granted, and says so.
            symbolic = any(dim.dim_param for value in model.graph.input for dim in value.type.tensor_type.shape.dim)
            status = "refused" if symbolic else "mismatch"
        if status != "pass":
            return status, f"{path}: {message}"
        for index, got in enumerate(arrays):
            if wrong := expected.compare(index, got):
                return "mismatch", f"{path}: {model.graph.output[index].name} {wrong}"
        return "agree", ""

    def check(self, model, feed, seconds=None):
        seconds = {} if seconds is None else seconds
        start = time.monotonic()
        expected = self.reference.Reference(model, feed)
        seconds["reference"] = time.monotonic() - start
        refused, agreed = [], []
        for path in self.args.paths.split(","):
            start = time.monotonic()
            status, why = self.check_path(model, feed, path, expected)
            seconds[path] = time.monotonic() - start
            if status not in ("agree", "refused"):
                return status, why
            (refused if status == "refused" else agreed).append(why)
        if refused and agreed:
            return "mismatch", f"one path alone refuses: {refused[0]}"
        return ("refused", refused[0]) if refused else ("agree", "")

    def check_numbers(self, model, feed, seconds=None):
        """As check(), but a difference in what ONNX leaves open is none."""
        status, why = self.check(model, feed, seconds)
        question = self.reference.open_question(model, feed) if status == "mismatch" else ""
        return ("refused", question) if question else (status, why)

    def run(self, seed):
        outcome, start = Outcome(seed, "invalid"), time.monotonic()
        self.opt_level = int(self.args.opt_levels[seed % len(self.args.opt_levels)])
        model, feed = self.generate.generate(seed)
        outcome.seconds["generate"] = time.monotonic() - start
        outcome.nodes = len(model.graph.node)
        try:
            if outcome.nodes:
                outcome.status, outcome.why = self.check_numbers(model, feed, outcome.seconds)
        except self.reference.Invalid as error:
            outcome.why = str(error)
        if outcome.status not in ("agree", "refused", "invalid"):
            self.keep(outcome, model, feed)
        return outcome

    def keep(self, outcome, model, feed):
        """Writes the graph, made smaller, as a test folder."""
        import shrink

        def fails(candidate, values):
            status, why = self.check_numbers(candidate, values)
            if status == outcome.status:
                nonlocal last
                last = why
            return status == outcome.status

        last = outcome.why
        if self.args.shrink:
            model, feed = shrink.shrink(model, feed, fails)
        folder = self.args.out / name_of(outcome.seed)
        write_test(folder, model, feed, self.reference.Reference(model, feed).wanted)
        (folder / "why.txt").write_text(f"seed {outcome.seed}: {outcome.status}: {outcome.why}\nmade smaller: {last}\n\n" +
                                        onnx.printer.to_text(model))
        outcome.why += f" -> {folder}"


def write_test(folder, model, feed, outputs):
    shutil.rmtree(folder, ignore_errors=True)
    data = folder / "test_data_set_0"
    data.mkdir(parents=True)
    onnx.save(model, folder / "model.onnx")
    for kind, rows in (("input", [(value.name, feed[value.name]) for value in model.graph.input]),
                       ("output", zip((value.name for value in model.graph.output), outputs))):
        for index, (name, array) in enumerate(rows):
            (data / f"{kind}_{index}.pb").write_bytes(onnx.numpy_helper.from_array(np.asarray(array), name).SerializeToString())


def work(args, job, outcomes):
    deadline, seed = args.start + args.seconds if args.seconds else None, -1
    try:
        checker = Checker(args)
        for seed in range(args.seed + job, args.seed + args.count, args.jobs):
            if deadline and time.monotonic() > deadline:
                break
            outcomes.put(checker.run(seed))
        checker.worker.close()
    except Exception as error:  # noqa: BLE001: whatever it is, the others must not wait for this process
        outcomes.put(Outcome(seed, "fault", f"the test itself failed: {error!r}"))
    finally:
        outcomes.put(None)


class Report:
    def __init__(self):
        self.statuses, self.reasons, self.seconds = collections.Counter(), collections.Counter(), collections.Counter()
        self.nodes, self.start, self.shown = 0, time.monotonic(), 0.0

    def add(self, outcome):
        self.statuses[outcome.status] += 1
        self.nodes += outcome.nodes
        self.seconds.update(outcome.seconds)
        if outcome.status in ("refused", "invalid"):
            self.reasons[outcome.status, shorten(outcome.why)] += 1
        elif outcome.status != "agree":
            print(f"FAIL seed {outcome.seed} {outcome.status}: {outcome.why}", flush=True)
        if time.monotonic() - self.shown > 30:
            self.shown = time.monotonic()
            print(self.line(), flush=True)

    def line(self):
        counts = ", ".join(f"{count} {status}" for status, count in self.statuses.most_common())
        return f"{self.statuses.total()} graphs in {time.monotonic() - self.start:.0f} s: {counts}"

    def close(self):
        print(self.line())
        total = max(1, self.statuses.total())
        print(f"{self.nodes / total:.1f} nodes a graph; milliseconds a graph: " +
              ", ".join(f"{name} {seconds / total * 1e3:.1f}" for name, seconds in self.seconds.items()))
        for (status, reason), count in self.reasons.most_common(20):
            print(f"{count} {status}: {reason}")


def shorten(why):
    """The reason without what differs from graph to graph."""
    return re.sub(r"\b[xvwn]\d+|\d+", "#", re.sub(r"\s+", " ", why))[:150]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--effc-test", default=harness.default_tool("effc-test"), help="the tool (default: that of the build, or on PATH)")
    parser.add_argument("--seed", type=int, default=0, help="of the first graph (default: 0)")
    parser.add_argument("--count", type=int, default=10**9, help="graphs (default: as many as the time allows)")
    parser.add_argument("--seconds", type=float, default=0, help="when to stop")
    parser.add_argument("--paths", default=",".join(PATHS), help="default: %(default)s")
    parser.add_argument("--opt-levels", default="3", help="LLVM's levels, of which a seed takes one: 1113 is level 3 for every fourth (default: 3)")
    parser.add_argument("--threads", type=int, default=1, help="threads of a session (default: 1)")
    parser.add_argument("--jobs", type=int, default=int(os.environ.get("EFFC_TEST_JOBS", 2)), help="processes (default: 2)")
    parser.add_argument("--timeout", type=float, default=60, help="seconds for one compilation and run (default: 60)")
    parser.add_argument("--memory", type=int, default=12, help="GiB of address space of effc-test, 0: any (default: 12)")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("fuzz-findings"), help="where findings go (default: %(default)s)")
    parser.add_argument("--no-shrink", dest="shrink", action="store_false", help="keep findings as they were made")
    args = parser.parse_args()
    if not args.seconds and args.count == 10**9:
        parser.error("say how long: --seconds or --count")
    if not re.fullmatch("[0-3]+", args.opt_levels):
        parser.error("--opt-levels wants digits from 0 to 3")
    return args


def main():
    args, tally = arguments(), harness.Tally()
    try:
        import onnxruntime  # noqa: F401
    except ImportError:
        tally.case("SKIP", "random graphs", why="no onnxruntime to compare with")
        return tally.close()
    if harness.not_built(args.effc_test, "effc-test"):
        tally.case("SKIP", "random graphs", why="this build has no effc-test")
        return tally.close()
    args.start = time.monotonic()
    outcomes, report, left = multiprocessing.Queue(), Report(), args.jobs
    jobs = [multiprocessing.Process(target=work, args=(args, job, outcomes)) for job in range(args.jobs)]
    for job in jobs:
        job.start()
    while left:
        outcome = outcomes.get()
        if outcome is None:
            left -= 1
        else:
            report.add(outcome)
    report.close()
    good = report.statuses["agree"]
    skipped = report.statuses["refused"] + report.statuses["invalid"]
    tally.passed, tally.skipped, tally.failed = good, skipped, report.statuses.total() - good - skipped
    if not good:
        tally.case("FAIL", "random graphs", why="not one agreed")
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
