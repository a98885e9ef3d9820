"""The backends on one kernel: what each tells of the same calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from attaching import Attach
from fake_tracefs import ARM64_SYMBOLS, OLD_SYMBOLS, RESTRICTED, WITHOUT_HIST, FakeTracefs, Kernel

from kmsg_exporter.model import Access, ProbeState
from kmsg_exporter.probes import pairing
from kmsg_exporter.probes.backend import Backend

MakeFake = Callable[[Kernel], FakeTracefs]
KERNELS = {
    "x86": Kernel(),
    "old": Kernel(symbols=OLD_SYMBOLS),
    "arm64": Kernel(machine="aarch64", symbols=ARM64_SYMBOLS),
}


def told(backend: Backend, *, bulk: bool = True) -> list[Access]:
    """What the backend tells, without the time."""
    return [replace(access, time_ns=0) for access in backend.drain(bulk=bulk)]


def syslog(action: str, result: int | None, *, length: int | None = 0, comm: bytes | None = b"dmesg") -> Access:
    return Access(0, 4242, comm, "syslog", "call", action, result, length)


@pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)
def test_kprobes_tell_action_result_length_and_comm(make_fake: MakeFake, attach: Attach, kernel: Kernel) -> None:
    fake = make_fake(kernel)
    backend = attach(fake, "kprobe").backend
    fake.syslog(5, tid=4242, comm=b"dmesg")
    fake.syslog(4, tid=4242, comm=b"dmesg", length=65536, ret=812)
    fake.syslog(5, tid=4242, comm=b"dmesg", ret=-1)
    fake.syslog(99, tid=4242, comm=b'x ]\n"\xff', length=-1 & 0xFFFFFFFF, ret=-22)
    assert told(backend) == [
        syslog("clear", 0),
        syslog("read_clear", 812, length=65536),
        syslog("clear", -1),
        syslog("unknown", -22, length=-1, comm=b'x ]\n"\xff'),
    ]


def test_kprobes_see_a_clear_by_the_32_bit_abi(fake: FakeTracefs, attach: Attach) -> None:
    backend = attach(fake, "kprobe").backend
    fake.syslog(5, tid=4242, comm=b"dmesg", compat=True)
    assert told(backend) == [syslog("clear", 0)]


def test_tracepoints_tell_all_but_the_comm(make_fake: MakeFake, attach: Attach) -> None:
    fake = make_fake(RESTRICTED)
    backend = attach(fake).backend
    fake.syslog(4, tid=4242, comm=b"dmesg", length=4096, ret=80)
    fake.syslog(5, tid=4242, comm=b"dmesg", compat=True)
    assert told(backend) == [syslog("read_clear", 80, length=4096, comm=None)]


def test_raw_tracepoints_see_the_32_bit_abi_too(make_fake: MakeFake, attach: Attach) -> None:
    fake = make_fake(RESTRICTED)
    backend = attach(fake, "tracepoint", compat=True).backend
    fake.syslog(4, tid=4242, length=4096, ret=80)
    fake.syslog(5, tid=4242, compat=True)
    fake.emit("raw_syscalls/sys_enter", {"id": 39, "args": bytes(48)}, tid=4242)
    assert told(backend) == [syslog("read_clear", 80, length=4096, comm=None), syslog("clear", 0, comm=None)]


def test_raw_tracepoints_are_refused_where_the_abis_differ(make_fake: MakeFake, attach: Attach) -> None:
    fake = make_fake(Kernel(machine="aarch64", symbols=ARM64_SYMBOLS, kprobes=False))
    attached = attach(fake, compat=True)
    assert attached.backend.name == "function"
    assert attached.refused["tracepoint"].startswith("--trace.compat-syscalls: on aarch64 the number of syslog(2)")


def test_tracepoints_hint_at_opens(make_fake: MakeFake, attach: Attach) -> None:
    fake = make_fake(RESTRICTED)
    backend = attach(fake).backend
    for filename, flags in ((b"/dev/kmsg", 0), (b"/dev/kmsg", 1), (b"/etc/passwd", 0)):
        fake.emit("syscalls/sys_enter_openat", {"filename": filename, "flags": flags}, tid=9)
    assert told(backend) == [Access(0, 9, None, "dev_kmsg", "open", "open", None)]


@pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)
def test_function_tracer_tells_who_called_and_not_what_for(make_fake: MakeFake, attach: Attach, kernel: Kernel) -> None:
    fake = make_fake(kernel)
    backend = attach(fake, "function").backend
    fake.syslog(5, tid=4242, comm=b"dmesg")
    fake.call("devkmsg_read", tid=9, ret=80)
    assert told(backend) == [
        Access(0, 4242, None, "syslog", "call", "unknown", None),
        Access(0, 9, None, "dev_kmsg", "read", "unknown", None),
    ]
    assert {state.name: state.hits for state in backend.probes() if state.hits}.keys() >= {"devkmsg_read"}


def test_function_tracer_needs_the_addresses(
    fake: FakeTracefs, attach: Attach, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fake, "kallsyms", lambda: "0000000000000000 T __x64_sys_syslog\n")
    attached = attach(fake, "auto")
    assert attached.backend.name == "kprobe"
    attached.close()
    with pytest.raises(Exception, match="kallsyms gives no address of __x64_sys_syslog: CAP_SYSLOG is missing"):
        attach(fake, "function")


@pytest.mark.parametrize("wanted", ["kprobe", "tracepoint", "function"])
def test_own_calls_are_left_out(fake: FakeTracefs, attach: Attach, own_tid: int, wanted: str) -> None:
    backend = attach(fake, wanted).backend
    fake.syslog(3, tid=own_tid, comm=b"kmsg-exporter", ret=10)
    fake.call("devkmsg_read", tid=own_tid, ret=80)
    assert told(backend) == []


def test_kprobes_tell_what_readers_and_writers_of_the_files_got(make_fake: MakeFake, attach: Attach) -> None:
    fake = make_fake(WITHOUT_HIST)
    backend = attach(fake).backend
    fake.call("devkmsg_read", tid=9, comm=b"cat", ret=80)
    fake.call("devkmsg_read", tid=9, comm=b"cat", ret=-11)  # what gives nothing takes no room from what does
    fake.call("kmsg_read", tid=10, comm=b"rsyslogd", ret=-512)
    fake.call("devkmsg_write", tid=11, comm=b"systemd", ret=12)
    fake.call("devkmsg_release", tid=9, comm=b"cat")
    fake.call("kmsg_release", tid=10, comm=b"rsyslogd")
    assert told(backend) == [
        Access(0, 9, b"cat", "dev_kmsg", "read", "read", 80),
        Access(0, 11, b"systemd", "dev_kmsg", "write", "write", 12),
        Access(0, 9, b"cat", "dev_kmsg", "release", "release", None),
        Access(0, 10, b"rsyslogd", "proc_kmsg", "release", "release", None),
    ]


@pytest.mark.parametrize(("flags", "seen"), [(0o0, True), (0o2, True), (0o4000, True), (0o1, False), (0o2001, False)])
@pytest.mark.parametrize("stem", ["devkmsg", "kmsg"])
def test_only_opens_for_reading_are_told(fake: FakeTracefs, attach: Attach, stem: str, flags: int, seen: bool) -> None:
    backend = attach(fake).backend
    fake.call(f"{stem}_open", tid=9, comm=b"cat", flags=flags | 0o100000)
    interface = "dev_kmsg" if stem == "devkmsg" else "proc_kmsg"
    assert [(call.interface, call.operation, call.result) for call in told(backend)] == (
        [(interface, "open", 0)] if seen else []
    )


def test_reads_wait_for_a_bulk_drain(make_fake: MakeFake, attach: Attach) -> None:
    fake = make_fake(WITHOUT_HIST)
    backend = attach(fake).backend
    fake.call("devkmsg_read", tid=9, comm=b"cat", ret=80)
    fake.syslog(5, tid=4242, comm=b"dmesg")
    assert told(backend, bulk=False) == [syslog("clear", 0)]
    assert told(backend, bulk=True) == [Access(0, 9, b"cat", "dev_kmsg", "read", "read", 80)]


def test_clear_that_has_not_returned_is_pending(fake: FakeTracefs, attach: Attach) -> None:
    backend = attach(fake).backend
    fake.syslog(5, tid=4242, comm=b"dmesg", ret=None)
    assert told(backend) == []
    assert backend.clear_pending()
    fake.leave("__x64_sys_syslog", tid=4242, ret=0)
    assert told(backend) == [syslog("clear", 0)]
    assert not backend.clear_pending()


def test_clear_whose_return_was_lost_is_told_without_its_result(fake: FakeTracefs, attach: Attach) -> None:
    backend = attach(fake).backend
    memory = bytes(112) + (5).to_bytes(8, "little") + bytes(48)
    fake.enter("__x64_sys_syslog", tid=4242, comm=b"dmesg", registers={"di": memory}, time_ns=1000)
    assert backend.drain(bulk=False) == [Access(1000, 4242, b"dmesg", "syslog", "call", "clear", None, 0)]


def test_probes_tell_hits_and_misses(fake: FakeTracefs, attach: Attach) -> None:
    backend = attach(fake).backend
    for _ in range(3):
        fake.call("devkmsg_read", tid=9, ret=80)
    fake.miss("kmsg_exporter/ke_devkmsg_read", 2)
    states = {state.name: state for state in backend.probes()}
    assert states["devkmsg_read"] == ProbeState("devkmsg_read", attached=True, hits=3, missed=2)
    assert states["kmsg_read"] == ProbeState("kmsg_read", attached=True)


def test_tracepoints_count_what_they_saw(make_fake: MakeFake, attach: Attach) -> None:
    fake = make_fake(RESTRICTED)
    backend = attach(fake).backend
    fake.syslog(3, tid=9, ret=1)
    backend.drain(bulk=False)
    assert [state.hits for state in backend.probes()] == [1, 1, 0]


def test_lost_records_are_summed_over_instances_and_cpus(fake: FakeTracefs, attach: Attach) -> None:
    backend = attach(fake).backend
    fake.lose("kmsg_exporter", cpu=1, overrun=3)
    fake.lose("kmsg_exporter_bulk", dropped=40)
    assert backend.lost_events() == 43


def test_clear_that_was_held_is_no_loss(
    fake: FakeTracefs, attach: Attach, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(pairing, "_CLEAR_TAKES_NS", 0)
    backend = attach(fake).backend
    fake.lose("kmsg_exporter", dropped=3)
    (tmp_path / "7").mkdir()  # it lives
    fake.syslog(4, tid=7, comm=b"c", length=4096, ret=None)
    assert [call.result for call in backend.drain(bulk=True)] == [None]
    assert backend.lost_events() == 3
    fake.leave("__x64_sys_syslog", tid=7, ret=80)
    assert [call.result for call in backend.drain(bulk=True)] == [80]
    assert backend.lost_events() == 3


def test_clear_whose_return_was_lost_is_a_half_once_its_thread_has_ended(
    fake: FakeTracefs, attach: Attach, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairing, "_CLEAR_TAKES_NS", 0)
    backend = attach(fake).backend
    fake.syslog(4, tid=7, comm=b"c", length=4096, ret=None)
    backend.drain(bulk=True)
    fake.lose("kmsg_exporter", dropped=1)
    assert backend.lost_events() == 1  # its return may not be read yet
    backend.drain(bulk=True)
    assert backend.lost_events() == 2


def test_clear_may_be_among_what_was_not_read_yet(fake: FakeTracefs, attach: Attach) -> None:
    backend = attach(fake).backend
    for number in range(20):
        fake.syslog(3, tid=1000 + number)
    drains: list[int] = []
    while not drains or backend.behind():
        drains.append(len(backend.drain(bulk=False)))
    assert drains == [4, 4, 4, 4, 4, 0]


def test_page_that_is_none_counts_as_lost(fake: FakeTracefs, attach: Attach) -> None:
    backend = attach(fake).backend
    fake.put("kmsg_exporter", 0, b"\xff" * 64)
    fake.syslog(5, tid=4242, comm=b"dmesg")
    assert told(backend) == [syslog("clear", 0)]
    assert backend.lost_events() == 1


def test_event_switched_off_by_somebody_else_is_noticed(fake: FakeTracefs, attach: Attach) -> None:
    backend = attach(fake).backend
    fake.write("instances/kmsg_exporter/events/kmsg_exporter/ke_syslog_exit/enable", "0")
    assert not backend.intact()
    assert ProbeState("syslog_exit", attached=False) in backend.probes()


def test_tracer_taken_away_by_somebody_else_is_noticed(fake: FakeTracefs, attach: Attach) -> None:
    backend = attach(fake, "function").backend
    fake.write("instances/kmsg_exporter_bulk/current_tracer", "nop")
    assert not backend.intact()


def test_urgent_descriptors_become_readable_by_a_call(fake: FakeTracefs, attach: Attach) -> None:
    attached = attach(fake)
    assert len(attached.backend.fds()) == fake.kernel.cpus


def test_state_backend_sees_nothing_and_has_nothing_to_take_away(make_fake: MakeFake, attach: Attach) -> None:
    backend = attach(make_fake(Kernel(empty=True))).backend
    assert (backend.fds(), backend.drain(bulk=True), backend.probes()) == ([], [], ())
    assert (backend.clear_pending(), backend.intact(), backend.lost_events()) == (False, True, 0)
    assert backend.failures() == {}
    backend.close()
