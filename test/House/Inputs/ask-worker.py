"""Asks a worker of test/Backend for tests that pass, die, hang and bring results."""
import sys

sys.path.insert(0, sys.argv[1])
import worker

one = worker.Worker(sys.argv[2], limit_s=2, memory_gib=0)
for name in ("good", "die", "good", "hang", "good"):
    verdict = one.ask({"folder": name})
    print(name, verdict["status"], verdict["message"])
print(one.ask({"name": "data", "results": True, "model": 2}, [b"{\n"])["results"])
print("starts:", one.starts)
one.close()
