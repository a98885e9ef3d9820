"""The table as argparse flags, and a parser whose errors are ConfigError."""

from __future__ import annotations

import argparse
from itertools import groupby
from operator import attrgetter
from typing import Any, NoReturn

from kmsg_exporter.config.options import OPTIONS, Option, options
from kmsg_exporter.config.values import BOOLEAN
from kmsg_exporter.config.wording import near, one_line
from kmsg_exporter.errors import ConfigError

_EPILOG = (
    "Each option can also be set by a variable (--web.max-requests as KMSG_EXPORTER_WEB_MAX_REQUESTS; of an option "
    "that may be given many times, one value a line) or in the YAML file of --config.file (web.max-requests: 40). "
    "A flag wins over a variable, a variable over the file."
)


class Parser(argparse.ArgumentParser):
    """Raises ConfigError, one line, where argparse would print its usage and exit. No abbreviated flags."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **kwargs})

    def error(self, message: str) -> NoReturn:
        raise ConfigError(one_line(_sentence(message)))


def add_flags(parser: argparse.ArgumentParser, command: str) -> None:
    """Give the parser the command's flags, in groups. The parsed text is left for `load` to read."""
    parser.usage = parser.usage or "%(prog)s [FLAGS]"
    parser.epilog = parser.epilog or _EPILOG
    for title, members in groupby(options(command), key=attrgetter("group")):
        group = parser.add_argument_group(title)
        for option in members:
            group.add_argument(option.flag, dest=option.field, default=argparse.SUPPRESS, **_settings(option))


def _settings(option: Option) -> dict[str, Any]:
    notes = "; ".join(
        note for note in (option.repeatable and "repeatable", option.default and f"default: {option.default}") if note
    )
    text = f"{option.about} ({notes})" if notes else option.about
    settings: dict[str, Any] = {"help": text.replace("%", "%%")}
    if option.kind is BOOLEAN:
        return settings | {"action": argparse.BooleanOptionalAction}
    return settings | {"metavar": option.kind.shown, "action": "append" if option.repeatable else "store"}


def _sentence(message: str) -> str:
    """argparse's words, as the other errors are worded: where, the value, what is allowed."""
    unknown = message.removeprefix("unrecognized arguments: ")
    if unknown != message:
        flag = unknown.split(" ")[0].split("=")[0]
        if not flag.startswith("-"):
            return f"{unknown!r} is one argument too many: see --help"
        if any(flag in (option.flag, f"--no-{option.name}") for option in OPTIONS):
            return f"flag {flag}: this command does not take it: see --help"
        return f"unknown flag {flag}" + (near(flag, [option.flag for option in OPTIONS]) or ": see --help")
    where, colon, reason = message.removeprefix("argument ").partition(": ")
    if not colon or where == message.partition(": ")[0]:
        return message
    option = next((option for option in OPTIONS if option.flag == where.split("/")[0]), None)
    if option is not None and option.kind is BOOLEAN:
        value = reason.removeprefix("ignored explicit argument ")
        return f"flag {option.flag}: {value} is too much: it takes no value, or is written --no-{option.name}"
    if option is not None:
        return f"flag {option.flag}: {reason}: {option.kind.shown}"
    return f"flag {where}: {reason}" if where.startswith("-") else f"{where}: {reason}"
