#!/usr/bin/env python3
"""Measures what quantisation costs in quality and gains in time, beside ONNX Runtime's and NNCF's quantisers, for docs/evidence.md.

    PYTHONPATH=build/release/python VENV/bin/python tools/dev/measure_quantization.py compare MODEL.onnx SAMPLES --scheme int8 --threads 1,2
    ... measure_quantization.py time FOLDER --threads 1,2
    ... measure_quantization.py digits MNIST_FOLDER HELDOUT.npz SAMPLES [--seed 0]
    ... measure_quantization.py text TOKENIZER.json FILE.txt SAMPLES [--seed 0]
    ... measure_quantization.py bytes MODEL.onnx FILE.txt SAMPLES [--seed 0]

The interpreter has the packages of tools/dev/requirements-compare.txt. SAMPLES has the folders `calibrate` and `validate`, of NAME.npz
whose keys are inputs; a key `label` that is no input is the class that rows of the first output should give. Every tool calibrates with the
same samples. Errors are against ONNX Runtime in f32: the mean square of the difference over that of the output, and the cosine. With
labels: how many rows are right, p of McNemar's test (exact: whether fewer or more are right than in f32), and nats a label. With
--similarity: Spearman's rank correlation of the similarities of all pairs of samples, the cosine of the first output's mean over its axis 1. Peers:

- `quantize_static` of ONNX Runtime with weights by output and activations of s8 (its default) and u8, and `quantize_dynamic`, after
  `quant_pre_process`; models of older operator sets become those of 13 before, as its documentation asks;
- `nncf.quantize` with its default options (--transformer: with `model_type=TRANSFORMER`), for OpenVINO with f32 between integer layers.

A model with tensors of f16 is measured as one of f32, by every tool: the peers quantise no f16. With --threads all of them take turns in
`effc bench` (docs/benchmarks.md), on --inputs or on the first sample to validate with. --keep FOLDER keeps what was made, and `time` measures
that again. `digits`, `text` and `bytes` write folders of samples from MNIST's files (without the held-out digits), from lines of text, and for a
model of bytes with empty past (the last 5 % of the text to validate with).
"""
import argparse
import contextlib
import gzip
import json
import logging
import math
import pathlib
import statistics
import subprocess
import sys
import tempfile

import numpy as np

ROUNDS = 9


def read_samples(folder, inputs):
    """With the types that the model wants, `inputs` by name."""
    samples = []
    for array in map(np.load, sorted(pathlib.Path(folder).glob("*.npz"))):
        sample = {key: array[key].astype(inputs[key]) for key in array.files if key in inputs}
        samples.append({**sample, "label": array["label"]} if "label" in array.files else sample)
    return samples


def inputs_of(sample):
    return {name: value for name, value in sample.items() if name != "label"}


def write_samples(folder, samples):
    folder.mkdir(parents=True, exist_ok=True)
    for index, sample in enumerate(samples):
        np.savez(folder / f"{index:04}.npz", **sample)


#
# Engines: what each gives for samples
#


def open_runtime(path):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def run_runtime(path, samples):
    session = open_runtime(path)
    return [session.run(None, inputs_of(sample)) for sample in samples]


def run_openvino(path, samples):
    import openvino

    core = openvino.Core()
    request = core.compile_model(core.read_model(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"}).create_infer_request()
    results = []
    for sample in samples:
        # By name: the order of the file's inputs and outputs may be another.
        got = request.infer(inputs_of(sample))
        results.append({name: np.array(value) for port, value in got.items() for name in port.get_names()})
    return results


def run_effc(library, samples):
    import effc

    session = effc.Model(library).session(threads=1)
    return [session.run(inputs_of(sample)) for sample in samples]


RUN = {"effc": run_effc, "onnxruntime": run_runtime, "openvino": run_openvino}


#
# Quantisers: each makes a file of the model
#


def widen(model):
    """Tensors of f16 become f32; whether there were any."""
    import onnx
    from onnx import numpy_helper

    half, single, found = onnx.TensorProto.FLOAT16, onnx.TensorProto.FLOAT, False

    def convert(tensor):
        if tensor.data_type == half:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float32), tensor.name))

    for tensor in model.graph.initializer:
        found |= tensor.data_type == half
        convert(tensor)
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        if value.type.tensor_type.elem_type == half:
            value.type.tensor_type.elem_type, found = single, True
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.TENSOR:
                convert(attribute.t)
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == half:
                attribute.i = single
    return found


