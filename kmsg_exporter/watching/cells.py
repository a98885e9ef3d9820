"""Text in the cells of a terminal: what it would obey is made visible, and what is wide takes two."""

from __future__ import annotations

import unicodedata
from typing import Final

from kmsg_exporter.collector.visible import escaped, visible

_CUT: Final = "\u2026"
_WIDE: Final = "WF"
# characters that a terminal puts over the one before, or that it joins with others: nobody knows how wide that is
_MARKS: Final = ("Mn", "Me", "Mc")
_HANGUL: Final = {*range(0x1160, 0x1200), *range(0xD7B0, 0xD800), 0x3164, 0xFFA0}
_FLAG_LETTERS: Final = range(0x1F1E6, 0x1F200)
# one column before Unicode 16 and two since: a terminal knows one of them
_SIGNS: Final = {*range(0x2630, 0x2638), *range(0x268A, 0x2690), *range(0x4DC0, 0x4E00)}
_SYMBOLS: Final = {*range(0x1D300, 0x1D357), *range(0x1D360, 0x1D377)}
_UNSURE: Final = _HANGUL.union(_FLAG_LETTERS, _SIGNS, _SYMBOLS)


def shown(text: str) -> str:
    r"""Printable characters of which each has a width; others as `\x1b`, `\u0301`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_shown, visible(text)))


def width(text: str) -> int:
    """How many columns a text of `shown` takes."""
    return len(text) if text.isascii() else sum(map(_width, text))


def fit(text: str, columns: int, *, right: bool = False) -> str:
    """`shown` text in exactly so many columns; cut text ends in `…`."""
    text = cut(text, columns)
    padding = " " * (columns - width(text))
    return padding + text if right else text + padding


def cut(text: str, columns: int) -> str:
    """`shown` text in at most so many columns."""
    text = shown(text)
    if width(text) <= columns:
        return text
    kept, left = "", columns - 1
    for character in text:
        left -= _width(character)
        if left < 0:
            break
        kept += character
    return kept + _CUT if columns > 0 else ""


def wrap(text: str, columns: int, *, indent: int = 0) -> list[str]:
    """`shown` text in as many lines as it takes, broken at a space where there is one; later lines are indented."""
    columns = max(columns, indent + 2)  # or it would never end
    lines: list[str] = []
    rest = shown(text)
    while width(rest) > columns:
        kept = cut(rest, columns + 1)[:-1]
        at = kept.rfind(" ", indent + 1)
        if at > columns // 2:
            lines.append(kept[:at])
            rest = " " * indent + rest[at + 1 :]
        else:
            lines.append(kept)
            rest = " " * indent + rest[len(kept) :]
    return [*lines, rest]


def _shown(character: str) -> str:
    unsure = unicodedata.category(character) in _MARKS or ord(character) in _UNSURE
    return escaped(character) if unsure else character


def _width(character: str) -> int:
    return 2 if unicodedata.east_asian_width(character) in _WIDE else 1
