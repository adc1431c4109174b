#!/usr/bin/env python3
"""The ONNX 1.22 backend tests through effc-test: compiled into memory, run, compared, many in one process.

Three modes: static (the model as it is), dynamic (no size of an input or output is declared), constant (inputs are
initializers). tests.txt lists the tests; xfail-MODE.txt (name<TAB>reason) those that must fail. One that passes
nevertheless fails the run, so that the lists only shrink; a crash, a hang or an internal error is never an expected failure.
Tolerances are ONNX's own (rtol 1e-3, atol 1e-7) with the overrides of test/Execute/tolerances.json.
"""
import argparse
import collections
import concurrent.futures
import os
import pathlib
import queue
import re
import statistics
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "Execute"))

import harness  # noqa: E402
import suite  # noqa: E402
import worker  # noqa: E402

MODES = ("static", "dynamic", "constant")


def xfail_path(mode):
    return HERE / f"xfail-{mode}.txt"


def read_expected_failures(path):
    rows = {}
    for line in path.read_text().splitlines() if path.exists() else ():
        if line.strip() and not line.startswith("#"):
            name, _, reason = line.partition("\t")
            if not reason:
                raise SystemExit(f"{path.name}: '{name}' has no reason")
            rows[name] = reason
    return rows


def shorten(message):
    """What a refusal says, without what differs from test to test."""
    return re.sub(r"\s+", " ", message).strip()[:160]


def update_expected_failures(path, verdicts):
    """Drops tests that pass and adds refused ones with the words of the refusal; a wrong result needs those of a person."""
    known, rows = read_expected_failures(path), {}
    for verdict in verdicts:
        name, status = verdict["name"], verdict["status"]
        if status in ("refused", "unsupported", "run-error"):
            rows[name] = shorten(verdict["message"])
        elif status == "different" and name in known:
            rows[name] = known[name]
    lines = [f"{name}\t{reason}" for name, reason in sorted(rows.items())]
    path.write_text("# Tests that cannot pass yet, each with its reason; made by run_node_tests.py --update.\n" +
                    "".join(line + "\n" for line in lines))


def run_all(requests, args):
    """A verdict for each (folder, mode), in order."""
    idle = queue.SimpleQueue()
    for _ in range(args.jobs):
        idle.put(worker.Worker(args.effc_test, args.timeout, args.memory, args.sanitize))

    def run(request):
        one = idle.get()
        try:
            folder, mode = request
            verdict = one.ask({"folder": str(folder), "mode": mode, "plain": args.plain})
            return {**verdict, "name": folder.name}
        finally:
            idle.put(one)

    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        try:
            yield from pool.map(run, requests)
        finally:
            pool.shutdown(cancel_futures=True)
            while not idle.empty():
                idle.get().close()


def report(tally, mode, verdict, reason, verbose):
    name, status = f"{mode}/{verdict['name']}", verdict["status"]
    figures = (f"{verdict['error']:.2e}", f"{verdict['relative']:.2e}", f"{verdict['compile_ms'] + verdict['run_ms']:.0f}ms")
    if status == "pass":
        outcome = "PASS" if reason is None else "XPASS"
        why = f"passes: take it out of the list ({reason})" if reason else ""
    else:
        broken = status in worker.FAULTS
        outcome = "FAIL" if reason is None or broken else "XFAIL"
        why = f"{status}: {verdict['message']}" + (f" (never expected; the list says: {reason})" if broken and reason else "")
    if verbose or outcome not in ("PASS", "XFAIL"):
        tally.case(outcome, name, *figures, why=why)
    else:
        tally.count(outcome)


def summarize(mode, tests, verdicts, wall_s):
    groups = collections.defaultdict(collections.Counter)
    for test, verdict in zip(tests, verdicts):
        groups[test.kind, test.group][verdict["status"]] += 1
    for (kind, group), statuses in groups.items():
        others = ", ".join(f"{count} {status}" for status, count in statuses.most_common() if status != "pass")
        print(f"{mode}: {kind}, {group}: {statuses['pass']} of {statuses.total()} pass{'; ' if others else ''}{others}")
    times = [verdict["compile_ms"] for verdict in verdicts]
    slowest = max(verdicts, key=lambda verdict: verdict["compile_ms"] + verdict["run_ms"])
    print(f"{mode}: {len(verdicts)} tests in {wall_s:.1f} s; compile: median {statistics.median(times):.0f} ms, "
          f"mean {statistics.mean(times):.0f} ms; slowest {slowest['name']} {slowest['compile_ms'] + slowest['run_ms']:.0f} ms")


