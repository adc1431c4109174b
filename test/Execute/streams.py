#!/usr/bin/env python3
"""Models with state, streamed in one session and by hand: both must give the same bits.

By hand means the model compiled without --state, its states fed from file to file. The profile of the session must show no
kernel beyond those of the other library: what moves a state on is an exchange of pointers. Models that are not here are
skipped and counted.
"""
import argparse
import dataclasses
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

import harness


@dataclasses.dataclass
class Stream:
    name: str
    folder: str
    states: dict  # input: output
    options: tuple
    frames: callable  # count -> {input: array with one more axis in front}
    first: dict  # states at the beginning
    auto: bool = False


def noise(shape, scale=0.1):
    return lambda count: np.random.default_rng(7).normal(0, scale, (count, *shape)).astype(np.float32)


def silero_frames(count):
    """16 kHz, 512 samples: the size that the model takes; a rising tone with noise."""
    time = np.arange(count * 512) / 16000
    tone = 0.3 * np.sin(2 * np.pi * (200 + 40 * time) * time) * (np.sin(3 * time) > 0)
    return {"input": (tone + noise((512,), 0.02)(count).reshape(-1)).astype(np.float32).reshape(count, 1, 512)}


def language_frames(count):
    text = ("First Citizen:\nBefore we proceed any further, hear me speak.\n\nAll:\nSpeak, speak.\n" * 8).encode()[:count]
    ids = np.frombuffer(text, np.uint8).astype(np.int64).reshape(count, 1, 1)
    return {"input_ids": ids, "position_ids": np.arange(count, dtype=np.int64).reshape(count, 1, 1)}


def caches(layers):
    names = [f"{layer}.{kind}" for layer in range(layers) for kind in ("key", "value")]
    return {f"past_key_values.{name}": f"present.{name}" for name in names}


GTCRN = {"conv_cache": (2, 1, 16, 16, 33), "tra_cache": (2, 3, 1, 1, 16), "inter_cache": (2, 1, 33, 16)}


def gtcrn(name):
    return Stream(name, "pretrained", {key: f"{key}_out" for key in GTCRN}, (),
                  lambda count: {"mix": noise((1, 257, 1, 2))(count)},
                  {key: np.zeros(shape, np.float32) for key, shape in GTCRN.items()})


STREAMS = [
    Stream("silero_vad", "pretrained", {"state": "stateN"},
           ("--input-shape", "input=1x512", "--input-shape", "state=2x1x128", "--input-value", "sr=16000"),
           silero_frames, {"state": np.zeros((2, 1, 128), np.float32)}),
    gtcrn("gtcrn_stream"),
    gtcrn("gtcrn_stream_simple"),
    Stream("shakespeare_lm", "trained", caches(6), (), language_frames,
           {name: np.zeros((1, 4, 0, 32), np.float32) for name in caches(6)}, auto=True),
]


class Failure(Exception):
    pass


class Runner:
    def __init__(self, args, stream, model, folder):
        self.tool, self.cpu = args.effc, args.cpu
        self.stream, self.model, self.folder = stream, model, folder

    def effc(self, *arguments):
        done = subprocess.run([self.tool, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=600)
        if done.returncode:
            raise Failure(f"effc {arguments[0]}: exit {done.returncode}: {done.stderr.strip()[-300:]}")
        return done.stdout

    def compile(self, name, *options):
        self.effc("compile", self.model, "-o", self.folder, "--name", name, f"--cpu={self.cpu}", *self.stream.options, *options)
        return self.folder / f"lib{name}.so"

    def in_session(self, library, frames, count):
        np.savez(self.folder / "frames.npz", **frames)
        self.effc("run", library, "--inputs", self.folder / "frames.npz", "--steps", count, "--threads", 1,
                  "--outputs", self.folder / "session.npz")
        with np.load(self.folder / "session.npz") as file:
            return {key: file[key] for key in file.files}

    def by_hand(self, library, frames, count):
        state, results = dict(self.stream.first), []
        for step in range(count):
            np.savez(self.folder / "in.npz", **{key: value[step] for key, value in frames.items()}, **state)
            self.effc("run", library, "--inputs", self.folder / "in.npz", "--threads", 1, "--outputs", self.folder / "out.npz")
            with np.load(self.folder / "out.npz") as file:
                outputs = {key: file[key] for key in file.files}
            state = {key: outputs.pop(value) for key, value in self.stream.states.items()}
            results.append(outputs)
        return {key: np.stack([result[key] for result in results]) for key in results[0]}

    def launches(self, name):
        certificate = json.loads((self.folder / f"{name}.json").read_text())
        return [row["kernel"] for row in certificate["entry_points"][-1]["launches"]]

    def run(self, count):
        options = ["--state=auto"] if self.stream.auto else [f"--state={key}:{value}" for key, value in self.stream.states.items()]
        session, hand = self.compile("session", *options), self.compile("hand")
        kernels = len(self.launches("session"))
        if kernels != len(self.launches("hand")):
            raise Failure(f"{kernels} kernels with state in the session, {len(self.launches('hand'))} without")
        frames = self.stream.frames(count)
        got, want = self.in_session(session, frames, count), self.by_hand(hand, frames, count)
        if set(got) != set(want):
            raise Failure(f"outputs {sorted(got)} instead of {sorted(want)}")
        for key, array in want.items():
            if got[key].tobytes() != array.tobytes():
                raise Failure(f"output '{key}' differs by {np.abs(got[key] - array).max()}")
            if len(np.unique(array.reshape(count, -1)[:, 0])) < count // 4:
                raise Failure(f"output '{key}' hardly changes: the frames do not matter")
        return kernels


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--effc", default=harness.default_tool(), help="the compiler (default: that of the build, or effc on PATH)")
    parser.add_argument("--models-dir", type=pathlib.Path, default=harness.ROOT.parent / "shared" / "models",
                        help="folder of pretrained/ and trained/ (default: ../shared/models)")
    parser.add_argument("--cpu", default="native")
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--filter", default="", help="only models whose name contains this")
    args = parser.parse_args()
    tally = harness.Tally()
    for stream in STREAMS:
        if args.filter not in stream.name:
            continue
        model = args.models_dir / stream.folder / f"{stream.name}.onnx"
        if harness.not_built(args.effc) or not model.exists():
            tally.case("SKIP", stream.name, why="no effc in this build" if model.exists() else "the model is not here")
            continue
        with tempfile.TemporaryDirectory(prefix="effc-streams-") as folder:
            try:
                kernels = Runner(args, stream, model, pathlib.Path(folder)).run(args.frames)
                tally.case("PASS", stream.name, f"{args.frames} frames", f"{kernels} kernels")
            except Failure as failure:
                tally.case("FAIL", stream.name, why=str(failure))
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
