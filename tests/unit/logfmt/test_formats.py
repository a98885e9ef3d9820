"""The three formats of a log line."""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmsg_exporter.logfmt import JsonFormatter, LogfmtFormatter, TerminalFormatter

LOGFMT = LogfmtFormatter()
JSON = JsonFormatter()
TERMINAL = TerminalFormatter(colour=False, clock=time.gmtime)
PAIR = re.compile(r'([^ ="\\]+)=(?:("(?:[^"\\]|\\.)*")|([^ ="\\]*))(?: |$)')

TEXT = st.text(st.characters(codec=None, exclude_categories=()))
PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | TEXT | st.binary()
VALUE = st.recursive(PLAIN, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=6)


class Stubborn:
    def __str__(self) -> str:
        raise RuntimeError("no")


def record(
    message: str, fields: Any = None, level: int = logging.INFO, args: tuple[Any, ...] = (), exc_info: Any = None
) -> logging.LogRecord:
    made = logging.LogRecord("kmsg_exporter.test", level, "", 0, message, args, exc_info)
    made.created = 1795424462.1239
    made.fields = fields
    return made


def parsed(line: str) -> list[tuple[str, str]]:
    """What a logfmt parser that unquotes as JSON does makes of a line."""
    pairs, end = [], 0
    while end < len(line):
        found = PAIR.match(line, end)
        assert found is not None, line[end:]
        pairs.append((found[1], json.loads(found[2]) if found[2] else found[3]))
        end = found.end()
    return pairs


def test_logfmt_line() -> None:
    assert LOGFMT.format(record("dmesg was emptied", {"comm": "dmesg", "pid": 4242, "exe": "/usr/bin/dmesg"})) == (
        'ts=2026-11-23T09:01:02.123Z level=info msg="dmesg was emptied" comm=dmesg pid=4242 exe=/usr/bin/dmesg'
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("", '""'),
        ("a b", '"a b"'),
        ('say "x"', r'"say \"x\""'),
        ("a=b", '"a=b"'),
        ("a\\b", r'"a\\b"'),
        ("a\nb\tc\r", r'"a\nb\tc\r"'),
        ("\x1b[31m\x7f\x9b", r'"\u001b[31m\u007f\u009b"'),
        ("\u202e\u2028", r'"\u202e\u2028"'),
        ("\U000e0001", r'"\udb40\udc01"'),
        ("größe", "größe"),
        ("\udcff", "\ufffd"),
        (b"dm\xffesg", "dm\ufffdesg"),
        (True, "true"),
        (1.5, "1.5"),
        (float("nan"), "nan"),
        (["cleanup.sh", "cron"], r'"[\"cleanup.sh\", \"cron\"]"'),
        ({"err": 3}, r'"{\"err\": 3}"'),
        pytest.param(10**5000, '"<int without text>"', id="huge"),
        (Stubborn(), '"<Stubborn without text>"'),
    ],
)
def test_logfmt_value(value: object, text: str) -> None:
    assert LOGFMT.format(record("m", {"k": value})).partition("msg=m ")[2] == f"k={text}"


def test_json_line() -> None:
    assert JSON.format(record('a "quote"', {"pid": 7, "comm": "x\n\u2028", "chain": ("a", b"b"), "ok": False})) == (
        '{"ts": "2026-11-23T09:01:02.123Z", "level": "info", "msg": "a \\"quote\\"", "pid": 7, '
        '"comm": "x\\n\\u2028", "chain": ["a", "b"], "ok": false}'
    )


def test_terminal_line() -> None:
    assert TERMINAL.format(record("dmesg was emptied by dmesg", {"pid": 7})) == "09:01:02  dmesg was emptied by dmesg"


def test_what_a_terminal_would_obey_is_made_visible() -> None:
    assert TERMINAL.format(record("by \x1b]0;x\x07\r\n\x9b2J\u202e\udcffé", None)) == (
        "09:01:02  by \\x1b]0;x\\x07\\r\\n\\x9b2J\\u202e\ufffdé"
    )


def test_a_warning_on_a_terminal_shows_the_fields_that_its_message_does_not_hold() -> None:
    fields = {"path": "/var/lib/x", "reason": "disk full\x1b", "gone": None}
    assert TERMINAL.format(record("can't write /var/lib/x", fields, logging.WARNING)) == (
        "09:01:02  can't write /var/lib/x (reason=disk full\\x1b)"
    )


