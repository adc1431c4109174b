"""Copies a model; its node's name holds a line break and an escape sequence, and nobody knows its operator."""
import sys

import onnx

model = onnx.load(sys.argv[1])
model.graph.node[0].name = "n\nbad.onnx: error: forged\x1b[31m"
model.graph.node[0].op_type = "Nope"
onnx.save(model, sys.argv[2])
