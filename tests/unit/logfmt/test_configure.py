"""Setting the log up, and what happens when it can't be written."""

from __future__ import annotations

import io
import json
import logging
import os
import pty
from collections.abc import Iterator

import pytest

from kmsg_exporter.logfmt import LineHandler, configure

OURS = logging.getLogger("kmsg_exporter.probes")
LIBRARY = logging.getLogger("library.part")


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("kmsg_exporter")
    levels = root.level, ours.level
    yield
    root.setLevel(levels[0])
    ours.setLevel(levels[1])
    for handler in [handler for handler in root.handlers if isinstance(handler, LineHandler)]:
        root.removeHandler(handler)


@pytest.fixture
def terminal() -> Iterator[tuple[io.TextIOWrapper, int]]:
    controller, user = pty.openpty()
    with os.fdopen(controller, "rb"), os.fdopen(user, "w") as stream:
        yield stream, controller


def messages(stream: io.StringIO) -> list[str]:
    return [json.loads(line)["msg"] for line in stream.getvalue().splitlines()]


def test_level_holds_for_us_and_libraries_are_heard_from_warn_on() -> None:
    stream = io.StringIO()
    configure("debug", "json", stream)
    OURS.debug("a")
    LIBRARY.info("b")
    LIBRARY.warning("c")
    assert messages(stream) == ["a", "c"]


def test_level_error_silences_warnings_of_both() -> None:
    stream = io.StringIO()
    configure("error", "json", stream)
    OURS.warning("a")
    LIBRARY.warning("b")
    OURS.error("c")
    assert messages(stream) == ["c"]


def test_configured_again_a_record_is_written_once_and_to_the_new_stream() -> None:
    old, new = io.StringIO(), io.StringIO()
    configure("info", "json", old)
    configure("info", "logfmt", new)
    OURS.info("a")
    assert old.getvalue() == ""
    assert new.getvalue().endswith(" level=info msg=a\n")


def test_fields_are_passed_as_extra() -> None:
    stream = io.StringIO()
    configure("info", "logfmt", stream)
    OURS.info("cleared by %s", "dmesg", extra={"fields": {"pid": 7}})
    assert stream.getvalue().endswith(' level=info msg="cleared by dmesg" pid=7\n')


@pytest.mark.parametrize(
    ("environ", "coloured"),
    [({}, True), ({"NO_COLOR": ""}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)],
)
def test_terminal_has_colours_unless_told_otherwise(
    terminal: tuple[io.TextIOWrapper, int], environ: dict[str, str], coloured: bool
) -> None:
    stream, controller = terminal
    configure("info", "terminal", stream, environ=environ)
    OURS.error("x")
    assert (b"\x1b[31mx\x1b[0m\r\n" in os.read(controller, 1000)) is coloured


def test_what_is_no_terminal_has_no_colours() -> None:
    stream = io.StringIO()
    configure("info", "terminal", stream, environ={})
    OURS.error("x")
    assert stream.getvalue().endswith("  x\n")


def test_a_long_line_arrives_whole_through_a_pipe() -> None:
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as source, os.fdopen(writer, "w") as stream:
        configure("info", "json", stream)
        OURS.info("x" * 50_000)
        stream.close()
        assert json.loads(source.read())["msg"] == "x" * 50_000


def test_what_was_printed_before_comes_first() -> None:
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as source, os.fdopen(writer, "w") as stream:
        configure("info", "logfmt", stream)
        stream.write("printed\n")
        OURS.info("a")
        stream.close()
        assert source.read().startswith(b"printed\nts=")


def test_a_log_that_can_not_be_written_does_no_harm(capsys: pytest.CaptureFixture[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stream:
        configure("info", "logfmt", stream)
        OURS.info("nobody reads")
    OURS.info("closed")
    assert capsys.readouterr() == ("", "")
