#!/usr/bin/env python3
"""Runs every test suite of a build and adds up what they counted.

A suite is a row of SUITES: a function that runs it and returns its counts. A suite that crashes, or whose counts
cannot be read, counts as one failure. The last line is `N passed, N failed, N skipped` over all suites.
"""
import argparse
import dataclasses
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).resolve().parents[2]
CLOSING_LINE = re.compile(r"^(?:\w+: )?(\d+) passed, (\d+) failed(?:, (\d+) skipped)?\s*$")


@dataclasses.dataclass
class Counts:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other):
        return Counts(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)

    def with_status(self, status):
        """A suite that ends badly without naming a failed test has failed as a whole."""
        return self + Counts(failed=1) if status != 0 and self.failed == 0 else self


def stream(command, env=None):
    """Runs `command`, shows its output at once and returns its status and its last closing line.

    Closing lines are not shown: there is one for the whole run, at its very end.
    """
    process = subprocess.Popen(
        [str(part) for part in command], cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL, text=True, errors="replace",
    )
    counts = None
    for line in process.stdout:
        match = CLOSING_LINE.match(line)
        if match:
            counts = Counts(*(int(group or 0) for group in match.groups()))
        else:
            print("  " + line, end="", flush=True)
    return process.wait(), counts


def run_lit(build, jobs):
    """The FileCheck tests under test/."""
    with tempfile.TemporaryDirectory() as folder:
        report = pathlib.Path(folder) / "lit.json"
        command = [sys.executable, pathlib.Path(sys.executable).parent / "lit", "-s", "-v", f"-j{jobs}", "--timeout", "300", "--output", report]
        status, _ = stream([*command, build / "test"])
        if not report.exists():
            return Counts(failed=1)
        counts = Counts()
        for test in json.loads(report.read_text())["tests"]:
            if test["code"] in ("PASS", "XFAIL", "FLAKYPASS"):
                counts.passed += 1
            elif test["code"] in ("UNSUPPORTED", "SKIPPED", "EXCLUDED"):
                counts.skipped += 1
            else:
                counts.failed += 1
        return counts.with_status(status)


def run_ctest(build, jobs):
    """The programs: GoogleTest cases and the C header tests."""
    with tempfile.TemporaryDirectory() as folder:
        report = pathlib.Path(folder) / "ctest.xml"
        command = ["ctest", "--test-dir", build, "--output-on-failure", "--timeout", "300", "-j", jobs]
        status, _ = stream([*command, "--progress", "--quiet", "--no-tests=ignore", "--output-junit", report])
        if not report.exists():
            return Counts().with_status(status)
        suite = xml.etree.ElementTree.parse(report).getroot()
        for case in suite.iter("testcase"):
            if case.get("status") == "fail":
                print(f"  FAIL: {case.get('name')}\n{case.findtext('system-out', '')[-4000:]}", flush=True)
        total, failed, skipped, disabled = (int(suite.get(k, 0)) for k in ("tests", "failures", "skipped", "disabled"))
        return Counts(total - failed - skipped - disabled, failed, skipped + disabled).with_status(status)


def run_script(path, *arguments):
    """A Python test program that prints its own closing line."""

    def run(build, jobs):
        # They find effc on the PATH, as a user would.
        env = dict(os.environ, EFFC_BUILD_DIR=str(build), EFFC_TEST_JOBS=str(jobs))
        env["PATH"] = f"{build / 'bin'}{os.pathsep}{env['PATH']}"
        env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(build / "python"), env.get("PYTHONPATH")]))
        status, counts = stream([sys.executable, ROOT / path, *arguments], env)
        return (counts or Counts(failed=1)).with_status(status)

    run.__doc__ = " ".join([path, *arguments])
    return run


def run_checks(build, jobs):
    """The house rules: every tools/dev/check-*."""
    counts = Counts()
    for check in sorted((ROOT / "tools/dev").glob("check-*")):
        env = dict(os.environ, EFFC_BUILD_DIR=str(build))
        status, _ = stream([check], env)
        counts += Counts(failed=1) if status else Counts(passed=1)
    return counts


SUITES = {
    "checks": run_checks,
    "lit": run_lit,
    "unit": run_ctest,
    "models": run_script("test/Execute/models.py"),
    "streams": run_script("test/Execute/streams.py"),
    "nodes": run_script("test/Backend/run_node_tests.py"),
    "finds": run_script("test/Fuzz/finds.py"),
    "graphs": run_script("test/Fuzz/fuzz.py", "--seconds", "60", "--out", "build/fuzz-findings"),
    "python": run_script("test/Python/backend_test.py"),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build/dev", help="build folder (default: %(default)s)")
    parser.add_argument("--suites", default=",".join(SUITES), help="comma list (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="tests at once (default: %(default)s)")
    args = parser.parse_args()
    build = (ROOT / args.build).resolve()
    total, summary = Counts(), []
    for name in args.suites.split(","):
        if name not in SUITES:
            parser.error(f"no suite '{name}'; there are {', '.join(SUITES)}")
        print(f"==> {name}: {SUITES[name].__doc__.splitlines()[0]}", flush=True)
        start = time.monotonic()
        counts = SUITES[name](build, args.jobs)
        total += counts
        summary.append((name, counts, time.monotonic() - start))
    print("\nsuite        passed  failed  skipped   time")
    for name, counts, seconds in summary:
        print(f"{name:10s} {counts.passed:8d} {counts.failed:7d} {counts.skipped:8d} {seconds:5.0f} s")
    print(f"{total.passed} passed, {total.failed} failed, {total.skipped} skipped", flush=True)
    # A run that tested nothing has not succeeded.
    sys.exit(1 if total.failed or not total.passed else 0)


if __name__ == "__main__":
    main()
