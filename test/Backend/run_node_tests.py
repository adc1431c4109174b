#!/usr/bin/env python3
"""The ONNX 1.22 backend tests through effc: compile, run, compare.

Static mode: the model as it is, every size fixed. A test that xfail.txt names (name<TAB>reason) must fail; one that passes
nevertheless fails the run, so that the list only shrinks. A crash of effc is never an expected failure.
Tolerances are ONNX's own (rtol 1e-3, atol 1e-7) with the overrides of test/Execute/tolerances.json.
"""
import argparse
import collections
import concurrent.futures
import dataclasses
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import onnx

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "Execute"))

import harness  # noqa: E402

ARCHIVE = "onnx-1.22.0-backend-data.tar.zst"


@dataclasses.dataclass
class Result:
    name: str
    skip: str = ""
    why: str = ""
    error: float = 0.0
    relative: float = 0.0
    compile_s: float = 0.0
    run_s: float = 0.0


def operators(model):
    """(domain, operator) of every node, subgraphs included; functions of the model count by their bodies."""
    found = set()

    def walk(nodes):
        for node in nodes:
            found.add(("" if node.domain == "ai.onnx" else node.domain, node.op_type))
            for attribute in node.attribute:
                for graph in [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]:
                    walk(graph.node)

    walk(model.graph.node)
    for function in model.functions:
        walk(function.node)
    return found - {(function.domain, function.name) for function in model.functions}


def read_operators(path):
    """The operators of --ops: one a line, `Op` or `domain.Op`; # starts a comment."""
    lines = (line.split("#")[0].strip() for line in pathlib.Path(path).read_text().splitlines())
    return {("", line) if "." not in line else tuple(line.rsplit(".", 1)) for line in lines if line}


class NodeTest:
    def __init__(self, folder, effc, tolerances, supported):
        self.folder, self.effc, self.tolerances, self.supported = folder, effc, tolerances, supported
        self.name = folder.name

    def reason_to_skip(self, model):
        for value in [*model.graph.input, *model.graph.output]:
            kind = value.type.WhichOneof("value")
            if kind != "tensor_type":
                return f"{(kind or 'untyped').removesuffix('_type')} value"
            if value.type.tensor_type.elem_type == onnx.TensorProto.STRING:
                return "strings"
        missing = operators(model) - self.supported if self.supported is not None else set()
        return f"operator {'.'.join(filter(None, min(missing)))} not in --ops" if missing else ""

    def run(self, scratch):
        result = Result(self.name)
        model = onnx.load(self.folder / "model.onnx", load_external_data=False)
        result.skip = self.reason_to_skip(model)
        if result.skip:
            return result
        with tempfile.TemporaryDirectory(dir=scratch) as folder:
            start = time.monotonic()
            library, result.why = self.effc.compile(self.folder / "model.onnx", folder, "node")
            result.compile_s = time.monotonic() - start
            for data in sorted(self.folder.glob("test_data_set_*")) if not result.why else ():
                start = time.monotonic()
                self.run_set(model, library, data, folder, result)
                result.run_s += time.monotonic() - start
        return result

    def run_set(self, model, library, data, folder, result):
        """One set of inputs; the first difference is the result's."""
        feed, want = ({value.name: harness.read_tensor(path)[1] for value, path in zip(values, harness.numbered(data, kind))}
                      for values, kind in ((model.graph.input, "input"), (model.graph.output, "output")))
        got, why = self.effc.run(library, feed, folder, 1)
        result.why = result.why or why
        rtol, atol = self.tolerances.of("node_tests", self.name)
        for name, reference in want.items() if not why else ():
            if name not in got:
                result.why = result.why or f"no output '{name}'"
                continue
            error, relative, at = harness.difference(got[name], reference, rtol, atol)
            result.error, result.relative = max(result.error, error), max(result.relative, relative)
            result.why = result.why or (f"{name}{at}" if at else "")


def read_expected_failures(path):
    rows = {}
    for line in path.read_text().splitlines() if path.exists() else ():
        if line.strip() and not line.startswith("#"):
            name, _, reason = line.partition("\t")
            if not reason:
                raise SystemExit(f"{path.name}: '{name}' has no reason")
            rows[name] = reason
    return rows


