#!/usr/bin/env python3
"""Count the idioms that effc raises (GELU, layer norm, attention, ...) in ONNX files, independently of effc.

Usage: count_idioms.py MODEL.onnx...             one line per graph and idiom: graph, idiom, count, variant
       count_idioms.py --ort MODEL.onnx...       beside it what ONNX Runtime's optimizer finds at level extended
       count_idioms.py --check idioms.tsv --root PREFIX=FOLDER...   compares the table with a fresh count
What counts is written at the top of idioms.tsv. Activations are matched by algebra (the polynomial in x and in the activation's
output must be the ideal one), the rest by structure.
"""
import argparse
import collections
import os
import sys

import onnx_graph
from activation_idioms import activations
from attention_idioms import attentions, ropes, softmaxes
from norm_idioms import group_norms, norms
from patterns import Match, close

COMPOSITE = {  # (domain, op) that already is the composite -> idiom
    ("", "LayerNormalization"): "layer_norm", ("com.microsoft", "SkipLayerNormalization"): "layer_norm",
    ("com.microsoft", "EmbedLayerNormalization"): "layer_norm", ("com.microsoft", "LayerNormalization"): "layer_norm",
    ("", "RMSNormalization"): "rms_norm", ("", "SimplifiedLayerNormalization"): "rms_norm",
    ("com.microsoft", "SimplifiedLayerNormalization"): "rms_norm", ("com.microsoft", "SkipSimplifiedLayerNormalization"): "rms_norm",
    ("", "GroupNormalization"): "group_norm", ("com.microsoft", "GroupNorm"): "group_norm",
    ("", "Mish"): "mish", ("", "HardSwish"): "hard_swish", ("com.microsoft", "BiasGelu"): "gelu",
    ("com.microsoft", "FastGelu"): "gelu_tanh",
    ("", "RotaryEmbedding"): "rope", ("com.microsoft", "RotaryEmbedding"): "rope",
    ("", "Attention"): "attention", ("com.microsoft", "Attention"): "attention", ("com.microsoft", "MultiHeadAttention"): "attention",
    ("com.microsoft", "GroupQueryAttention"): "attention", ("com.microsoft", "QAttention"): "attention",
}


def composites(g):
    for n in g.nodes:
        idiom = COMPOSITE.get((n.domain, n.op))
        if n.op == "Gelu":
            idiom = "gelu_tanh" if n.attr("approximate", b"none") == b"tanh" else "gelu"
        if n.op in ("Swish", "QuickGelu"):
            alpha = n.attr("alpha", 1.0 if n.op == "Swish" else 1.702)
            idiom = "silu" if close(alpha, 1) else "quick_gelu" if close(alpha, 1.702) else None
        if idiom:
            yield Match(idiom, f"op {n.op}", [n], n)
        if n.op in ("GroupQueryAttention", "Attention", "MultiHeadAttention") and n.attr("do_rotary", 0):
            for side in ("Q", "K"):
                yield Match("rope", f"do_rotary of {n.op}, {side}", [], None)


def matches(g):
    explicit = list(softmaxes(g))
    heads = list(attentions(g, explicit))
    inside = {id(n) for m in heads for n in m.nodes}
    found = list(composites(g)) + list(activations(g)) + list(norms(g)) + list(group_norms(g)) + list(ropes(g)) + heads
    found += [m for m in explicit if id(m.root) not in inside]
    for body in g.bodies:
        found += matches(body)
    return found


def rows(path):
    """[(idiom, count, variants)] of a model."""
    kinds = collections.defaultdict(collections.Counter)
    for m in matches(onnx_graph.load(path)):
        kinds[m.idiom][m.variant] += 1
    return [(i, sum(v.values()), "; ".join(f"{k} x{c}" if len(v) > 1 else k for k, c in sorted(v.items()))) for i, v in sorted(kinds.items())]


ORT_OPS = {  # what ONNX Runtime's fusions leave behind
    **{k[1]: v for k, v in COMPOSITE.items()}, "Gelu": "gelu", "QuickGelu": "quick_gelu",
}


def ort_counts(path):
    import tempfile
    import onnx
    import onnxruntime as ort
    ort.set_default_logger_severity(4)
    with tempfile.TemporaryDirectory() as t:
        options = ort.SessionOptions()
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        options.optimized_model_filepath = os.path.join(t, "o.onnx")
        options.intra_op_num_threads = 1
        try:
            ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        except Exception as e:
            return {"error": str(e).replace("\n", " ")[:120]}
        found = collections.Counter()

        def walk(graph):
            for n in graph.node:
                if n.op_type in ORT_OPS:
                    found[ORT_OPS[n.op_type]] += 1
                for a in n.attribute:
                    if a.type == onnx.AttributeProto.GRAPH:
                        walk(a.g)
        walk(onnx.load(options.optimized_model_filepath, load_external_data=False).graph)
        return dict(found)


def check(table, roots):
    """Compares a table's counts with a fresh count; rows whose file is absent are skipped and counted."""
    want, wrong, skipped, checked = collections.defaultdict(dict), 0, 0, 0
    for line in open(table):
        if line.strip() and not line.startswith("#"):
            graph, idiom, count = line.rstrip("\n").split("\t")[:3]
            want[graph].update({idiom: int(count)} if idiom != "-" else {})
            want[graph]
    for graph, idioms in want.items():
        prefix, rest = graph.split("/", 1)
        path = os.path.join(roots.get(prefix, ""), rest)
        if prefix not in roots or not os.path.exists(path):
            skipped += 1
            continue
        got = {i: c for i, c, _ in rows(path)}
        checked += 1
        if got != idioms:
            wrong += 1
            print(f"FAIL {graph}: table {idioms}, counted {got}")
    print(f"{checked - wrong} passed, {wrong} failed, {skipped} skipped")
    return bool(wrong)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("models", nargs="*")
    ap.add_argument("--ort", action="store_true", help="also print ONNX Runtime's counts")
    ap.add_argument("--check", metavar="TSV")
    ap.add_argument("--root", action="append", default=[], metavar="PREFIX=FOLDER", help="where the graphs of the table lie")
    a = ap.parse_args()
    if a.check:
        return check(a.check, dict(r.split("=", 1) for r in a.root))
    for path in a.models:
        found = rows(path) or [("-", 0, "")]
        ort = ort_counts(path) if a.ort else {}
        for idiom, count, variants in found:
            print(path, idiom, count, variants + (f"\tORT {ort.pop(idiom, 0)}" if a.ort and "error" not in ort else ""), sep="\t")
        for idiom, count in ort.items():
            print(path, f"ORT {idiom}", count, sep="\t")
    return 0


if __name__ == "__main__":
    sys.exit(main())
