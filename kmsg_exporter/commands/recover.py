"""`kmsg-exporter recover`: the records that a clear hides, as dmesg would have printed them."""

from __future__ import annotations

import argparse
import locale
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress

from kmsg_exporter.clock import boot_id
from kmsg_exporter.commands.asked import facilities, levels
from kmsg_exporter.commands.colours import number_of
from kmsg_exporter.commands.output import emit
from kmsg_exporter.commands.progress import Progress
from kmsg_exporter.config import Config
from kmsg_exporter.errors import ConfigError, KmsgExporterError, RingUnavailable
from kmsg_exporter.why import dmesg
from kmsg_exporter.why.dmesg import Form
from kmsg_exporter.why.kept import kept
from kmsg_exporter.why.kmsg import Record, Ring, read_ring
from kmsg_exporter.why.past import read_past

Wanted = Callable[[Record], bool]


def main(config: Config, args: argparse.Namespace) -> int:
    """Records on standard output, what is to be said about them on standard error."""
    wanted, form = _filter(args), _form(config, args)
    remarks: list[str] = []
    with Progress(sys.stderr) as progress:
        progress("reading the log")
        ring = _ring(config, remarks)
        progress("reading the agent's history")
        lost = _kept(config, ring, remarks)
    for remark in remarks:
        _say(remark)
    emit(_chunks(ring, lost, wanted, form))
    if ring is None:
        return 1
    _account(ring, lost, wanted)
    return 0


def _ring(config: Config, remarks: list[str]) -> Ring | None:
    try:
        return read_ring(config.path_dev / "kmsg")
    except RingUnavailable as exc:
        remarks.append(_impossible(exc))
        return None


def _filter(args: argparse.Namespace) -> Wanted:
    level, facility = levels(args.level), facilities(args.facility)
    return lambda record: (level is None or record.level in level) and (facility is None or record.facility in facility)


def _form(config: Config, args: argparse.Namespace) -> Form:
    """Raises ConfigError for what can't be had together."""
    for other in ("ctime", "decode"):
        if args.raw and getattr(args, other):
            raise ConfigError(f"flag --{other}: not with --raw: dmesg has no such form")
    # dmesg is plain on a terminal that it does not know, too
    coloured = args.color == "always" or (args.color == "auto" and (number_of(os.environ) or 0) > 1)
    with suppress(locale.Error):  # the names of days and months are the user's, as dmesg's are
        locale.setlocale(locale.LC_TIME, "")
    return Form(
        raw=args.raw,
        json=args.json,
        decode=args.decode,
        colour=coloured and not args.raw and not args.json,
        boot_unix_usec=dmesg.boot_unix_usec() if args.ctime else None,
        caller_columns=dmesg.caller_columns(config.path_procfs),
        printable=dmesg.printable_in(config.path_procfs),
    )


def _kept(config: Config, ring: Ring | None, remarks: list[str]) -> tuple[Record, ...]:
    """What the agent's history has of the records before the ring's oldest."""
    if ring is not None and not (ring.oldest and ring.records):
        return ()
    try:
        past = read_past(config.state_directory) or ()
        return kept(past, boot_id=boot_id(config.path_procfs), ring=ring)
    except (KmsgExporterError, OSError) as exc:
        remarks.append(str(exc))
        return ()


def _chunks(ring: Ring | None, lost: tuple[Record, ...], wanted: Wanted, form: Form) -> Iterator[bytes]:
    old = [record for record in lost if wanted(record)]
    hidden = [record for record in ring.hidden if wanted(record)] if ring is not None else []
    if form.json:  # a document has no room for a remark; standard error has it
        yield from dmesg.render([*old, *hidden], form)
        return
    if old:
        yield b"-- from the agent's history, no longer in the ring --\n"
        yield from dmesg.render(old, form)
        yield b"-- end of the agent's history --\n"
    yield from dmesg.render(hidden, form)


def _account(ring: Ring, lost: tuple[Record, ...], wanted: Wanted) -> None:
    if not ring.hidden:
        visible = len(ring.visible)
        _say("no record is hidden by a clear" + (f"; dmesg shows all {visible} that the ring has" if visible else ""))
    elif not any(map(wanted, ring.hidden)):
        _say(f"records that a clear hides: {len(ring.hidden)}, and none is of the level and facility asked for")
    if ring.oldest:
        kept = _but(len(lost), sum(map(wanted, lost)))
        _say(f"{ring.oldest} older records were overwritten since the boot: they are lost for good{kept}")
    if ring.torn:
        _say(f"{ring.torn} records were overwritten while this was read: the log is written faster than it is read")


def _but(lost: int, shown: int) -> str:
    which = "" if shown == lost else f", of which {shown} {'is' if shown == 1 else 'are'} shown"
    return f", but for {lost} in the agent's history{which}" if lost else ""


def _impossible(exc: RingUnavailable) -> str:
    return (
        f"the hidden records can't be read: {exc}. Only /dev/kmsg gives back what a clear hides: syslog(2) starts "
        "after the clear, or takes lines away from the system's logger. On the node's host, as root, it works"
    )


def _say(text: str) -> None:
    print(f"recover: {text}", file=sys.stderr)  # noqa: T201
