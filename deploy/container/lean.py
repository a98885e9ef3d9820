"""lean.py DIRECTORY: cut off compiled modules what only debuggers read: no loader does, and it is most of some."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")  # of 64-bit little-endian ELF, which x86-64 and arm64 have
_SEGMENT = struct.Struct("<IIQQQQQQ")


def cut(path: Path) -> None:
    """To the end of its last segment; the table of sections lies behind it."""
    content = path.read_bytes()
    fields = list(_HEADER.unpack_from(content))
    ident, segments_at, segment_size, segments = fields[0], fields[5], fields[9], fields[10]
    if ident[:6] != b"\x7fELF\x02\x01" or segment_size != _SEGMENT.size:
        raise SystemExit(f"lean.py: {path} is no 64-bit little-endian ELF file")
    ends = [segments_at + segments * segment_size]
    for number in range(segments):
        _, _, offset, _, _, file_size, _, _ = _SEGMENT.unpack_from(content, segments_at + number * segment_size)
        ends.append(offset + file_size)
    fields[6] = fields[12] = fields[13] = 0  # no sections
    path.write_bytes(_HEADER.pack(*fields) + content[_HEADER.size : max(ends)])


if __name__ == "__main__":
    for module in Path(sys.argv[1]).rglob("*.so"):
        cut(module)
