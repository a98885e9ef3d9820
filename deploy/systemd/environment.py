"""Writes the units' environment files, which explain every option, from the table in the code."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from textwrap import wrap
from typing import Final

from kmsg_exporter.config import Option, options

HERE: Final = Path(__file__).parent
FILES: Final = {"kmsg-exporter": "run", "kmsg-collector": "collector"}

_HEAD: Final = """\
# Options of {unit}.service. What is commented out has its default. After a change: systemctl restart {unit}
# A value with spaces, quotes or backslashes goes between single quotes. An option that may be given many times takes
# one value a line, between the same quotes. systemd reads this file as root: chmod 600 it when it holds a password.
# A directory outside of /var/lib/{unit} has to be writable for the unit too: systemctl edit, ReadWritePaths=
"""
_PUSH: Final = """
# The usual variables of OpenTelemetry count too:

#OTEL_EXPORTER_OTLP_ENDPOINT=
#OTEL_EXPORTER_OTLP_HEADERS=
#OTEL_EXPORTER_OTLP_CERTIFICATE=
#OTEL_RESOURCE_ATTRIBUTES=
"""


def text(unit: str) -> str:
    """The whole file of one unit."""
    return _HEAD.format(unit=unit) + "".join(_lines(FILES[unit])) + (_PUSH if FILES[unit] == "run" else "")


def _lines(command: str) -> Iterator[str]:
    for title, members in groupby(options(command), key=attrgetter("group")):
        yield f"\n# --- {title} ---\n"
        for option in members:
            yield "\n"
            yield from (f"# {line}\n" for line in wrap(_explained(option), 116, break_on_hyphens=False))
            yield f"#{option.variable}=\n"


def _explained(option: Option) -> str:
    notes = [option.kind.shown]
    if option.repeatable:
        notes.append("repeatable")
    if option.default:
        notes.append(f"default: {option.default}")
    return f"{option.about} ({'; '.join(notes)})"


if __name__ == "__main__":
    for name in FILES:
        (HERE / f"{name}.default").write_text(text(name))
