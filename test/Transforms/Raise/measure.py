#!/usr/bin/env python3
"""Measures raising against idioms.tsv: recall over all graphs, and false raises. Passes with recall >= 95 % and no false raise.

    measure.py --command 'build/dev/bin/effc compile {model} -o {out} --save-stages={out} --stop-after=raise' --models-dir ../shared/models

The command raises {model} and leaves the IR on standard output or in the last *.mlir (by name) below {out}. A graph that it
refuses, because of an operator that is not supported, is listed and left out of the recall.
"""
import argparse
import collections
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
ARCHIVE = "ort-transform-testdata.tar.zst"
UNARY = ("gelu", "gelu_tanh", "quick_gelu", "silu", "hard_swish", "mish")
OPS = ("layer_norm", "rms_norm", "group_norm", "softmax", "rope", "attention")
RAISED = re.compile(r"\beff\.(?:unary +(\w+)|(\w+))\b")


def read_table(path):
    """{graph: {idiom: (count, optional)}}"""
    table = collections.defaultdict(dict)
    for line in path.read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            graph, idiom, count, note = (line.split("\t") + [""])[:4]
            table[graph].update({idiom: (int(count), note.startswith("optional"))} if idiom != "-" else {})
    return table


def count_raised(text):
    found = collections.Counter()
    for unary, op in RAISED.findall(text):
        if unary in UNARY or op in OPS:
            found[unary or op] += 1
    return found


def softmax_ops(path):
    """Softmax nodes that stay: those that no attention of the table's kind absorbs."""
    import count_idioms
    import onnx_graph

    def walk(graph):
        matches = [m for m in count_idioms.matches(graph) if m.idiom == "attention"]
        inside = {id(node) for match in matches for node in match.nodes}
        own = sum(node.op in ("Softmax", "LogSoftmax") and id(node) not in inside for node in graph.nodes)
        return own + sum(walk(body) for body in graph.bodies)

    return walk(onnx_graph.load(path))


def raised_ir(command, model, limit_s):
    """(IR, "") or ("", why the graph was refused)."""
    with tempfile.TemporaryDirectory() as out:
        words = [word.format(model=model, out=out) for word in shlex.split(command)]
        try:
            run = subprocess.run(words, capture_output=True, text=True, errors="replace", timeout=limit_s, check=False)
        except subprocess.TimeoutExpired:
            return "", f"no end after {limit_s} s"
        if run.returncode != 0:
            lines = [line for line in run.stderr.splitlines() if line.strip()] or [f"exit {run.returncode}"]
            return "", next((line for line in lines if "error" in line), lines[0])[:200]
        files = sorted(pathlib.Path(out).rglob("*.mlir"))
        return (files[-1].read_text() if files and "eff." not in run.stdout else run.stdout), ""


class Score:
    def __init__(self):
        self.want, self.found, self.false = (collections.Counter() for _ in range(3))

    def add(self, graph, expected, got):
        """What differs in one graph; printed and added up."""
        for idiom in sorted({*expected, *got}):
            count, optional = expected.get(idiom, (0, False))
            raised = got.get(idiom, 0)
            self.false[idiom] += max(0, raised - count)
            if not optional:
                self.want[idiom] += count
                self.found[idiom] += min(raised, count)
            if raised > count or (raised < count and not optional):
                print(f"{'FALSE' if raised > count else 'MISSED'} {graph} {idiom}: expected {count}, raised {raised}", flush=True)

    def close(self, graphs, refused):
        for idiom in sorted(self.want | self.false):
            print(f"{idiom:12s} {self.found[idiom]:4d} of {self.want[idiom]:4d}, {self.false[idiom]} false")
        want, found, false = self.want.total(), self.found.total(), self.false.total()
        print(f"{graphs} graphs, {refused} refused: recall {100 * found / max(want, 1):.1f} % ({found} of {want}), {false} false raises")
        good = want and found >= 0.95 * want and not false
        print(f"{int(bool(good))} passed, {int(not good)} failed, {refused} skipped")
        return 0 if good else 1


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--command", required=True, help="how to raise {model}; {out} is an empty folder")
    parser.add_argument("--table", type=pathlib.Path, default=HERE / "idioms.tsv")
    parser.add_argument("--models-dir", type=pathlib.Path, default=ROOT.parent / "shared" / "models", help="default: ../shared/models")
    parser.add_argument("--bench-models", type=pathlib.Path, default=ROOT.parent / "bench-models", help="default: beside the repository")
    parser.add_argument("--filter", default="", help="only graphs whose name contains this")
    parser.add_argument("--timeout", type=float, default=120)
    return parser.parse_args()


def main():
    args, score, graphs, refused = arguments(), Score(), 0, 0
    with tempfile.TemporaryDirectory(prefix="effc-idioms-") as scratch:
        archive = args.models_dir / "suites" / ARCHIVE
        if archive.exists():
            subprocess.run(["tar", "--zstd", "-xf", archive, "-C", scratch], check=True)
        roots = {"transform": pathlib.Path(scratch, "onnxruntime/test/testdata/transform"), "bench": args.bench_models}
        for graph, expected in read_table(args.table).items():
            prefix, _, rest = graph.partition("/")
            path = roots.get(prefix, args.models_dir / prefix) / rest
            if args.filter not in graph:
                continue
            text, why = raised_ir(args.command, path, args.timeout) if path.exists() else ("", "no such file here")
            if why:
                refused += 1
                print(f"REFUSED {graph}: {why}", flush=True)
                continue
            got = count_raised(text)
            got["softmax"] -= softmax_ops(path)
            score.add(graph, expected, +got)
            graphs += 1
    return score.close(graphs, refused)


if __name__ == "__main__":
    sys.exit(main())