def run_mode(mode, tests, folder, args, tally):
    expected = read_expected_failures(xfail_path(mode))
    start, verdicts = time.monotonic(), []
    for verdict in run_all([(test.folder(folder), mode) for test in tests], args):
        verdicts.append(verdict)
        if not args.update:
            report(tally, mode, verdict, expected.get(verdict["name"]), args.verbose)
    if args.update:
        update_expected_failures(xfail_path(mode), verdicts)
        expected = read_expected_failures(xfail_path(mode))
        for verdict in verdicts:
            report(tally, mode, verdict, expected.get(verdict["name"]), args.verbose)
    summarize(mode, tests, verdicts, time.monotonic() - start)
    return expected


def select(args, folder, tally):
    """The tests of the list that the options name; lists and data must agree."""
    listed = suite.read_list()
    kinds = args.kinds.split(",")
    for kind in kinds:
        there = {path.parent.name for path in (folder / kind).glob("*/model.onnx")}
        names = {test.name for test in listed if test.kind == kind}
        if not there and kind == "pytorch-converted":
            tally.case("SKIP", kind, why="only the wheel of onnx has these tests, and it cannot be downloaded")
            listed = [test for test in listed if test.kind != kind]
            continue
        for name in sorted(there ^ names):
            tally.case("FAIL", name, why="in tests.txt, but there is no such test" if name in names else "not in tests.txt")
            listed = [test for test in listed if test.name != name]
    return [test for test in listed if test.kind in kinds and args.filter in test.name][:: args.every]


def check_lists(tally):
    names = {test.name for test in suite.read_list()}
    for mode in MODES:
        for name in sorted(set(read_expected_failures(xfail_path(mode))) - names):
            tally.case("FAIL", name, why=f"in {xfail_path(mode).name}, but there is no such test")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--effc-test", default=harness.default_tool("effc-test"), help="the tool (default: that of the build, or effc-test on PATH)")
    parser.add_argument("--models-dir", type=pathlib.Path, default=harness.ROOT.parent / "shared" / "models",
                        help="folder whose suites/ holds the archive for want of a network (default: ../shared/models)")
    parser.add_argument("--kinds", default=",".join(suite.KINDS), help="default: %(default)s")
    parser.add_argument("--modes", default=",".join(MODES), help="default: %(default)s")
    parser.add_argument("--plain", action="store_true", help="the plain path")
    parser.add_argument("--sanitize", action="store_true", help="AddressSanitizer in the kernels (docs/sanitizers.md)")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="a sample: only every Nth test")
    parser.add_argument("--filter", default="", help="only tests whose name contains this")
    parser.add_argument("--update", action="store_true", help="write the lists of expected failures anew")
    parser.add_argument("--jobs", type=int, default=int(os.environ.get("EFFC_TEST_JOBS", 2)), help="processes (default: 2)")
    parser.add_argument("--timeout", type=float, default=60, help="seconds for one test (default: 60)")
    parser.add_argument("--memory", type=int, default=12, help="GiB of address space of a process, 0: any (default: 12)")
    parser.add_argument("-v", "--verbose", action="store_true", help="a line for every test, not only for what went wrong")
    return parser.parse_args()


def main():
    args, tally = arguments(), harness.Tally()
    if args.update and (args.filter or args.every > 1):
        raise SystemExit("--update needs all tests: drop --filter and --every")
    if harness.not_built(args.effc_test, "effc-test"):
        tally.case("SKIP", "all backend tests", why="this build has no effc-test")
        return tally.close()
    folder = suite.find(args.models_dir)
    if not folder:
        tally.case("SKIP", "all backend tests", why=f"no network, and no {suite.ARCHIVE} in {args.models_dir}/suites")
        return tally.close()
    check_lists(tally)
    tests = select(args, folder, tally)
    start = time.monotonic()
    for mode in args.modes.split(","):
        if tests:
            run_mode(mode, tests, folder, args, tally)
    print(f"{len(tests)} tests, modes {args.modes}: {time.monotonic() - start:.0f} s on {args.jobs} processes; "
          f"{tally.expected} of the skipped are expected failures")
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
