#!/usr/bin/env python3
"""The Python package, from compile to run: options, types, DLPack, errors, threads, states of results."""
import gc
import json
import os
import pathlib
import tempfile
import threading
import unittest

import numpy as np
import onnx
from onnx import TensorProto, helper

import effc
from effc.backend import EffcBackend

try:
    import ml_dtypes
except ImportError:
    ml_dtypes = None

FAST = {"opt_level": 0, "cpu": "v3"}


def make_model(nodes, inputs, outputs, initializers=()):
    values = [[helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in side] for side in (inputs, outputs)]
    graph = helper.make_graph(nodes, "g", *values, initializer=list(initializers))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def adding(kind=TensorProto.FLOAT, shape=("n", 3)):
    return make_model([helper.make_node("Add", ["a", "b"], ["c"], name="sum")], [("a", kind, shape), ("b", kind, shape)],
                      [("c", kind, shape)])


class Compile(unittest.TestCase):
    def test_writes_into_a_folder(self):
        with tempfile.TemporaryDirectory() as folder:
            result = effc.compile(adding(), folder, name="adder", dims={"n": range(1, 9)}, **FAST)
            self.assertEqual(pathlib.Path(result.library), pathlib.Path(folder, "libadder.so"))
            self.assertEqual(sorted(os.listdir(folder)), ["adder.h", "adder.html", "adder.json", "libadder.so"])
            self.assertEqual(result.certificate, json.loads(pathlib.Path(folder, "adder.json").read_text()))
            self.assertIn("--dim=n=1..8", json.dumps(result.certificate))
            self.assertEqual(result.stages[0][0], "import")

    def test_path_bytes_and_proto_give_the_same(self):
        model = adding()
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "model.onnx")
            path.write_bytes(model.SerializeToString())
            libraries = {pathlib.Path(effc.compile(source, f"{folder}/{i}", **FAST).library).read_bytes()
                         for i, source in enumerate((path, str(path), path.read_bytes(), onnx.load(path)))}
            self.assertEqual(len(libraries), 1)

    def test_temporary_folder_goes_with_the_last_user(self):
        result = effc.compile(adding(), **FAST)
        path, model = result.library, result.load()
        del result
        gc.collect()
        self.assertTrue(os.path.exists(path))
        del model
        gc.collect()
        self.assertFalse(os.path.exists(os.path.dirname(path)))

    def test_raises_what_the_compiler_says(self):
        model, seen = adding(), []
        model.graph.node[0].op_type = "Nope"
        with self.assertRaises(effc.CompileError) as caught:
            effc.compile(model, on_diagnostic=seen.append, **FAST)
        diagnostic = caught.exception.diagnostic
        self.assertEqual((diagnostic.code, diagnostic.node, diagnostic.operator), ("EFFC-E0401", "sum", "Nope, opset 17"))
        self.assertEqual((diagnostic.severity, diagnostic.stage), ("error", "import"))
        self.assertEqual(seen, caught.exception.diagnostics)
        self.assertIn("[EFFC-E0401]", str(caught.exception))
        self.assertEqual(effc.explain(diagnostic.code)["title"], "The operator is not supported")

    def test_raises_what_a_callback_raises(self):
        def stop(stage, number, count):
            raise KeyError(stage)
        with self.assertRaises(KeyError):
            effc.compile(adding(), on_stage=stop, **FAST)

    def test_refuses_bad_options(self):
        for options, code in (({"dims": {"m": 3}}, "EFFC-E0105"), ({"dims": {"n": "two"}}, "EFFC-E0102"),
                              ({"cpu": "z80"}, "EFFC-E0104"), ({"name": "a-b"}, "EFFC-E0103")):
            with self.subTest(options=options), self.assertRaises(effc.CompileError) as caught:
                effc.compile(adding(), **options)
            self.assertEqual(caught.exception.diagnostic.code, code)
        for options in ({"opt_level": 4}, {"compute": "f16"}, {"dims": {"n": range(1, 9, 2)}}):
            with self.subTest(options=options), self.assertRaises(ValueError):
                effc.compile(adding(), **options)

    def test_keeps_states_in_the_session(self):
        nodes = [helper.make_node("Add", ["past", "x"], ["present"]), helper.make_node("Neg", ["present"], ["y"])]
        kind, ones = TensorProto.FLOAT, np.ones(2, np.float32)
        model = make_model(nodes, [("past", kind, (2,)), ("x", kind, (2,))], [("y", kind, (2,)), ("present", kind, (2,))])
        for states in (["past:present"], "past:present"):
            loaded = effc.compile(model, states=states, **FAST).load()
            self.assertEqual(len(loaded.states), 1)
            session = effc.Session(loaded, threads=1)
            session.run({"x": ones})
            copy = session.fork()
            np.testing.assert_array_equal(session.run({"x": ones})["y"], -2 * ones)
            session.reset()
            np.testing.assert_array_equal(session.run({"x": ones})["y"], -ones)
            np.testing.assert_array_equal(copy.run({"x": ones})["y"], -2 * ones)
        with self.assertRaises(effc.CompileError):
            effc.compile(model, states=["past:x"], **FAST)

    def test_sanitizes(self):
        result = effc.compile(adding(), sanitize=True, **FAST)
        self.assertIn("--sanitize", json.dumps(result.certificate))
        # This process has no AddressSanitizer.
        with self.assertRaises(effc.EffcError) as caught:
            result.load()
        self.assertIn("-fsanitize=address", str(caught.exception))

    def test_takes_lossy_and_exact_options(self):
        weight = onnx.numpy_helper.from_array(np.ones((256, 512), np.float32), "w")
        model = make_model([helper.make_node("MatMul", ["x", "w"], ["y"], name="product")], [("x", TensorProto.FLOAT, (64, 256))],
                           [("y", TensorProto.FLOAT, (64, 512))], [weight])
        options = {"opt_level": 0, "cpu": "v4-bf16"}
        half = effc.compile(model, quantize="bf16", **options)
        layer, = half.certificate["quantized"][0]["layers"]
        self.assertEqual((layer["node"], layer["precision"], layer["taken"]), ("product", "bf16", True))
        left = effc.compile(model, quantize="bf16", layers={"prod*": "quantize=off"}, **options)
        self.assertEqual(left.certificate["quantized"][0]["layers"][0]["reason"], "left out by request")
        self.assertIn("--exact", json.dumps(effc.compile(model, exact=True, **options).certificate))
        for wrong, text in ({"quantize": "int9"}, "quantize: 'int9'"), ({"quantize": "bf16", "exact": True}, "--exact"), \
                           ({"quantize": "bf16", "layers": {"p": "speed=high"}}, "layers: 'p: speed=high'"), \
                           ({"calibrate": "/none"}, "--calibrate has no effect without int8"), \
                           ({"quantize": "int8", "calibrate": "/none"}, "--calibrate=/none: cannot read '/none'"):
            with self.assertRaises(effc.CompileError) as caught:
                effc.compile(model, **wrong, **options)
            self.assertIn(text, str(caught.exception))

    def test_tunes_and_reads_the_lock(self):
        weight = onnx.numpy_helper.from_array(np.ones((16, 16), np.float32), "w")
        model = make_model([helper.make_node("MatMul", ["x", "w"], ["y"])], [("x", TensorProto.FLOAT, (16, 16))],
                           [("y", TensorProto.FLOAT, (16, 16))], [weight])
        with tempfile.TemporaryDirectory() as folder:
            lock = pathlib.Path(folder, "kernels.lock")
            tuned = effc.compile(model, tune=0.05, lock=lock)
            self.assertTrue(lock.exists())
            again = effc.compile(model, lock=lock)
            self.assertEqual(*(pathlib.Path(result.library).read_bytes() for result in (tuned, again)))
            with self.assertRaises(effc.CompileError):
                effc.compile(adding(), lock=lock)
        with self.assertRaises(effc.EffcError):
            effc.compile(model, tune=-1)

    def test_stops_after_a_stage(self):
        self.assertIn("eff.", effc.compile(adding(), stop_after="import").ir)

    def test_lists(self):
        self.assertIn("native", effc.cpus())
        self.assertEqual(effc.stages()[0], "import")
        self.assertIn("EFFC-E0401", effc.explain())
        self.assertRaises(KeyError, effc.explain, "E9999")


