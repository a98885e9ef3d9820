"""The sentence a person reads: who emptied dmesg, where, and what is hidden now."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from kmsg_exporter.model import LEVELS, Actor, Emptying, Hidden

_CHAIN: Final = 4
_ERROR_LEVELS: Final = LEVELS[:4]


def sentence(emptying: Emptying, node: str) -> str:
    """E.g. `dmesg on node-7 was emptied by dmesg (/usr/bin/dmesg, pid 4242) run by cron; 2 records are hidden.`"""
    moment = ""
    if emptying.since_unix_ns is not None:
        moment = f" between {_utc(emptying.since_unix_ns)} and {_utc(emptying.time_unix_ns)}"
    text = f"dmesg on {node} was emptied by {who(emptying.actor)}{moment}; {_hidden(emptying.hidden)}."
    if emptying.coalesced > 1:
        text += f" This event stands for {emptying.coalesced} emptyings."
    return text


def who(actor: Actor | None) -> str:
    """E.g. `dmesg (/usr/bin/dmesg, pid 4242) run by cleanup.sh <- cron`."""
    if actor is None:
        return "an unknown process"
    exe = f"{actor.exe}, " if actor.exe else ""
    behind = _behind(actor)
    return f"{actor.comm} ({exe}pid {actor.pid})" + (f" run by {' <- '.join(behind)}" if behind else "")


def _behind(actor: Actor) -> list[str]:
    """The comms above the actor from its origin on, without repetitions and without init, which is above everyone."""
    comms = [process.comm or f"pid {process.pid}" for process in actor.ancestors if process.pid > 1]
    if actor.origin in comms:
        comms = comms[comms.index(actor.origin) :]
    elif actor.origin:
        comms = [actor.origin]
    chain = [comm for index, comm in enumerate(comms) if index == 0 or comms[index - 1] != comm]
    return chain if len(chain) <= _CHAIN else [*chain[:_CHAIN], "..."]


def _hidden(hidden: Hidden) -> str:
    if hidden.records is None:
        return "how many records are hidden is not known"
    errors = sum(hidden.by_level.get(level, 0) for level in _ERROR_LEVELS)
    if hidden.records == 0:
        return "no records are hidden"
    if hidden.records == 1:
        text, among = "1 record is hidden", "an error or worse" if errors else "not an error"
    else:
        text, among = f"{hidden.records} records are hidden", f"{errors or 'none'} of them {_errors(errors)}"
    return f"{text}, {among}" if hidden.by_level else text


def _errors(count: int) -> str:
    return "errors or worse" if count > 1 else "an error or worse"


def _utc(unix_ns: int) -> str:
    try:
        return datetime.fromtimestamp(unix_ns // 1_000_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return f"{unix_ns} ns"
