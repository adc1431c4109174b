"""Shared by the tools/dev/check-* scripts: which files there are and how findings are reported."""
import argparse
import pathlib
import re
import subprocess
import sys

SOURCES = {".cpp", ".c", ".h", ".td", ".def"}
SCRIPTS = {".py", ".sh", ".cmake", ".txt"}


def parse_root(description, configure=None):
    """The common command line; `configure(parser)` adds a check's own options."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    root = pathlib.Path(__file__).resolve().parents[2]
    parser.add_argument("--root", type=pathlib.Path, default=root, help="tree to check (default: this repository)")
    if configure:
        configure(parser)
    return parser.parse_args()


def files(root, *folders, suffixes=None):
    """Files of `root` that git tracks or would track, below `folders`; all files where there is no repository."""
    if (root / ".git").exists():
        command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\0")
        paths = [root / name for name in sorted(set(names)) if name]
    else:
        paths = sorted(path for path in root.rglob("*") if path.is_file())
    below = tuple(root / folder for folder in folders)
    for path in paths:
        # A file deleted in the work tree but not yet in the index is listed too.
        if not path.is_file() or (suffixes and path.suffix not in suffixes):
            continue
        if not below or any(folder == path or folder in path.parents for folder in below):
            yield path


def lines(path):
    """Numbered lines; foreign bytes are nobody's concern here."""
    return enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)


def strip_comments(text):
    """C or C++ without comments and string contents, line for line."""
    pattern = re.compile(r'"(?:\\.|[^"\\\n])*"|//[^\n]*|/\*.*?\*/', re.S)
    return pattern.sub(lambda m: '""' if m[0][0] == '"' else "\n" * m[0].count("\n"), text)


def finish(name, findings, checked, remedy=""):
    """Prints the findings and ends the check: 1 when there are any, or when there was nothing to look at."""
    for finding in findings:
        print(finding)
    if findings:
        print(f"{name}: {len(findings)} findings" + (f"; {remedy}" if remedy else ""))
        sys.exit(1)
    print(f"{name}: {checked}, no findings")