def prepare(path, folder):
    """The model that all tools measure: (its file, types of inputs by name, names of outputs)."""
    import onnx

    model = onnx.load(path)
    if widen(model):
        print(f"{path.name} is measured in f32 instead of f16", flush=True)
        path = folder / "model.onnx"
        onnx.save(model, path)
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = {value.name: onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
              for value in model.graph.input if value.name not in constants}
    return path, inputs, [value.name for value in model.graph.output]


def prepare_for_runtime(path, folder):
    """What the documentation of ONNX Runtime's quantiser asks for."""
    import onnx
    from onnx import version_converter
    from onnxruntime.quantization.shape_inference import quant_pre_process

    model = onnx.load(path)
    constants = {tensor.name for tensor in model.graph.initializer}
    kept = [value for value in model.graph.input if value.name not in constants]
    del model.graph.input[:]
    model.graph.input.extend(kept)
    if next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")) < 13:
        # The converter needs the constants among the inputs of old formats.
        model.ir_version = max(model.ir_version, 7)
        model = version_converter.convert_version(model, 13)
    onnx.save(model, folder / "modern.onnx")
    quant_pre_process(folder / "modern.onnx", folder / "prepared.onnx", skip_symbolic_shape=True)
    return folder / "prepared.onnx"


def quantize_by_runtime(prepared, samples, path, activations):
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_dynamic, quantize_static

    class Reader(CalibrationDataReader):
        rest = iter([inputs_of(sample) for sample in samples])

        def get_next(self):
            return next(self.rest, None)

    if activations is None:
        quantize_dynamic(prepared, path)
    else:
        quantize_static(prepared, path, Reader(), per_channel=True, activation_type=getattr(QuantType, activations), weight_type=QuantType.QInt8)


def quantize_by_nncf(model, samples, path, transformer):
    import nncf
    import openvino

    options = {"model_type": nncf.ModelType.TRANSFORMER} if transformer else {}
    data = nncf.Dataset([inputs_of(sample) for sample in samples])
    openvino.save_model(nncf.quantize(openvino.Core().read_model(model), data, subset_size=len(samples), **options), path, compress_to_fp16=False)


def compile_with_effc(args, model, scheme, calibrate, folder):
    options = [] if scheme == "f32" else [f"--quantize={scheme}"]
    if scheme == "int8":
        stored = folder / "calibrate"
        write_samples(stored, [inputs_of(sample) for sample in calibrate])
        subprocess.run([args.effc, "calibrate", model, "-o", folder / "effc.stats", "--samples", stored, "-q"], check=True)
        options += ["--calibrate", folder / "effc.stats"]
    subprocess.run([args.effc, "compile", model, "-o", folder / scheme, "--name", "m", "-q", *args.option, *options], check=True)
    return folder / scheme / "libm.so"


def make_variants(args, model, calibrate, folder):
    """Yields (label, engine, file or why there is none)."""
    for scheme in ["f32", *(args.scheme or ["int8"])]:
        yield f"effc {scheme}", "effc", compile_with_effc(args, model, scheme, calibrate, folder)
    recipes = [(f"ONNX Runtime {name}", "onnxruntime", lambda path, kind=kind: quantize_by_runtime(prepare_for_runtime(model, folder), calibrate, path, kind))
               for name, kind in (("S8S8", "QInt8"), ("U8S8", "QUInt8"), ("dynamic", None))]
    recipes.append(("NNCF", "openvino", lambda path: quantize_by_nncf(model, calibrate, path, args.transformer)))
    for label, engine, make in recipes:
        path = folder / (label.replace(" ", "-") + (".xml" if engine == "openvino" else ".onnx"))
        try:
            with contextlib.redirect_stdout(sys.stderr):
                make(path)
        except Exception as problem:  # a peer that refuses a model is a finding
            path = f"{type(problem).__name__}: {' '.join(str(problem).split())[:160]}"
        yield label, engine, path


#
# Figures
#


def get_mcnemar(wanted, got):
    """Two-sided p, exact, from the rows that only one of both has right."""
    lost, won = int((wanted & ~got).sum()), int((~wanted & got).sum())
    tail = sum(math.comb(lost + won, i) for i in range(min(lost, won) + 1))
    return min(1.0, 2 * tail / 2**(lost + won))


def get_nats(scores, labels):
    scores = np.asarray(scores, float).reshape(-1, np.shape(scores)[-1])
    scores = scores - scores.max(-1, keepdims=True)
    return np.log(np.exp(scores).sum(-1)) - scores[np.arange(len(scores)), np.ravel(labels)]


