#!/usr/bin/env python3
"""Converts ONNX text syntax (.onnxtxt) to a binary model, so that test models stay readable.

The syntax is that of onnx.parser (docs/Syntax.md of the onnx project). Lines that start with `//` are
comments, which makes room for lit and FileCheck directives; they become empty lines, so that the line
numbers of parse errors hold.
"""
import argparse
import pathlib
import sys

import onnx
import onnx.parser


def strip_comments(text):
    return "\n".join("" if line.lstrip().startswith("//") else line for line in text.splitlines())


def load(path):
    """The model that the text in `path` describes."""
    with open(path, encoding="utf-8") as file:
        return onnx.parser.parse_model(strip_comments(file.read()))


def convert(source, target, check):
    """Writes the model of one text file."""
    try:
        model = load(source)
        if check:
            onnx.checker.check_model(model)
    except (onnx.parser.ParseError, onnx.checker.ValidationError) as error:
        message = error.args[0].decode() if error.args and isinstance(error.args[0], bytes) else str(error)
        sys.exit(f"{source}: {message}")
    with open(target, "wb") as file:
        file.write(model.SerializeToString(deterministic=True))


def main():
    parser = argparse.ArgumentParser(description="Convert ONNX text to binary ONNX models.")
    parser.add_argument("input", help="model in ONNX text syntax, or a folder of them (what split-file makes)")
    parser.add_argument("-o", "--output", help="binary model to write; those of a folder lie beside their sources")
    parser.add_argument("--check", action="store_true", help="run onnx.checker over the model")
    args = parser.parse_args()
    folder = pathlib.Path(args.input)
    if folder.is_dir():
        for source in sorted(folder.glob("*.onnxtxt")):
            convert(source, source.with_suffix(".onnx"), args.check)
    elif args.output:
        convert(args.input, args.output, args.check)
    else:
        parser.error("-o is needed for a single model")


if __name__ == "__main__":
    main()
