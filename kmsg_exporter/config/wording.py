"""How an error words names and values: one line, nothing unprintable, no password."""

from __future__ import annotations

import re
from collections.abc import Iterable

_LONGEST_SHOWN = 200


def near(name: str, names: Iterable[str]) -> str:
    """`; did you mean ...?`, or nothing when nothing is near."""
    from difflib import get_close_matches

    found = get_close_matches(name, list(names), n=1)
    return f"; did you mean {found[0]}?" if found else ""


def one_line(text: str) -> str:
    """The text with everything that is not printable made visible."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def quoted(value: str) -> str:
    """The value as an error shows it: cut when it is long, without what stands before the @ of a URL."""
    value = re.sub(r"//[^/\s]*@", "//***@", value)
    return repr(value if len(value) <= _LONGEST_SHOWN else f"{value[:_LONGEST_SHOWN]}...")
