#!/usr/bin/env python3
"""Libraries for machines that this one is not, run under QEMU's user-mode emulation.

  foreign.py --machine aarch64|haswell|nehalem --cpu NAMES [--nodes GLOB] [--models NAME,...] [--products]

Compiles node tests and models with --cpu, runs each in a small program of the runtime (Inputs/runner.c) under the
emulator, and compares with the reference outputs of the node tests or with what this machine computes natively. What is
missing (emulator, C library, compiler) is said, and nothing is tested. One line a case; the last line counts, and says
what was emulated.
"""
import argparse
import fnmatch
import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile

import numpy as np

import harness
import products

sys.path.insert(0, str(harness.ROOT / "test" / "Backend"))
import suite  # noqa: E402

RUNTIME = harness.ROOT / "lib" / "Runtime"
CROSS = pathlib.Path("/usr/aarch64-linux-gnu")
# Emulator and its options, the target of the compiler that builds the runner.
MACHINES = {
    "aarch64": (["qemu-aarch64-static", "-L", str(CROSS)], "aarch64-linux-gnu"),
    "haswell": (["qemu-x86_64-static", "-cpu", "Haswell"], None),
    "nehalem": (["qemu-x86_64-static", "-cpu", "Nehalem"], None),
}
DTYPES = {1: "f4", 2: "u1", 3: "i1", 4: "u2", 5: "i2", 6: "i4", 7: "i8", 9: "?", 10: "f2", 11: "f8", 12: "u4", 13: "u8"}
NUMBERS = {np.dtype(name): number for number, name in DTYPES.items()}
# A bit of every family of kernels: products, convolutions, attention, reductions, rows, movement, scans, data sizes.
SAMPLE = ("test_add", "test_matmul_*d", "test_gemm_*", "test_conv_*", "test_basic_conv_*", "test_convtranspose*", "test_softmax_*",
          "test_layer_normalization_*", "test_attention_4d*", "test_lstm_*", "test_gru_*", "test_reduce_sum_*", "test_cast_FLOAT*_to_FLOAT16",
          "test_maxpool_2d_*", "test_averagepool_2d_*", "test_resize_*sizes*", "test_gather_*", "test_topk*", "test_nonzero*",
          "test_exp*", "test_erf*", "test_tanh*", "test_gelu*", "test_cumsum_*", "test_qlinearmatmul*", "test_matmulinteger",
          "test_transpose_*", "test_concat_*", "test_where_*", "test_unique_*", "test_loop11", "test_if")


def missing(machine):
    """What this machine lacks to emulate another, or ""."""
    emulator, target = MACHINES[machine]
    if not shutil.which(emulator[0]):
        return f"no {emulator[0]} (Debian: qemu-user-static)"
    if target and not (CROSS / "include").exists():
        return f"no C library in {CROSS} (Debian: libc6-dev-arm64-cross)"
    return "" if compiler() else "no clang"


def compiler():
    return shutil.which("clang-22") or shutil.which("clang")


def build_runner(machine, folder):
    """The runner as a program of that machine. It carries the whole runtime, so a cross build needs no start files of GCC."""
    _, target = MACHINES[machine]
    runner = folder / "runner"
    sources = [*sorted(RUNTIME.glob("*.c")), harness.HERE / "Inputs" / "runner.c"]
    sources = [source for source in sources if source.name != "Typed.c"]
    command = [compiler(), "-std=c11", "-O1", f"-I{harness.ROOT / 'include'}", f"-I{RUNTIME}", *map(str, sources),
               "-o", str(runner), "-lm", "-ldl", "-lpthread"]
    if target:
        library = CROSS / "lib"
        command += [f"--target={target}", "-mno-outline-atomics", "-isystem", str(CROSS / "include"), "-fuse-ld=lld", "-nostdlib",
                    str(library / "crt1.o"), str(library / "crti.o"), str(library / "crtn.o"), f"-L{library}", "-lc",
                    f"-Wl,--dynamic-linker=/lib/ld-linux-aarch64.so.1,-rpath-link={library}", "-no-pie"]
    subprocess.run(command, check=True)
    return runner


def write_tensors(path, arrays):
    with open(path, "wb") as file:
        for array in arrays:
            array = np.asarray(array, order="C")
            file.write(struct.pack("<iI", NUMBERS[array.dtype], array.ndim))
            file.write(struct.pack(f"<{array.ndim}q", *array.shape) + struct.pack("<Q", array.nbytes) + array.tobytes())


def read_tensors(path):
    data, arrays = path.read_bytes(), []
    while data:
        dtype, rank = struct.unpack_from("<iI", data)
        shape = struct.unpack_from(f"<{rank}q", data, 8)
        (size,) = struct.unpack_from("<Q", data, 8 + 8 * rank)
        data = data[16 + 8 * rank:]
        arrays.append(np.frombuffer(data[:size], np.dtype(DTYPES[dtype])).reshape(shape))
        data = data[size:]
    return arrays


