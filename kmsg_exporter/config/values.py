"""What the text of an option may be, and the value it stands for."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Generic, Literal, NamedTuple, TypeVar
from urllib.parse import urlsplit

T = TypeVar("T")

_UNITS: Final = {"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_ADDRESS: Final = re.compile(r"(?:\[(?P<ipv6>[^][]+)\]|(?P<name>[^][:]*)):(?P<port>[0-9]{1,5})")
_HOST_NAME: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """One kind of value: how --help shows it, and its reader (text -> value; ValueError says what must be)."""

    shown: str
    read: Callable[[str], T]


class Address(NamedTuple):
    """Where to listen. `host` is "" for every address of the machine; port 0 lets the kernel choose."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def choice(names: tuple[str, ...]) -> Kind[Any]:
    def read(text: str) -> str:
        if text not in names:
            raise ValueError(f"must be one of {', '.join(names)}")
        return text

    return Kind("|".join(names), read)


def whole(low: int, high: int) -> Kind[int]:
    def read(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,18}", text) or not low <= int(text) <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return int(text)

    return Kind("N", read)


def seconds(low: float, high: float) -> Kind[float]:
    def read(text: str) -> float:
        if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text) or not low <= float(text) <= high:
            raise ValueError(f"must be a number of seconds from {low:g} to {high:g}")
        return float(text)

    return Kind("SECONDS", read)


def size(low: int, high: int) -> Kind[int]:
    def read(text: str) -> int:
        parts = re.fullmatch(r"([0-9]{1,18})(|KiB|MiB|GiB)", text)
        if not parts or not low <= (count := int(parts[1]) * _UNITS[parts[2]]) <= high:
            allowed = f"from {size_text(low)} to {size_text(high)}"
            raise ValueError(f"must be a number of bytes {allowed}, like 67108864, 65536KiB, 64MiB or 1GiB")
        return count

    return Kind("BYTES", read)


def size_text(count: int) -> str:
    """`64MiB` for 67108864: the largest unit that leaves nothing over."""
    unit, factor = next((unit, factor) for unit, factor in reversed(_UNITS.items()) if count % factor == 0)
    return f"{count // factor}{unit}"


def optional(kind: Kind[T]) -> Kind[T | None]:
    """The same kind, where an empty text means none."""
    return Kind(kind.shown, lambda text: kind.read(text) if text else None)


def _boolean(text: str) -> bool:
    if text.lower() in ("true", "1", "yes"):
        return True
    if text.lower() in ("false", "0", "no"):
        return False
    raise ValueError("must be true, false, 1, 0, yes or no")


def _path(text: str) -> Path:
    if not text or "\0" in text:
        raise ValueError("must be a path")
    return Path(text)


def _name(text: str) -> str:
    if not 1 <= len(text) <= 253 or not text.isprintable():
        raise ValueError("must be 1 to 253 printable characters")
    return text


def _address(text: str) -> Address:
    parts = _ADDRESS.fullmatch(text)
    if not parts or int(parts["port"]) > 65535 or not _is_host(parts["ipv6"], parts["name"]):
        raise ValueError("must be HOST:PORT, [IPv6]:PORT or :PORT, with a port of at most 65535")
    return Address(parts["ipv6"] or parts["name"], int(parts["port"]))


def _is_host(ipv6: str | None, name: str | None) -> bool:
    try:
        if ipv6 is not None:
            return bool(ipaddress.IPv6Address(ipv6))
        if name and name.rpartition(".")[2].isdecimal():
            return bool(ipaddress.IPv4Address(name))
    except ValueError:
        return False
    return not name or _HOST_NAME.fullmatch(name) is not None


def _endpoint(text: str) -> str:
    try:
        parts = urlsplit(text)
        fits = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        fits = False
    if not fits or "?" in text or "#" in text or " " in text or not text.isprintable():
        raise ValueError("must be a URL like http://collector:4318 or https://collector:4318/prefix")
    if "@" in parts.netloc:
        raise ValueError("must be a URL without user and password: they would show in the process list")
    base = text.rstrip("/")
    return base if base.endswith("/v1/logs") else f"{base}/v1/logs"


def _sample(text: str) -> int | Literal["errors"]:
    if text == "errors":
        return "errors"
    try:
        return whole(0, 1000).read(text)
    except ValueError as exc:
        raise ValueError(f"{exc}, or errors") from exc


def _regex(text: str) -> re.Pattern[str]:
    try:
        pattern = re.compile(text)
    except (re.error, RecursionError, OverflowError) as exc:
        raise ValueError(f"must be a Python regular expression: {exc}") from exc
    if pattern.search(""):
        raise ValueError("must be a Python regular expression that does not match the empty text")
    return pattern


def _telemetry_path(text: str) -> str:
    if not re.fullmatch(r"/[A-Za-z0-9._~/-]+", text) or text.startswith(("/-/", "//")):
        raise ValueError("must be a path like /metrics, and not / or below /-/, which are taken")
    return text


BOOLEAN: Final = Kind("true|false", _boolean)
PATH: Final = Kind("PATH", _path)
NAME: Final = Kind("NAME", _name)
ADDRESS: Final = Kind("HOST:PORT", _address)
ENDPOINT: Final = Kind("URL", _endpoint)
SAMPLE: Final = Kind("N|errors", _sample)
REGEX: Final = Kind("REGEX", _regex)
TELEMETRY_PATH: Final = Kind("PATH", _telemetry_path)
