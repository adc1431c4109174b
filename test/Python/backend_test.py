#!/usr/bin/env python3
"""onnx.backend.test.BackendTest over effc.backend.EffcBackend: every model becomes a library on disk, opened and run.

The data are those of test/Backend (onnx 1.22.0), as are the expected failures of the static mode and the tolerances. A test
that xfail-static.txt names must fail; one that passes nevertheless is an error, too. Only dense tests: strings, sequences and
training are no tensors of numbers, which is all that a compiled library takes.
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
for folder in ("Backend", "Execute"):
    sys.path.insert(0, str(HERE.parent / folder))

import harness  # noqa: E402
import onnx.backend.test.runner  # noqa: E402
import suite  # noqa: E402
from onnx.backend.test.case.test_case import TestCase  # noqa: E402

from effc.backend import EffcBackend  # noqa: E402

CATEGORIES = {"node": "node_tests", "simple": "node_tests", "pytorch-operator": "node_tests", "pytorch-converted": "node_tests"}


class TestedBackend(EffcBackend):
    """The runner passes what is not compatible: here a model that is refused is a failure, expected or not."""

    is_compatible = None


def load_cases(data, tests, tolerances):
    """In place of the loader of onnx, whose node tests are made by the newest generators instead of read."""
    def load(kind):
        cases = []
        for test in tests:
            folder = test.folder(data)
            if test.kind == kind and (folder / "model.onnx").exists():
                rtol, atol = tolerances.of(CATEGORIES[kind], test.name)
                cases.append(TestCase(test.name, test.name, None, str(folder), None, None, kind, rtol, atol))
        return cases
    return load


def expected_failures():
    path = HERE.parent / "Backend" / "xfail-static.txt"
    return [line.partition("\t")[0] for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")]


def make_suite(data, args):
    """The tests that BackendTest makes, with onnx's own include, exclude and xfail."""
    tests = [test for test in suite.read_list() if test.kind in args.kinds.split(",") and test.group == "dense"]
    tests = tests[args.slice[0]::args.slice[1]]
    onnx.backend.test.runner.load_model_tests = load_cases(data, tests, harness.Tolerances())
    backend_test = onnx.backend.test.runner.Runner(TestedBackend, __name__, {"opt_level": args.opt_level})
    backend_test.include(args.include).exclude("_cuda$")
    # Random numbers: onnx compares them with those of its own generator; effc-test checks their properties.
    backend_test.exclude("test_(bernoulli|training_dropout(_default)?(_mask)?_cpu)")
    for name in args.exclude:
        backend_test.exclude(name)
    for name in expected_failures():
        backend_test.xfail(f"^{re.escape(name)}_cpu$")
    return backend_test.test_suite


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models-dir", type=pathlib.Path, default=harness.ROOT.parent / "shared" / "models",
                        help="folder whose suites/ holds the archive of tests (default: ../shared/models)")
    parser.add_argument("--kinds", default="node,simple,pytorch-operator,pytorch-converted", help="folders of the suite")
    parser.add_argument("--include", default="_cpu$", help="only tests whose name matches this")
    parser.add_argument("--exclude", action="append", default=[], help="not these (repeatable)")
    parser.add_argument("--opt-level", type=int, default=3, help="0 to 3 (default: 3)")
    parser.add_argument("--jobs", type=int, default=int(os.environ.get("EFFC_TEST_JOBS", 2)), help="processes (default: 2)")
    parser.add_argument("--slice", type=lambda text: [int(part) for part in text.split("/")], default=None,
                        help="only the tests of one process: 0/2 or 1/2")
    parser.add_argument("-v", "--verbose", action="store_true", help="a line for every test")
    return parser.parse_args()


def run_processes(jobs):
    """The tests in several processes: a crash ends only one. Each has a closing line, or counts as a failure."""
    command = [sys.executable, *sys.argv]
    runs = [subprocess.Popen([*command, f"--slice={index}/{jobs}"], stdout=subprocess.PIPE, text=True) for index in range(jobs)]
    total, status = [0, 0, 0], 0
    for run in runs:
        output, _ = run.communicate()
        closing = re.search(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", output, re.M)
        counts = [int(count) for count in closing.groups()] if closing else [0, 1, 0]
        if not closing:
            print(f"a process ended with {run.returncode}; -v shows its last test")
        print(output[:closing.start()] if closing else output, end="")
        total, status = [a + b for a, b in zip(total, counts)], status or run.returncode
    print(f"{total[0]} passed, {total[1]} failed, {total[2]} skipped")
    return 1 if status or total[1] or not sum(total) else 0


def main():
    args = arguments()
    data = suite.find(args.models_dir)
    if data is None:
        print("SKIP all: there are no backend tests here\n0 passed, 0 failed, 1 skipped")
        return 0
    if args.slice is None and args.jobs > 1:
        return run_processes(args.jobs)
    args.slice = args.slice or [0, 1]
    tests = make_suite(data, args)
    start = time.monotonic()
    result = unittest.TextTestRunner(verbosity=2 if args.verbose else 0).run(tests)
    wrong = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
    for test in result.unexpectedSuccesses:
        print(f"XPASS {test.id().rpartition('.')[2]}: passes, take it out of xfail-static.txt")
    left_out = len(result.skipped)
    ran = result.testsRun - left_out
    seconds = time.monotonic() - start
    print(f"{ran} tests in {seconds:.1f} s, {seconds / max(ran, 1) * 1e3:.0f} ms each, {len(result.expectedFailures)} "
          f"failed as expected, {left_out} left out")
    print(f"{ran - wrong - len(result.expectedFailures)} passed, {wrong} failed, {len(result.expectedFailures)} skipped")
    return 1 if wrong or not ran else 0


if __name__ == "__main__":
    sys.exit(main())
