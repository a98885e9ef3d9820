"""What processes did, as a kernel records it for the flight recorder."""

from __future__ import annotations

from fake_tracefs import FakeTracefs

from kmsg_exporter.process.recorder import CGROUP, CONSOLE, EXEC, FORK, RENAME, FlightRecorder

CLONE_PARENT = 0x8000
CLONE_THREAD = 0x10000


class Past:
    """Each method records one event; times are in ns since boot."""

    def __init__(self, fake: FakeTracefs, recorder: FlightRecorder) -> None:
        self.fake = fake
        self.recorder = recorder

    def fork(
        self,
        time_ns: int,
        parent: int,
        child: int,
        comm: bytes = b"bash",
        *,
        thread: bool = False,
        sibling: bool = False,
        cpu: int = 0,
    ) -> None:
        flags = CLONE_THREAD * thread | CLONE_PARENT * sibling
        values: dict[str, int | bytes] = {"pid": child, "comm": comm, "clone_flags": flags}
        self.fake.emit(FORK, values, tid=parent, time_ns=time_ns, cpu=cpu)

    def exec(self, time_ns: int, pid: int, filename: bytes, *, cpu: int = 0) -> None:
        """execve, and the new name that comes with it."""
        name = filename.rpartition(b"/")[2][:15]
        self.rename(time_ns, pid, name, cpu=cpu)
        values: dict[str, int | bytes] = {"pid": pid, "old_pid": pid, "filename": filename}
        self.fake.emit(EXEC, values, tid=pid, time_ns=time_ns, cpu=cpu)

    def rename(self, time_ns: int, pid: int, comm: bytes, *, cpu: int = 0) -> None:
        self.fake.emit(RENAME, {"pid": pid, "newcomm": comm}, tid=pid, time_ns=time_ns, cpu=cpu)

    def move(self, time_ns: int, pid: int, cgroup: bytes, *, by: int = 1, cpu: int = 0) -> None:
        self.fake.emit(CGROUP, {"pid": pid, "dst_path": cgroup, "comm": b"x"}, tid=by, time_ns=time_ns, cpu=cpu)

    def printed(self, time_ns: int, line: bytes, *, cpu: int = 0) -> None:
        self.fake.emit(CONSOLE, {"msg": line}, time_ns=time_ns, cpu=cpu)
