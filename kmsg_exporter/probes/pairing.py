"""Entry and return of one call, brought together by thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from kmsg_exporter.model import CLEARS, Access, Interface, Operation

_MAX_PENDING = 4096
# By then the return of a clear is lost, or it is held: a read_clear sleeps while its buffer is paged in, and whoever
# gives the pages (userfaultfd, FUSE) can take as long as he likes.
_CLEAR_TAKES_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Step:
    """One trace record: the entry of a call, its return, or a record that tells the whole call.

    `call` keeps entries and returns of different functions apart; the fields that a phase does not know are unset.
    """

    time_ns: int
    tid: int
    phase: Literal["enter", "exit", "whole"]
    call: str
    interface: Interface
    operation: Operation
    action: str
    comm: bytes | None = None
    result: int | None = None
    length: int | None = None

    def access(self, result: int | None) -> Access:
        return Access(
            self.time_ns, self.tid, self.comm, self.interface, self.operation, self.action, result, self.length
        )


class Pairing:
    """Calls that have begun and not yet returned.

    `halves` counts records whose other half never came: those of a call whose return did not, once it can't any more.
    `alone` are those of them that told of nothing, to be taken.
    """

    def __init__(self) -> None:
        self._pending: dict[tuple[int, str], Step] = {}
        self.halves = 0
        self.alone: list[Step] = []
        self._overdue: dict[tuple[int, str], Step] = {}
        self._ended: dict[tuple[int, str], int] = {}

    def feed(self, steps: Iterable[Step]) -> list[Access]:
        """The calls that `steps`, in order of time, finish. A return without an entry is given up: it was lost."""
        done = []
        for step in steps:
            key = (step.tid, step.call)
            if step.phase == "whole":
                done.append(step.access(step.result))
            elif step.phase == "enter":
                self._begin(key, step)
            elif (begun := self._pending.pop(key, None) or self._overdue.pop(key, None)) is not None:
                done.append(begun.access(step.result))
            else:
                self._give_up(step)
        return done

    def clear_pending(self) -> bool:
        """Whether a clear has begun and not yet returned."""
        return any(step.action in CLEARS for step in self._pending.values())

    def overdue_clears(self, now_ns: int) -> list[Access]:
        """Clears whose return does not come, without a result. If it comes after all, the call is told again."""
        late = [
            key
            for key, step in self._pending.items()
            if step.action in CLEARS and now_ns - step.time_ns > _CLEAR_TAKES_NS
        ]
        for key in late:
            if len(self._overdue) >= _MAX_PENDING:
                self._has_no_return(next(iter(self._overdue)))
            self._overdue[key] = self._pending.pop(key)
        return [self._overdue[key].access(None) for key in late]

    def settled(self, call: Access) -> None:
        """An overdue clear is known to have had success: its return, if it comes, tells nothing new."""
        for key in [key for key, step in self._overdue.items() if step.access(None) == call]:
            self._has_no_return(key)

    def count_ended(self, lives: Callable[[int], bool], *, boot_ns: Callable[[], int], complete_ns: int) -> None:
        """Give up calls of threads that had ended by `complete_ns`, until when nothing is unread: they do not return.

        A clear is first to be told as overdue.
        """
        waiting = [*self._overdue, *(key for key, step in self._pending.items() if step.action not in CLEARS)]
        ended = [key for key in waiting if not lives(key[0])]
        now_ns = boot_ns()
        self._ended = {key: self._ended.get(key, now_ns) for key in ended}
        for key in [key for key, since_ns in self._ended.items() if since_ns <= complete_ns]:
            del self._ended[key]
            self._has_no_return(key)
            if (begun := self._pending.pop(key, None)) is not None:
                self._give_up(begun)

    def _has_no_return(self, key: tuple[int, str]) -> None:
        """The return of this one, if it was overdue, was lost."""
        if self._overdue.pop(key, None) is not None:
            self.halves += 1

    def _begin(self, key: tuple[int, str], step: Step) -> None:
        self._has_no_return(key)
        if (begun := self._pending.pop(key, None)) is not None:  # that one's return was lost
            self._give_up(begun)
        if len(self._pending) >= _MAX_PENDING:
            self._give_up(self._pending.pop(next(iter(self._pending))))
        self._pending[key] = step

    def _give_up(self, step: Step) -> None:
        self.halves += 1
        self.alone.append(step)
