"""What each backend can and can't count: one table for doctor, the pages and the README."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of thing, and for each backend "yes", "no" or the condition."""

    what: str
    kprobe: str
    tracepoint: str
    function: str
    state: str

    def by(self, backend: str) -> str:
        return {"kprobe": self.kprobe, "tracepoint": self.tracepoint, "function": self.function}.get(
            backend, self.state
        )


COVERAGE: Final = (
    Row("that the log was emptied, and when", "yes", "yes", "yes", "yes"),
    Row("who cleared it: comm, exe, chain", "yes", "yes", "yes, unless two call at once or one is held", "no"),
    Row("clear and read_clear told apart", "yes", "yes", "no", "no"),
    Row("clears that were refused", "yes", "yes", "no", "no"),
    Row("clears by 32-bit programs", "yes", "with --trace.compat-syscalls on x86-64", "yes", "no"),
    Row("reads by syslog(2)", "yes", "yes", "no", "no"),
    Row("reads of /dev/kmsg and /proc/kmsg", "yes", "no", "no", "no"),
    Row("opens of /dev/kmsg and /proc/kmsg", "yes", "no", "no", "no"),
    Row("writes to /dev/kmsg", "yes", "no", "no", "no"),
    Row("console level changes", "yes", "yes", "no", "no"),
    Row("who holds the log open now", "yes", "yes", "yes", "yes"),
)


def unseen(backend: str, *, compat: bool = False) -> tuple[str, ...]:
    """What this backend does not see, a phrase each."""
    answers = ((row.what, row.by(backend)) for row in COVERAGE)
    return tuple(
        what if answer == "no" else f"{what} ({answer})"
        for what, answer in answers
        if answer != "yes" and not (compat and answer.startswith("with --trace.compat-syscalls"))
    )
