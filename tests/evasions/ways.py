"""The table of ways: how the log is cleared or read, and what each backend must make of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import programs
from programs import Prepare, busybox, by_child, by_descriptor, evade, with_another

# what is seen of one way
NAMED: Final = "named"  # counted under comm and exe, and with the chain above it
AS_RUN: Final = "as run"  # named, but for exe the path that execve was given
NO_EXE: Final = "exe unknown"  # counted under its comm
UNNAMED: Final = "counted"  # but nothing is known of who it was
WITNESSED: Final = "witnessed"  # the log's own state shows it: unattributed
UNSEEN: Final = "not seen"
# or the way is none
REFUSED: Final = "refused"  # the kernel does not do that
HARMLESS: Final = "hides nothing"  # and is not counted
ABSENT: Final = "n/a"  # there is no such thing there
UNTRIED: Final = "not tried"  # it was not run there

Kind = Literal["clear", "denied", "read", "write", "nothing"]
METRICS: Final[Mapping[Kind, str]] = {
    "clear": "kmsg_clears_total",
    "denied": "kmsg_clears_denied_total",
    "read": "kmsg_reads_total",
    "write": "kmsg_writes_total",
    "nothing": "kmsg_clears_total",
}


@dataclass(frozen=True)
class Column:
    """One kernel and backend that the table is about. `release` is as in "6.12", "" for this machine's own."""

    release: str
    backend: str
    machine: str = "x86_64"

    @property
    def name(self) -> str:
        return f"{self.release or 'native'}-{self.machine}-{self.backend}"

    @property
    def title(self) -> str:
        arm64 = " arm64" if self.machine == "aarch64" else ""
        return f"{self.release or 'native'}{arm64} `{self.backend}`"


COLUMNS: Final = (
    Column("5.10", "kprobe"),
    Column("6.1", "kprobe"),
    Column("6.12", "kprobe"),
    Column("6.1", "kprobe", "aarch64"),
    Column("6.1", "tracepoint"),
    Column("", "tracepoint"),
    Column("6.12", "function"),
)


@dataclass(frozen=True)
class Seen:
    """What each backend makes of it."""

    kprobe: str = NAMED
    tracepoint: str = NAMED
    function: str = NAMED

    def by(self, backend: str) -> str:
        return {"kprobe": self.kprobe, "tracepoint": self.tracepoint, "function": self.function}[backend]


def by_all(what: str) -> Seen:
    return Seen(what, what, what)


@dataclass(frozen=True)
class Way:
    """One way, and what each backend must make of it.

    While it happens the agent is stopped: whoever does it is gone when it has to be named, unless it `stays`.
    One that is `early` runs since before the agent. With `watched` the agent runs all the while.
    """

    key: str
    title: str
    prepare: Prepare
    seen: Seen = Seen()
    kind: Kind = "clear"
    interface: str = "dev_kmsg"
    lines: int = 1
    padding: int = 1
    stays: bool = False
    early: bool = False
    watched: bool = False
    machine: str = ""
    guest: bool = False

    def exists(self, column: Column) -> bool:
        return self.machine in ("", column.machine)

    def is_tried(self, column: Column) -> bool:
        in_guest = column.release != "" and column.machine == "x86_64"
        return self.exists(column) and (not self.guest or in_guest)

    def expected(self, column: Column) -> str:
        if self.is_tried(column):
            return self.seen.by(column.backend)
        return UNTRIED if self.exists(column) else ABSENT


def _read(
    key: str,
    title: str,
    prepare: Prepare,
    seen: str = NAMED,
    *,
    interface: str = "dev_kmsg",
    stays: bool = False,
    early: bool = False,
) -> Way:
    """Reads of the files are for kprobes alone; what the kernel refuses it refuses everybody."""
    others = REFUSED if seen == REFUSED else UNSEEN
    return Way(key, title, prepare, Seen(seen, others, others), "read", interface=interface, stays=stays, early=early)


_WHOLE: Final = str(1 << 20)

