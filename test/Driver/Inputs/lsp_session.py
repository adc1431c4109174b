"""What an editor says to a language server: opens a file with an operation that does not exist, and ends."""
import json
import sys

TEXT = """func.func @f(%x: tensor<2xf32>) -> tensor<2xf32> {
  %y = eff.unary exp %x : (tensor<2xf32>) -> tensor<2xf32>
  %z = eff.nonsense %y : tensor<2xf32>
  return %z : tensor<2xf32>
}
"""


def send(method, params, **extra):
    body = json.dumps({"jsonrpc": "2.0", "method": method, "params": params, **extra})
    sys.stdout.write(f"Content-Length: {len(body)}\r\n\r\n{body}")


send("initialize", {"processId": None, "capabilities": {}, "rootUri": None}, id=0)
send("textDocument/didOpen", {"textDocument": {"uri": "test:///f.mlir", "languageId": "mlir", "version": 1, "text": TEXT}})
send("shutdown", None, id=1)
send("exit", None)