class Run(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = effc.compile(adding(), **FAST).load()

    def setUp(self):
        self.session = effc.Session(self.model, threads=1)
        self.a, self.b = np.arange(6, dtype=np.float32).reshape(2, 3), np.ones((2, 3), np.float32)

    def check(self, outputs, expected=None):
        np.testing.assert_array_equal(outputs["c"], self.a + self.b if expected is None else expected)

    def test_describes(self):
        self.assertEqual([t.name for t in self.model.inputs], ["a", "b"])
        self.assertEqual(self.model.outputs[0].shape, ("n", 3))
        self.assertEqual(self.model.outputs[0].dtype, np.float32)
        self.assertEqual(self.model.programs[-1].symbols[0].name, "n")
        self.assertEqual(self.model.states, ())

    def test_takes_names_and_order(self):
        self.check(self.session.run({"b": self.b, "a": self.a}))
        self.check(self.session([self.a, self.b]))
        self.check(self.session.run({"a": self.a.tolist(), "b": self.b}))

    def test_takes_any_memory(self):
        wide = np.zeros((2, 6), np.float32)
        wide[:, ::2] = self.a
        self.check(self.session.run([wide[:, ::2], self.b]))
        self.check(self.session.run([np.asfortranarray(self.a), self.b]))
        self.check(self.session.run([self.a.astype(">f4"), self.b]))
        empty = np.zeros((0, 3), np.float32)
        with self.assertRaises(effc.RunError):
            self.session.run([empty, self.b])

    def test_takes_and_gives_dlpack(self):
        class Foreign:
            def __init__(self, array):
                self.array = array

            def __dlpack__(self, **options):
                return self.array.__dlpack__(**options)

            def __dlpack_device__(self):
                return self.array.__dlpack_device__()

        self.check(self.session.run([Foreign(self.a), self.b]))
        memory = np.empty((2, 3), np.float32)
        given = self.session.run([self.a, self.b], outputs={"c": memory})["c"]
        self.assertIs(given, memory)
        self.check({"c": np.from_dlpack(given)})

    def test_refuses_what_does_not_fit(self):
        with self.assertRaisesRegex(effc.RunError, "dimension 1 of input 'a' is 4, expected 3"):
            self.session.run([np.ones((2, 4), np.float32), self.b])
        with self.assertRaisesRegex(effc.RunError, "input 'b' is missing; 'x' is no input"):
            self.session.run({"a": self.a, "x": self.b})
        with self.assertRaises(effc.RunError):
            self.session.run([self.a])
        with self.assertRaises(effc.RunError) as caught:
            self.session.run([self.a.astype(np.float64), self.b])
        self.assertEqual(caught.exception.status, "dtype mismatch")
        for memory in (np.empty((2, 3), np.int32), np.empty((3, 3), np.float32), np.empty((3, 2), np.float32).T):
            with self.assertRaises(effc.RunError):
                self.session.run([self.a, self.b], outputs={"c": memory})
        with self.assertRaisesRegex(effc.RunError, "'d' is no output"):
            self.session.run([self.a, self.b], outputs={"d": self.a})
        with self.assertRaises(effc.RunError):
            self.session.get_state("a")
        self.check(self.session.run([self.a, self.b]))

    def test_profiles(self):
        self.session.set_profiling()
        self.session.run([self.a, self.b])
        entries = self.session.profile()
        self.assertEqual([(entry.calls, entry.nodes) for entry in entries], [(1, "sum")])
        self.assertGreater(self.session.memory()["plan_bytes"], 0)

    def test_shares_threads(self):
        pool, errors = effc.Pool(2), []
        self.assertEqual(pool.num_threads, 2)

        def work():
            session = self.model.session(pool=pool)
            for size in range(1, 20):
                a = np.full((size, 3), size, np.float32)
                if not (session.run([a, a])["c"] == 2 * size).all():
                    errors.append(size)
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(errors, [])

    def test_refuses_what_is_no_model(self):
        with self.assertRaises(effc.RunError) as caught:
            effc.Model("/no/such/lib.so")
        self.assertEqual(caught.exception.status, "file error")

    @unittest.skipIf(ml_dtypes is None, "no ml_dtypes")
    def test_narrow_types(self):
        value = np.array([[1, -2, 0.5]], ml_dtypes.bfloat16)
        output = effc.compile(adding(TensorProto.BFLOAT16), **FAST).load().session().run([value, value])["c"]
        self.assertEqual(output.dtype, value.dtype)
        np.testing.assert_array_equal(output.astype(np.float32), 2 * value.astype(np.float32))


class Backend(unittest.TestCase):
    def test_runs_models_and_nodes(self):
        a = np.ones((1, 3), np.float32)
        (c,) = EffcBackend.run_model(adding(), [a, a], **FAST)
        np.testing.assert_array_equal(c, 2 * a)
        (y,) = EffcBackend.run_node(helper.make_node("Relu", ["x"], ["y"]), [-a], opset_version=17, **FAST)
        np.testing.assert_array_equal(y, 0 * a)

    def test_knows_devices_and_models(self):
        self.assertTrue(EffcBackend.supports_device("CPU"))
        self.assertFalse(EffcBackend.supports_device("CUDA"))
        self.assertTrue(EffcBackend.is_compatible(adding()))
        model = adding()
        model.graph.node[0].op_type = "Nope"
        self.assertFalse(EffcBackend.is_compatible(model))
        self.assertRaises(ValueError, EffcBackend.prepare, adding(), "CUDA")


if __name__ == "__main__":
    unittest.main()
