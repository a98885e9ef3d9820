"""Records as dmesg of util-linux prints them, to the byte."""

from __future__ import annotations

import ctypes
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kmsg_exporter.why.kmsg import Record
from kmsg_exporter.why.names import FACILITIES, LEVELS

_SPACES: Final = b" \t\n\v\f\r"
_RESET: Final = b"\x1b[0m"
_TIME_COLOUR: Final = b"\x1b[32m"
_SUBSYSTEM_COLOUR: Final = b"\x1b[33m"
_SEGFAULT_COLOUR: Final = b"\x1b[2m\x1b[31m"
_LEVEL_COLOURS: Final = {1: b"\x1b[7m\x1b[31m", 2: b"\x1b[1m\x1b[31m", 3: b"\x1b[31m", 4: b"\x1b[1m"}
_SUBSYSTEM: Final = re.compile(rb"[^\0]*?:[ \t](?=.)", re.DOTALL)
_JSON_SHORT: Final = {8: b"\\b", 9: b"\\t", 10: b"\\n", 12: b"\\f", 13: b"\\r", 34: b'\\"', 92: b"\\\\"}

Printable = Callable[[str], bool]
"""Whether the terminal's locale shows this character that is not ASCII; such a locale is UTF-8."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How to print, as dmesg's options have it. `printable` is None where the locale is not UTF-8."""

    raw: bool = False
    json: bool = False
    decode: bool = False
    colour: bool = False
    boot_unix_usec: int | None = None
    """When the printk clock was 0; with it times are local times, as with --ctime."""
    caller_columns: int = 0
    printable: Printable | None = None


def render(records: Sequence[Record], form: Form) -> Iterator[bytes]:
    """The lines, each with its end; with `json` one document, or nothing if there is nothing to print."""
    if not form.json:
        for record in records:
            yield _line(record, form)
        return
    shown = [record for record in records if record.text]  # dmesg leaves out what has no text
    if shown:
        yield b'{\n   "dmesg": [\n      '
        yield b",".join(_object(record, form) for record in shown)
        yield b"\n   ]\n}\n"


def boot_unix_usec() -> int:
    """When the printk clock was 0, by what the wall clock says now; it stands still while the machine sleeps."""
    return (time.time_ns() - time.monotonic_ns()) // 1000


def caller_columns(proc: Path) -> int:
    """How wide dmesg makes the caller: as many digits as the greatest pid, and one."""
    try:
        return len((proc / "sys" / "kernel" / "pid_max").read_bytes())
    except OSError:
        return 11


def printable_in(proc: Path) -> Printable | None:
    """By the locale that this process was started with: Python's own start may have made UTF-8 of the plain C."""
    try:
        given = dict(
            entry.split(b"=", 1) for entry in (proc / "self" / "environ").read_bytes().split(b"\0") if b"=" in entry
        )
    except OSError:
        given = {}
    name = next((given[key] for key in (b"LC_ALL", b"LC_CTYPE", b"LANG") if given.get(key)), b"C")
    libc = ctypes.CDLL(None)
    libc.newlocale.restype = ctypes.c_void_p
    libc.nl_langinfo_l.restype = ctypes.c_char_p
    locale = libc.newlocale(1, name, None)  # LC_CTYPE_MASK
    if not locale:
        return None
    handle = ctypes.c_void_p(locale)  # kept while this process lives
    if libc.nl_langinfo_l(14, handle) != b"UTF-8":  # CODESET
        return None
    return lambda character: bool(
        libc.iswprint_l(ctypes.c_uint(ord(character)), handle) or libc.iswspace_l(ctypes.c_uint(ord(character)), handle)
    )


def _line(record: Record, form: Form) -> bytes:
    if not record.text:
        return b"\n"
    prefix, stamp = b"", _stamp(record, form)
    known = _is_known(record)
    if form.raw:
        priority = b"" if record.priority is None else b"<%d>" % record.priority
        stamp = priority + stamp
    elif form.decode and known and record.facility is not None and record.level is not None:
        prefix = f"{FACILITIES[record.facility]:<6}:{LEVELS[record.level]:<6}: ".encode()
    indent = len(prefix) + len(stamp)
    if form.colour and stamp:
        stamp = _TIME_COLOUR + stamp + _RESET
    caller = b"[" + record.caller.rjust(form.caller_columns) + b"] " if record.caller else b""
    return prefix + stamp + caller + _text(record, form, indent + len(caller)) + b"\n"


