#!/usr/bin/env python3
"""Operators whose sizes only the run knows: one node, every dim of every operand a symbol, several shapes a compilation.

The expected values are those of onnx.reference; what a run must refuse is named by a part of its message.
"""
import unittest

import numpy as np
import onnx
from onnx import helper
from onnx.reference import ReferenceEvaluator

from effc.backend import EffcBackend

RNG = np.random.default_rng(7)


def real(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def ints(*values):
    return np.array(values, np.int64)


def floats(*values):
    return np.array(values, np.float32)


class Node:
    """A node with free sizes; an operand may be None."""

    def __init__(self, op, operands, rank, opset=20, **attributes):
        names = ["" if x is None else f"x{i}" for i, x in enumerate(operands)]
        free = [helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(x.dtype), [f"{name}_{i}" for i in range(x.ndim)])
                for name, x in zip(names, operands) if name]
        result = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [f"y_{i}" for i in range(rank)])
        graph = helper.make_graph([helper.make_node(op, names, ["y"], name="node", **attributes)], "g", free, [result])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
        self.names = [value.name for value in free]
        self.reference = ReferenceEvaluator(model)
        self.compiled = EffcBackend.prepare(model, opt_level=0, cpu="v3")

    def run(self, operands):
        return self.compiled.run([x for x in operands if x is not None])[0]

    def expect(self, operands):
        return self.reference.run(None, dict(zip(self.names, [x for x in operands if x is not None])))[0]


