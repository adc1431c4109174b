#!/usr/bin/env python3
"""Makes seed inputs for the fuzz targets: OUT/importer, OUT/pipeline, OUT/npy, OUT/certificate, OUT/table.

Models are the small ones of the ONNX backend suite (where its archive is beside the repository) and our own fixtures.
They are made anew and not committed: most are other people's.
"""
import argparse
import hashlib
import io
import json
import os
import pathlib
import subprocess
import sys
import tarfile

import numpy as np
import onnx
import onnx.parser

ROOT = pathlib.Path(__file__).resolve().parents[2]
ARCHIVE = "models/suites/onnx-1.22.0-backend-data.tar.zst"
MAX_MODEL_BYTES = 6000
MAX_TENSOR_BYTES = 2000


class Corpus:
    def __init__(self, out):
        self.out, self.count = out, 0

    def add(self, target, data):
        folder = self.out / target
        folder.mkdir(parents=True, exist_ok=True)
        (folder / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
        self.count += 1

    def add_model(self, data):
        if len(data) <= MAX_MODEL_BYTES:
            self.add("importer", data)
            self.add("pipeline", data)


def add_suite(corpus, archive):
    unpacked = subprocess.run(["zstd", "-dc", archive], stdout=subprocess.PIPE, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(unpacked)) as tar:
        for member in tar:
            if not member.isfile():
                continue
            if member.name.endswith("model.onnx") and member.size <= MAX_MODEL_BYTES:
                corpus.add_model(tar.extractfile(member).read())
            elif member.name.endswith(".pb") and member.size <= MAX_TENSOR_BYTES and corpus.count % 8 == 0:
                corpus.add("npy", b"\2" + tar.extractfile(member).read())


def add_fixtures(corpus):
    for path in sorted((ROOT / "test").rglob("*.onnxtxt")):
        text = "\n".join(line for line in path.read_text().splitlines() if not line.startswith("//"))
        try:
            corpus.add_model(onnx.parser.parse_model(text).SerializeToString())
        except onnx.parser.ParseError:
            continue


def add_arrays(corpus):
    for dtype in ("f4", "f8", "f2", "i8", "u1", "?", ">i4", "c8"):
        for array in (np.zeros((2, 3), dtype), np.zeros((), dtype), np.zeros((0, 4), dtype), np.zeros((3, 2), dtype, order="F")):
            buffer = io.BytesIO()
            np.save(buffer, array)
            corpus.add("npy", b"\0" + buffer.getvalue())
            for save in (np.savez, np.savez_compressed):
                buffer = io.BytesIO()
                save(buffer, x=array, y=array)
                corpus.add("npy", b"\1" + buffer.getvalue())
            tensor = onnx.TensorProto(name="x", dims=array.shape, data_type=onnx.TensorProto.FLOAT, float_data=[1.0] * array.size)
            corpus.add("npy", b"\2" + tensor.SerializeToString())


def add_certificates(corpus):
    tensor = {"name": "x", "type": "f32", "shape": [2, "batch"]}
    certificate = {
        "format": "effc-certificate", "format_version": 1, "name": "model", "compiler": {"name": "effc", "version": "0.1.0"},
        "model": {"file": "model.onnx", "sha256": "0"}, "target": {"cpu": "v4", "triple": "x86_64-unknown-linux-gnu"},
        "options": ["--cpu=v4"], "passes": [{"name": "import", "did": "3 operations"}], "notes": ["a note"],
        "entry_points": [{
            "name": "main", "symbols": [{"name": "batch", "min": 1, "max": 9}], "checks": ["a"], "inputs": [tensor], "outputs": [tensor],
            "arena_bytes": 64, "launches": [{"kernel": "k0", "flops": 6, "bytes": "batch * 8"}]}],
        "kernels": [{"name": "k0", "nodes": "Add#0", "choice": "loops"}], "weights": {"bytes": 4, "constants": 1, "separate": False},
    }  # fmt: skip
    corpus.add("certificate", json.dumps(certificate).encode())
    corpus.add("certificate", json.dumps(certificate, indent=2).encode())
    for key in certificate:
        corpus.add("certificate", json.dumps({k: v for k, v in certificate.items() if k != key}).encode())


def add_locks(corpus):
    machine = "x86-64-v3, 16 registers of 256 bits, L1 32768, L2 262144"
    choice = "4x24, blocks of 8 rows, rows outside"
    kernels = [
        {"kernel": "gemm", "types": "f32", "shape": {"m": 8, "n": 64, "k": 64, "row_bytes": 256}, "choice": choice,
         "times": [{"choice": choice, "us": 1.5, "spread": 0.01}]},
        {"kernel": "conv3x3", "types": "f32", "shape": {"images": 1, "rows": 56, "columns": 56, "channels": 64, "outputs": 64},
         "choice": "direct", "times": []},
    ]  # fmt: skip
    lock = {
        "format": "effc-lock", "format_version": 1, "compiler": {"name": "effc", "version": "0.1.0"},
        "model": {"file": "m.onnx", "sha256": "0"}, "targets": [{"cpu": "v3", "machine": machine, "kernels": kernels}],
    }  # fmt: skip
    corpus.add("lock", json.dumps(lock, indent=2).encode())
    for key in lock:
        corpus.add("lock", json.dumps({k: v for k, v in lock.items() if k != key}).encode())
    for kernel in kernels:
        lock["targets"][0]["kernels"] = [kernel]
        corpus.add("lock", json.dumps(lock).encode())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--test-data", type=pathlib.Path, default=ROOT.parent / "shared")
    args = parser.parse_args()
    corpus = Corpus(args.out)
    archive = args.test_data / ARCHIVE
    if archive.exists():
        add_suite(corpus, archive)
    else:
        print(f"note: no {ARCHIVE}; seeds are our own fixtures only", file=sys.stderr)
    add_fixtures(corpus)
    add_arrays(corpus)
    add_certificates(corpus)
    add_locks(corpus)
    for size in (64, 200, 500):
        for _ in range(20):
            corpus.add("table", os.urandom(size))
    print(f"{corpus.count} seeds in {args.out}")


if __name__ == "__main__":
    main()
