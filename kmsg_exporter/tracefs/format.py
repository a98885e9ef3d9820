"""Event formats: where each field of a trace record lies, read from an event's `format` file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from kmsg_exporter.errors import DecodeError

Kind = Literal["int", "bytes", "data_loc", "rel_loc"]

_FIELD = re.compile(
    r"^\tfield:(?P<decl>[^;]+);\s*offset:(?P<offset>\d{1,9});\s*size:(?P<size>\d{1,9});(?:\s*signed:(?P<signed>[01]);)?"
)
_ARRAY = re.compile(r"^(?P<type>.*?)(?P<name>\w+)\[(?P<count>[^\]]*)\]$")


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a record: `offset` and `size` in bytes from the record's start."""

    name: str
    offset: int
    size: int
    signed: bool
    kind: Kind

    def integer(self, record: bytes) -> int:
        """The field as a number. Raises DecodeError when the record is too short."""
        end = self.offset + self.size
        if end > len(record):
            raise DecodeError(f"field {self.name} ends at byte {end} of a record of {len(record)}")
        return int.from_bytes(record[self.offset : end], "little", signed=self.signed)

    def text(self, record: bytes) -> bytes:
        """The field as the bytes of a C string, without its NUL. Raises DecodeError when the record is too short."""
        start, size = self.offset, self.size
        if self.kind in ("data_loc", "rel_loc"):
            place = self.integer(record) & 0xFFFFFFFF
            start, size = place & 0xFFFF, place >> 16
            if self.kind == "rel_loc":
                start += self.offset + self.size
        end = start + size
        if end > len(record):
            raise DecodeError(f"field {self.name} ends at byte {end} of a record of {len(record)}")
        return record[start:end].split(b"\0", 1)[0]


@dataclass(frozen=True, slots=True)
class EventFormat:
    """One event's record layout; `id` is what its records carry as common_type."""

    name: str
    id: int
    fields: dict[str, Field]

    def __getitem__(self, field: str) -> Field:
        try:
            return self.fields[field]
        except KeyError:
            raise DecodeError(f"event {self.name} has no field {field}") from None


def parse_fields(text: str) -> dict[str, Field]:
    """The fields of a `format`, `header_page` or `header_event` text, by name."""
    fields = {}
    for line in text.splitlines():
        match = _FIELD.match(line)
        if match is None:
            continue
        decl = match["decl"].strip()
        array = _ARRAY.match(decl)
        kind: Kind = "int"
        if decl.startswith("__data_loc "):
            kind = "data_loc"
        elif decl.startswith("__rel_loc "):
            kind = "rel_loc"
        elif array is not None:
            kind = "bytes"
        # a dynamic array is declared as "__data_loc char[] name", any other as "char name[16]"
        name = array["name"] if array is not None else decl.rpartition(" ")[2].lstrip("*")
        if name:
            fields[name] = Field(name, int(match["offset"]), int(match["size"]), match["signed"] == "1", kind)
    return fields


def parse_format(text: str) -> EventFormat:
    """The layout that a `format` file describes. Raises DecodeError when it is none."""
    name = re.search(r"^name: (\S+)", text, re.MULTILINE)
    number = re.search(r"^ID: (\d{1,9})$", text, re.MULTILINE)
    fields = parse_fields(text)
    if name is None or number is None or "common_pid" not in fields:
        raise DecodeError(f"not an event format: {text[:60]!r}")
    return EventFormat(name[1], int(number[1]), fields)
