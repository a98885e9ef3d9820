"""Kprobe definitions as the kernel parses them: what it refuses, the format it makes, the fields it fetches."""

from __future__ import annotations

import errno
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

_COMMAND = re.compile(r"(?P<kind>[pr])(?P<maxactive>\d*):(?P<group>\w+)/(?P<name>\w+) (?P<symbol>\w+)(?P<args>( \S+)*)")
_FETCH = re.compile(
    r"(?P<name>\w+)=(?:\+(?P<offset>\d+)\(%(?P<pointer>\w+)\)|%(?P<register>\w+)|\$(?P<variable>\w+)|(?P<memory>@\w+))(?::(?P<type>\w+))?"
)
_SIZES = {f"{sign}{bits}": bits // 8 for sign in "su" for bits in (8, 16, 32, 64)}
_REGISTERS = {
    "x86_64": frozenset({"ax", "bx", "cx", "dx", "si", "di", "bp", "sp", "ip", *(f"r{n}" for n in range(8, 16))}),
    "aarch64": frozenset({"sp", "pc", *(f"x{n}" for n in range(31))}),
}
_COMMON = (
    "\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n"
    "\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;\n"
    "\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;\n"
    "\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n"
)

Registers = Mapping[str, int | bytes]


class Refused(Exception):
    """A command that the kernel refuses, with what it writes to error_log."""

    def __init__(self, number: int, reason: str) -> None:
        super().__init__(reason)
        self.number = number


@dataclass(frozen=True)
class _Fetch:
    name: str
    offset: int
    size: int
    kind: str
    source: re.Match[str]


@dataclass(frozen=True)
class Definition:
    """One probe that was accepted."""

    text: str
    returns: bool
    event: str
    symbol: str
    fetches: tuple[_Fetch, ...]

    def format(self, number: int) -> str:
        """The text of the event's format file."""
        heads = ("__probe_func", "__probe_ret_ip") if self.returns else ("__probe_ip",)
        lines = [f"unsigned long {name};\toffset:{8 + 8 * n};\tsize:8;\tsigned:0" for n, name in enumerate(heads)]
        for fetch in self.fetches:
            kind = "__data_loc char[]" if fetch.kind == "string" else fetch.kind
            signed = int(fetch.kind == "string" or fetch.kind.startswith("s"))
            lines.append(f"{kind} {fetch.name};\toffset:{fetch.offset};\tsize:{fetch.size};\tsigned:{signed}")
        fields = "".join(f"\tfield:{line};\n" for line in lines)
        return f'name: {self.event.partition("/")[2]}\nID: {number}\nformat:\n{_COMMON}{fields}\nprint fmt: ""\n'

    def values(self, comm: bytes, registers: Registers, result: int) -> dict[str, int | bytes]:
        """What the probe fetches from a call with these registers; bytes in a register stand for what it points at."""
        return {fetch.name: _fetched(fetch, comm, registers, result) for fetch in self.fetches}


def parse(command: str, *, symbols: Collection[str], machine: str) -> Definition:
    """The probe that `p:GROUP/NAME SYMBOL ...` or `r256:...` defines. Raises Refused."""
    match = _COMMAND.fullmatch(command)
    if match is None:
        raise Refused(errno.EINVAL, "Invalid command")
    if match["symbol"] not in symbols:
        raise Refused(errno.ENOENT, "Invalid probed address or symbol")
    returns = match["kind"] == "r"
    fetches: list[_Fetch] = []
    offset = 24 if returns else 16
    for text in match["args"].split():
        source = _FETCH.fullmatch(text)
        if source is None:
            raise Refused(errno.EINVAL, "Invalid argument")
        register = source["pointer"] or source["register"]
        if register and register not in _REGISTERS[machine]:
            raise Refused(errno.EINVAL, "Invalid register name")
        variable = source["variable"]
        if source["memory"] and source["memory"][1:] not in symbols:
            raise Refused(errno.ENOENT, "Invalid probed address or symbol")
        if variable == "retval" and not returns:
            raise Refused(errno.EINVAL, "$retval is not available on probe")
        if variable not in (None, "retval", "comm"):
            raise Refused(errno.EINVAL, "Invalid $-variable specified")
        kind = "string" if variable == "comm" else source["type"] or "u64"
        if kind != "string" and kind not in _SIZES:
            raise Refused(errno.EINVAL, "Unknown type is specified")
        size = _SIZES.get(kind, 4)
        fetches.append(_Fetch(source["name"], offset, size, kind, source))
        offset += size
    return Definition(command, returns, f"{match['group']}/{match['name']}", match["symbol"], tuple(fetches))


def _fetched(fetch: _Fetch, comm: bytes, registers: Registers, result: int) -> int | bytes:
    source = fetch.source
    if source["variable"] == "comm":
        return comm
    if source["variable"] == "retval":
        value: int | bytes = result
    elif source["memory"]:
        value = registers.get(source["memory"], 0)
    elif source["register"]:
        value = registers.get(source["register"], 0)
    else:
        memory = registers.get(source["pointer"], b"")
        start = int(source["offset"])
        value = int.from_bytes(memory[start : start + fetch.size], "little") if isinstance(memory, bytes) else 0
    if isinstance(value, bytes):
        return 0
    value &= (1 << 8 * fetch.size) - 1
    negative = fetch.kind.startswith("s") and value >> (8 * fetch.size - 1)
    return value - (1 << 8 * fetch.size) if negative else value