@pytest.mark.parametrize(
    ("level", "start"),
    [
        (logging.DEBUG, "\x1b[2m"),
        (logging.INFO, ""),
        (logging.WARNING, "\x1b[33m"),
        (logging.ERROR, "\x1b[31m"),
        (logging.CRITICAL, "\x1b[31m"),
    ],
)
def test_colour_shows_the_level(level: int, start: str) -> None:
    line = TerminalFormatter(colour=True, clock=time.gmtime).format(record("m", None, level))
    assert line == f"09:01:02  {start}m" + ("\x1b[0m" if start else "")


@pytest.mark.parametrize(
    ("number", "name"),
    [(5, "debug"), (10, "debug"), (20, "info"), (30, "warn"), (35, "warn"), (40, "error"), (50, "error")],
)
def test_level_names(number: int, name: str) -> None:
    assert parsed(LOGFMT.format(record("m", None, number)))[1] == ("level", name)


def test_a_field_never_replaces_what_every_line_has() -> None:
    fields = {"msg": 1, "ts": 2, "level": 3, "traceback": 4, "a b": 5, "a_b": 6, "": 7}
    assert list(json.loads(JSON.format(record("m", fields)))) == [
        "ts",
        "level",
        "msg",
        "msg_",
        "ts_",
        "level_",
        "traceback_",
        "a b",
        "a_b",
        "",
    ]
    assert [key for key, _ in parsed(LOGFMT.format(record("m", fields)))][7:] == ["a_b", "a_b_", "_"]


def test_a_field_that_is_none_is_left_out() -> None:
    assert LOGFMT.format(record("m", {"a": None, "b": 1})).endswith("msg=m b=1")
    assert "a" not in json.loads(JSON.format(record("m", {"a": None, "b": 1})))


def test_arguments_that_do_not_fit_the_message_leave_the_message() -> None:
    assert parsed(LOGFMT.format(record("%d of %d", args=("x",))))[2] == ("msg", "%d of %d")
    assert parsed(LOGFMT.format(record("%s", args=(Stubborn(),))))[2] == ("msg", "%s")


def test_fields_that_are_no_mapping_are_shown_all_the_same() -> None:
    assert LOGFMT.format(record("m", "oops")).endswith("msg=m fields=oops")


def test_a_list_that_holds_itself_ends() -> None:
    endless: list[Any] = []
    endless.append(endless)
    assert len(LOGFMT.format(record("m", {"k": endless}))) < 200


def test_a_traceback_is_one_field_and_on_a_terminal_indented_below() -> None:
    try:
        raise ValueError("bad\x1b")
    except ValueError:
        made = record("failed", None, logging.ERROR, exc_info=sys.exc_info())
    key, text = parsed(LOGFMT.format(made))[-1]
    assert key == "traceback"
    assert text.startswith("Traceback (most recent call last):\n")
    assert text.endswith("ValueError: bad\x1b")
    assert json.loads(JSON.format(made))["traceback"] == text
    lines = TERMINAL.format(made).split("\n")
    assert (lines[0], lines[1], lines[-1]) == (
        "09:01:02  failed",
        "    Traceback (most recent call last):",
        "    ValueError: bad\\x1b",
    )


@given(TEXT, st.dictionaries(TEXT, VALUE))
def test_any_fields_give_one_printable_line_in_every_format(message: str, fields: Mapping[str, Any]) -> None:
    made = record(message, fields, logging.WARNING)
    for formatter in (LOGFMT, JSON, TERMINAL):
        assert formatter.format(made).isprintable()


@given(TEXT, st.dictionaries(TEXT, TEXT))
def test_any_text_fields_parse_back(message: str, fields: Mapping[str, str]) -> None:
    values = [re.sub("[\ud800-\udfff]", "\ufffd", text) for text in [message, *fields.values()]]
    if len({re.sub("[\ud800-\udfff]", "\ufffd", key) for key in fields}) < len(fields):
        return  # two keys that differ only in what is not Unicode
    pairs = parsed(LOGFMT.format(record(message, fields)))
    assert [value for _, value in pairs][2:] == values
    assert len({key for key, _ in pairs}) == len(pairs)
    assert list(json.loads(JSON.format(record(message, fields))).values())[2:] == values


@given(st.dictionaries(TEXT, VALUE))
def test_any_fields_parse_back_the_same_from_both_formats(fields: Mapping[str, Any]) -> None:
    from_json = json.loads(JSON.format(record("m", fields)))
    from_logfmt = parsed(LOGFMT.format(record("m", fields)))
    texts = [value if isinstance(value, str) else None for value in from_json.values()]
    assert len(from_logfmt) == len(texts)
    for (_, text), expected, value in zip(from_logfmt, texts, from_json.values(), strict=True):
        assert text == expected if expected is not None else json.loads(text) == value
