"""Times a model in another engine, for `effc bench --against`: prints one JSON object with the keys of `effc bench --json`.

    bench_peer.py ENGINE MODEL.onnx INPUTS.npz THREADS SECONDS
"""
import json
import sys
import time


def run_onnxruntime(model, inputs, threads):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    known = {value.name for value in session.get_inputs()}
    feed = {name: array for name, array in inputs.items() if name in known}
    return lambda: session.run(None, feed)


def main():
    import numpy

    engine, model, inputs, threads, seconds = sys.argv[1:6]
    with numpy.load(inputs) as file:
        arrays = {name: file[name] for name in file.files}
    start = time.perf_counter()
    run = {"onnxruntime": run_onnxruntime}[engine](model, arrays, int(threads))
    open_ms = (time.perf_counter() - start) * 1000
    start = time.perf_counter()
    run()
    first_ms = (time.perf_counter() - start) * 1000
    for _ in range(3):
        run()
    times, begin = [], time.perf_counter()
    while len(times) < 5 or time.perf_counter() - begin < float(seconds):
        start = time.perf_counter()
        run()
        times.append((time.perf_counter() - start) * 1000)
    times.sort()
    print(json.dumps({
        "runs": len(times), "median_ms": times[len(times) // 2], "best_ms": times[0],
        "p99_ms": times[min(len(times) - 1, int(0.99 * len(times)))], "open_ms": open_ms, "first_run_ms": first_ms,
    }))


if __name__ == "__main__":
    main()
