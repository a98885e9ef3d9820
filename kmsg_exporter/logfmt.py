"""The agent's own log: one handler and its three formats, logfmt, JSON and lines for a person."""

from __future__ import annotations

import logging
import math
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TextIO

_LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}
_COLOURS: Final = {"debug": "\x1b[2m", "warn": "\x1b[33m", "error": "\x1b[31m"}
_RESET: Final = "\x1b[0m"
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_DEEPEST: Final = 4


def configure(level: str, log_format: str, stream: TextIO, *, environ: Mapping[str, str] = os.environ) -> None:
    """Send every logger's records to `stream`, formatted as "logfmt", "json" or "terminal".

    Ours from `level` on ("debug", "info", "warn", "error"), those of libraries from warn on. Called again it replaces
    what it set up before.
    """
    formatter: logging.Formatter
    if log_format == "terminal":
        colour = stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
        formatter = TerminalFormatter(colour=colour)
    else:
        formatter = JsonFormatter() if log_format == "json" else LogfmtFormatter()
    handler = LineHandler(stream)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    for old in [old for old in root.handlers if isinstance(old, LineHandler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(max(logging.WARNING, _LEVELS[level]))
    logging.getLogger("kmsg_exporter").setLevel(_LEVELS[level])


class LineHandler(logging.Handler):
    """Writes each record with one write(2), so that lines of several processes do not mix. Never raises."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = f"{self.format(record)}\n"
            try:
                descriptor = self._stream.fileno()
            except (OSError, ValueError):  # a stream in memory
                self._stream.write(line)
                return
            self._stream.flush()
            data = line.encode("utf-8", "replace")
            while data:  # a pipe may take less than all
                data = data[os.write(descriptor, data) :]
        except Exception:  # noqa: BLE001, S110 (a log that can't be written must not stop the agent)
            pass


class LogfmtFormatter(logging.Formatter):
    """`ts=2026-11-23T08:31:02.123Z level=info msg="..." key=value`. Quoted values are escaped as JSON strings are.

    A character that a key can't have becomes `_`. A value that is a list or a mapping is JSON inside the quotes.
    """

    def format(self, record: logging.LogRecord) -> str:
        return " ".join(f"{key}={_quoted(_flat(value))}" for key, value in _entries(record, _bare_key))


class JsonFormatter(logging.Formatter):
    """The same as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        return _json(dict(_entries(record, str)))


class TerminalFormatter(logging.Formatter):
    """`08:31:02  the message`, local time, for a person. Nothing that a terminal would obey gets through.

    From warn on also the fields that the message does not hold yet, unless it tells an event: that is a sentence of
    its own. A traceback follows indented.
    """

    def __init__(self, *, colour: bool, clock: Callable[[float], time.struct_time] = time.localtime) -> None:
        super().__init__()
        self._colour = colour
        self._clock = clock

    def format(self, record: logging.LogRecord) -> str:
        message = _message(record)
        if record.levelno >= logging.WARNING and "event" not in _fields(record):
            texts = [(key, _flat(value)) for key, value in _fields(record).items()]
            if rest := ", ".join(f"{key}={text}" for key, text in texts if text not in message):
                message = f"{message} ({rest})"
        lines = [_visible(message), *(f"    {_visible(line)}" for line in _traceback(record).splitlines())]
        colour = _COLOURS.get(_level(record), "") if self._colour else ""
        text = "\n".join(lines)
        stamp = time.strftime("%H:%M:%S", self._clock(record.created))
        return f"{stamp}  {colour}{text}{_RESET}" if colour else f"{stamp}  {text}"


def _entries(record: logging.LogRecord, key_text: Callable[[str], str]) -> Iterator[tuple[str, Any]]:
    """ts, level, msg, the fields, then the traceback; no key twice."""
    milliseconds = int(record.created * 1000)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(milliseconds // 1000))
    taken = {"ts", "level", "msg", "traceback"}
    yield "ts", f"{stamp}.{milliseconds % 1000:03d}Z"
    yield "level", _level(record)
    yield "msg", _message(record)
    for name, value in _fields(record).items():
        key = key_text(name)
        while key in taken:
            key += "_"
        taken.add(key)
        yield key, value
    if traceback := _traceback(record):
        yield "traceback", traceback


def _level(record: logging.LogRecord) -> str:
    return next((name for name, number in reversed(_LEVELS.items()) if record.levelno >= number), "debug")


def _message(record: logging.LogRecord) -> str:
    try:
        return _text(record.getMessage())
    except Exception:  # noqa: BLE001 (arguments that do not fit the message)
        return _text(record.msg)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    """What was given as extra={"fields": {...}}, made plain; a field that is None is left out."""
    fields = getattr(record, "fields", None)
    plain = _plain(fields if isinstance(fields, Mapping) else {"fields": fields})
    return {key: value for key, value in plain.items() if value is not None}


def _traceback(record: logging.LogRecord) -> str:
    if not record.exc_info:
        return ""
    return _text(logging.Formatter().formatException(record.exc_info))


def _plain(value: Any, depth: int = 0) -> Any:
    """The value made of what JSON has."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and -(1 << 63) <= value < 1 << 64:
        return int(value)
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    if depth < _DEEPEST:
        if isinstance(value, Mapping):
            return {_text(key): _plain(item, depth + 1) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [_plain(item, depth + 1) for item in value]
    return _text(value)


def _text(value: Any) -> str:
    try:
        text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    except Exception:  # noqa: BLE001 (any object's own __str__)
        text = f"<{type(value).__name__} without text>"
    return _SURROGATE.sub("\ufffd", text)


def _flat(value: Any) -> str:
    """A plain value as one text."""
    return value if isinstance(value, str) else _json(value)


def _json(value: Any) -> str:
    from json import dumps

    return _escaped(dumps(value, ensure_ascii=False))


def _bare_key(key: str) -> str:
    return "".join("_" if c in ' ="\\' or not c.isprintable() else c for c in key) or "_"


def _quoted(text: str) -> str:
    if text and not any(c in ' ="\\' or not c.isprintable() for c in text):
        return text
    return '"' + _escaped("".join(_ESCAPES.get(c, c) for c in text)) + '"'


def _escaped(text: str) -> str:
    """What is not printable as JSON's \\uXXXX."""
    return text if text.isprintable() else "".join(c if c.isprintable() else _unicode_escape(c) for c in text)


def _unicode_escape(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[i : i + 4]}" for i in range(0, len(units), 4))


def _visible(text: str) -> str:
    """For a terminal: what it would obey or hide as \\x1b, \\u202e."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
