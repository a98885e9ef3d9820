"""Commands and exit codes: 0 done, 1 it could not be, 2 a wrong flag, variable or file value, 130 interrupted."""

from __future__ import annotations

import logging
import os
import signal
import sys
from argparse import SUPPRESS, RawDescriptionHelpFormatter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from textwrap import fill
from types import FrameType
from typing import TYPE_CHECKING

from kmsg_exporter import __version__
from kmsg_exporter.commands.asked import add_own_flags, shown_examples
from kmsg_exporter.commands.output import emit
from kmsg_exporter.commands.progress import Progress
from kmsg_exporter.config import Config, Parser, add_flags, load
from kmsg_exporter.errors import ConfigError, KmsgExporterError
from kmsg_exporter.logfmt import configure

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

_log = logging.getLogger("kmsg_exporter")

_DESCRIPTION = "Who clears and who reads this node's kernel log: counted for Prometheus, pushed\nto a collector."
# how long a scrape waits for Python while the agent names somebody; the default is 5 ms, many times over in one answer
_SWITCH_SECONDS = 0.0005
_ANYWHERE = ("collector", "history")  # they look at files only
_COMMANDS = {
    "run": "the agent: watch, serve /metrics, tell when dmesg goes empty",
    "collector": "the embedded collector: receive events over OTLP/HTTP and show them",
    "doctor": "what this node lets the agent see, and what to do about the rest",
    "why": "why dmesg or a log file lacks lines: who emptied it, where they go",
    "recover": "print what a clear of the log hides, as dmesg would print it",
    "history": "who emptied this node's log, from the agent's own records on disk",
    "watch": "who clears and reads the log now, live; lines in a pipe or with --once",
    "cleanup": "remove what a killed agent left in tracefs",
}
_SERVICES = {"run", "collector"}
_CARE = {"doctor", "cleanup"}
EXAMPLES = (
    ("sudo kmsg-exporter why", "dmesg shows nothing: what happened?"),
    ("sudo kmsg-exporter recover -T", "and what did it say?"),
    ("sudo kmsg-exporter run --collector.embedded", "who does it next?"),
)


class _Parser(Parser):
    """Prints --help and --version as the commands print: argparse itself is silent when that fails."""

    def _print_message(self, message: str, file: SupportsWrite[str] | None = None) -> None:
        if file is sys.stdout:
            emit([message])
        else:
            super()._print_message(message, file)


def parser() -> Parser:
    """The whole command line."""
    top = _Parser(
        prog="kmsg-exporter",
        description=f"{_DESCRIPTION}\n\n{_listed()}",
        usage="%(prog)s COMMAND [FLAGS]",
        epilog=f"{shown_examples(EXAMPLES)}\n\nkmsg-exporter COMMAND --help has the flags of a command, and examples.",
        formatter_class=RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"kmsg-exporter {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True, prog="kmsg-exporter", help=SUPPRESS)
    for name, about in _COMMANDS.items():
        command = commands.add_parser(name, help=about, description=f"{about[0].upper()}{about[1:]}.")
        add_own_flags(command, name)
        add_flags(command, name)
    return top


def _listed() -> str:
    """The commands by whom they are for: argparse knows no groups of them."""
    groups = {
        "for a person at a node": [name for name in _COMMANDS if name not in _SERVICES | _CARE],
        "to let run": [name for name in _COMMANDS if name in _SERVICES],
        "to set up and to clean up": [name for name in _COMMANDS if name in _CARE],
    }
    width = max(map(len, _COMMANDS))
    return "\n\n".join(
        "\n".join((f"{title}:", *(_line(name, width) for name in names))) for title, names in groups.items()
    )


def _line(name: str, width: int) -> str:
    indent = " " * (2 + width + 2)
    return fill(f"  {name:{width}}  {_COMMANDS[name]}", 80, subsequent_indent=indent, break_on_hyphens=False)


def main(argv: Sequence[str] | None = None, environ: Mapping[str, str] = os.environ) -> int:
    """Run one command; the exit code."""
    try:
        args = parser().parse_args(argv)
        config = load(args, environ)
        configure(config.log_level, config.log_format, sys.stderr, environ=environ)
        if args.command not in _ANYWHERE:
            from kmsg_exporter.commands.here import require_node

            require_node(config)
        if args.command == "run":
            return _run(config, environ, lambda: load(args, environ))
        if args.command == "collector" and args.backup is not None:
            return _back_up(config, args.backup)
        if args.command == "collector":
            return _collect(config, environ)
        if args.command == "doctor":
            from kmsg_exporter.commands.doctor import main as doctor

            return doctor(config, environ, as_json=args.json)
        if args.command in ("why", "recover", "history", "watch"):
            from importlib import import_module

            return int(import_module(f"kmsg_exporter.commands.{args.command}").main(config, args))
        from kmsg_exporter.commands.cleanup import main as cleanup

        return cleanup(config)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except ConfigError as exc:
        print(f"kmsg-exporter: {exc}", file=sys.stderr)  # noqa: T201
        return 2
    except KmsgExporterError as exc:
        print(f"kmsg-exporter: {exc}", file=sys.stderr)  # noqa: T201
        return 1


def _run(config: Config, environ: Mapping[str, str], read_config: Callable[[], Config]) -> int:
    from kmsg_exporter import heap
    from kmsg_exporter.agent.agent import Agent

    heap.share()
    sys.setswitchinterval(_SWITCH_SECONDS)
    agent = Agent(config, environ, read_config=read_config)
    on_terminal, detached = has_terminal(), signal.getsignal(signal.SIGHUP) == signal.SIG_IGN

    def stop(_number: int, _frame: FrameType | None) -> None:
        agent.stop()

    def hang_up(_number: int, _frame: FrameType | None) -> None:
        """Its terminal was closed (nohup asks to live on then), or somebody wants it to read its configuration."""
        if not on_terminal or has_terminal():
            agent.reload()
        elif not detached:
            agent.stop()

    signal.signal(signal.SIGHUP, hang_up)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    with ExitStack() as stack:
        with Progress(sys.stderr) as progress:
            progress("starting the agent")
            stack.enter_context(agent)
        for line in agent.summary():
            _log.info("%s", line)
        agent.run()
    goes_on = "tracefs goes on recording for the next start; kmsg-exporter cleanup ends that"
    _log.info("stopped; %s", goes_on if agent.leaves_recording else "nothing is left in tracefs")
    return 0


def has_terminal(tty: str = "/dev/tty") -> bool:
    """This process has a controlling terminal: the kernel takes it away before it sends SIGHUP for its end."""
    try:
        os.close(os.open(tty, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def _collect(config: Config, environ: Mapping[str, str]) -> int:
    from kmsg_exporter.agent.agent import collector_server
    from kmsg_exporter.agent.notify import Notifier

    server = collector_server(config, environ)  # says so where what it needs is not installed
    from kmsg_exporter.collector.server import serve_until_signal

    notifier = Notifier(environ)

    starting = ExitStack()

    def started() -> None:
        starting.close()
        _log.info("collector  %s", server.url)
        notifier.ready(f"collector {server.url}")

    with starting:
        starting.enter_context(Progress(sys.stderr))("opening the collector's store")
        serve_until_signal(server, on_started=started)
    notifier.stopping()
    return 0


def _back_up(config: Config, target: str) -> int:
    from kmsg_exporter.collector.backup import back_up
    from kmsg_exporter.collector.schema import STORE_NAME

    back_up(config.collector_directory / STORE_NAME, Path(target), terminal=sys.stderr)
    return 0