def _stamp(record: Record, form: Form) -> bytes:
    if record.usec is None:
        return b""
    if form.boot_unix_usec is None or form.raw:
        return b"[%5d.%06d] " % divmod(record.usec, 1_000_000)
    moment = time.localtime((form.boot_unix_usec + record.usec) // 1_000_000)
    return time.strftime("[%a %b %e %H:%M:%S %Y] ", moment).encode(errors="surrogateescape")


def _text(record: Record, form: Form, indent: int) -> bytes:
    text = record.text
    if not form.colour:
        return _escaped(text, indent, form.printable)
    found = _SUBSYSTEM.match(text)
    # a record of several lines: what follows a line's end is looked at across the parts, as dmesg does
    head, rest = (text[: found.end()], text[found.end() :]) if found else (b"", text)
    coloured = b""
    if head:
        coloured = _SUBSYSTEM_COLOUR + _escaped(head, indent, form.printable, after=rest) + _RESET
    colour = _LEVEL_COLOURS.get(-1 if record.level is None else record.level)
    if colour is None and b"segfault at" in rest:
        colour = _SEGFAULT_COLOUR
    plain = _escaped(rest, indent, form.printable)
    return coloured + (colour + plain + _RESET if colour else plain)


def _escaped(text: bytes, indent: int, printable: Printable | None, *, after: bytes = b"") -> bytes:
    """What can't be shown as \\xNN; further lines of a record stand below the first."""
    out = bytearray()
    index = 0
    while index < len(text):
        byte = text[index]
        length = 1
        if byte == 10:
            following = text[index + 1 : index + 2] or after[:1]
            out += b"\n" + (b" " * indent if following not in (b"", b"\0") else b"")
        elif byte < 0x80:
            out += bytes((byte,)) if 0x20 <= byte < 0x7F or byte in _SPACES else b"\\x%02x" % byte
        else:
            length, shown = _wide(text, index, printable)
            part = text[index : index + length]
            out += part if shown else b"".join(b"\\x%02x" % one for one in part)
        index += length
    return bytes(out)


def _wide(text: bytes, index: int, printable: Printable | None) -> tuple[int, bool]:
    """How many bytes the character here has, and whether it is shown."""
    if printable is None:
        return 1, False
    first = text[index]
    length = 2 if first >> 5 == 0b110 else 3 if first >> 4 == 0b1110 else 4 if first >> 3 == 0b11110 else 1
    try:
        character = text[index : index + length].decode()
    except UnicodeDecodeError:
        return 1, False
    return length, printable(character)


def _object(record: Record, form: Form) -> bytes:
    members = []
    if _is_known(record) and record.facility is not None and record.level is not None:
        if form.decode:
            members.append(b'"fac": "%s"' % FACILITIES[record.facility].encode())
            members.append(b'"pri": "%s"' % LEVELS[record.level].encode())
        else:
            members.append(b'"pri": %d' % (record.priority or 0))
    if record.usec is not None:
        members.append(b'"time": %5d.%06d' % divmod(record.usec, 1_000_000))
    if record.caller:
        members.append(b'"caller": ' + _json(record.caller))
    members.append(b'"msg": ' + _json(record.text))
    return b"{\n         " + b",\n         ".join(members) + b"\n      }"


def _json(text: bytes) -> bytes:
    """As dmesg writes strings: bytes above ASCII as they are, and nothing from a NUL on."""
    quoted = b"".join(
        _JSON_SHORT.get(byte) or (bytes((byte,)) if byte >= 0x20 else b"\\u00%02x" % byte)
        for byte in text.split(b"\0", 1)[0]
    )
    return b'"' + quoted + b'"'


def _is_known(record: Record) -> bool:
    return record.priority is not None and record.priority >> 3 < len(FACILITIES)
