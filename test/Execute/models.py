#!/usr/bin/env python3
"""Real models through effc, compared with golden outputs and with ONNX Runtime run live.

Every model is compiled on the fast and the plain path, with symbolic and with fixed sizes, and run on 1 and 2 threads.
One line a case: STATUS model path threads dims max_abs max_rel; the relative error is defined in harness.py, how large it
may be in tolerances.json. Models that are not here are skipped and counted.
"""
import argparse
import dataclasses
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx

import harness

EXAMPLES = harness.ROOT / "examples" / "digits"
PATHS = {"fast": (), "plain": ("--plain",), "f64": ("--plain", "--compute=f64")}


@dataclasses.dataclass
class Model:
    name: str
    folder: str  # examples, pretrained, graphs, trained or bench
    file: str = ""
    variants: tuple = ("",)
    slow: tuple = ()  # variants whose scalar plain path takes minutes: only with --slow
    fixed: tuple = ()  # inputs whose value decides ranks: given to the compiler
    sized: bool = False  # sizes decide ranks: only with fixed ones


MODELS = [
    Model("digits_cnn", "examples", "cnn.onnx", ("", "b8")),
    Model("digits_vit", "examples", "vit.onnx", ("", "b8")),
    Model("mnist", "pretrained"),
    Model("squeezenet_fp16", "pretrained"),
    Model("ultraface_rfb_320", "pretrained"),
    Model("yunet_n_320_320", "pretrained"),
    Model("fastestdet", "pretrained"),
    Model("magika_standard_v3_3", "pretrained"),
    Model("basic_pitch_nmp", "pretrained"),
    Model("byte_sb_bidi_lstm", "pretrained"),
    Model("gtcrn_stream", "pretrained"),
    Model("gtcrn_stream_simple", "pretrained"),
    Model("silero_v3_micro", "pretrained"),
    Model("silero_vad", "pretrained", fixed=("sr",), sized=True),
    Model("silero_vad_16k_op15", "pretrained", fixed=("sr",), sized=True),
    Model("silero_vad_op18_ifless", "pretrained"),
    Model("add_with_external_data", "graphs"),
    Model("all_dtypes", "graphs"),
    Model("attention_past_state_u8s8", "graphs"),
    Model("bert_squad_keras2onnx_opset11", "graphs"),
    Model("bert_toy", "graphs"),
    Model("genai_gpt2_msdomain", "graphs"),
    Model("genai_qwen35_gqa_fp16", "graphs"),
    Model("gpt2_past_pt_opset11", "graphs"),
    Model("gpt2_pt_opset11_no_past", "graphs"),
    Model("scan_cntk", "graphs"),
    Model("seq2seq_random_encoder", "graphs"),
    Model("resnet50", "bench", variants=("", "b8"), slow=("b8",)),
    Model("mobilenet_v2", "bench"),
    Model("efficientnet_b0", "bench"),
    Model("vit_small", "bench", variants=("", "b8"), slow=("b8",)),
    Model("bert_base", "bench", variants=("", "b8"), slow=("", "b8")),
    Model("minilm", "bench", variants=("", "b8"), slow=("b8",)),
    Model("llama_160m", "bench", variants=("", "prefill128", "decode128", "decode1024"), slow=("prefill128",)),
    Model("shakespeare_lm", "trained", variants=("prefill128", "decode128", "decode1024")),
]


class Files:
    """Where models and inputs lie."""

    def __init__(self, models_dir, bench_dir, scratch):
        self.folders = {"examples": EXAMPLES, "bench": bench_dir}
        self.folders.update({name: models_dir and models_dir / name for name in ("pretrained", "graphs", "trained")})
        self.golden = None
        archive = models_dir and models_dir / "suites" / "golden-ort-1.30.tar.zst"
        if archive and archive.exists():
            subprocess.run(["tar", "--zstd", "-xf", archive, "-C", scratch], check=True)
            self.golden = pathlib.Path(scratch, "golden")

    def model(self, model):
        """The file, or None where it is absent."""
        folder = self.folders[model.folder]
        path = folder and folder / (model.file or f"{model.name}.onnx")
        return path if path and path.exists() else None

    def samples(self, model, variant, graph):
        """[(inputs, golden outputs or None)] of one variant; empty when there are no inputs."""
        if model.folder == "examples":
            count = int(variant[1:]) if variant else 1
            with np.load(EXAMPLES / "heldout.npz") as heldout:
                return [({graph.inputs[0].name: heldout["image"][:count].astype(np.float32) / 255}, None)]
        if model.folder == "trained":
            return [(language_inputs(graph, variant), None)]
        if model.folder in ("pretrained", "graphs"):
            return list(self.golden_sets(model, graph)) or [(random_inputs(graph), None)]
        path = self.folders["bench"] / f"{model.name}{'@' + variant if variant else ''}.npz"
        if not path.exists():
            return []
        with np.load(path) as file:
            return [({key: file[key] for key in file.files}, None)]

    def golden_sets(self, model, graph):
        folders = sorted((self.golden / model.name).glob("test_data_set_*")) if self.golden else []
        for folder in folders:
            read = {kind: [harness.read_tensor(path) for path in harness.numbered(folder, kind)] for kind in ("input", "output")}
            feed = {name or graph.inputs[i].name: array for i, (name, array) in enumerate(read["input"])}
            yield feed, {graph.outputs[i]: array for i, (_, array) in enumerate(read["output"])}


