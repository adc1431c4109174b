"""look_at_report.py PNG WIDTH: a screenshot of a report shows text at the left, a margin at the right, and the badge of a quantised layer."""
import struct
import sys
import zlib

BADGE = (46, 139, 87)


def read(path):
    """Rows of (r, g, b)."""
    with open(path, "rb") as file:
        data = file.read()
    at, body, header = 8, b"", b""
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        header = data[at + 8:at + 8 + size] if kind == b"IHDR" else header
        body += data[at + 8:at + 8 + size] if kind == b"IDAT" else b""
        at += size + 12
    width, height, depth, kind = struct.unpack(">IIBB", header[:10])
    assert depth == 8 and kind in (2, 6), (depth, kind)
    step, raw, rows = 3 if kind == 2 else 4, zlib.decompress(body), []
    before = bytearray(width * step)
    for y in range(height):
        start = y * (width * step + 1)
        line, filtered = bytearray(raw[start + 1:start + 1 + width * step]), raw[start]
        for i in range(len(line)):
            a, b, c = line[i - step] if i >= step else 0, before[i], before[i - step] if i >= step else 0
            if filtered == 4:  # Paeth
                p = a + b - c
                guess = min((a, b, c), key=lambda value: abs(p - value))
            else:
                guess = (0, a, b, (a + b) // 2)[filtered]
            line[i] = (line[i] + guess) & 255
        rows.append([tuple(line[x * step:x * step + 3]) for x in range(width)])
        before = line
    return rows


rows, width = read(sys.argv[1]), int(sys.argv[2])
assert len(rows[0]) == width, len(rows[0])
dots = [dot for row in rows for dot in row]
dark = sum(max(dot) < 80 for dot in dots) / len(dots)
assert 0.002 < dark < 0.3, f"text covers {dark}"
assert all(min(row[-1]) > 240 for row in rows), "something is cut off at the right"
assert BADGE in dots, "no badge of a quantised layer"
