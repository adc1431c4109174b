"""Stands for ONNX Runtime in tests of `effc bench --against`: computes Relu, and misbehaves as EFFC_FAKE_PEER says."""
import os
import sys
import time

import numpy

__version__ = "fake"
FAKE = os.environ.get("EFFC_FAKE_PEER", "")


class SessionOptions:
    pass


class Value:
    def __init__(self, name):
        self.name = name


class Binding:
    def __init__(self):
        self.arrays = {}

    def bind_cpu_input(self, name, array):
        self.arrays[name] = array

    def bind_output(self, name, device):
        assert device == "cpu"

    def copy_outputs_to_cpu(self):
        return [self.result]


class InferenceSession:
    def __init__(self, model, options, providers):
        assert os.path.exists(model) and providers == ["CPUExecutionProvider"]
        assert len(os.sched_getaffinity(0)) >= options.intra_op_num_threads == 1
        print("an engine that talks on standard output")
        if FAKE == "refuse":
            raise RuntimeError("no such\noperator: Relu")
        if FAKE == "exit":
            print("fatal: cannot go on", file=sys.stderr)
            os._exit(3)
        self.runs = 0

    def io_binding(self):
        return Binding()

    def get_inputs(self):
        return [Value("x")]

    def get_outputs(self):
        return [Value("y/z")]

    def run_with_iobinding(self, binding):
        x, self.runs = binding.arrays["x"], self.runs + 1
        if FAKE == "hang":
            time.sleep(1000)
        if FAKE == "crash" and self.runs == 2:
            os.abort()
        binding.result = numpy.maximum(x, 0)
        if FAKE == "differ":
            binding.result += 1
        if FAKE == "nan":
            binding.result[...] = numpy.nan
        if FAKE == "shape":
            binding.result = binding.result[None]
        time.sleep(0.001)
