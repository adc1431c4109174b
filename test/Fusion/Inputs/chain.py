"""Writes a chain of N elementwise operations."""
import sys

count = int(sys.argv[1])
print("func.func @main(%v0: tensor<4xf32>) -> tensor<4xf32> {")
for i in range(count):
    kind = ("sqrt", "sigmoid")[i % 2]
    print(f"  %v{i + 1} = eff.unary {kind} %v{i} : (tensor<4xf32>) -> tensor<4xf32>")
print(f"  return %v{count} : tensor<4xf32>\n}}")