def describe_labels(pick, exact, samples):
    labels = [sample["label"] for sample in samples]
    right, before = (np.concatenate([np.argmax(value, -1).ravel() == np.ravel(label) for value, label in zip(values, labels)])
                     for values in (pick, exact))
    nats = np.mean(np.concatenate([get_nats(value, label) for value, label in zip(pick, labels)]))
    return f"{right.sum()} of {right.size}, p {get_mcnemar(before, right):.2f}, {nats:.4f} nats"


def get_ranks(outputs):
    """Of the similarities of all pairs."""
    rows = np.stack([np.mean(value[0], 0) for value in outputs]).astype(float)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return np.argsort(np.argsort((rows @ rows.T)[np.triu_indices(len(rows), 1)])).astype(float)


def describe_quality(results, exact, samples, names, similarity):
    """Of each output the error and the cosine; of the first what labels or similarities say."""
    cells = []
    for index, name in enumerate(names):
        pick = [result[name] if isinstance(result, dict) else result[index] for result in results]
        got = np.concatenate([np.ravel(value) for value in pick]).astype(float)
        wanted = np.concatenate([np.ravel(result[index]) for result in exact]).astype(float)
        error = np.mean((got - wanted)**2) / np.mean(wanted**2)
        cells.append(f"{error:.3e} / {got @ wanted / np.sqrt((got @ got) * (wanted @ wanted)):.5f}")
        if index == 0 and "label" in samples[0]:
            cells.append(describe_labels(pick, [result[0] for result in exact], samples))
        if index == 0 and similarity:
            cells.append(f"{np.corrcoef(get_ranks(pick), get_ranks([result[0] for result in exact]))[0, 1]:.5f}")
    return " | ".join(cells)


def compare(args):
    logging.disable(logging.WARNING)
    with contextlib.ExitStack() as stack:
        folder = args.keep or pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        model, inputs, names = prepare(args.model, folder)
        calibrate, validate = (read_samples(args.samples / part, inputs) for part in ("calibrate", "validate"))
        exact = run_runtime(model, validate)
        with np.load(args.inputs) if args.inputs else contextlib.nullcontext(inputs_of(validate[0])) as feed:
            np.savez(folder / "inputs.npz", **{name: feed[name].astype(inputs[name]) for name in inputs})
        index = []
        for label, engine, path in make_variants(args, model, calibrate, folder):
            try:
                if isinstance(path, str):
                    raise RuntimeError(path)
                quality = describe_quality(RUN[engine](path, validate), exact, validate, names, args.similarity)
                index.append({"label": label, "engine": engine, "path": str(path)})
            except Exception as problem:
                quality = f"refused: {problem}"[:200]
            print(f"| {label} | {quality} |", flush=True)
        (folder / "index.json").write_text(json.dumps(index))
        if args.threads:
            measure_time(args, folder)


def measure_time(args, folder):
    """Every variant in turn; ratios are medians over the rounds."""
    index = json.loads((folder / "index.json").read_text())
    ours = [entry for entry in index if entry["engine"] == "effc"]
    others = [entry for entry in index if entry["engine"] != "effc"]
    head, *rest = [entry for entry in ours if entry["label"] != "effc f32"] + [entry for entry in ours if entry["label"] == "effc f32"]
    against = {f"{entry['engine']}={entry['path']}": entry["label"] for entry in rest + others}
    for threads in args.threads:
        done = subprocess.run([args.effc, "bench", head["path"], "--inputs", folder / "inputs.npz", "--threads", str(threads), "--against", ",".join(against),
                               "--python", sys.executable, "--rounds", str(ROUNDS), "--seconds", str(args.seconds), "--tolerance", "1e9", "--json", "-q"],
                              capture_output=True, text=True, check=True)
        result = json.loads(done.stdout)
        rounds = {head["label"]: result["rounds_ms"]}
        for name, peer in result["peers"].items():
            if "error" in peer:
                print(f"{against[name]} was not timed: {peer['error'][:160]}")
            else:
                rounds[against[name]] = peer["rounds_ms"]
        print_times(threads, rounds, [entry["label"] for entry in others], result["unsteady"])


def print_times(threads, rounds, others, unsteady):
    print(f"{threads} thread{'s' * (threads > 1)}{', not steady' if unsteady else ''}:")
    plain = rounds["effc f32"]
    fastest = [min(times) for times in zip(*(rounds[label] for label in others if label in rounds))]
    for label, times in rounds.items():
        gain = statistics.median(a / b for a, b in zip(plain, times))
        score = statistics.median(a / b for a, b in zip(fastest, times)) if fastest and label.startswith("effc") else math.nan
        print(f"| {label} | {statistics.median(times):.3f} ms | {gain:.2f} of effc f32 |" + ("" if math.isnan(score) else f" score {score:.2f} |"), flush=True)


