"""A 3x3 convolution of 64 channels at 20x20, and inputs with the sums in double."""
import sys

import numpy as np
import onnx
from onnx import helper, numpy_helper

folder = sys.argv[1]
random = np.random.default_rng(1)
weight = (random.normal(size=(64, 64, 3, 3)) / 24).astype(np.float32)
x = np.maximum(random.normal(size=(1, 64, 20, 20)), 0).astype(np.float32)
padded = np.pad(x[0].astype(float), ((0, 0), (1, 1), (1, 1)))
y = sum(np.einsum("chw,oc->ohw", padded[:, r:r + 20, c:c + 20], weight[:, :, r, c].astype(float))
        for r in range(3) for c in range(3))
graph = helper.make_graph(
    [helper.make_node("Conv", ["x", "w"], ["y"], name="conv", pads=[1] * 4)], "g",
    [helper.make_tensor_value_info("x", 1, x.shape)], [helper.make_tensor_value_info("y", 1, x.shape)],
    [numpy_helper.from_array(weight, "w")])
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), f"{folder}/conv.onnx")
np.savez(f"{folder}/in.npz", x=x)
np.savez(f"{folder}/y.npz", y=y[np.newaxis].astype(np.float32))
