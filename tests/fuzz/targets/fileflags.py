"""Asking the kernel where f_flags lies: any format and any pages give an offset, none, or a refusal."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import frames
import pages
import past
from fake_kprobe import parse
from target import Target

from kmsg_exporter.errors import DecodeError
from kmsg_exporter.probes.fileflags import f_flags_offset
from kmsg_exporter.tracefs.files import Tracefs
from kmsg_exporter.tracefs.format import EventFormat, parse_format
from targets.recorder import change

_PROBE = "p:g/ke_calibrate memory_open " + " ".join(f"w{n}=+{4 * n}(%si):u32" for n in range(64))
_TEXT = parse(_PROBE, symbols=("memory_open",), machine="x86_64").format(410)
_FORMAT = parse_format(_TEXT)
_ASKED = (0o100000, 0o102001, 0o104002, 0o106000)  # as the agent opens it, with O_LARGEFILE


class _Silent(Tracefs):
    def write(self, path: str, command: str, *, truncate: bool = False) -> None:
        pass


class _Calibrating(past.GivenPages):
    def __init__(self, text: bytes) -> None:
        super().__init__()
        self.tracefs = _Silent(Path("/nowhere"))
        self._text = text.decode("utf-8", "replace")

    def format(self, event: str) -> EventFormat:  # noqa: ARG002
        return parse_format(self._text)

    def disable(self, event: str) -> None:
        pass


def one(data: bytes) -> None:
    text, *given = frames.split(data) or [b""]
    instance = _Calibrating(text)
    instance.given = [(0, piece[1:]) for piece in given]
    with suppress(DecodeError):
        offset, _ = f_flags_offset(instance, (), group="g", register="%si", own_tid=1, dev=Path("/dev"))
        assert offset is None or (offset % 4 == 0 and 0 <= offset < 256)


TARGET = Target(
    one,
    seeds=(
        frames.join(
            (_TEXT.encode(), b"\0" + pages.of(*(pages.one(_FORMAT, 1, w16=flags, w3=flags & 1) for flags in _ASKED)))
        ),
    ),
    mutate=frames.mutator(change, first=frames.changed),
    max_bytes=8192,
)
