"""Writes stand-ins of bench-conv and bench-int4: make_kernel_bench.py FOLDER VERSION RATIO."""
import pathlib
import sys

folder, version, ratio = pathlib.Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])
SCRIPT = """#!{python}
import json, sys
row = {{"name": "{name}/iterations:1/manual_time", "label": "winograd", "effc_us": 10.0, {times}}}
rows = [row] + [{{"name": "conv/broken/iterations:1/manual_time", "error_message": "results differ by 1"}}] * {broken}
context = {{"onednn": "{version} (OpenMP)", "cpu": "A CPU", "peak_gflops": "100.0", "read_gbs": "10.0"}}
out = next(arg.partition("=")[2] for arg in sys.argv if arg.startswith("--benchmark_out="))
with open(out, "w") as file:
    json.dump({{"context": context, "benchmarks": rows}}, file)
"""


def write(family, name, times, broken):
    program = folder / f"bench-{family}"
    program.write_text(SCRIPT.format(python=sys.executable, name=name, times=times, broken=broken, version=version), encoding="utf-8")
    program.chmod(0o755)


write("conv", "conv/64@56x56-64-k3x3", f'"onednn_us": {10 * ratio}, "ratio": {ratio}, "effc_gflops": 50.0, "onednn_gflops": 40.0', 1)
write("int4", "int4/1x8x8", '"effc_gbs": 9.5', 0)
