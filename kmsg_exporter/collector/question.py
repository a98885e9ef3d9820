"""What is asked of the stored events, as it stands in a URL: which ones, and of what time."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from typing import Any, Final

from kmsg_exporter.errors import DecodeError

COLUMNS: Final = ("node", "cluster", "comm", "exe", "origin")
FLAGS: Final = ("severe", "unexpected", "unnamed")
TIMES: Final = ("since", "until")
MAX_TEXT: Final = 200
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SPAN: Final = re.compile(r"([0-9]{1,9})([smhd])")
_LATEST_NS: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Question:
    """Which events are wanted; None and False: it does not matter.

    `since_ns` is within, `until_ns` is not. `unnamed` are those that nobody could be named for. `q` is a text that the
    sentence, the sample or another value has in it.
    """

    since_ns: int | None = None
    until_ns: int | None = None
    node: str | None = None
    cluster: str | None = None
    comm: str | None = None
    exe: str | None = None
    origin: str | None = None
    severe: bool = False
    unexpected: bool = False
    unnamed: bool = False
    q: str = ""

    def but(self, **changes: Any) -> Question:
        return replace(self, **changes)

    @property
    def narrowed(self) -> bool:
        """Whether anything but the time is asked for."""
        return self.but(since_ns=None, until_ns=None) != Question()


def read_question(query: Mapping[str, str], *, now_ns: int, zone: tzinfo | None = None) -> Question:
    """The question of a query string; an empty parameter is as good as none.

    `zone` is that of a time which names none; None is this machine's own. DecodeError, with the parameter's name, for
    what can't be understood.
    """
    text = query.get("q", "").strip()
    if len(text) > MAX_TEXT:
        raise DecodeError(f"q: a text of {len(text)} characters is too long, at most {MAX_TEXT} are searched for")
    columns: dict[str, Any] = {name: query.get(name) or None for name in COLUMNS}
    flags: dict[str, Any] = {name: _flag(query, name) for name in FLAGS}
    since, until = (_time(query, name, now_ns, zone) for name in TIMES)
    if since is not None and until is not None and since >= until:
        raise DecodeError("since: it is not before until")
    return Question(since, until, **columns, **flags, q=text)


def span_seconds(text: str) -> int | None:
    """`24h` as seconds; None for what is no span."""
    parts = _SPAN.fullmatch(text)
    return int(parts[1]) * _UNITS[parts[2]] if parts else None


def _flag(query: Mapping[str, str], name: str) -> bool:
    text = query.get(name, "")
    if text not in ("", "0", "1", "false", "true"):
        raise DecodeError(f"{name}: {text[:40]!r} is neither true nor false")
    return text in ("1", "true")


def _time(query: Mapping[str, str], name: str, now_ns: int, zone: tzinfo | None) -> int | None:
    text = query.get(name, "").strip()
    if text in ("", "all", "now"):
        return None
    if (seconds := span_seconds(text)) is not None:
        return max(now_ns - seconds * 10**9, 0)
    for reader in _READERS:
        try:
            return min(max(reader(text, zone), 0), _LATEST_NS)
        except (ValueError, OverflowError, OSError):
            continue
    raise DecodeError(
        f"{name}: {text[:40]!r} is no time: write a span as 90m, 24h or 7d, a moment as 2026-11-23 03:00 "
        "or 2026-11-23T03:00:00Z, or seconds since 1970"
    )


def _moment(text: str, zone: tzinfo | None) -> int:
    # a browser's + in a URL is a blank
    moment = datetime.fromisoformat(re.sub(r" (\d\d:\d\d)$", r"+\1", text) if text.count(":") == 3 else text)
    return int((moment if moment.tzinfo else _in_zone(moment, zone)).timestamp() * 1000) * 10**6


def _in_zone(moment: datetime, zone: tzinfo | None) -> datetime:
    return moment.replace(tzinfo=zone) if zone else moment.astimezone()


def _seconds(text: str, _zone: tzinfo | None) -> int:
    if not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,9})?", text):
        raise ValueError(text)
    whole, _, part = text.partition(".")
    return int(whole) * 10**9 + int(part.ljust(9, "0") or 0)


_READERS: Final[tuple[Callable[[str, tzinfo | None], int], ...]] = (_seconds, _moment)
