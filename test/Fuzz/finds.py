#!/usr/bin/env python3
"""What the fuzzers found once, each made small: Finds/NAME.onnxtxt.

A model must agree with ONNX Runtime on both paths, at -O0 and -O3, with ordinary and with special inputs. One whose first line
is `// refused: TEXT` must be refused with a message that contains TEXT.
"""
import argparse
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "Execute"), str(HERE.parent / "Backend")]

import fuzz  # noqa: E402
import harness  # noqa: E402
import numpy as np  # noqa: E402
import onnx  # noqa: E402

DRAWS = 6
SPECIAL_DRAWS = 2  # the last ones: signed zeros, numbers far from 1
SPECIAL = (0.0, -0.0, 1.0, -1.0, 0.5, 1e-6, 1e4, -1e4)


def draw(value, number):
    """An input of the declared type; free sizes are 3."""
    rng = np.random.default_rng([number, len(value.name)])
    shape = [dim.dim_value if dim.HasField("dim_value") else 3 for dim in value.type.tensor_type.shape.dim]
    dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type))
    if dtype.kind in "iub":
        return rng.integers(0, 2 if dtype.kind == "b" else 4, shape).astype(dtype)
    array = rng.choice(SPECIAL, shape) if number >= DRAWS - SPECIAL_DRAWS else rng.standard_normal(shape)
    return np.asarray(array).astype(dtype)


def check_refused(checker, model, wanted):
    feed = {value.name: draw(value, 0) for value in model.graph.input}
    status, message, _ = checker.run_effc(model, feed, "fast")
    if status != "refused":
        return f"{status} instead of a refusal: {message}"
    return "" if wanted in message else f"refused with another message: {message}"


def check_agrees(checker, model):
    for checker.opt_level in (0, 3):
        for number in range(DRAWS):
            status, why = checker.check_numbers(model, {value.name: draw(value, number) for value in model.graph.input})
            if status != "agree":
                return f"{status}, inputs {number}, -O{checker.opt_level}: {why}"
    return ""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--effc-test", default=harness.default_tool("effc-test"), help="the tool (default: that of the build, or on PATH)")
    args = parser.parse_args()
    tally = harness.Tally()
    missing = "this build has no effc-test" if harness.not_built(args.effc_test, "effc-test") else ""
    try:
        import onnxruntime  # noqa: F401
    except ImportError:
        missing = "no onnxruntime to compare with"
    if missing:
        tally.case("SKIP", "finds", why=missing)
        return tally.close()
    checker = fuzz.Checker(argparse.Namespace(effc_test=args.effc_test, timeout=60, memory=12, threads=1, opt_levels="3",
                                              paths=",".join(fuzz.PATHS)))
    for path in sorted((HERE / "Finds").glob("*.onnxtxt")):
        text = path.read_text()
        model = onnx.parser.parse_model(re.sub(r"^//.*\n", "", text, flags=re.MULTILINE))
        refused = re.match(r"// refused: (.*)\n", text)
        why = check_refused(checker, model, refused[1]) if refused else check_agrees(checker, model)
        tally.case("FAIL" if why else "PASS", path.stem, why=why)
    checker.worker.close()
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