class Machine:
    """Compiles for and runs on a machine under emulation."""

    def __init__(self, name, cpu, effc, folder):
        self.emulator, self.cpu, self.effc, self.folder = MACHINES[name][0], cpu, effc, folder
        self.runner = build_runner(name, folder)

    def run(self, library, feeds):
        """(outputs, version that ran, why not)."""
        inputs, outputs = self.folder / "inputs.bin", self.folder / "outputs.bin"
        write_tensors(inputs, feeds)
        command = [*self.emulator, str(self.runner), str(library), "-", "2", str(inputs), str(outputs)]
        run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
        if run.returncode:
            return [], "", run.stderr.strip()[:300] or f"exit {run.returncode}"
        return read_tensors(outputs), run.stdout.split()[-1], ""

    def compile(self, model, *options):
        return self.effc.compile(model, self.folder, "model", [f"--cpu={self.cpu}", *options])


def node_cases(patterns):
    """Node tests whose tensors the runner can carry: (test, model, inputs, outputs)."""
    found = suite.find(harness.ROOT.parent / "shared" / "models")
    if not found:
        return
    for test in suite.read_list():
        if test.kind != "node" or test.group != "dense" or not any(fnmatch.fnmatchcase(test.name, p) for p in patterns):
            continue
        folder = test.folder(found)
        data = folder / "test_data_set_0"
        try:
            tensors = [[harness.read_tensor(path) for path in harness.numbered(data, kind)] for kind in ("input", "output")]
        except Exception:  # sequences and optionals are no tensors
            continue
        if all(array.dtype in NUMBERS for group in tensors for _, array in group):
            yield test.name, folder / "model.onnx", *tensors


def run_node(machine, tolerances, name, model, inputs, outputs):
    library, why = machine.compile(model)
    if why:
        return "SKIP" if "not supported" in why else "FAIL", why
    got, _, why = machine.run(library, [array for _, array in inputs])
    if why:
        return "FAIL", why
    for (_, want), have in zip(outputs, got):
        wrong = harness.difference(have, want, *tolerances.of("node_tests", name))[2]
        if wrong:
            return "FAIL", wrong
    return "PASS", ""


def run_both(machine, tolerance, effc, model, feed, options):
    """A model on the emulated machine against the same model on this one; without a tolerance the bits must be equal."""
    native, why = effc.compile(model, machine.folder / "native", "model", options)
    if why:
        return "FAIL", why
    want, why = effc.run(native, feed, machine.folder, 1)
    if why:
        return "FAIL", why
    library, why = machine.compile(model, *options)
    if why:
        return "FAIL", why
    entry = json.loads(library.with_name("model.json").read_text())["entry_points"][-1]
    got, _, why = machine.run(library, [feed[tensor["name"]] for tensor in entry["inputs"]])
    if why:
        return "FAIL", why
    for tensor, have in zip(entry["outputs"], got):
        expected = want[tensor["name"]]
        if tolerance is None:
            wrong = "" if np.array_equal(have, expected) else f"{np.count_nonzero(have != expected)} of {have.size} elements differ"
        else:
            wrong = harness.difference(have, expected, *tolerance)[2]
        if wrong:
            return "FAIL", wrong
    return "PASS", ""


def run_model(machine, tolerances, effc, name, folder, options):
    with np.load(folder / f"{name}.npz") as file:
        feed = {key: file[key] for key in file.files}
    shapes = [f"--input-shape={key}={'x'.join(map(str, array.shape))}" for key, array in feed.items() if array.ndim]
    return run_both(machine, tolerances.of("models", name), effc, folder / f"{name}.onnx", feed, [*shapes, *options])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--effc", default=harness.default_tool())
    parser.add_argument("--machine", choices=MACHINES, required=True)
    parser.add_argument("--cpu", required=True, help="as for effc compile")
    parser.add_argument("--nodes", action="append", default=[], help="globs of node tests instead of the sample")
    parser.add_argument("--models", default="", help="names of models in --bench-models")
    parser.add_argument("--bench-models", type=pathlib.Path, help="folder of NAME.onnx and NAME.npz")
    parser.add_argument("--option", action="append", default=[], help="of effc compile, for models: --option=--quantize=int8")
    parser.add_argument("--products", action="store_true", help="quantised products of odd sizes (products.py)")
    parser.add_argument("--limit", type=int, default=0, help="so many node tests, spread over the sample")
    args = parser.parse_args()
    if why := missing(args.machine):
        print(f"nothing tested: {why}\n0 passed, 0 failed, 1 skipped")
        return 0
    tally, tolerances, effc = harness.Tally(), harness.Tolerances(), harness.Effc(args.effc, 600)
    with tempfile.TemporaryDirectory() as scratch:
        machine = Machine(args.machine, args.cpu, effc, pathlib.Path(scratch))
        cases = list(node_cases(args.nodes or SAMPLE)) if args.nodes or args.limit or not (args.models or args.products) else []
        if args.limit:
            cases = cases[::max(1, len(cases) // args.limit)]
        for case in cases:
            status, why = run_node(machine, tolerances, *case)
            tally.case(status, case[0], why=why)
        for name in filter(None, args.models.split(",")):
            status, why = run_model(machine, tolerances, effc, name, args.bench_models, args.option)
            tally.case(status, name, why=why)
        rounds = args.cpu in ("neon-dotprod", "neon-i8mm")
        for name, model, feed, options, exact in products.cases(machine.folder, rounds) if args.products else ():
            status, why = run_both(machine, None if exact else tolerances.of("models", name), effc, model, feed, options)
            tally.case(status, name, why=why)
    print(f"emulated: {' '.join(MACHINES[args.machine][0])} for --cpu={args.cpu}")
    return tally.close()


if __name__ == "__main__":
    os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "1")
    sys.exit(main())