class LateSizes(unittest.TestCase):
    def check(self, op, rank, cases, refused=(), **attributes):
        node = Node(op, cases[0], rank, **attributes)
        for case in cases:
            with self.subTest(op=op, shapes=[None if x is None else x.shape for x in case], **attributes):
                expected = node.expect(case)
                result = node.run(case)
                self.assertEqual(result.shape, expected.shape)
                np.testing.assert_allclose(result, expected, rtol=1e-3, atol=1e-4)
        for case, message in refused:
            with self.subTest(op=op, refused=message), self.assertRaisesRegex(Exception, message):
                node.run(case)

    def test_dft(self):
        cases = [[real(2, 6, parts), length, np.array(axis)] for parts in (1, 2) for axis in (0, 1, -2, -3)
                 for length in (np.array(7), np.array(4))]
        self.check("DFT", 3, cases, [([real(2, 6, 3), np.array(6), np.array(1)], "was compiled for 1 to 2"),
                                     ([real(2, 6, 2), np.array(6), np.array(2)], "the axis cannot be transformed"),
                                     ([real(2, 6, 2), np.array(0), np.array(1)], "dft_length is not positive")])
        self.check("DFT", 3, [[real(2, 6, 1)], [real(3, 5, 1)]], [([real(2, 6, 2)], "expected 1")], onesided=1)

    def test_stft(self):
        cases = [[real(2, 16, 1), np.array(step), real(length), np.array(length)] for step, length in ((2, 4), (3, 5), (1, 16))]
        self.check("STFT", 4, cases, [([real(2, 16, 1), np.array(0), real(4), np.array(4)], "is not positive"),
                                      ([real(2, 16, 1), np.array(2), real(4), np.array(5)], "frame_length differ")], opset=17)
        cases = [[real(2, 16, 2), np.array(step), real(length), np.array(length)] for step, length in ((2, 4), (5, 5))]
        self.check("STFT", 4, cases, opset=17, onesided=0)

    def test_center_crop_pad(self):
        cases = [[real(5, 6, 3), ints(*shape)] for shape in ((7, 4, 2), (3, 9, 5), (1, 1, 1))]
        self.check("CenterCropPad", 3, cases, [([real(5, 6, 3), ints(2, -1, 3)], "a size is negative")])

    def test_col2im(self):
        cases = [[real(2, 12, 16), ints(5, 5), ints(2, 2)], [real(2, 9, 20), ints(5, 6), ints(1, 3)]]
        refused = [([real(2, 12, 16), ints(5, 5), ints(0, 2)], "block_shape"), ([real(2, 12, 15), ints(5, 5), ints(2, 2)], "as many as")]
        self.check("Col2Im", 4, cases, refused)

    def test_tuples(self):
        self.check("ScatterND", 2, [[real(4, 5), ints((1, 2), (3, 4)), real(2)]])
        self.check("GatherND", 2, [[real(4, 5), ints((1,), (3,))]], [([real(4, 5), ints((1,), (9,))], "outside its axis")])

    def test_affine_grid(self):
        for align in (0, 1):
            cases = [[real(n, 2, 3), ints(n, 3, h, w)] for n, h, w in ((2, 3, 4), (1, 5, 2))]
            self.check("AffineGrid", 4, cases, [([real(2, 2, 3), ints(3, 3, 4, 5)], "differ in their batch")], align_corners=align)

    def test_resize_policy(self):
        for policy in ("not_larger", "not_smaller"):
            cases = [[real(1, 2, 4, 6), None, None, ints(*sizes)] for sizes in ((7, 8), (3, 1), (20, 5))]
            self.check("Resize", 4, cases, opset=19, mode="linear", axes=[2, 3], keep_aspect_ratio_policy=policy)

    def test_resize_antialias(self):
        for mode in ("linear", "cubic"):
            cases = [[real(1, 1, 7, 9), None, floats(*scales)] for scales in ((0.6, 0.75), (1.75, 0.3))]
            self.check("Resize", 4, cases, opset=19, mode=mode, axes=[2, 3], antialias=1)

    def test_resize_region(self):
        cases = [[real(1, 1, 4, 4), floats(0, 0, 0.3, -0.2, 1, 1, 0.3, 1.2), None, ints(1, 1, *sizes)] for sizes in ((3, 3), (7, 2))]
        self.check("Resize", 4, cases, opset=19, mode="linear", coordinate_transformation_mode="tf_crop_and_resize",
                   extrapolation_value=7.0)

    def test_deform_conv(self):
        cases = [[real(1, 4, 6, 7), real(4, 4, h, w), real(1, 2 * h * w, 9 - h, 10 - w)] for h, w in ((3, 3), (1, 2))]
        self.check("DeformConv", 4, cases, [([real(1, 4, 6, 7), real(4, 4, 3, 3), real(1, 6, 6, 7)], "expected 18")], pads=[1, 1, 1, 1])

    def test_conv_transpose(self):
        for attributes in ({"auto_pad": "SAME_LOWER"}, {"auto_pad": "SAME_UPPER"}):
            cases = [[real(1, 2, 4, 4), real(2, 3, *kernel), real(3)] for kernel in ((3, 3), (4, 2))]
            self.check("ConvTranspose", 4, cases, strides=[2, 2], **attributes)

    def test_conv_transpose_output_shape(self):
        """The reference takes no shape that crops or adds: its whole result is cut, and filled with the bias."""
        for upper in (False, True):
            attributes = {"auto_pad": "SAME_UPPER"} if upper else {}
            for kernel, shape in (((4, 2), (8, 7)), ((3, 3), (10, 8)), ((1, 5), (5, 12))):
                case = [real(1, 2, 4, 4), real(2, 3, *kernel), real(3)]
                expected = Node("ConvTranspose", case, 4, strides=[2, 2]).expect(case)
                for axis, size in ((2, shape[0]), (3, shape[1])):
                    cut = max(expected.shape[axis] - size, 0)
                    first = cut // 2 if upper else cut - cut // 2
                    expected = np.take(expected, range(first, expected.shape[axis] - cut + first), axis)
                rest = [shape[0] - expected.shape[2], shape[1] - expected.shape[3]]
                filled = np.broadcast_to(case[2].reshape(1, 3, 1, 1), (1, 3, *shape)).copy()
                filled[:, :, :shape[0] - rest[0], :shape[1] - rest[1]] = expected
                result = Node("ConvTranspose", case, 4, strides=[2, 2], output_shape=list(shape), **attributes).run(case)
                with self.subTest(kernel=kernel, shape=shape, upper=upper):
                    np.testing.assert_allclose(result, filled, rtol=1e-3, atol=1e-4)

    def test_linear_attention(self):
        def case(tokens, key, value, decay, beta):
            parts = [real(2, tokens, 4 * key), real(2, tokens, 2 * key), real(2, tokens, 2 * value), real(2, 2, key, value)]
            return [0.3 * x for x in parts] + [-np.abs(real(2, tokens, decay)), np.abs(real(2, tokens, beta))]

        cases = [case(5, 3, 4, 2, 1), case(300, 3, 4, 6, 2), case(1, 6, 2, 12, 2)]
        refused = [(case(5, 3, 4, 4, 1), "the decay fits the keys"), (case(5, 3, 4, 2, 3), "beta fits the heads"),
                   (case(5, 3, 4, 2, 1)[:4] + case(6, 3, 4, 2, 1)[4:], "expected 5")]
        self.check("LinearAttention", 3, cases, refused, opset=27, q_num_heads=4, kv_num_heads=2, update_rule="gated_delta")

    def test_causal_conv(self):
        cases = [[real(2, c, t), real(c, 1, taps), real(c), real(2, c, taps - 1)] for c, t, taps in ((3, 7, 4), (5, 2, 6), (1, 9, 2))]
        refused = [([real(2, 3, 7), real(3, 1, 4), real(3), real(2, 3, 4)], "expected 3"),
                   ([real(2, 3, 7), real(4, 1, 4), real(3), real(2, 3, 3)], "expected 3")]
        self.check("CausalConvWithState", 3, cases, refused, opset=27)
        cases = [[real(1, 3, 5), real(3, 1, taps)] for taps in (1, 4, 9)]
        self.check("CausalConvWithState", 3, cases, opset=27, activation="silu")

    def test_recurrent(self):
        for op, gates in (("LSTM", 4), ("GRU", 3), ("RNN", 1)):
            def case(length, batch, inputs, width, columns=None, gates=gates):
                return [real(length, batch, inputs), real(1, gates * width, inputs), real(1, gates * width, columns or width),
                        real(1, 2 * gates * width), None, real(1, batch, width)]

            self.check(op, 4, [case(5, 2, 3, 4), case(1, 1, 6, 2)], [(case(5, 2, 3, 4, columns=3), "expected")], opset=22)
            self.check(op, 4, [case(3, 2, 5, 4)], [(case(3, 2, 5, 2), "expected")], opset=22, hidden_size=4)

    def test_rotary_embedding(self):
        def case(width, half):
            return [real(2, 3, 4, width), real(9, half), real(9, half), RNG.integers(0, 9, (2, 4))]

        for interleaved in (0, 1):
            self.check("RotaryEmbedding", 4, [case(8, 4), case(2, 1)], [(case(7, 3), "expected 6")], opset=23, interleaved=interleaved)
        self.check("RotaryEmbedding", 4, [case(4, 2), case(7, 2)], [(case(3, 2), "was compiled for 4")], opset=23, rotary_embedding_dim=4)

    # Kernels rely on what these refuse: sizes that only a run can compare.

    def test_refuses_indices_beyond_the_operand(self):
        def gather(*shape):
            return [real(2, 4), np.zeros(shape, np.int64)]

        def scatter(indices, updates):
            return [real(2, 4), np.zeros(indices, np.int64), real(*updates)]

        self.check("GatherElements", 2, [gather(2, 3), gather(2, 7)], [(gather(9000, 1), "reach beyond the operand")], axis=1)
        self.check("GatherElements", 2, [gather(7, 4)], [(gather(2, 9000), "reach beyond the operand")], axis=0)
        refused = [(scatter((9000, 1), (9000, 1)), "reach beyond the operand"), (scatter((1, 1), (1, 2)), "expected 1")]
        self.check("ScatterElements", 2, [scatter((2, 1), (2, 1)), scatter((1, 1), (1, 1))], refused, axis=1)

    def test_refuses_updates_that_do_not_fit(self):
        def scatter(tuples, *updates):
            return [real(4, 5), ints(*[(i,) for i in range(tuples)]), real(*updates)]

        self.check("ScatterND", 2, [scatter(2, 2, 5), scatter(4, 4, 5)], [(scatter(2, 1, 5), "expected 2"), (scatter(2, 2, 3), "expected 5")])
        batched = [real(2, 5, 6), np.zeros((2, 3, 1), np.int64)]
        self.check("GatherND", 3, [batched], [([batched[0], np.zeros((1, 3, 1), np.int64)], "expected 2")], batch_dims=1)

    def test_refuses_channels_that_do_not_fit(self):
        def conv(x, weight, bias):
            return [real(1, x, 8, 8), real(weight, 4, 3, 3), real(bias)]

        self.check("Conv", 4, [conv(4, 6, 6)], [(conv(5, 6, 6), "expected"), (conv(4, 6, 5), "expected 6")], kernel_shape=[3, 3])
        refused = [([real(1, 5, 8, 8), real(6, 4, 3, 3), real(4)], "expected"), ([real(1, 6, 8, 8), real(6, 4, 3, 3), real(3)], "expected 4")]
        self.check("ConvTranspose", 4, [[real(1, 6, 8, 8), real(6, 4, 3, 3), real(4)]], refused, kernel_shape=[3, 3])

    def test_norms_repeat_their_parameters(self):
        cases = [[real(3, 8), real(scale), real(bias)] for scale, bias in ((8, 8), (1, 8), (8, 1), (1, 1))]
        self.check("LayerNormalization", 2, cases, [([real(3, 8), real(7), real(8)], "7 and 8|expected")], opset=17)
        self.check("RMSNormalization", 2, [[real(3, 8), real(8)], [real(3, 8), real(1)]], [([real(3, 8), real(7)], "7 and 8|expected")], opset=23)

    def test_refuses_targets_that_do_not_fit(self):
        def loss(*target):
            return [real(2, 3, 4), np.zeros(target, np.int64)]

        for op in ("NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"):
            self.check(op, 0, [loss(2, 4)], [(loss(9000, 4), "expected 2"), (loss(2, 9000), "expected 4"), (loss(1, 4), "expected 2")], opset=13)

    def test_refuses_heads_that_do_not_fit(self):
        def attention(q, k, v):
            return [real(1, q, 3, 8), real(1, k, 5, 8), real(1, v, 5, 6)]

        refused = [(attention(4, 2, 1), "expected 2"), (attention(4, 3, 3), "no multiple")]
        self.check("Attention", 4, [attention(4, 2, 2), attention(3, 3, 3)], refused, opset=23)

    def test_refuses_a_step_of_zero(self):
        cases = [[real(6, 3), ints(0), ints(6), ints(0), ints(step)] for step in (1, 2)]
        self.check("Slice", 2, cases, [([real(6, 3), ints(0), ints(6), ints(0), ints(0)], "-1")], opset=13)


if __name__ == "__main__":
    unittest.main()
