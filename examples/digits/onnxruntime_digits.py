#!/usr/bin/env python3
"""What digits.c does, with ONNX Runtime: MODEL IMAGES LABELS -> one JSON object with the same figures."""
import json
import os
import pathlib
import sys
import time

import numpy as np


def resident_mb():
    return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 2**20


def main():
    model, images, labels = sys.argv[1:]
    images = np.fromfile(images, np.uint8).reshape(-1, 1, 1, 28, 28)
    labels = np.fromfile(labels, np.uint8)
    # Before the engine is loaded, so that Python and numpy do not count against it.
    before, start = resident_mb(), time.perf_counter()
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    open_ms = (time.perf_counter() - start) * 1e3
    name, times, correct = session.get_inputs()[0].name, [], 0
    for image, label in zip(images, labels):
        feed = {name: image.astype(np.float32) / np.float32(255)}
        start = time.perf_counter()
        (logits,) = session.run(None, feed)
        times.append((time.perf_counter() - start) * 1e3)
        correct += int(logits.argmax() == label)
    library = next(pathlib.Path(onnxruntime.__file__).parent.glob("capi/onnxruntime_pybind11_state*.so"))
    print(json.dumps({
        "correct": correct, "count": len(labels), "median_ms": float(np.median(times)), "open_ms": open_ms,
        "memory_mb": resident_mb() - before, "engine_bytes": library.stat().st_size,
    }))


if __name__ == "__main__":
    main()
