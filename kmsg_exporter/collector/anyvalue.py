"""The fields of an OTLP message, and its AnyValues as plain values: what is malformed says where."""

from __future__ import annotations

import re
import sys
from typing import Any, Final, NoReturn

from kmsg_exporter.errors import DecodeError

MAX_VALUE_DEPTH: Final = 16

_INTEGER: Final = re.compile(r"-?[0-9]{1,20}")
_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class Malformed(DecodeError):
    """Its path grows from the inside out while it is raised: what is well-formed pays nothing for it."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(path, problem)
        self.path = path
        self.problem = problem

    def within(self, step: str) -> Malformed:
        self.path = f"{step}.{self.path}" if self.path else step
        return self

    def __str__(self) -> str:
        return f"{self.path} {self.problem}"


def attributes(holder: dict[str, Any], field: str = "attributes", depth: int = 0) -> dict[str, Any]:
    """A list of keys and values as a dict; the last of a key counts."""
    plain = {}
    for index, pair in enumerate(array(holder, field)):
        try:
            if not isinstance(pair, dict):
                wrong(pair, "an object")
            plain[string(pair, "key")] = any_value(pair, "value", depth)
        except Malformed as exc:
            raise exc.within(f"{field}[{index}]") from None
    return plain


def attributes_of(holder: dict[str, Any], field: str) -> dict[str, Any]:
    """Those of an object; none when it is missing."""
    if (inner := holder.get(field)) is None:
        return {}
    try:
        return attributes(inner if isinstance(inner, dict) else wrong(inner, "an object"))
    except Malformed as exc:
        raise exc.within(field) from None


def objects(holder: dict[str, Any], field: str) -> list[dict[str, Any]]:
    """An array of objects; none when it is missing."""
    items = array(holder, field)
    for index, item in enumerate(items):
        if not isinstance(item, dict):
            wrong(item, "an object", f"{field}[{index}]")
    return items


def array(holder: dict[str, Any], field: str) -> list[Any]:
    items = holder.get(field)
    return items if isinstance(items, list) else [] if items is None else wrong(items, "an array", field)


def any_value(holder: dict[str, Any], field: str, depth: int = 0) -> Any:
    """An AnyValue as a plain value; an empty one is None, bytes stay base64."""
    try:
        return _plain(holder.get(field), depth)
    except Malformed as exc:
        raise exc.within(field) from None


def string(holder: dict[str, Any], field: str) -> str:
    """Any text that UTF-8 has; "" when it is missing."""
    text = holder.get(field)
    if not isinstance(text, str):
        return "" if text is None else wrong(text, "a string", field)
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return _LONE_SURROGATE.sub("\ufffd", text)
    return text


def integer(holder: dict[str, Any], field: str) -> int:
    """A 64-bit integer, which OTLP writes as a decimal string; 0 when it is missing."""
    value = holder.get(field)
    if value is None:
        return 0
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not -(2**63) <= value < 2**63:
        wrong(value, "a 64-bit integer", field)
    return int(value)


def wrong(value: Any, wanted: str, path: str = "") -> NoReturn:
    raise Malformed(path, f"must be {wanted}, not {shown(value)}")


def shown(value: Any) -> str:
    """Hostile data in a few printable characters."""
    if value is None or value == "":
        return "missing"
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "an array"
    text = ascii(value) if isinstance(value, str | bool | float) or abs(value) < 10**40 else "a huge number"
    return text if len(text) <= 60 else f"{text[:60]}..."


def _plain(value: Any, depth: int) -> Any:
    if depth > MAX_VALUE_DEPTH:
        raise Malformed("", f"is nested deeper than {MAX_VALUE_DEPTH} values")
    if value is None:
        return None
    if not isinstance(value, dict):
        wrong(value, "an object")
    for kind in ("stringValue", "bytesValue"):
        if value.get(kind) is not None:
            return string(value, kind)
    if (boolean := value.get("boolValue")) is not None:
        return boolean if isinstance(boolean, bool) else wrong(boolean, "true or false", "boolValue")
    if value.get("intValue") is not None:
        return integer(value, "intValue")
    if (double := value.get("doubleValue")) is not None:
        return _double(double)
    return _nested(value, depth + 1)


def _nested(value: dict[str, Any], depth: int) -> Any:
    kind = "arrayValue" if value.get("arrayValue") is not None else "kvlistValue"
    inner = value.get(kind)
    if inner is None:
        return None
    try:
        if not isinstance(inner, dict):
            wrong(inner, "an object")
        return _list(inner, depth) if kind == "arrayValue" else attributes(inner, "values", depth)
    except Malformed as exc:
        raise exc.within(kind) from None


def _list(holder: dict[str, Any], depth: int) -> list[Any]:
    plain = []
    for index, item in enumerate(array(holder, "values")):
        try:
            plain.append(_plain(item, depth))
        except Malformed as exc:
            raise exc.within(f"values[{index}]") from None
    return plain


def _double(value: Any) -> float | str:
    if value in ("NaN", "Infinity", "-Infinity"):  # protobuf's JSON writes them so, and JSON has no other way
        return str(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > sys.float_info.max:
        wrong(value, "a number", "doubleValue")
    return float(value)
