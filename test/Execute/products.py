"""Small models of quantised products whose sizes are no multiples of tiles, for foreign.py: (name, model, feeds, options,
whether the bits are the same everywhere)."""
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

BYTES = {TensorProto.UINT8: (np.uint8, 0, 256), TensorProto.INT8: (np.int8, -128, 128)}


def make_bytes(random, dtype, shape):
    kind, low, high = BYTES[dtype]
    return random.integers(low, high, shape).astype(kind)


def make_model(nodes, inputs, output, constants):
    graph = helper.make_graph(nodes, "products", [helper.make_tensor_value_info(*value) for value in inputs],
                              [helper.make_tensor_value_info("y", output, None)],
                              [numpy_helper.from_array(array, name) for name, array in constants.items()])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def integer_matmuls(random):
    """Both signs either side, zero points, weights that are computed."""
    kinds = [(a, b) for a in BYTES for b in BYTES]
    for number, (rows, depth, columns) in enumerate([(1, 250, 70), (7, 16, 3), (13, 67, 33), (40, 131, 100), (25, 5, 17)]):
        for (left, right), constant in zip(kinds[number % 2:], (True, False, True)):
            x, w = make_bytes(random, left, (rows, depth)), make_bytes(random, right, (depth, columns))
            zeros = {"za": make_bytes(random, left, ()), "zb": make_bytes(random, right, ())}
            inputs, feeds = [("x", left, x.shape)], {"x": x}
            if not constant:
                inputs.append(("w", right, w.shape))
                feeds["w"] = w
            model = make_model([helper.make_node("MatMulInteger", ["x", "w", "za", "zb"], ["y"])], inputs, TensorProto.INT32,
                               zeros | ({"w": w} if constant else {}))
            yield f"matmul_{rows}x{depth}x{columns}_{left}_{right}_{constant}", model, feeds, [], True


def integer_convs(random):
    """Padded by a zero point and by 0, where bytes that are moved by 128 must not leave out taps."""
    for channels, outputs, size, stride, zero in [(3, 8, 16, 1, 0), (16, 4, 16, 1, 131), (20, 40, 9, 2, 0), (64, 17, 5, 1, 7)]:
        x = make_bytes(random, TensorProto.UINT8, (1, channels, size, size))
        w = make_bytes(random, TensorProto.INT8, (outputs, channels, 3, 3))
        node = helper.make_node("ConvInteger", ["x", "w", "zx"], ["y"], pads=[1, 1, 1, 1], strides=[stride, stride])
        model = make_model([node], [("x", TensorProto.UINT8, x.shape)], TensorProto.INT32, {"w": w, "zx": np.uint8(zero)})
        yield f"conv_{channels}_{outputs}_{size}_{stride}_{zero}", model, {"x": x}, [], True


def block_matmuls(random):
    """Weights of few bits; where rows are rounded to bytes the sums of a block are integers, and so exact."""
    for bits in (2, 4, 8):
        for rows, depth, columns, level, with_zeros in [(1, 256, 40, 0, False), (9, 128, 24, 0, True), (7, 192, 20, 4, True),
                                                        (1, 256, 64, 4, False)]:
            block, blocks = 32, depth // 32
            constants = {"w": random.integers(0, 256, (columns, blocks, block * bits // 8)).astype(np.uint8),
                         "s": random.standard_normal(columns * blocks).astype(np.float32)}
            if with_zeros:
                packed = -(-blocks * bits // 8)
                constants["z"] = random.integers(0, 256, columns * packed).astype(np.uint8)
            node = helper.make_node("MatMulNBits", ["x", *constants], ["y"], domain="com.microsoft", K=depth, N=columns, bits=bits,
                                    block_size=block, accuracy_level=level)
            x = random.standard_normal((rows, depth)).astype(np.float32)
            model = make_model([node], [("x", TensorProto.FLOAT, x.shape)], TensorProto.FLOAT, constants)
            yield f"blocks_{bits}_{rows}x{depth}x{columns}_{level}_{with_zeros}", model, {"x": x}, [], level == 4 and bits >= 4


def scheme_matmuls(random):
    """What no operator of ONNX has: 3 bits, codebooks."""
    for scheme in ("w3g32", "nf4g32"):
        # Large enough to be worth it on every machine.
        x, w = (random.standard_normal(shape).astype(np.float32) for shape in ((1, 1024), (1024, 512)))
        model = make_model([helper.make_node("MatMul", ["x", "w"], ["y"])], [("x", TensorProto.FLOAT, x.shape)],
                           TensorProto.FLOAT, {"w": w})
        yield f"scheme_{scheme}", model, {"x": x}, [f"--quantize={scheme}"], False


def cases(folder, rounds):
    """`rounds`: whether the machine has dot products, to which rows of floats are rounded where the model allows it."""
    random = np.random.default_rng(0)
    for make in (integer_matmuls, integer_convs, block_matmuls, scheme_matmuls):
        for name, model, feeds, options, exact in make(random):
            if make is block_matmuls and exact and not rounds:
                continue
            path = folder / f"{name}.onnx"
            onnx.save(model, path)
            yield name, path, feeds, options, exact
