"""The agent's own log: one line for each record, whatever is in it, and the line says what was meant."""

from __future__ import annotations

import json
import logging
from collections import Counter

import atheris
from target import Target

from kmsg_exporter.logfmt import JsonFormatter, LogfmtFormatter, TerminalFormatter

_FIXED = {"ts", "level", "msg", "traceback"}


def one(data: bytes) -> None:
    fed = atheris.FuzzedDataProvider(data)
    message = fed.ConsumeUnicode(40)
    arguments = tuple(_value(fed, 3) for _ in range(fed.ConsumeIntInRange(0, 2)))
    fields = {_valid(fed.ConsumeUnicode(6)): _value(fed, 0) for _ in range(fed.ConsumeIntInRange(0, 5))}
    level = fed.PickValueInList([logging.INFO, logging.ERROR])
    record = logging.LogRecord("kmsg_exporter", level, "", 0, message, arguments, None)
    record.fields = fields
    for line in (
        LogfmtFormatter().format(record),
        JsonFormatter().format(record),
        TerminalFormatter(colour=False).format(record),
    ):
        assert line.isprintable()
        line.encode()
    told = json.loads(JsonFormatter().format(record))
    if not arguments:
        assert told["msg"] == _valid(message)
    texts = Counter(_valid(value) for value in fields.values() if isinstance(value, str))
    assert texts <= Counter(value for key, value in told.items() if key not in _FIXED and isinstance(value, str))
    assert len(told) == 3 + sum(value is not None for value in fields.values())


def _value(fed: atheris.FuzzedDataProvider, depth: int) -> object:
    match fed.ConsumeIntInRange(0, 6 if depth < 6 else 4):
        case 0:
            return fed.ConsumeUnicode(20)
        case 1:
            return fed.ConsumeInt(9)
        case 2:
            return fed.ConsumeFloat()
        case 3:
            return fed.ConsumeBytes(8)
        case 4:
            return None
        case 5:
            return [_value(fed, depth + 1) for _ in range(fed.ConsumeIntInRange(0, 3))]
        case _:
            return {fed.ConsumeUnicode(4): _value(fed, depth + 1) for _ in range(fed.ConsumeIntInRange(0, 3))}


def _valid(text: str) -> str:
    return "".join("\ufffd" if "\ud800" <= character <= "\udfff" else character for character in text)


TARGET = Target(one, seeds=(bytes(32), bytes(range(256)), b"\xff" * 200, b'a="b\\n%s %d\x1b[31m' * 4), max_bytes=400)
