"""read_png.py FILE: checks chunks, sums and size of a PNG, and that it has more than one colour."""
import struct
import sys
import zlib

with open(sys.argv[1], "rb") as file:
    data = file.read()
assert data[:8] == b"\x89PNG\r\n\x1a\n"
at, chunks = 8, {}
while at < len(data):
    size, kind = struct.unpack(">I4s", data[at:at + 8])
    body = data[at + 8:at + 8 + size]
    assert struct.unpack(">I", data[at + 8 + size:at + 12 + size])[0] == zlib.crc32(kind + body), kind
    chunks[kind], at = body, at + 12 + size
assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"], list(chunks)
width, height, depth, color = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
rows = zlib.decompress(chunks[b"IDAT"])
assert (depth, color) == (8, 2) and len(rows) == height * (3 * width + 1)
dots = {rows[y * (3 * width + 1) + 1 + 3 * x:][:3] for y in range(0, height, 2) for x in range(0, width, 2)}
assert len(dots) >= 4 and b"\xff\xff\xff" in dots, dots
