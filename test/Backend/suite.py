"""The data of the ONNX backend tests: those of the onnx 1.22.0 wheel, and tests.txt, the committed list of them.

The wheel is downloaded once into build/ (tools/dev pins a newer onnx, whose wheel no longer carries the data). Where there
is no network, the archive of EFFC_TEST_DATA_DIR serves, which lacks the kind pytorch-converted.
"""
import dataclasses
import pathlib
import subprocess
import sys
import tempfile
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
VERSION = "1.22.0"
ARCHIVE = f"onnx-{VERSION}-backend-data.tar.zst"
KINDS = ("node", "simple", "pytorch-operator", "pytorch-converted")
DATA = "onnx/backend/test/data/"


@dataclasses.dataclass(frozen=True)
class Test:
    kind: str
    name: str
    group: str  # "dense", or what sets the test apart: see group_of

    def folder(self, suite):
        return suite / self.kind / self.name


def download(folder):
    """The data folders of the wheel; whether that worked."""
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--disable-pip-version-check",
                   "--dest", scratch, f"onnx=={VERSION}"]
        if subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode:
            return False
        with zipfile.ZipFile(next(pathlib.Path(scratch).glob("*.whl"))) as wheel:
            names = [name for name in wheel.namelist() if name.startswith(DATA) and name.split("/")[4] in KINDS]
            wheel.extractall(scratch, names)
        folder.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["rm", "-rf", folder], check=True)
        subprocess.run(["mv", pathlib.Path(scratch, DATA), folder], check=True)
    return True


def find(models_dir):
    """The folder with the kinds as folders, or None."""
    folder = ROOT / "build" / f"onnx-{VERSION}-tests"
    if (folder / KINDS[-1]).exists() or download(folder):
        return folder
    archive = pathlib.Path(models_dir) / "suites" / ARCHIVE
    if archive.exists() and not (folder / KINDS[0]).exists():
        folder.mkdir(parents=True)
        subprocess.run(["tar", "--zstd", "-xf", archive, "-C", folder], check=True)
    return folder if folder.exists() else None


def read_list(path=HERE / "tests.txt"):
    lines = (line for line in path.read_text().splitlines() if line and not line.startswith("#"))
    return [Test(*line.split("\t")) for line in lines]


def group_of(model):
    """As the recipe of the issue counts them: what is no dense test of inference."""
    import onnx

    kinds = {value.type.WhichOneof("value") for value in [*model.graph.input, *model.graph.output]}
    element = {value.type.tensor_type.elem_type for value in [*model.graph.input, *model.graph.output]}
    domains = {node.domain for node in model.graph.node}
    if kinds - {"tensor_type"}:
        return "sequence"
    if onnx.TensorProto.STRING in element:
        return "string"
    for domain, group in (("ai.onnx.preview.training", "training"), ("ai.onnx.ml", "ml"), ("ai.onnx.preview", "preview")):
        if domain in domains:
            return group
    return "dense"


def write_list(suite, path=HERE / "tests.txt"):
    """Makes tests.txt: `kind<TAB>name<TAB>group`."""
    import onnx

    rows = [f"# The backend tests of onnx {VERSION}, so that one that vanishes is noticed: kind, name, group (suite.py)."]
    for kind in KINDS:
        for model in sorted((suite / kind).glob("*/model.onnx")):
            rows.append(f"{kind}\t{model.parent.name}\t{group_of(onnx.load(model, load_external_data=False))}")
    path.write_text("\n".join(rows) + "\n")


if __name__ == "__main__":
    write_list(find(ROOT.parent / "shared" / "models"))
