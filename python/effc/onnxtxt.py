#!/usr/bin/env python3
"""Converts ONNX text syntax (.onnxtxt) to a binary model, so that test models stay readable.

The syntax is that of onnx.parser (docs/Syntax.md of the onnx project). Lines that start with `//` are
comments, which makes room for lit and FileCheck directives; they become empty lines, so that the line
numbers of parse errors hold.
"""
import argparse
import sys

import onnx
import onnx.parser


def strip_comments(text):
    return "\n".join("" if line.lstrip().startswith("//") else line for line in text.splitlines())


def load(path):
    """The model that the text in `path` describes."""
    with open(path, encoding="utf-8") as file:
        return onnx.parser.parse_model(strip_comments(file.read()))


def main():
    parser = argparse.ArgumentParser(description="Convert ONNX text to a binary ONNX model.")
    parser.add_argument("input", help="model in ONNX text syntax")
    parser.add_argument("-o", "--output", required=True, help="binary model to write")
    parser.add_argument("--check", action="store_true", help="run onnx.checker over the model")
    args = parser.parse_args()
    try:
        model = load(args.input)
        if args.check:
            onnx.checker.check_model(model)
    except (onnx.parser.ParseError, onnx.checker.ValidationError) as error:
        message = error.args[0].decode() if error.args and isinstance(error.args[0], bytes) else str(error)
        sys.exit(f"{args.input}: {message}")
    with open(args.output, "wb") as file:
        file.write(model.SerializeToString(deterministic=True))


if __name__ == "__main__":
    main()
