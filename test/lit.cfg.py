# lit configuration of effc. Run one folder with: tools/dev/lit test/Import
#
# Substitutions: %onnxtxt IN -o OUT (ONNX text to binary), %python, %src (repository), %build,
# %test_data, %cc, %cxx.
# Features: onnxruntime, test-data, avx2, avx512, qemu-x86_64, qemu-aarch64 (with a runtime for it), asan, effc-python (its libraries are built), chromium.
import os
import shutil
import subprocess

import lit.formats

config.name = "effc"
# The internal shell gives the same behaviour on every machine.
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".onnxtxt", ".test"]
config.excludes = ["Inputs", "Finds", "CMakeLists.txt"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.effc_binary_dir, "test")

path = [os.path.join(config.effc_binary_dir, "bin"), config.llvm_tools_dir, os.environ["PATH"]]
config.environment["PATH"] = os.pathsep.join(path)
config.environment["PYTHONPATH"] = os.path.join(config.effc_source_dir, "python")
config.environment["PYTHONDONTWRITEBYTECODE"] = "1"
# A variable defined in one function must not be matched in another by accident.
config.environment["FILECHECK_OPTS"] = "--enable-var-scope"
for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "HOME", "TMPDIR"):
    if name in os.environ:
        config.environment[name] = os.environ[name]

config.substitutions += [
    ("%onnxtxt", f"{config.python} {config.effc_source_dir}/python/effc/onnxtxt.py"),
    ("%python", config.python),
    ("%src", config.effc_source_dir),
    ("%build", config.effc_binary_dir),
    ("%test_data", config.test_data_dir),
    ("%llvm_include", os.path.join(os.path.dirname(config.llvm_tools_dir), "include")),
    ("%cc", config.c_compiler),
    ("%cxx", config.cxx_compiler),
]

probe = "import importlib.util, sys; sys.exit(importlib.util.find_spec('onnxruntime') is None)"
if subprocess.run([config.python, "-c", probe], check=False).returncode == 0:
    config.available_features.add("onnxruntime")
if os.path.isdir(os.path.join(config.test_data_dir, "models")):
    config.available_features.add("test-data")
if os.path.exists(os.path.join(config.effc_binary_dir, "python/effc/lib/libeffc-c.so")):
    config.available_features.add("effc-python")
if "-fsanitize=address" in config.cxx_flags:
    config.available_features.add("asan")
if shutil.which("chromium-headless-shell"):
    config.available_features.add("chromium")
if shutil.which("qemu-x86_64-static"):
    config.available_features.add("qemu-x86_64")
if shutil.which("qemu-aarch64-static") and os.path.exists(
    os.path.join(config.effc_binary_dir, "lib/effc/aarch64-linux-gnu/libeffrt_model.a")
):
    config.available_features.add("qemu-aarch64")
with open("/proc/cpuinfo", encoding="ascii", errors="replace") as cpuinfo:
    cpu_flags = next((line.split() for line in cpuinfo if line.startswith("flags")), [])
for feature, flag in (("avx2", "avx2"), ("avx512", "avx512vl")):
    if flag in cpu_flags:
        config.available_features.add(feature)