class Graph:
    """Inputs, outputs and symbols of a model file."""

    def __init__(self, path):
        graph = onnx.load(path, load_external_data=False).graph
        constants = {tensor.name for tensor in graph.initializer}
        self.inputs = [value for value in graph.input if value.name not in constants]
        self.outputs = [value.name for value in graph.output]

    def symbols(self, feed):
        """Value of every symbol for these inputs; empty when all sizes are fixed."""
        found = {}
        for value in self.inputs:
            for axis, dim in enumerate(value.type.tensor_type.shape.dim):
                if dim.dim_param:
                    found[dim.dim_param] = feed[value.name].shape[axis]
        return found


    def unnamed_shapes(self, feed):
        """Options that fix the inputs of which some dim has neither value nor name."""
        unnamed = [value.name for value in self.inputs
                   if any(not dim.dim_param and dim.dim_value <= 0 for dim in value.type.tensor_type.shape.dim)]
        return [f"--input-shape={name}={'x'.join(map(str, feed[name].shape))}" for name in unnamed if feed[name].size]


def language_inputs(graph, variant):
    """`prefill128`: 128 tokens, no past. `decode1024`: one token behind 1,024 past ones."""
    rng, count = np.random.default_rng(0), int(variant.lstrip("prefilldecode"))
    new, past = (count, 0) if variant.startswith("prefill") else (1, count)
    feed = {"input_ids": rng.integers(5, 256, (1, new)), "position_ids": np.arange(past, past + new)[None]}
    for value in graph.inputs:
        if value.name.startswith("past_key_values"):
            dims = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
            feed[value.name] = rng.standard_normal((1, dims[1], past, dims[3]), np.float32) * np.float32(0.3)
    return feed


def random_inputs(graph):
    """Reproducible values for a model without golden inputs; free sizes are 2."""
    rng, feed = np.random.default_rng(0), {}
    for value in graph.inputs:
        kind = value.type.tensor_type
        shape = [dim.dim_value or 2 for dim in kind.shape.dim]
        dtype = onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type)
        feed[value.name] = (rng.standard_normal(shape) if dtype.kind == "f" else rng.integers(0, 2, shape)).astype(dtype)
    return feed


class OnnxRuntime:
    """The peer: one session a model, optimisations off, so that it computes what the file says."""

    def __init__(self):
        try:
            import onnxruntime
        except ImportError:
            onnxruntime = None
        self.ort, self.path, self.session = onnxruntime, None, None

    def run(self, path, feed, outputs):
        if self.ort is None:
            return None
        if self.path != path:
            options = self.ort.SessionOptions()
            options.log_severity_level = 4
            options.intra_op_num_threads = 1
            options.graph_optimization_level = self.ort.GraphOptimizationLevel.ORT_DISABLE_ALL
            self.session, self.path = self.ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"]), path
        return dict(zip(outputs, self.session.run(outputs, feed)))


