"""Prints the completion of kmsg-exporter for bash, zsh or fish: its commands, flags and their values."""

from __future__ import annotations

import argparse
import sys
from typing import Any, Final

import shtab

from kmsg_exporter.cli import parser
from kmsg_exporter.config import OPTIONS, Parser

SHELLS: Final = ("bash", "zsh", "fish")
_FILES: Final[dict[str, Any]] = {"PATH": shtab.FILE, "FILE": shtab.FILE}


def described() -> Parser:
    """The command line, with what its values may be said in argparse's own way."""
    top = parser()
    commands = next(action for action in top._actions if isinstance(action, argparse._SubParsersAction))
    commands.help = None  # --help lists them itself: shtab leaves out what is not to be seen
    kinds = {option.flag: option.kind.shown for option in OPTIONS}
    for command in top.commands.values():
        for action in command._actions:
            shown = kinds.get(action.option_strings[0]) if action.option_strings else None
            if action.nargs != 0 and shown is not None and "|" in shown and shown.islower():
                action.choices = shown.split("|")
            if (files := _FILES.get(str(action.metavar))) is not None:
                action.complete = files  # type: ignore[attr-defined]  # shtab's own addition
            action.help = (action.help or "").split(". ")[0]
    return top


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("shell", choices=SHELLS)
    sys.stdout.write(shtab.complete(described(), asked.parse_args().shell))


if __name__ == "__main__":
    main()
