"""One trace record made into a step of a call, by the fields that the event's format names."""

from __future__ import annotations

from collections.abc import Callable

from kmsg_exporter.errors import DecodeError
from kmsg_exporter.model import SYSLOG_ACTIONS, Interface, Operation
from kmsg_exporter.probes.pairing import Step
from kmsg_exporter.tracefs.format import EventFormat

Decoder = Callable[[int, bytes], Step | None]
Binder = Callable[[EventFormat], Decoder]


def action_name(number: int) -> str:
    """The name of a syslog(2) action; the argument is an int, whatever the register holds above it."""
    return SYSLOG_ACTIONS.get(number & 0xFFFFFFFF, "unknown")


def syslog_enter(call: str, *, action: str, length: str) -> Binder:
    """The entry of syslog(2); `action` and `length` are the names of the fields that hold its arguments."""

    def bind(layout: EventFormat) -> Decoder:
        tid, number, size, comm = layout["common_pid"], layout[action], layout[length], layout.fields.get("comm")
        return lambda time_ns, record: Step(
            time_ns,
            tid.integer(record),
            "enter",
            call,
            "syslog",
            "call",
            action_name(number.integer(record)),
            comm=None if comm is None else comm.text(record),
            length=_int32(size.integer(record)),
        )

    return bind


def raw_syslog_enter(call: str) -> Binder:
    """The entry of syslog(2) as raw_syscalls shows it: all arguments in one array of longs."""

    def bind(layout: EventFormat) -> Decoder:
        tid, args = layout["common_pid"], layout["args"]

        def decode(time_ns: int, record: bytes) -> Step:
            values = record[args.offset : args.offset + 24]
            if len(values) < 24:
                raise DecodeError(f"a record of {len(record)} bytes has no three arguments at byte {args.offset}")
            action, length = int.from_bytes(values[:4], "little"), int.from_bytes(values[16:20], "little")
            return Step(
                time_ns,
                tid.integer(record),
                "enter",
                call,
                "syslog",
                "call",
                action_name(action),
                length=_int32(length),
            )

        return decode

    return bind


def enter(call: str, interface: Interface, operation: Operation) -> Binder:
    """The entry of a call that has no arguments worth keeping."""

    def bind(layout: EventFormat) -> Decoder:
        tid, comm = layout["common_pid"], layout["comm"]
        return lambda time_ns, record: Step(
            time_ns, tid.integer(record), "enter", call, interface, operation, operation, comm=comm.text(record)
        )

    return bind


def leave(call: str, interface: Interface, operation: Operation) -> Binder:
    """The return of a call whose entry is recorded too."""

    def bind(layout: EventFormat) -> Decoder:
        tid, ret = layout["common_pid"], layout["ret"]
        return lambda time_ns, record: Step(
            time_ns, tid.integer(record), "exit", call, interface, operation, operation, result=ret.integer(record)
        )

    return bind


def whole(interface: Interface, operation: Operation) -> Binder:
    """A record that tells a call by itself, with its result where the event has one."""

    def bind(layout: EventFormat) -> Decoder:
        tid, comm, ret = layout["common_pid"], layout.fields.get("comm"), layout.fields.get("ret")
        return lambda time_ns, record: Step(
            time_ns,
            tid.integer(record),
            "whole",
            "",
            interface,
            operation,
            operation,
            comm=None if comm is None else comm.text(record),
            result=None if ret is None else ret.integer(record),
        )

    return bind


def _int32(value: int) -> int:
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value