def report(tally, result, expected, verbose):
    if result.skip:
        tally.skip_quietly(verbose, result)
        return
    figures = (f"{result.error:.2e}", f"{result.relative:.2e}", f"{result.compile_s + result.run_s:.3f}s")
    reason = expected.get(result.name)
    if result.why:
        crash = harness.crashed(result.why)
        status = "FAIL" if reason is None or crash else "XFAIL"
        why = result.why + (f" (a crash is never expected; xfail.txt: {reason})" if crash and reason else "")
    else:
        status = "PASS" if reason is None else "XPASS"
        why = "" if reason is None else f"passes: take it out of xfail.txt ({reason})"
    if verbose or status not in ("PASS", "XFAIL"):
        tally.case(status, result.name, *figures, why=why)
    else:
        tally.count(status)


class NodeTally(harness.Tally):
    def __init__(self):
        super().__init__()
        self.reasons = collections.Counter()

    def skip_quietly(self, verbose, result):
        kind = result.skip
        self.reasons[kind] += 1
        if verbose:
            self.case("SKIP", result.name, why=kind)
        else:
            self.count("SKIP")


def print_times(results, wall_s, jobs):
    ran = [result for result in results if not result.skip]
    if not ran:
        return
    for what, seconds in (("compile", [r.compile_s for r in ran]), ("run", [r.run_s for r in ran])):
        print(f"{what}: median {statistics.median(seconds) * 1e3:.0f} ms, mean {statistics.mean(seconds) * 1e3:.0f} ms, "
              f"longest {max(seconds) * 1e3:.0f} ms, sum {sum(seconds):.1f} s")
    slowest = sorted(ran, key=lambda r: r.compile_s + r.run_s)[-3:]
    print(f"{len(ran)} tests in {wall_s:.1f} s on {jobs} jobs; slowest: " +
          ", ".join(f"{r.name} {r.compile_s + r.run_s:.2f} s" for r in reversed(slowest)))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--effc", default=harness.default_effc(), help="the compiler (default: that of the build, or effc on PATH)")
    parser.add_argument("--models-dir", type=pathlib.Path, default=harness.ROOT.parent / "shared" / "models",
                        help=f"folder whose suites/ holds {ARCHIVE} (default: ../shared/models)")
    parser.add_argument("--suite", type=pathlib.Path, help="the archive, unpacked")
    parser.add_argument("--kinds", default="node", help="folders of the suite, such as node,simple,pytorch-operator (default: node)")
    parser.add_argument("--filter", default="", help="only tests whose name contains this")
    parser.add_argument("--ops", help="file of supported operators; tests that need others are skipped")
    parser.add_argument("--xfail", type=pathlib.Path, default=HERE / "xfail.txt", help="expected failures (default: xfail.txt here)")
    parser.add_argument("--jobs", type=int, default=int(os.environ.get("EFFC_TEST_JOBS", 2)), help="tests at once (default: 2)")
    parser.add_argument("--timeout", type=float, default=60, help="seconds for one compile or run (default: 60)")
    parser.add_argument("-v", "--verbose", action="store_true", help="a line for every test, not only for what went wrong")
    return parser.parse_args()


def main():
    args, tally = arguments(), NodeTally()
    if harness.not_built(args.effc):
        tally.case("SKIP", "all node tests", why="this build has no effc")
        return tally.close()
    archive = args.models_dir / "suites" / ARCHIVE
    if not args.suite and not archive.exists():
        tally.case("SKIP", "all node tests", why=f"no {ARCHIVE} in {args.models_dir}/suites")
        return tally.close()
    effc, tolerances, expected = harness.Effc(args.effc, args.timeout), harness.Tolerances(), read_expected_failures(args.xfail)
    supported = read_operators(args.ops) if args.ops else None
    with tempfile.TemporaryDirectory(prefix="effc-nodes-") as scratch:
        suite = args.suite or pathlib.Path(scratch, "suite")
        if not args.suite:
            suite.mkdir()
            subprocess.run(["tar", "--zstd", "-xf", archive, "-C", suite], check=True)
        folders = [f for kind in args.kinds.split(",") for f in sorted((suite / kind).iterdir()) if (f / "model.onnx").exists()]
        unknown = set(expected) - {folder.name for folder in folders}
        tests = [NodeTest(folder, effc, tolerances, supported) for folder in folders if args.filter in folder.name]
        start, results = time.monotonic(), []
        with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
            for result in pool.map(lambda test: test.run(scratch), tests):
                report(tally, result, expected, args.verbose)
                results.append(result)
        for name in sorted(unknown) if args.kinds == "node" else ():
            tally.case("FAIL", name, why="in xfail.txt, but there is no such test")
    print_times(results, time.monotonic() - start, args.jobs)
    for reason, count in tally.reasons.most_common(12):
        print(f"skipped {count}: {reason}")
    if tally.expected:
        print(f"{tally.expected} of the skipped are expected failures (xfail.txt)")
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
