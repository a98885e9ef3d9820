"""Ring buffer pages for fuzzing: taken apart, changed a record at a time and put together again with a fitting head."""

from __future__ import annotations

import random
from pathlib import Path

from fake_tracefs import FORMATS, data, discarded, page, page_end, record, time_extend, time_stamp
from frames import changed

from kmsg_exporter.tracefs.format import EventFormat, parse_format
from kmsg_exporter.tracefs.page import parse_layout

LAYOUT = parse_layout((FORMATS / "header_page").read_text())
REAL = tuple(path.read_bytes() for path in sorted((Path(__file__).parent / "real").iterdir()))
"""What a 6.18 kernel recorded of a shell that ran a few programs and of dmesg, with the ids that FORMATS have."""
REAL_TID = 24373
_HEADER_BYTES = 16
_SMALL = (0, 1, 2, 7, 42, 43, REAL_TID)  # few thread ids, so that records are about each other


def event(name: str) -> EventFormat:
    """The format of one event of a 6.18 kernel."""
    return parse_format((FORMATS / name).read_text())


_IDS = tuple(parse_format(path.read_text()).id for path in sorted(FORMATS.glob("*/*")))


def of(*parts: bytes, time_ns: int = 100, lost: int | None = 0) -> bytes:
    """A page without the unused rest of it."""
    used = _HEADER_BYTES + sum(map(len, parts)) + (8 if lost else 0)
    return page(time_ns, *parts, lost=lost)[:used]


def one(layout: EventFormat, tid: int, delta: int = 1, **values: int | bytes) -> bytes:
    """One record as it lies in a page."""
    return data(delta, record(layout, tid, values))


def parts(body: bytes) -> list[bytes]:
    """The pieces of a page's data, one for each record; what makes no sense is the last."""
    found = []
    while len(body) >= 4:
        kind, delta = body[0] & 31, int.from_bytes(body[:4], "little") >> 5
        size = 4 * kind + 4
        if kind in (30, 31) or (kind == 29 and delta == 0):
            size = 4 if kind == 29 else 8
        elif kind in (0, 29):
            size = 4 + (int.from_bytes(body[4:8], "little") + 3 & ~3)
        size = max(size, 4)
        found.append(body[:size])
        body = body[size:]
    return [*found, body] if body else found


def change(raw: bytes, dice: random.Random) -> bytes:
    """A page much like this one: usually one that the kernel could have made, sometimes a damaged one."""
    head, body = bytearray(raw[:_HEADER_BYTES].ljust(_HEADER_BYTES, b"\0")), raw[_HEADER_BYTES:]
    used = int.from_bytes(head[8:12], "little") & (1 << 27) - 1
    pieces, rest = parts(body[:used]), body[used:]
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(pieces) + 1)
        match dice.randrange(7):
            case 0:
                pieces.insert(at, _special(dice))
            case 1 if pieces:
                pieces.insert(at, dice.choice(pieces))
            case 2 if at < len(pieces):
                del pieces[at]
            case 3:
                head[:8] = dice.choice((0, 1, 100, 1 << 40, dice.getrandbits(64))).to_bytes(8, "little")
            case 4:
                rest = dice.choice((b"", bytes(8), b"\3" + bytes(7), dice.randbytes(8)))
                head[11] = dice.choice((0, 0x40, 0x80, 0xC0))
            case _ if at < len(pieces):
                pieces[at] = _record(pieces[at], dice)
    whole = b"".join(pieces)
    size = len(whole) if dice.random() < 0.9 else max(0, len(whole) + dice.randint(-9, 9))
    head[8:11] = size.to_bytes(3, "little")
    return bytes(head) + whole + rest


def _special(dice: random.Random) -> bytes:
    return dice.choice(
        (
            time_extend(dice.getrandbits(dice.choice((3, 28, 59)))),
            time_stamp(dice.getrandbits(dice.choice((3, 28, 59)))),
            discarded(dice.randint(1, 99), 4 * dice.randint(0, 5)),
            page_end(),
            data(0, dice.choice(_IDS).to_bytes(2, "little") + dice.randbytes(30)),
        )
    )


def _record(piece: bytes, dice: random.Random) -> bytes:
    """The piece with another event's number, another thread, a word of another value, or bytes of libFuzzer's."""
    raw = bytearray(piece)
    start = 8 if raw[:1] and raw[0] & 31 == 0 else 4  # a long record has its length in front
    match dice.randrange(4):
        case 0:
            raw[start : start + 2] = dice.choice(_IDS).to_bytes(2, "little")
        case 1:
            raw[start + 4 : start + 8] = dice.choice(_SMALL).to_bytes(4, "little")
        case 2 if len(raw) >= start + 12:
            at = dice.randrange(start, len(raw) - 3) & ~3
            raw[at : at + 4] = dice.choice((*_SMALL, 0x8000, 0x10000, dice.getrandbits(32))).to_bytes(4, "little")
        case _:
            return piece[:start] + changed(piece[start:], dice)
    return bytes(raw)
