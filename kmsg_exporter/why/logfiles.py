"""Whether lines of the kernel are in the log files, rotated and packed ones too, within a bound of bytes and time."""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import IO, Final

from kmsg_exporter.why.clocks import Clocks
from kmsg_exporter.why.kmsg import Record

USUAL: Final = ("messages", "kern.log", "syslog")
MAX_BYTES: Final = 512 << 20
MAX_SECONDS: Final = 20.0
_ROTATED: Final = re.compile(r"[.-](?:\d[\d.-]*|old)(?:\.(?:gz|xz|bz2|zst))?|\.(?:gz|xz|bz2|zst)")
_PACKED: Final = {".gz": "gzip", ".xz": "lzma", ".bz2": "bz2", ".zst": "compression.zstd"}
_STAMP: Final = re.compile(rb"\[ *(\d{1,10})\.(\d{6})\] ?")
_RFC3164: Final = re.compile(rb"(?:<\d+>)?(\w{3}) +(\d{1,2}) (\d\d):(\d\d):(\d\d) ")
_ISO: Final = re.compile(rb"(?:<\d+>1? ?)?(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?) ")
_MONTHS: Final = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")
_LATER_SECONDS: Final = 3600  # a daemon that starts long after the boot
_LINE_BYTES: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Sought:
    """A line that is looked for: its text as daemons write it, and between which moments they can have dated it."""

    record: Record
    text: bytes
    earliest: float
    latest: float

    @classmethod
    def of(cls, record: Record, clocks: Clocks) -> Sought:
        earliest, latest = clocks.earliest(record.usec), clocks.last(record.usec) + _LATER_SECONDS
        return cls(record, _as_written(record.text), earliest, latest)


@dataclass
class Search:
    """What was found where (`where[index]` is of `sought[index]`), what was read, and what was not and why."""

    sought: Sequence[Sought]
    where: list[list[str]] = field(init=False)
    read: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.where = [[] for _ in self.sought]


def search(
    sought: Sequence[Sought],
    files: Iterable[Path],
    *,
    named: Callable[[Path], str] = str,
    max_bytes: int = MAX_BYTES,
    max_seconds: float = MAX_SECONDS,
    monotonic: Callable[[], float] = time.monotonic,
    progress: Callable[[str], None] = lambda _: None,
) -> Search:
    """Look for all of them in each of the files and what was rotated away from it, newest first."""
    found = Search(sought)
    end = monotonic() + max_seconds
    oldest = min((one.earliest for one in sought), default=0.0)
    for path in _with_rotated(files, oldest, found, named):
        progress(named(path))
        try:
            for number, line in enumerate(_lines(path), 1):
                max_bytes -= len(line)
                if max_bytes < 0 or (not number & 0x3FF and monotonic() > end):
                    found.unread.append(f"{named(path)}: read only in part, there is too much")
                    return found
                for index, one in enumerate(sought):
                    if one.text in line and fits(line, one, written_by=_mtime(path)):
                        mark = f"{named(path)}:{number}"
                        if not any(known.startswith(f"{named(path)}:") for known in found.where[index]):
                            found.where[index].append(mark)
        except ImportError:
            found.unread.append(f"{named(path)}: this Python can't unpack {path.suffix}")
        except (OSError, EOFError, ValueError) as exc:
            found.unread.append(f"{named(path)}: {getattr(exc, 'strerror', None) or exc}")
        else:
            found.read.append(named(path))
    return found


def fits(line: bytes, sought: Sought, *, written_by: float) -> bool:
    """Whether a line that has the text is of that moment: by the kernel's own stamp, else by the daemon's time."""
    begin = line.find(sought.text)
    if stamp := _STAMP.search(line[max(0, begin - 40) : begin]):
        return int(stamp[1]) * 1_000_000 + int(stamp[2]) == sought.record.usec
    moment = _moment(line, written_by)
    return moment is None or sought.earliest <= moment <= sought.latest


def _moment(line: bytes, written_by: float) -> float | None:
    """When the daemon says that it was. RFC 3164 has no year: the latest that is not after the file was written."""
    with suppress(ValueError, OverflowError):
        if found := _ISO.match(line):
            return datetime.fromisoformat(found[1].decode().replace(",", ".")).astimezone().timestamp()
        if (found := _RFC3164.match(line)) and found[1] in _MONTHS:
            written = datetime.fromtimestamp(written_by, UTC).astimezone()
            day, hour, minute, second = (int(part) for part in found.groups()[1:])
            parts = (_MONTHS.index(found[1]) + 1, day, hour, minute, second)
            moments = (_local(written.year - back, *parts) for back in (0, 1))
            return next((moment for moment in moments if moment <= written_by + 86400), None)
    return None


def _local(year: int, month: int, day: int, hour: int, minute: int, second: int) -> float:
    return time.mktime((year, month, day, hour, minute, second, 0, 0, -1))


def _as_written(text: bytes) -> bytes:
    """The first line; rsyslog and journald write control characters their own way, so what is before one."""
    first = text.split(b"\n", 1)[0].strip()
    return max(re.split(rb"[\x00-\x1f\x7f-\xff]", first), key=len)


def _with_rotated(
    files: Iterable[Path], oldest_unix: float, found: Search, named: Callable[[Path], str]
) -> Iterator[Path]:
    for path in dict.fromkeys(files):
        written: dict[Path, float] = {}
        try:
            for name in os.listdir(path.parent):
                if name == path.name or (name.startswith(path.name) and _ROTATED.fullmatch(name[len(path.name) :])):
                    with suppress(FileNotFoundError):  # rotated in this moment
                        status = (path.parent / name).stat()
                        written |= {path.parent / name: status.st_mtime} if stat.S_ISREG(status.st_mode) else {}
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as exc:
            refused = f"{named(Path(exc.filename))}: {exc.strerror}"
            found.unread += [refused] if refused not in found.unread else []
        # what was last written before the oldest trouble can't have it
        yield from sorted(
            (one for one, at in written.items() if at >= oldest_unix), key=written.__getitem__, reverse=True
        )


def _mtime(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _lines(path: Path) -> Iterator[bytes]:
    with _opened(path) as file:
        while line := file.readline(_LINE_BYTES):
            yield line


def _opened(path: Path) -> IO[bytes]:
    """Raises ImportError where this Python has no module for it (zstd came with 3.14)."""
    if path.suffix not in _PACKED:
        return path.open("rb")
    opened: IO[bytes] = import_module(_PACKED[path.suffix]).open(path, "rb")
    return opened
