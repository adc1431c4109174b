"""make_samples.py FOLDER NUMBER [FACTOR [SHAPE]]: files of an input x of f32 and a label."""
import pathlib
import sys

import numpy as np

folder, number = pathlib.Path(sys.argv[1]), int(sys.argv[2])
factor = np.float32(sys.argv[3] if len(sys.argv) > 3 else 1)
shape = [int(size) for size in (sys.argv[4] if len(sys.argv) > 4 else "4,96").split(",")]
random = np.random.default_rng(7)
folder.mkdir()
for i in range(number):
    np.savez(folder / f"{i:02}.npz", x=random.uniform(-1, 1, shape).astype(np.float32) * factor, label=np.array(i))
