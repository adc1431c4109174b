"""What the runners of test/Execute and test/Backend share: comparing arrays, calling effc, counting.

An element agrees when |got - want| <= atol + rtol * |want|. Said with one number: the relative error here is
|got - want| / (|want| + atol / rtol), and it must not exceed rtol.
"""
import contextlib
import fnmatch
import json
import os
import pathlib
import re
import shutil
import subprocess

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]


class Tolerances:
    """tolerances.json. Rows below "models" and "node_tests" (keys are globs) must give a reason."""

    def __init__(self, path=HERE / "tolerances.json"):
        self.table = json.loads(path.read_text())
        for section in ("models", "node_tests"):
            for name, row in self.table[section].items():
                if not row.get("reason"):
                    raise SystemExit(f"{path.name}: {section} '{name}' has no reason")

    def of(self, section, name, dtype=None):
        """(rtol, atol) for one output of a model or node test."""
        row = dict(self.table["nodes" if section == "node_tests" else "default"])
        if dtype is not None and dtype.name in ("float16", "bfloat16") and section == "models":
            row.update(self.table["f16"])
        for pattern, override in self.table[section].items():
            if fnmatch.fnmatchcase(name, pattern):
                row.update({key: override[key] for key in ("rtol", "atol") if key in override})
        return row["rtol"], row["atol"]


def difference(got, want, rtol, atol):
    """(largest absolute error, largest relative error, what is wrong or "")."""
    if got.shape != want.shape:
        return np.inf, np.inf, f"shape {list(got.shape)} instead of {list(want.shape)}"
    if got.dtype.kind == "V" and got.dtype.itemsize == want.dtype.itemsize:
        got = got.view(want.dtype)  # .npy knows no bf16: it is stored as bytes
    if got.dtype != want.dtype:
        return np.inf, np.inf, f"type {got.dtype.name} instead of {want.dtype.name}"
    if want.size == 0:
        return 0.0, 0.0, ""
    exact = want.dtype.kind not in "fcV"  # V: the narrow floats of ml_dtypes
    wide = [a.astype(np.complex128 if a.dtype.kind == "c" else np.float64) for a in (got, want)]
    same = (wide[0] == wide[1]) | (np.isnan(wide[0]) & np.isnan(wide[1]))
    with np.errstate(invalid="ignore"):
        error = np.where(same, 0.0, np.abs(wide[0] - wide[1]))
        relative = np.where(same, 0.0, error / (np.abs(wide[1]) + atol / rtol))
    error, relative = (np.nan_to_num(e, nan=np.inf, posinf=np.inf) for e in (error, relative))
    at = np.unravel_index(int(np.argmax(relative)), relative.shape)
    bad = error.max() > 0 if exact else relative.max() > rtol
    where = f"[{', '.join(map(str, at))}]: got {got[at]}, expected {want[at]}" if bad else ""
    return float(error.max()), float(relative.max()), where


def crashed(why):
    """Whether a failed call was effc's own fault: a signal, no end, or the exit status for internal errors."""
    return re.match(r"effc \w+: (?:exit (?:-|70\b|1[2-9]\d)|no end)", why) is not None


def default_tool(name="effc"):
    """The build that tools/dev/run_tests.py tests, else the program on PATH."""
    build = os.environ.get("EFFC_BUILD_DIR")
    return os.path.join(build, "bin", name) if build else name


def not_built(path, name="effc"):
    """Whether run_tests.py tests a build that has no such program (yet); then there is nothing to run."""
    return "EFFC_BUILD_DIR" in os.environ and path == default_tool(name) and not os.path.exists(path)


class Effc:
    """The compiler under test, as a user calls it."""

    def __init__(self, path, limit_s):
        self.path, self.limit = shutil.which(str(path)) or str(path), limit_s
        if not os.access(self.path, os.X_OK):
            raise SystemExit(f"no effc at '{path}': build it, or name it with --effc")

    def call(self, *arguments):
        """Why the call failed, or ""."""
        try:
            run = subprocess.run([self.path, *map(str, arguments)], capture_output=True, text=True, errors="replace",
                                 timeout=self.limit, check=False)
        except subprocess.TimeoutExpired:
            return f"effc {arguments[0]}: no end after {self.limit} s"
        if run.returncode == 0:
            return ""
        message = [line for line in run.stderr.splitlines() if line.strip()] or [""]
        first = next((line for line in message if "error" in line), message[-1])
        return f"effc {arguments[0]}: exit {run.returncode}: {first.strip()[:300]}"

    def compile(self, model, folder, name, options=()):
        """(library, why it failed or "")."""
        why = self.call("compile", model, "-o", folder, "--name", name, *options)
        library = pathlib.Path(folder, f"lib{name}.so")
        return library, why or ("" if library.exists() else f"effc compile: wrote no {library.name}")

    def run(self, library, feed, folder, threads):
        """(outputs by name, why it failed or "")."""
        inputs, outputs = pathlib.Path(folder, "inputs.npz"), pathlib.Path(folder, "outputs.npz")
        np.savez(inputs, **feed)
        with contextlib.suppress(FileNotFoundError):
            outputs.unlink()
        why = self.call("run", library, "--inputs", inputs, "--outputs", outputs, "--threads", threads)
        if why:
            return {}, why
        try:
            with np.load(outputs) as file:
                return {key: file[key] for key in file.files}, ""
        except (OSError, ValueError) as error:
            return {}, f"effc run: outputs.npz cannot be read: {error}"


class Tally:
    """Prints one line a case and the closing line."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.expected = 0  # of the skipped: failures that a list names

    def count(self, status):
        kind = {"PASS": "passed", "FAIL": "failed", "XPASS": "failed", "SKIP": "skipped", "XFAIL": "skipped"}[status]
        setattr(self, kind, getattr(self, kind) + 1)
        self.expected += status == "XFAIL"

    def case(self, status, *words, why=""):
        self.count(status)
        print(" ".join([status, *map(str, words)]) + (f"  {why}" if why else ""), flush=True)

    def close(self):
        """Exit status; a run that tested nothing and skipped nothing has failed."""
        print(f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped", flush=True)
        return 1 if self.failed or not (self.passed or self.skipped) else 0


def safe_name(text):
    return re.sub(r"\W", "_", text)


def read_tensor(path):
    """(name, array) of a serialized TensorProto; None for what is not a tensor."""
    import onnx

    proto = onnx.TensorProto()
    proto.ParseFromString(pathlib.Path(path).read_bytes())
    return proto.name, onnx.numpy_helper.to_array(proto)


def numbered(folder, kind):
    """input_0.pb, input_1.pb, ... in order of their number."""
    return sorted(pathlib.Path(folder).glob(f"{kind}_*.pb"), key=lambda path: int(path.stem.rsplit("_", 1)[1]))
