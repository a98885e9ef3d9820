"""docs/faq.md quotes what programs print: ours to the letter, the others' where they are at hand."""

from __future__ import annotations

import ast
import os
import re
import shutil
from collections.abc import Iterator
from errno import EPERM
from pathlib import Path

import pytest

TOP = Path(__file__).parents[3]
PAGE = (TOP / "docs" / "faq.md").read_text()
CHART = TOP / "helm" / "kmsg-exporter" / "templates"
HEADINGS = re.findall(r"^### (.*)$", PAGE, re.MULTILINE)
QUOTED = [quote for heading in HEADINGS for quote in re.findall(r"`([^`]+)`", heading)]
# What others print, and who.
FOREIGN = {
    "dmesg: read kernel buffer failed: Operation not permitted": "dmesg of util-linux",
    "systemd: 26 output lines suppressed due to ratelimiting": "the kernel, kernel/printk/printk.c",
    "callbacks suppressed": "the kernel, lib/ratelimit.c",
    "kmsg-exporter: command not found": "bash",
    "Python 3.11 or newer is needed: set PYTHON=": "our Makefile",
    "sh: 1: cannot create kprobe_events: Device or resource busy": "dash",
    'pods "kmsg-exporter-5w7fn" is forbidden: violates PodSecurity "baseline:latest": forbidden AppArmor profile '
    '(container "agent" must not set AppArmor profile type to "Unconfined"), non-default capabilities': "Kubernetes",
    'Error: INSTALLATION FAILED: create: failed to create: namespaces "kmsg-exporter" not found': "Helm",
    'path "/sys/kernel/tracing" is mounted on "/sys" but it is not a shared or slave mount': "the kubelet",
    "ErrImagePull": "the kubelet",
    "ImagePullBackOff": "the kubelet",
    "401": "our web server, and any",
}
NAMES = re.compile(r"kmsg_\w+( 1)?|rate\(.*\)|/metrics|other")  # of metrics and the like: no messages
OURS = [quote for quote in QUOTED if quote not in FOREIGN and not NAMES.fullmatch(quote)]
LEAST = 8  # letters of a text of ours by which a message is known
# What our programs fill in: paths, addresses, numbers, names, and the kernel's reasons.
VALUES = re.compile(
    r"(?<![\w.])/[\w./-]+|[\w.]*:\d+|\b\d+\b|'mkdir'|\b(pid|uvicorn|kmsg-exporter|restricted|refused|tls)\b"
    r"|Read-only file system|Permission denied|Address already in use|\bHTTP status\b|__x64_sys_syslog"
)


def texts(path: Path) -> Iterator[str]:
    """Every text of a program; of one that is filled in, what stands between."""
    if path.suffix == ".py":
        found = ast.walk(ast.parse(path.read_text()))
        yield from (node.value for node in found if isinstance(node, ast.Constant) and isinstance(node.value, str))
    else:
        yield from re.split(r"\{\{.*?\}\}", path.read_text())


def pieces() -> list[str]:
    """The longest first: one may be a part of another."""
    files = [*(TOP / "kmsg_exporter").rglob("*.py"), *CHART.rglob("*.*")]
    lines = {line.strip() for path in files for text in texts(path) for line in text.splitlines()}
    return sorted((line for line in lines if len(line) >= LEAST), key=len, reverse=True)


PIECES = pieces()


def written(node: ast.AST) -> str:
    """The text that stands in a test, each value that it fills in as one of these."""
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "\0" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def plain(message: str) -> str:
    """With the same mark for every value, however long."""
    marked = VALUES.sub("\0", re.sub(r"https?://\S+/v1/logs", "\0", message))
    return re.sub(r"(?:[\w./:]*\0)+[\w./]*", "\0", marked)


def expected() -> set[str]:
    """What tests expect to the letter, and the README's table of faults, which real ones fill."""
    parts = (TOP / "tests" / part for part in ("unit", "chart"))
    tests = (path for part in parts for path in part.rglob("*.py") if path != Path(__file__))
    found = {plain(written(node)) for path in tests for node in ast.walk(ast.parse(path.read_text()))}
    rows = [line for line in (TOP / "README.md").read_text().splitlines() if line.startswith("| ")]
    return found | {plain(f"cannot push to http://collector:4318/v1/logs: {row.split(' | ')[-1]}") for row in rows}


EXPECTED = expected()


def unknown(message: str) -> list[str]:
    """What stands between the values and is neither a part of a text of ours nor made of some."""
    left = []
    for part in VALUES.sub("\0", re.sub(r"https?://\S+/v1/logs", "\0", message)).split("\0"):
        if any(part.strip() in piece for piece in PIECES):
            continue
        for piece in PIECES:
            part = part.replace(piece, "\0")
        left += [words for words in part.split("\0") if re.search(r"\w", words)]
    return left


@pytest.mark.parametrize("message", OURS)
def test_what_we_are_said_to_print_is_in_the_code(message: str) -> None:
    assert unknown(message) == [], "the code prints something else now: quote that"


@pytest.mark.parametrize("message", OURS)
def test_what_we_are_said_to_print_is_expected_by_a_test_with_nothing_left_out(message: str) -> None:
    marked = plain(message)
    assert not re.search(r"\w{3}", marked) or any(marked in text for text in EXPECTED)


def test_a_message_with_words_left_out_is_noticed() -> None:
    short = "cannot listen on :10144: Address already in use: choose another with --web.listen-address"
    assert unknown(short) == []
    assert not any(plain(short) in text for text in EXPECTED)


def test_every_message_of_others_is_one_that_the_page_quotes() -> None:
    assert set(FOREIGN) - set(QUOTED) == set()


def test_a_message_that_nobody_prints_is_noticed() -> None:
    assert unknown("tracefs could not be located at /sys/kernel/tracing: mount it") != []


def test_dmesg_says_so() -> None:
    program = shutil.which("dmesg", path="/bin:/usr/bin:/sbin:/usr/sbin")
    assert program is not None
    words = Path(program).read_bytes()
    assert b"read kernel buffer failed" in words
    assert b"clear kernel buffer failed" in words
    assert os.strerror(EPERM) == "Operation not permitted"


def test_make_says_so() -> None:
    assert 'echo "Python 3.11 or newer is needed: set PYTHON="' in (TOP / "Makefile").read_text()


def test_every_question_has_an_answer() -> None:
    parts = re.split(r"^#{2,3} .*$", PAGE, flags=re.MULTILINE)[1:]
    heads = re.findall(r"^(#{2,3}) .*$", PAGE, re.MULTILINE)
    assert [part for head, part in zip(heads, parts, strict=True) if head == "###" and not part.strip()] == []