WAYS: Final = (
    # the call
    Way("clear", "`CLEAR`", evade("clear")),
    Way("int80", "`int $0x80` of a 64-bit program", evade("int80"), Seen(tracepoint=WITNESSED), machine="x86_64"),
    Way("bits32", "a 32-bit program", programs.program_32_bit, Seen(tracepoint=WITNESSED)),
    Way("good", "`READ_CLEAR`", evade("read-clear", _WHOLE)),
    Way("empty", "`READ_CLEAR`, buffer of no length", evade("read-clear", "0"), by_all(HARMLESS), "nothing"),
    Way("small", "`READ_CLEAR`, buffer too small for a record", evade("read-clear", "4")),
    Way("fault", "`READ_CLEAR`, buffer that faults", evade("fault", "0", _WHOLE), by_all(HARMLESS), "nothing"),
    Way("short-fault", "`READ_CLEAR`, short buffer that faults", evade("fault", "0", "300"), padding=40),
    Way("part-fault", "`READ_CLEAR`, buffer that faults part of the way", evade("fault", "600", _WHOLE), padding=40),
    Way("killed", "`READ_CLEAR`, killed half way", by_child("killed"), padding=60),
    Way(
        "held",
        "`READ_CLEAR`, held half way for two seconds",
        evade("held", "2000"),
        Seen(function=WITNESSED),
        padding=60,
        stays=True,
        watched=True,
    ),
    # the process
    Way("thread", "a thread with a name of its own", evade("thread", "not the leader")),
    Way("fork", "a fork that runs nothing", by_child("fork")),
    Way("vfork", "a vfork that runs nothing", by_child("vfork")),
    Way("orphan", "an orphan", by_child("orphan")),
    Way("reused", "a pid used again at once", programs.reused, lines=2, stays=True),
    Way("later", "one that then runs another program", with_another("later"), lines=2, stays=True),
    Way("storm", "one of 1,000 forks", by_child("storm", "1000")),
    Way("before", "started before the agent", evade("told", "clear"), stays=True, early=True),
    Way(
        "before-gone",
        "started before the agent, gone at once",
        evade("told", "clear"),
        Seen(NO_EXE, UNNAMED, UNNAMED),
        early=True,
    ),
    # the name
    Way("name-odd", "a name of quotes, newlines and bytes", programs.called(b"\" ]}{\\\n\x1b[1m\xff'=")),
    Way("name-empty", "a name that is empty", programs.called(b"")),
    # the executable
    Way("deleted", "deleted while it runs", evade("deleted")),
    Way("deleted-stays", "deleted while it runs, still there", evade("deleted"), stays=True),
    Way("unlinked", "deleted before it runs", by_descriptor("descriptor"), by_all(AS_RUN)),
    Way("unlinked-stays", "deleted before it runs, still there", by_descriptor("descriptor"), stays=True),
    Way("memfd", "memfd and fexecve", programs.by_memfd, by_all(AS_RUN)),
    Way("memfd-stays", "memfd and fexecve, still there", programs.by_memfd, stays=True),
    Way("script", "a script by its `#!`", programs.script),
    Way("written", "a script that is another's at once", programs.script_written_anew, by_all(AS_RUN)),
    Way("applet", "busybox by a symlink", busybox("dmesg", "-c")),
    Way("applet-word", "busybox by its own name", busybox("busybox", "dmesg", "-c")),
    Way("applet-self", "busybox by its shell", busybox("busybox", "sh", "-c", "dmesg -c; :")),
    Way("symlink", "a symlink", programs.symlink),
    Way("turned", "a symlink that is turned elsewhere at once", programs.symlink_turned, by_all(AS_RUN)),
    Way("self", "`/proc/self/exe`", evade("self")),
    Way("relative", "a relative path", programs.relative, by_all(AS_RUN)),
    Way("relative-stays", "a relative path, still there", programs.relative, stays=True),
    Way("moved", "a relative path after chdir", programs.moved, by_all(AS_RUN), lines=2, stays=True),
    Way("chroot", "a path that is another's outside its root", programs.in_chroot, by_all(AS_RUN)),
    Way("not-utf8", "a path that is not UTF-8", programs.not_utf8),
    Way("longest", "a path of 4 KiB", programs.longest_path, by_all(NO_EXE)),
    Way("longest-stays", "a path of 4 KiB, still there", programs.longest_path, stays=True),
    Way("too-deep", "a directory without a path, still there", programs.too_deep, by_all(AS_RUN), stays=True),
    # the namespace
    Way("pidns", "another pid namespace", by_child("pidns")),
    Way("mntns", "another mount namespace", programs.in_mount_namespace),
    Way("userns", "another user namespace", evade("userns"), Seen(function=UNSEEN), "denied"),
    Way("runc", "a container", programs.in_container, guest=True),
    # reads
    _read("read", "`read` of `/dev/kmsg`", evade("read", "/dev/kmsg")),
    _read("read-early", "opened before the agent", evade("told", "/dev/kmsg"), stays=True, early=True),
    _read("read-early-gone", "opened before the agent, gone at once", evade("told", "/dev/kmsg"), NO_EXE, early=True),
    _read("passed", "`/proc/kmsg` opened by another", programs.passed_on("/proc/kmsg"), interface="proc_kmsg"),
    _read("preadv", "`preadv` of `/dev/kmsg`", evade("preadv", "/dev/kmsg")),
    _read("preadv-proc", "`preadv` of `/proc/kmsg`", evade("preadv", "/proc/kmsg"), interface="proc_kmsg"),
    _read("splice", "`splice` from `/dev/kmsg`", evade("splice", "/dev/kmsg"), REFUSED),
    _read("splice-proc", "`splice` from `/proc/kmsg`", evade("splice", "/proc/kmsg"), REFUSED),
    _read("sendfile", "`sendfile` from `/dev/kmsg`", evade("sendfile", "/dev/kmsg"), REFUSED),
    _read("sendfile-proc", "`sendfile` from `/proc/kmsg`", evade("sendfile", "/proc/kmsg"), REFUSED),
    _read("io_uring", "io_uring, from `/dev/kmsg`", programs.by_worker),
    # and without a clear
    Way("push-out", "pushed out by writes", evade("push-out"), Seen(NAMED, WITNESSED, WITNESSED), "write"),
)
