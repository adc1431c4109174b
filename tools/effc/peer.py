"""Runs a model in another engine for `effc bench --against`, which carries this file and starts it in a process of its own.

    peer.py FD REQUEST.json

FD is a socket to effc: a line of JSON each way. First comes {"version", "open_ms", "first_run_ms", "rss_mb"}, then for each
{"seconds", "warm_seconds"} that effc sends {"times_ms": [...]}; instead of either {"error"}. Between the lines the process
sleeps in a read. What the engine prints goes to a log: FD is the only way to effc.
"""
import gc
import json
import os
import socket
import sys
import time
import zipfile


def resident_mb():
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6


class OnnxRuntime:
    def __init__(self):
        import onnxruntime

        self.module = onnxruntime
        self.version = onnxruntime.__version__

    def open(self, request, arrays):
        options = self.module.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads, options.inter_op_num_threads = request["threads"], 1
        session = self.module.InferenceSession(request["model"], options, providers=["CPUExecutionProvider"])
        # Bound tensors spare the conversions of session.run.
        binding = session.io_binding()
        for value in session.get_inputs():
            if value.name not in arrays:
                raise KeyError(f"the library has no input '{value.name}', which the model needs")
            binding.bind_cpu_input(value.name, arrays[value.name])
        known = [value.name for value in session.get_outputs()]
        self.names = [name for name in request["names"] if name in known] or known
        for name in self.names:
            binding.bind_output(name, "cpu")
        self.binding = binding
        self.run = lambda: session.run_with_iobinding(binding)

    def outputs(self):
        return dict(zip(self.names, self.binding.copy_outputs_to_cpu()))


class OpenVino:
    precision = "f32"

    def __init__(self):
        import openvino

        self.module = openvino
        self.version = openvino.__version__.partition("-")[0]  # without its build

    def open(self, request, arrays):
        core = self.module.Core()
        model = core.read_model(request["model"])
        feed = {}
        for port in model.inputs:
            names = sorted(port.get_names())
            known = [name for name in names if name in arrays]
            if not known:
                raise KeyError(f"the library has no input '{'/'.join(names)}', which the model needs")
            feed[known[0]] = arrays[known[0]]
        if request["fixed"] and model.is_dynamic():
            model.reshape({name: list(array.shape) for name, array in feed.items()})
        compiled = core.compile_model(model, "CPU", {
            "INFERENCE_NUM_THREADS": request["threads"], "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY", "ENABLE_CPU_PINNING": False,
            "INFERENCE_PRECISION_HINT": self.precision,
        })
        self.request = compiled.create_infer_request()
        for name, array in feed.items():
            self.request.set_tensor(name, self.module.Tensor(array))
        wanted = set(request["names"])
        self.names = [min(port.get_names() & wanted or port.get_names() or {f"output {i}"}) for i, port in enumerate(compiled.outputs)]
        self.run = self.request.infer

    def outputs(self):
        return {name: self.request.get_output_tensor(i).data for i, name in enumerate(self.names)}


class OpenVinoBf16(OpenVino):
    precision = "bf16"


ENGINES = {"onnxruntime": OnnxRuntime, "openvino": OpenVino, "openvino-bf16": OpenVinoBf16}


def read_arrays(path):
    import numpy

    with numpy.load(path) as file:
        return {name: file[name] for name in file.files}


def write_arrays(path, arrays):
    """As numpy.savez, for any name."""
    import numpy

    with zipfile.ZipFile(path, "w") as file:
        for name, array in arrays.items():
            with file.open(name + ".npy", "w", force_zip64=True) as member:
                numpy.lib.format.write_array(member, numpy.ascontiguousarray(array).reshape(numpy.shape(array)))


def begin(request):
    """Loads and runs once: (engine, the first line)."""
    arrays = read_arrays(request["inputs"])
    engine = ENGINES[request["engine"]]()
    before, start = resident_mb(), time.perf_counter()
    engine.open(request, arrays)
    opened = time.perf_counter()
    engine.run()
    ran = time.perf_counter()
    answer = {"version": engine.version, "open_ms": (opened - start) * 1e3, "first_run_ms": (ran - opened) * 1e3, "rss_mb": max(0, resident_mb() - before)}
    write_arrays(request["outputs"], engine.outputs())
    gc.collect()
    gc.disable()
    return engine, answer


def take_turn(run, seconds, warm_seconds):
    """Times of the runs in one turn, at least one; the first ones, after others had the caches, do not count."""
    clock = time.perf_counter
    end = clock() + warm_seconds
    while clock() < end:
        run()
    times, end = [], clock() + seconds
    while not times or clock() < end:
        start = clock()
        run()
        times.append((clock() - start) * 1e3)
    return {"times_ms": times}


def explain(problem):
    # OpenVINO opens with lines of its own source, such as "Exception from src/inference/src/cpp/core.cpp:84:".
    lines = str(problem).split("\n")
    said = [line for line in lines if not (" src/" in line and line.rstrip().endswith(":"))]
    text = " ".join(" ".join(said or lines).split()) or type(problem).__name__
    return {"error": text[:400] if isinstance(problem, ImportError) else f"{type(problem).__name__}: {text}"[:400]}


def main():
    channel = socket.socket(fileno=int(sys.argv[1])).makefile("rw", encoding="utf-8")

    def say(answer):
        channel.write(json.dumps(answer) + "\n")
        channel.flush()

    with open(sys.argv[2], encoding="utf-8") as file:
        request = json.load(file)
    try:
        engine, answer = begin(request)
        say(answer)
        for line in channel:
            say(take_turn(engine.run, **json.loads(line)))
    except (BrokenPipeError, ConnectionResetError):
        pass  # effc is gone
    except BaseException as problem:  # also SystemExit: whatever ends the engine is an answer
        say(explain(problem))
    # Destructors of engines gain nothing and sometimes crash.
    os._exit(0)


if __name__ == "__main__":
    main()
