"""Stands for OpenVINO in tests of `effc bench --against`: computes Relu."""
import os
import time

import numpy

__version__ = "fake"


class Port:
    def __init__(self, *names):
        self.names = set(names)

    def get_names(self):
        return self.names


class Tensor:
    def __init__(self, data):
        self.data = data


class Model:
    inputs, outputs = [Port("x")], [Port("y/z", "another name")]

    def is_dynamic(self):
        return True

    def reshape(self, shapes):
        raise AssertionError("the library takes any size")

    def create_infer_request(self):
        return Request()


class Request:
    def set_tensor(self, name, tensor):
        assert name == "x"
        self.x = tensor.data

    def infer(self):
        self.y = numpy.maximum(self.x, 0)
        time.sleep(0.002)

    def get_output_tensor(self, index):
        assert index == 0
        return Tensor(self.y)


class Core:
    def read_model(self, path):
        assert os.path.exists(path)
        return Model()

    def compile_model(self, model, device, options):
        assert device == "CPU" and options["INFERENCE_NUM_THREADS"] == 1
        return model
