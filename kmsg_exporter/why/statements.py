"""rsyslog's files as statements, each with its place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from kmsg_exporter.why.files import Files, Place

_MAX_FILES: Final = 200
_INCLUDE: Final = re.compile(
    r"\$IncludeConfig\s+(\S+)|include\s*\(.*?file\s*=\s*\"([^\"]+)\".*\)", re.IGNORECASE | re.DOTALL
)


def read_statements(path: Path, text: str, files: Files, seen: set[Path] | None = None) -> Iterator[Place]:
    """Of a file that says `text`, and of those that it includes, where it does; each file once."""
    roots, seen = files.roots, seen or set()
    seen.add(path)
    for number, statement in _statements(text):
        if found := _INCLUDE.match(statement):
            for included in _included(roots.at(found[1] or found[2]), files):
                if included in seen or len(seen) >= _MAX_FILES or (more := files.text(included)) is None:
                    continue
                yield from read_statements(included, more, files, seen)
        else:
            yield Place(roots.named(path), number, " ".join(statement.split()))


def _included(pattern: Path, files: Files) -> list[Path]:
    if not re.search(r"[*?\[]", pattern.name) and files.is_folder(pattern):
        pattern /= "*"
    return files.listed(pattern.parent, pattern.name)


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Each statement with its first line: a line, or more where brackets are open or a line ends in a backslash."""
    held, begun = "", 0
    for number, raw in enumerate(text.splitlines(), 1):
        line = _without_comment(raw).rstrip()
        if not held and not line.strip():
            continue
        begun = begun if held else number
        held += line.strip()
        if held.endswith("\\"):
            held = held[:-1]
            continue
        if _open(held):
            held += " "
            continue
        yield begun, held
        held = ""
    if held:
        yield begun, held


def _without_comment(line: str) -> str:
    quote = ""
    for index, character in enumerate(line):
        if quote:
            quote = "" if character == quote and line[index - 1] != "\\" else quote
        elif character in "\"'":
            quote = character
        elif character == "#":
            return line[:index]
    return line


def _open(text: str) -> bool:
    """Whether a bracket or a condition goes on in the next line. Selectors have neither."""
    if not re.match(r"(?:if|else|module|input|action|ruleset|template|global|include|main_queue|set)\b", text, re.I):
        return False
    bare = re.sub(r"\"(?:[^\"\\]|\\.)*\"|'[^']*'", "", text)
    if bare.count("(") > bare.count(")") or bare.count("{") > bare.count("}"):
        return True
    return bool(re.match(r"if\b", bare)) and (not re.search(r"\bthen\b", bare) or bool(re.search(r"\bthen\s*\Z", bare)))