#
# Samples
#


def write(args, calibrate, validate):
    write_samples(args.samples / "calibrate", calibrate)
    write_samples(args.samples / "validate", validate)


def make_digits(args):
    """Those that training saw, in random order, and batches of the others."""
    images = np.frombuffer(gzip.decompress((args.mnist / "mnist-t10k-images.idx3.gz").read_bytes())[16:], np.uint8).reshape(-1, 1, 1, 28, 28)
    seen = np.random.RandomState(0).permutation(10000)[:8000]
    chosen = np.random.default_rng(args.seed).permutation(seen)[:args.count]
    held = np.load(args.heldout)
    batches = [{"image": held["image"][i:i + 100].astype(np.float32) / 255, "label": held["label"][i:i + 100]}
               for i in range(0, len(held["label"]), 100)]
    write(args, [{"image": images[i].astype(np.float32) / 255} for i in chosen], batches)


def make_text(args):
    import tokenizers
    tokenizer = tokenizers.Tokenizer.from_file(str(args.tokenizer))
    tokenizer.no_padding()
    lines = [line for line in args.text.read_text().splitlines() if len(line) > 20]
    order = np.random.default_rng(args.seed).permutation(len(lines))

    def sample(line):
        ids = np.array([tokenizer.encode(line).ids], np.int64)
        return {"input_ids": ids, "attention_mask": np.ones_like(ids)}

    write(args, [sample(lines[i]) for i in order[:args.count]], [sample(lines[i]) for i in order[args.count:args.count + 500]])


def make_bytes(args):
    """Windows of bytes whose labels are the bytes one further."""
    import onnx

    text = np.frombuffer(args.text.read_bytes(), np.uint8).astype(np.int64)
    split, size = len(text) * 95 // 100, args.length
    inputs = {value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in onnx.load(args.model).graph.input}

    def sample(start):
        feeds = {"input_ids": text[None, start:start + size], "position_ids": np.arange(size)[None], "label": text[None, start + 1:start + size + 1]}
        for name, (_, heads, _, width) in ((name, dims) for name, dims in inputs.items() if name not in feeds):
            feeds[name] = np.zeros((1, heads, 0, width), np.float32)
        return feeds

    starts = np.random.default_rng(args.seed).integers(0, split - size - 1, args.count)
    write(args, [sample(start) for start in starts], [sample(start) for start in range(split, len(text) - size, size)])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(required=True)
    parse_threads = lambda text: [int(part) for part in text.split(",")]
    verb = verbs.add_parser("compare")
    verb.add_argument("model", type=pathlib.Path)
    verb.add_argument("samples", type=pathlib.Path)
    verb.add_argument("--scheme", action="append")
    verb.add_argument("--transformer", action="store_true", help="tell NNCF that the model is one")
    verb.add_argument("--similarity", action="store_true", help="the first output holds vectors of tokens")
    verb.add_argument("--option", action="append", default=[], help="passed on to effc compile")
    verb.add_argument("--keep", type=pathlib.Path, help="keep models and libraries there")
    verb.add_argument("--inputs", type=pathlib.Path, help="to time with, an .npz (default: the first sample to validate with)")
    verb.add_argument("--threads", type=parse_threads, help="measure times, such as with 1,2 threads")
    verb.set_defaults(do=compare)
    again = verbs.add_parser("time")
    again.add_argument("folder", type=pathlib.Path, help="that --keep of compare names")
    again.add_argument("--threads", type=parse_threads, default=[1, 2])
    again.set_defaults(do=lambda args: measure_time(args, args.folder))
    for verb in (verb, again):
        verb.add_argument("--seconds", type=float, default=1.5, help="of measuring each engine (default: 1.5)")
        verb.add_argument("--effc", default="build/release/bin/effc")
    for name, do, files in (("digits", make_digits, ("mnist", "heldout")), ("text", make_text, ("tokenizer", "text")),
                              ("bytes", make_bytes, ("model", "text"))):
        verb = verbs.add_parser(name)
        for file in (*files, "samples"):
            verb.add_argument(file, type=pathlib.Path)
        verb.add_argument("--seed", type=int, default=0)
        verb.add_argument("--count", type=int, default=64, help="samples to calibrate with")
        if name == "bytes":
            verb.add_argument("--length", type=int, default=256, help="bytes a sample")
        verb.set_defaults(do=do)
    args = parser.parse_args()
    args.do(args)
    return 0


if __name__ == "__main__":
    sys.exit(main())
