"""The plan: which backend is tried when, what is refused and why, what is taken over and what is left behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from attaching import Attach
from fake_tracefs import ARM64_SYMBOLS, FILES, OLD_SYMBOLS, RESTRICTED, FakeTracefs, Kernel

from kmsg_exporter.errors import FeatureUnavailable, TracefsNotMounted, TracefsRejected
from kmsg_exporter.probes import plan
from kmsg_exporter.probes.plan import Where, left_by, leftovers, remove_leftovers
from kmsg_exporter.tracefs.hist import remove_triggers

MakeFake = Callable[[Kernel], FakeTracefs]
INSTANCES = ["kmsg_exporter", "kmsg_exporter_bulk", "kmsg_exporter_recorder"]
X86_PROBES = """\
p:kmsg_exporter/ke_syslog_enter __x64_sys_syslog action=+112(%di):s32 len=+96(%di):s32 comm=$comm ticks=@jiffies_64:u32
r256:kmsg_exporter/ke_syslog_exit __x64_sys_syslog ret=$retval:s64 ticks=@jiffies_64:u32
p:kmsg_exporter/ke_syslog32_enter __ia32_sys_syslog action=+40(%di):s32 len=+96(%di):s32 comm=$comm ticks=@jiffies_64:u32
r256:kmsg_exporter/ke_syslog32_exit __ia32_sys_syslog ret=$retval:s64 ticks=@jiffies_64:u32
p:kmsg_exporter/ke_devkmsg_open devkmsg_open flags=+64(%si):u32 comm=$comm
r256:kmsg_exporter/ke_devkmsg_open_exit devkmsg_open ret=$retval:s32
r256:kmsg_exporter/ke_devkmsg_read devkmsg_read ret=$retval:s64 comm=$comm ticks=@jiffies_64:u32
p:kmsg_exporter/ke_devkmsg_release devkmsg_release comm=$comm
r256:kmsg_exporter/ke_devkmsg_write devkmsg_write ret=$retval:s64 comm=$comm ticks=@jiffies_64:u32
p:kmsg_exporter/ke_kmsg_open kmsg_open flags=+64(%si):u32 comm=$comm
r256:kmsg_exporter/ke_kmsg_open_exit kmsg_open ret=$retval:s32
r256:kmsg_exporter/ke_kmsg_read kmsg_read ret=$retval:s64 comm=$comm ticks=@jiffies_64:u32
p:kmsg_exporter/ke_kmsg_release kmsg_release comm=$comm
"""  # noqa: E501


def everything(fake: FakeTracefs) -> tuple[str, list[str], str]:
    return fake.read("kprobe_events"), fake.names("instances"), fake.read("enabled_functions")


def test_kprobes_come_first(fake: FakeTracefs, attach: Attach) -> None:
    attached = attach(fake)
    assert attached.backend.name == "kprobe"
    assert attached.refused == {}
    assert fake.read("kprobe_events") == X86_PROBES
    assert fake.names("instances") == INSTANCES
    assert all(state.attached for state in attached.backend.probes())
    assert attached.backend.intact()
    assert attached.backend.failures() == {}


def test_kernel_that_cannot_count_has_plain_probes(make_fake: MakeFake, attach: Attach) -> None:
    for kernel in (Kernel(hist=False), Kernel(ticks=False)):
        fake = make_fake(kernel)
        backend = attach(fake).backend
        assert fake.read("kprobe_events") == X86_PROBES.replace(" ticks=@jiffies_64:u32", "")
        assert backend.intact()
        assert backend.counted() == []


def test_tracepoints_come_second(make_fake: MakeFake, attach: Attach) -> None:
    fake = make_fake(Kernel(kprobes=False))
    attached = attach(fake)
    assert attached.backend.name == "tracepoint"
    assert attached.refused == {"kprobe": "this kernel has no kprobe_events (CONFIG_KPROBE_EVENTS)"}
    assert [state.name for state in attached.backend.probes()] == ["syslog_enter", "syslog_exit", "openat_hint"]
    assert attached.backend.intact()


def test_function_tracer_comes_third(make_fake: MakeFake, attach: Attach) -> None:
    fake = make_fake(Kernel(kprobes=False, without_events=("syscalls/sys_enter_syslog",)))
    attached = attach(fake)
    assert attached.backend.name == "function"
    assert list(attached.refused) == ["kprobe", "tracepoint"]
    assert "sys_enter_syslog" in attached.refused["tracepoint"]
    patched = [line.split()[0] for line in fake.read("enabled_functions").splitlines()]
    assert patched == ["__ia32_sys_syslog", "__x64_sys_syslog", *FILES]


def test_restricted_kernel_has_tracepoints(make_fake: MakeFake, attach: Attach) -> None:
    attached = attach(make_fake(RESTRICTED))
    assert attached.backend.name == "tracepoint"
    assert attached.recorder is not None


def test_kernel_that_takes_nothing_leaves_the_logs_own_state(make_fake: MakeFake, attach: Attach) -> None:
    fake = make_fake(Kernel(kprobes=False, function_filter=False, without_events=("syscalls/sys_exit_syslog",)))
    attached = attach(fake)
    assert attached.backend.name == "state"
    assert attached.recorder is None
    assert list(attached.refused) == ["kprobe", "tracepoint", "function"]
    assert attached.refused["function"].endswith("available_filter_functions: Operation not permitted")
    assert fake.names("instances") == []


def test_kernel_without_a_function_tracer_says_so(make_fake: MakeFake, attach: Attach) -> None:
    with pytest.raises(FeatureUnavailable, match=r"no function tracer \(CONFIG_FUNCTION_TRACER\)"):
        attach(make_fake(Kernel(function_tracer=False)), "function")


def test_lockdown_leaves_the_logs_own_state(make_fake: MakeFake, attach: Attach) -> None:
    attached = attach(make_fake(Kernel(empty=True)))
    assert attached.backend.name == "state"
    assert attached.refused == dict.fromkeys(("kprobe", "tracepoint", "function"), "tracefs is empty")


def test_instances_that_may_not_be_made_leave_the_logs_own_state(make_fake: MakeFake, attach: Attach) -> None:
    fake = make_fake(Kernel(instances=False))
    attached = attach(fake)
    assert attached.backend.name == "state"
    assert set(attached.refused) == {"kprobe", "tracepoint", "function"}
    assert "instances/kmsg_exporter: 'mkdir': Permission denied" in attached.refused["kprobe"]
    with pytest.raises(TracefsRejected, match="Permission denied"):
        attach(fake, "kprobe")


def test_folder_that_is_no_tracefs_leaves_the_logs_own_state(tmp_path: Path) -> None:
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "mountinfo").write_text("")
    where = Where(tmp_path, tmp_path, tmp_path, budget_bytes=1 << 20, own_tid=1, machine="x86_64")
    attached = plan.attach("auto", where)
    assert attached.backend.name == "state"
    assert attached.refused["kprobe"].startswith("tracefs not found at")
    assert plan.attach("state", where).refused == {}
    with pytest.raises(TracefsNotMounted):
        plan.attach("kprobe", where)
    attached.close()


@pytest.mark.parametrize("wanted", ["kprobe", "tracepoint", "function", "state"])
def test_wanted_backend_is_the_only_one_tried(fake: FakeTracefs, attach: Attach, wanted: str) -> None:
    assert attach(fake, wanted).backend.name == wanted


@pytest.mark.parametrize("wanted", ["kprobe", "function"])
def test_wanted_backend_that_is_refused_is_an_error_and_leaves_nothing(
    make_fake: MakeFake, attach: Attach, wanted: str
) -> None:
    fake = make_fake(RESTRICTED)
    with pytest.raises((FeatureUnavailable, TracefsRejected)):
        attach(fake, wanted)
    assert fake.names("instances") == []


@pytest.mark.parametrize("wanted", ["kprobe", "tracepoint", "function"])
def test_nothing_is_left_after_close(fake: FakeTracefs, attach: Attach, wanted: str) -> None:
    before = everything(fake)
    attach(fake, wanted).close()
    assert everything(fake) == before == ("", [], "")


def test_kept_backend_goes_on_recording(fake: FakeTracefs, attach: Attach) -> None:
    attach(fake).close(keep=True)
    assert fake.names("instances") == INSTANCES
    assert fake.read("kprobe_events") == X86_PROBES
    assert fake.read("instances/kmsg_exporter/events/kmsg_exporter/ke_syslog_enter/enable") == "1*\n"


def test_older_kernels_have_older_names(make_fake: MakeFake, attach: Attach) -> None:
    fake = make_fake(Kernel(symbols=OLD_SYMBOLS))
    attached = attach(fake)
    assert attached.backend.name == "kprobe"
    assert fake.read("kprobe_events").splitlines()[:2] == [
        "p:kmsg_exporter/ke_syslog_enter SyS_syslog action=%di:s32 len=%dx:s32 comm=$comm ticks=@jiffies_64:u32",
        "r256:kmsg_exporter/ke_syslog_exit SyS_syslog ret=$retval:s64 ticks=@jiffies_64:u32",
    ]
    assert not any(state.name.startswith("syslog32") for state in attached.backend.probes())


def test_arm64_has_its_own_registers_and_one_symbol_for_both_abis(make_fake: MakeFake, attach: Attach) -> None:
    fake = make_fake(Kernel(machine="aarch64", symbols=ARM64_SYMBOLS))
    attach(fake)
    lines = fake.read("kprobe_events").splitlines()
    assert lines[0] == (
        "p:kmsg_exporter/ke_syslog_enter __arm64_sys_syslog action=+0(%x0):s32 len=+16(%x0):s32 comm=$comm "
        "ticks=@jiffies_64:u32"
    )
    assert "p:kmsg_exporter/ke_devkmsg_open devkmsg_open flags=+64(%x1):u32 comm=$comm" in lines
    assert not any("ia32" in line or "%di" in line for line in lines)


def test_do_syslog_is_never_probed(fake: FakeTracefs, attach: Attach) -> None:
    for wanted in ("kprobe", "function"):
        attached = attach(fake, wanted)
        assert "do_syslog" not in fake.read("kprobe_events") + fake.read("enabled_functions")
        attached.close()


def test_missing_file_function_is_told_and_the_rest_is_attached(make_fake: MakeFake, attach: Attach) -> None:
    symbols = tuple(name for name in Kernel().symbols if name != "devkmsg_read")
    attached = attach(make_fake(Kernel(symbols=symbols)))
    assert attached.backend.name == "kprobe"
    assert list(attached.backend.failures()) == ["devkmsg_read"]
    states = {state.name: state.attached for state in attached.backend.probes()}
    assert states.pop("devkmsg_read") is False
    assert all(states.values())


def test_unknown_layout_of_struct_file_costs_the_opens_alone(make_fake: MakeFake, attach: Attach) -> None:
    fake = make_fake(Kernel(f_flags_offset=None))
    attached = attach(fake)
    assert attached.backend.name == "kprobe"
    assert attached.backend.failures() == dict.fromkeys(
        ("devkmsg_open", "kmsg_open"), "the offset of f_flags can't be found out"
    )
    assert "_open" not in fake.read("kprobe_events")


def test_calibration_leaves_no_probe(fake: FakeTracefs, attach: Attach) -> None:
    attach(fake)
    assert "ke_calibrate" not in fake.read("kprobe_events")


def test_strangers_are_left_alone(fake: FakeTracefs, attach: Attach) -> None:
    fake.make("instances/stranger")
    fake.write("kprobe_events", "p:stranger/x kmsg_open\n")
    fake.write("instances/stranger/events/stranger/x/enable", "1")
    fake.write("instances/stranger/set_ftrace_filter", "devkmsg_read\n", truncate=True)
    fake.write("instances/stranger/current_tracer", "function")
    before = everything(fake)
    for wanted in ("kprobe", "tracepoint", "function"):
        attach(fake, wanted).close()
        assert everything(fake) == before
    assert fake.read("instances/stranger/events/stranger/x/enable") == "1\n"
    assert fake.read("instances/stranger/current_tracer") == "function\n"


def test_stranger_who_begins_to_trace_in_the_same_moment_changes_nothing(fake: FakeTracefs, attach: Attach) -> None:
    fake.make("instances/stranger")

    def write(path: str, command: str, *, truncate: bool = False) -> None:
        FakeTracefs.write(fake, path, command, truncate=truncate)
        if path == "instances/kmsg_exporter/current_tracer":
            FakeTracefs.write(fake, "instances/stranger/current_tracer", "function")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fake, "write", write)
        attached = attach(fake, "function")
    assert attached.backend.intact()
    assert "do_syslog " in fake.read("enabled_functions")


# --- what a killed agent left ----------------------------------------------------------------------------------------


def killed(attach: Attach, fake: FakeTracefs, wanted: str) -> None:
    """An agent that was killed: its descriptors are closed by the kernel, everything else stays."""
    attach(fake, wanted).close(keep=True)


@pytest.mark.parametrize("wanted", ["kprobe", "tracepoint", "function"])
def test_calls_recorded_while_no_agent_ran_are_read(fake: FakeTracefs, attach: Attach, wanted: str) -> None:
    killed(attach, fake, wanted)
    fake.syslog(5, tid=4242, comm=b"dmesg")
    [call] = attach(fake, wanted).backend.drain(bulk=True)
    assert (call.tid, call.interface, call.action) == (4242, "syslog", "unknown" if wanted == "function" else "clear")


def test_same_definitions_are_kept(fake: FakeTracefs, attach: Attach) -> None:
    killed(attach, fake, "kprobe")
    definitions = fake.read("kprobe_events")
    layout = fake.read("events/kmsg_exporter/ke_syslog_enter/format")
    attach(fake)
    assert fake.read("kprobe_events") == definitions
    assert fake.read("events/kmsg_exporter/ke_syslog_enter/format") == layout


def test_other_definitions_are_replaced(fake: FakeTracefs, attach: Attach) -> None:
    killed(attach, fake, "kprobe")
    enable = "instances/kmsg_exporter/events/kmsg_exporter/ke_syslog_exit/enable"
    fake.write(enable, "0")
    remove_triggers(fake, "instances/kmsg_exporter/events/kmsg_exporter/ke_syslog_exit")
    fake.write("kprobe_events", "-:kmsg_exporter/ke_syslog_exit\n")
    fake.write("kprobe_events", "r16:kmsg_exporter/ke_syslog_exit __x64_sys_syslog\n")
    fake.write(enable, "1")
    attached = attach(fake)
    assert sorted(fake.read("kprobe_events").splitlines()) == sorted(X86_PROBES.splitlines())
    fake.syslog(5, tid=4242, comm=b"dmesg", ret=0)
    assert [call.result for call in attached.backend.drain(bulk=False)] == [0]


def test_next_agents_own_thread_is_left_out(fake: FakeTracefs, attach: Attach) -> None:
    killed(attach, fake, "kprobe")
    attached = attach(fake, own_tid=77)
    fake.syslog(3, tid=77)
    fake.syslog(3, tid=78)
    assert [call.tid for call in attached.backend.drain(bulk=True)] == [78]


@pytest.mark.parametrize("left", ["kprobe", "tracepoint", "function"])
@pytest.mark.parametrize("wanted", ["kprobe", "tracepoint", "function"])
def test_switching_backends_removes_what_the_other_left(
    fake: FakeTracefs, attach: Attach, left: str, wanted: str
) -> None:
    attach(fake, wanted).close(keep=True)
    fresh = everything(fake)
    remove_leftovers(fake)
    killed(attach, fake, left)
    attached = attach(fake, wanted)
    assert everything(fake) == fresh
    fake.syslog(5, tid=4242, comm=b"dmesg")
    assert len(attached.backend.drain(bulk=True)) == 1
    attached.close()
    assert everything(fake) == ("", [], "")


def test_leftovers_are_removed_and_named(fake: FakeTracefs, attach: Attach) -> None:
    killed(attach, fake, "kprobe")
    fake.make("instances/stranger")
    removed = remove_leftovers(fake)
    assert removed[:3] == [f"instance {name}" for name in INSTANCES]
    assert "probe kmsg_exporter/ke_syslog_enter" in removed
    assert everything(fake) == ("", ["stranger"], "")
    assert remove_leftovers(fake) == []


@pytest.mark.parametrize("left", ["kprobe", "tracepoint", "function"])
def test_leftovers_are_told_and_left_as_they_are(fake: FakeTracefs, attach: Attach, left: str) -> None:
    assert (left_by(fake), leftovers(fake)) == (None, [])
    killed(attach, fake, left)
    before = everything(fake)
    assert left_by(fake) == left
    assert leftovers(fake)[:3] == [f"instance {name}" for name in INSTANCES]
    assert everything(fake) == before
