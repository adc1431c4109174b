"""A running effc-test: requests go to its standard input, verdicts come from its standard output.

A worker that dies or does not answer in time is replaced by the next request, so one model never takes others with it.
"""
import json
import contextlib
import os
import pathlib
import resource
import select
import signal
import subprocess
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
TOLERANCES = HERE.parent / "Execute" / "tolerances.json"
FAULTS = ("crash", "hang", "fault")  # verdicts that are never an expected failure


def sanitizer_environment(clang="clang-22"):
    """What a program needs that loads kernels of --sanitize and is not linked with AddressSanitizer itself."""
    runtime = subprocess.run([clang, "-print-file-name=libclang_rt.asan-x86_64.so"], check=True, capture_output=True, text=True)
    return dict(os.environ, LD_PRELOAD=runtime.stdout.strip(), ASAN_OPTIONS="detect_leaks=0:detect_odr_violation=0")


class Worker:
    def __init__(self, tool, limit_s=60, memory_gib=12, sanitize=False):
        self.command = [str(tool), "--serve", "--tolerances", str(TOLERANCES)]
        self.limit_s, self.memory, self.env = limit_s, memory_gib << 30, None
        if sanitize:
            # Its shadow takes terabytes of address space, none of which is memory.
            self.command, self.memory, self.env = [*self.command, "--sanitize"], 0, sanitizer_environment()
        self.process, self.errors, self.buffer = None, None, b""
        self.starts = 0

    def start(self):
        def limits():
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            if self.memory:
                resource.setrlimit(resource.RLIMIT_AS, (self.memory, self.memory))

        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
                                        preexec_fn=limits, env=self.env)
        self.buffer, self.starts = b"", self.starts + 1

    def close(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            for stream in (self.process.stdin, self.process.stdout, self.errors):
                # What was written to a dead worker cannot be flushed.
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
        self.process = None

    def fill(self, enough):
        """Reads until enough(buffer); True when the time is up, None when the worker has died."""
        while not enough(self.buffer):
            ready, _, _ = select.select([self.process.stdout], [], [], self.limit_s)
            if not ready:
                return True
            piece = os.read(self.process.stdout.fileno(), 1 << 16)
            if not piece:
                return None
            self.buffer += piece
        return False

    def take(self, size):
        self.fill(lambda buffer: len(buffer) >= size)
        piece, self.buffer = self.buffer[:size], self.buffer[size:]
        return piece

    def answer(self):
        """The verdict, None when the worker has died, {} when the time is up."""
        late = self.fill(lambda buffer: b"\n" in buffer)
        if late is not False:
            return {} if late else None
        line, _, self.buffer = self.buffer.partition(b"\n")
        verdict = json.loads(line.decode(errors="replace"))
        for result in verdict.get("results", ()):
            result["data"] = self.take(result.pop("bytes"))
        return verdict

    def why_dead(self):
        status = self.process.wait()
        self.errors.seek(0)
        said = self.errors.read().decode(errors="replace").strip().splitlines()
        how = signal.Signals(-status).name if status < 0 else f"exit {status}"
        return f"{how}: {' '.join(said[-3:])[:300]}" if said else how

    def ask(self, request, payload=()):
        """The verdict, a dictionary; a dead or stuck worker makes one of its own."""
        if self.process is None:
            self.start()
        try:
            self.process.stdin.write(json.dumps(request).encode() + b"\n" + b"".join(payload))
            self.process.stdin.flush()
            answer = self.answer()
        except BrokenPipeError:
            answer = None
        if answer:
            return answer
        verdict = {"name": request.get("name", ""), "compile_ms": 0.0, "run_ms": 0.0, "error": 0.0, "relative": 0.0}
        if answer is None:
            verdict.update(status="crash", message=self.why_dead())
        else:
            verdict.update(status="hang", message=f"no answer after {self.limit_s} s")
        self.close()
        return verdict