class Runner:
    def __init__(self, args, files, scratch):
        self.args, self.files, self.scratch = args, files, pathlib.Path(scratch)
        self.effc = harness.Effc(args.effc, args.timeout)
        self.tolerances, self.tally, self.peer = harness.Tolerances(), harness.Tally(), OnnxRuntime()

    def model(self, model):
        path = self.files.model(model)
        graph = Graph(path) if path else None
        cases = []
        for variant in model.variants:
            name = model.name + (f"@{variant}" if variant else "")
            if self.args.filter and self.args.filter not in name:
                continue
            samples = self.files.samples(model, variant, graph) if path else []
            if not samples:
                self.tally.case("SKIP", name, why=f"no model or inputs in the {model.folder} folder")
                continue
            slow = variant in model.slow and not self.args.slow
            cases += [(name, slow, number, feed, self.wanted(path, graph, feed, golden)) for number, (feed, golden) in enumerate(samples)]
        for way in self.args.paths:
            with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
                self.way(model, path, graph, way, cases, folder)

    def wanted(self, path, graph, feed, golden):
        """Named references of one sample."""
        live = self.peer.run(path, feed, graph.outputs)
        return {kind: outputs for kind, outputs in (("golden", golden), ("onnxruntime", live)) if outputs is not None}

    def way(self, model, path, graph, way, cases, folder):
        """All cases of a model on one path; a library serves every case with the same sizes."""
        libraries = {}
        for name, slow, number, feed, wanted in cases:
            for dims in self.args.dims:
                symbols = graph.symbols(feed)
                if dims == "dynamic" and model.sized:
                    continue
                if dims == "static" and not symbols and not model.sized and "dynamic" in self.args.dims:
                    continue  # fixed sizes only: the other mode is the same compile
                label = f"{name}#{number}" if number else name
                if slow and way != "fast":
                    self.tally.case("SKIP", label, way, "-", dims, why="minutes on the plain path; --slow runs it")
                    continue
                options = [f"--dim={symbol}={value}" for symbol, value in symbols.items()] if dims == "static" else []
                if dims == "static":
                    options += graph.unnamed_shapes(feed)
                options += [f"--input-value={name}={feed[name].item()}" for name in model.fixed]
                given = {name: array for name, array in feed.items() if name not in model.fixed}
                key = tuple(options)
                if key not in libraries:
                    target = pathlib.Path(folder, str(len(libraries)))
                    libraries[key] = self.effc.compile(path, target, harness.safe_name(model.name), [*PATHS[way], *options])
                for threads in self.args.threads:
                    self.case((label, way, threads, dims), model, libraries[key], given, wanted, folder)

    def case(self, words, model, library, feed, wanted, folder):
        path, why = library
        outputs = {}
        if not why:
            outputs, why = self.effc.run(path, feed, folder, words[2])
        if why:
            self.tally.case("FAIL", *words, "-", "-", why=why)
            return
        worst = [0.0, 0.0]
        for kind, reference in wanted.items():
            for name, want in reference.items():
                if name not in outputs:
                    why = why or f"no output '{name}'"
                    continue
                rtol, atol = self.tolerances.of("models", words[0].split("#")[0], want.dtype)
                error, relative, at = harness.difference(outputs[name], want, rtol, atol)
                worst = [max(worst[0], error), max(worst[1], relative)]
                why = why or (f"{kind}: {name}{at}" if at else "")
        if not wanted:
            self.tally.case("SKIP", *words, why="neither golden outputs nor ONNX Runtime")
            return
        self.tally.case("FAIL" if why else "PASS", *words, f"{worst[0]:.2e}", f"{worst[1]:.2e}", why=why)


def comma_list(allowed, kind=str):
    def parse(text):
        values = [kind(part) for part in text.split(",")]
        bad = [value for value in values if allowed and value not in allowed]
        if bad:
            raise argparse.ArgumentTypeError(f"'{bad[0]}': one of {', '.join(allowed)}")
        return values
    return parse


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--effc", default=harness.default_tool(), help="the compiler (default: that of the build, or effc on PATH)")
    parser.add_argument("--models-dir", type=pathlib.Path, default=harness.ROOT.parent / "shared" / "models",
                        help="folder of pretrained/, trained/, suites/ (default: ../shared/models)")
    parser.add_argument("--bench-models", type=pathlib.Path, default=harness.ROOT.parent / "bench-models",
                        help="folder that make_models.py and make_inputs.py filled (default: beside the repository)")
    parser.add_argument("--filter", default="", help="only models whose name contains this")
    parser.add_argument("--paths", type=comma_list(PATHS), default=["fast", "plain"], help="of fast, plain, f64 (default: fast,plain)")
    parser.add_argument("--threads", type=comma_list((), int), default=[1, 2])
    parser.add_argument("--dims", type=comma_list(("dynamic", "static")), default=["dynamic", "static"])
    parser.add_argument("--slow", action="store_true", help="also the large variants on the plain path")
    parser.add_argument("--timeout", type=float, default=600, help="seconds for one compile or run (default: 600)")
    return parser.parse_args()


def main():
    args = arguments()
    if harness.not_built(args.effc):
        tally = harness.Tally()
        tally.case("SKIP", "all models", why="this build has no effc")
        return tally.close()
    with tempfile.TemporaryDirectory(prefix="effc-models-") as scratch:
        files = Files(args.models_dir if args.models_dir.is_dir() else None, args.bench_models, scratch)
        runner = Runner(args, files, scratch)
        for model in MODELS:
            runner.model(model)
        return runner.tally.close()


if __name__ == "__main__":
    sys.exit(main())
