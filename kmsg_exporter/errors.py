"""The exception tree.

KmsgExporterError
├── ConfigError              a flag, variable or file value that is wrong (exit code 2)
├── AlreadyRunning           another agent holds this node
├── NotPermitted             what was asked for needs a privilege that this process lacks
├── NotHere                  this machine has no Linux kernel log, no procfs, or no log files where they should be
├── OutputError              what a command prints can't be written
├── TracefsError
│   ├── TracefsNotMounted
│   ├── FeatureUnavailable   this kernel has no such file, tracer or symbol
│   └── TracefsRejected      the kernel refused a command: path, command, its reason
├── DecodeError              bytes that are not what they should be
│   └── BodyTooLarge         a request that would take too much memory
├── RingUnavailable          the log's own state can't be read here
├── SpoolError
│   ├── SpoolTooNew          written by a newer program
│   └── SpoolInUse           another process writes to it
├── PushError                the collector could not be reached or refused; `reason`, `retry_after_seconds`
└── CollectorError
    └── StoreTooNew          written by a newer program
"""

from __future__ import annotations


class KmsgExporterError(Exception):
    """Anything this project raises on purpose. Its text says what, why and what to do."""


class ConfigError(KmsgExporterError):
    """A flag, variable or file value that is wrong: its name, the value, what is allowed."""


class AlreadyRunning(KmsgExporterError):
    """Another agent holds this node."""


class NotPermitted(KmsgExporterError):
    """What was asked for needs a privilege that this process lacks."""


class NotHere(KmsgExporterError):
    """This machine has no Linux kernel log, no procfs, or no log files where they should be."""


class OutputError(KmsgExporterError):
    """What a command prints can't be written."""


class TracefsError(KmsgExporterError):
    """Something about tracefs."""


class TracefsNotMounted(TracefsError):
    """No tracefs at the given path."""


class FeatureUnavailable(TracefsError):
    """This kernel has no such file, tracer or symbol."""


class TracefsRejected(TracefsError):
    """The kernel refused a command."""

    def __init__(self, message: str, *, errno: int) -> None:
        super().__init__(message)
        self.errno = errno


class DecodeError(KmsgExporterError):
    """Bytes that are not what they should be."""


class BodyTooLarge(DecodeError):
    """A request that would take too much memory: the same in parts is welcome."""


class RingUnavailable(KmsgExporterError):
    """The log's own state can't be read here."""


class SpoolError(KmsgExporterError):
    """The queue on disk."""


class SpoolTooNew(SpoolError):
    """The queue on disk was written by a newer program."""


class SpoolInUse(SpoolError):
    """The queue on disk has a writer already."""


class PushError(KmsgExporterError):
    """One attempt to deliver failed. `suspicious`: it may be for what is in it, so that a part of it may pass."""

    def __init__(
        self,
        message: str,
        *,
        reason: str,
        retriable: bool,
        retry_after_seconds: float | None = None,
        suspicious: bool = False,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.retriable = retriable
        self.retry_after_seconds = retry_after_seconds
        self.suspicious = suspicious


class CollectorError(KmsgExporterError):
    """The embedded collector."""


class StoreTooNew(CollectorError):
    """The collector's store was written by a newer program."""
