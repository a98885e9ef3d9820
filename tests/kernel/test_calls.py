"""Every way to use the kernel log is counted under who did it, and told apart by action and result."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from support import CLEAR, CONSOLE_LEVEL, Agent, eventually, printk, program32, run_python

DMESG = shutil.which("dmesg") or "dmesg"
PYTHON = os.path.realpath(sys.executable)
TELLS_ACTIONS = pytest.mark.backends("kprobe", "tracepoint")
SEES_FILES = pytest.mark.backends("kprobe")


def changed(agent: Agent, action: str) -> bool:
    return agent.value("kmsg_console_changes_total", comm="console", action=action) == 1


def clears(agent: Agent, **labels: str) -> float:
    return agent.count("kmsg_clears_total", **labels)


@TELLS_ACTIONS
def test_a_clear_is_counted_under_its_comm_and_exe(agent: Agent) -> None:
    labels = {"comm": "dmesg", "exe": os.path.realpath(DMESG), "action": "clear"}
    before = clears(agent, **labels)
    subprocess.run([DMESG, "-C"], check=True)
    eventually(lambda: clears(agent, **labels) == before + 1)


@TELLS_ACTIONS
def test_a_clear_by_the_32_bit_abi_is_counted(agent: Agent, tmp_path: Path, backend: str) -> None:
    program = program32(tmp_path / "clear32", CLEAR)
    unexplained = agent.count("kmsg_unattributed_clears_total")
    printk("before a 32-bit clear")
    subprocess.run([program], check=True)
    if backend == "kprobe":
        labels = {"comm": "clear32", "exe": str(program), "action": "clear"}
        eventually(lambda: clears(agent, **labels) == 1)
        assert agent.count("kmsg_unattributed_clears_total") == unexplained
    else:  # no event fires for it; the log's own state is the witness
        eventually(lambda: agent.count("kmsg_unattributed_clears_total") == unexplained + 1)


@TELLS_ACTIONS
@pytest.mark.guest
def test_a_read_clear_counts_as_read_and_as_clear(agent: Agent) -> None:
    printk("for a read_clear")
    code = "b = ctypes.create_string_buffer(1 << 17); print(klogctl(4, b, len(b)))"
    returned = int(run_python(code, name="reads-clears"))
    labels = {"comm": "reads-clears", "exe": PYTHON, "action": "read_clear"}
    eventually(lambda: clears(agent, **labels) == 1)
    assert agent.value("kmsg_reads_total", interface="syslog", **labels) == 1
    assert agent.value("kmsg_read_bytes_total", interface="syslog", **labels) == returned > 0


@TELLS_ACTIONS
def test_a_read_clear_of_no_length_clears_nothing(agent: Agent) -> None:
    run_python("assert klogctl(4, ctypes.create_string_buffer(8), 0) == 0", name="read-nothing")
    run_python("klogctl(8, None, 4)", name="after-nothing")
    eventually(lambda: agent.value("kmsg_console_changes_total", comm="after-nothing"))
    assert agent.value("kmsg_clears_total", comm="read-nothing") is None


@TELLS_ACTIONS
def test_a_refused_clear_is_denied_and_no_clear(agent: Agent) -> None:
    run_python("assert klogctl(5, None, 0) == -1", name="may-not-clear", user=65534)
    labels = {"comm": "may-not-clear", "exe": PYTHON, "action": "clear"}
    eventually(lambda: agent.value("kmsg_clears_denied_total", **labels) == 1)
    assert agent.value("kmsg_clears_total", comm="may-not-clear") is None


@TELLS_ACTIONS
def test_a_read_all_is_a_read_of_the_bytes_it_returned(agent: Agent) -> None:
    printk("for a read_all")
    code = "b = ctypes.create_string_buffer(1 << 17); print(klogctl(3, b, len(b)))"
    returned = int(run_python(code, name="reads-all"))
    labels = {"comm": "reads-all", "exe": PYTHON, "interface": "syslog", "action": "read_all"}
    eventually(lambda: agent.value("kmsg_reads_total", **labels) == 1)
    assert agent.value("kmsg_read_bytes_total", **labels) == returned > 0


@TELLS_ACTIONS
def test_asking_for_sizes_is_no_read(agent: Agent) -> None:
    run_python("klogctl(10, None, 0); klogctl(9, None, 0); klogctl(8, None, 4)", name="asks-sizes")
    eventually(lambda: agent.value("kmsg_console_changes_total", comm="asks-sizes"))
    assert agent.value("kmsg_reads_total", comm="asks-sizes") is None


@TELLS_ACTIONS
@pytest.mark.guest
def test_console_changes_are_told_apart(agent: Agent) -> None:
    run_python("klogctl(6, None, 0); klogctl(7, None, 0); klogctl(8, None, 4)", name="console")
    for action in ("console_off", "console_on", "console_level"):
        eventually(partial(changed, agent, action))


@SEES_FILES
def test_a_console_change_by_the_32_bit_abi_is_counted(agent: Agent, tmp_path: Path) -> None:
    program = program32(tmp_path / "level32", CONSOLE_LEVEL)
    subprocess.run([program], check=True)
    eventually(lambda: agent.value("kmsg_console_changes_total", exe=str(program), action="console_level") == 1)


@SEES_FILES
def test_reads_of_dev_kmsg_are_counted_with_their_bytes(agent: Agent) -> None:
    printk("for a reader of /dev/kmsg")
    code = """
