"""What the collector keeps: one event as it arrived, with the columns it is found by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

# An attribute's value: str, bool, int, float, None, a list of these or a dict of them.
# Any, because nothing in it may be trusted to be of the type its name suggests.
Attributes = Mapping[str, Any]

EARLIEST_BELIEVED_NS: Final = 1_577_836_800_000_000_000  # 2020-01-01, before this program existed
CLOCK_TOLERANCE_NS: Final = 60_000_000_000
# of a column, in characters: the document has the whole
MAX_NAME: Final = 256
MAX_PATH: Final = 4096


@dataclass(frozen=True, slots=True)
class Sender:
    """Which agent sent it, as its resource says, and the event's number in that agent's own count; "" when not said.

    One `instance` counts on from boot to boot; `sequence` None when it gave no number.
    """

    instance: str = ""
    boot_id: str = ""
    sequence: int | None = None
    cluster: str = ""
    host_id: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Extent:
    """How much it was: emptyings it stands for, records they hid (None: not known), errors or worse among these."""

    emptyings: int = 1
    hidden: int | None = None
    severe: int = 0
    expected: bool = False


@dataclass(frozen=True, slots=True)
class Hello:
    """An agent lives; `sender.sequence` is the last number that it gave to an event, 0 before the first."""

    sender: Sender
    node: str


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One `kmsg.emptied` record. `time_unix_ns` is None when the sender gave no time.

    `document` is the whole record as JSON text: `event_name`, `body`, `severity_number`, `resource` and
    `attributes`, the last two as plain objects. Every string in it is valid UTF-8 and hostile. `digest` is the same for
    the same content; one that is empty is taken from the document.
    """

    uid: str
    time_unix_ns: int | None
    node: str
    comm: str
    exe: str
    origin: str
    document: str
    sender: Sender = field(default_factory=Sender)
    extent: Extent = field(default_factory=Extent)
    digest: bytes = field(default=b"", repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class ReceivedEvent:
    """A stored event and when it arrived; `cursor` is its place in the list, newest first.

    `variant` 0 is the first event of its uid; others came later under the same uid, with other content.
    """

    event: StoredEvent
    received_unix_ns: int
    cursor: str
    variant: int = 0


def clipped(name: str) -> str:
    """A name as columns have it: a node may send any, and each is written to more than one index."""
    return name[:MAX_NAME]


def believed_unix_ns(time_unix_ns: int | None, received_unix_ns: int) -> int:
    """When an event is taken to have happened: when its node says, unless that clock can't be right."""
    if time_unix_ns is None or time_unix_ns < EARLIEST_BELIEVED_NS:
        return received_unix_ns
    return received_unix_ns if time_unix_ns > received_unix_ns + CLOCK_TOLERANCE_NS else time_unix_ns