fd = os.open('/dev/kmsg', os.O_RDONLY | os.O_NONBLOCK)
calls = size = 0
while True:
    try:
        size += len(os.read(fd, 8192)); calls += 1
    except BlockingIOError:
        break
print(calls, size)
"""
    calls, size = (int(word) for word in run_python(code, name="reads-dev").split())
    labels = {"comm": "reads-dev", "exe": PYTHON, "interface": "dev_kmsg", "action": "read"}
    eventually(lambda: agent.value("kmsg_reads_total", **labels) == calls > 0)
    assert agent.value("kmsg_read_bytes_total", **labels) == size
    assert agent.value("kmsg_opens_total", comm="reads-dev", interface="dev_kmsg") == 1


@SEES_FILES
def test_reads_of_proc_kmsg_are_counted_with_their_bytes(agent: Agent) -> None:
    printk("for a reader of /proc/kmsg")
    code = "f = os.open('/proc/kmsg', os.O_RDONLY | os.O_NONBLOCK); print(len(os.read(f, 1 << 16)))"
    size = int(run_python(code, name="reads-proc"))
    labels = {"comm": "reads-proc", "exe": PYTHON, "interface": "proc_kmsg", "action": "read"}
    eventually(lambda: agent.value("kmsg_reads_total", **labels) == 1)
    assert agent.value("kmsg_read_bytes_total", **labels) == size
    assert agent.value("kmsg_opens_total", comm="reads-proc", interface="proc_kmsg") == 1


@SEES_FILES
def test_a_reader_that_waits_is_counted_when_it_gets_something(agent: Agent) -> None:
    code = "f = os.open('/dev/kmsg', os.O_RDONLY); os.lseek(f, 0, os.SEEK_END); print(flush=True); os.read(f, 8192)"
    prelude = "import os; open('/proc/self/comm','w').write('waits'); "
    with subprocess.Popen([sys.executable, "-c", prelude + code], stdout=subprocess.PIPE) as reader:
        assert reader.stdout is not None
        reader.stdout.readline()
        printk("for a reader that waits")
        reader.wait(60)
    eventually(lambda: agent.value("kmsg_reads_total", comm="waits", interface="dev_kmsg") == 1)


@SEES_FILES
def test_a_write_is_a_write_and_no_open_for_reading(agent: Agent) -> None:
    run_python("fd = os.open('/dev/kmsg', os.O_WRONLY); os.write(fd, b'one'); os.write(fd, b'two')", name="writes")
    eventually(lambda: agent.value("kmsg_writes_total", comm="writes", exe=PYTHON) == 2)
    assert agent.value("kmsg_opens_total", comm="writes") is None


def test_the_agent_does_not_count_itself(agent: Agent) -> None:
    for name in ("kmsg_reads_total", "kmsg_opens_total", "kmsg_clears_total", "kmsg_readers"):
        assert [labels for labels, _ in agent.samples(name) if "kmsg-exporter" in labels["comm"]] == []
        assert [labels for labels, _ in agent.samples(name) if labels["comm"] == "python3"] == []


def test_readers_are_those_that_fuser_shows_less_those_that_only_write(agent: Agent) -> None:
    holders = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stdin=subprocess.PIPE)
        for code in (
            "import sys; f = open('/dev/kmsg'); print(flush=True); sys.stdin.read()",
            "import sys; f = open('/dev/kmsg', 'w'); print(flush=True); sys.stdin.read()",
            "import sys; f = open('/proc/kmsg'); print(flush=True); sys.stdin.read()",
        )
    ]
    try:
        for holder in holders:
            assert holder.stdout is not None
            holder.stdout.readline()
        reader, writer, proc_reader = (holder.pid for holder in holders)
        for path, expected in (("/dev/kmsg", {reader, writer}), ("/proc/kmsg", {proc_reader})):
            shown = subprocess.run(["fuser", path], check=False, capture_output=True, text=True).stdout
            assert {int(word) for word in shown.split()} - {agent.pid} == expected
        labels = {"comm": Path(sys.executable).name[:15], "exe": PYTHON}
        eventually(lambda: agent.count("kmsg_readers") == 2)  # each process is looked at in its own moment
        assert agent.value("kmsg_readers", interface="dev_kmsg", **labels) == 1
        assert agent.value("kmsg_readers", interface="proc_kmsg", **labels) == 1
    finally:
        for holder in holders:
            holder.communicate(timeout=60)
    eventually(lambda: agent.count("kmsg_readers") == 0)
