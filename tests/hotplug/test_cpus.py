"""CPUs that are possible and not there, that come late, go and come back: every clear is counted once and named."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from cleaners import Cleaners
from cpus import cpu_list, switch
from support import INSTANCES, TRACEFS, Agent

from kmsg_exporter.tracefs.files import Tracefs
from kmsg_exporter.tracefs.instance import Instance

SECOND = 1  # the CPU that comes and goes


@pytest.fixture(autouse=True)
def _second_is_offline() -> None:
    """As at boot: the guest is started with maxcpus=1."""
    if SECOND in cpu_list("online"):
        switch(SECOND, online=False)


@contextmanager
def coming_and_going(cpu: int) -> Iterator[None]:
    """This CPU goes offline and comes back, over and over."""
    ended = threading.Event()

    def toggle() -> None:
        while not ended.is_set():
            switch(cpu, online=False)
            switch(cpu, online=True)

    thread = threading.Thread(target=toggle)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def possible() -> list[int]:
    """As the guest is started; since 6.9 only a known hypervisor is believed that more could be plugged in."""
    return [0, 1, 2, 3] if tuple(map(int, os.uname().release.split(".")[:2])) < (6, 9) else [0, 1]


def test_machine_has_cpus_that_are_not_there_and_one_that_is_not_online() -> None:
    assert (cpu_list("possible"), cpu_list("present"), cpu_list("online")) == (possible(), [0, 1], [0])


def test_only_a_cpu_that_has_been_online_is_polled() -> None:
    """Of one that has not, poll(2) reports an error at once: the agent would never sleep."""

    def ready() -> list[tuple[int, int]]:
        poll = select.poll()
        for fd in instance.fds():
            poll.register(fd, select.POLLIN)
        return poll.poll(0)

    with Instance(Tracefs(TRACEFS), "hotplug", buffer_size_kb=64, overwrite=False) as instance:
        assert (len(instance.fds()), ready()) == (1, [])
        switch(SECOND, online=True)
        assert (len(instance.fds()), ready()) == (2, [])
        switch(SECOND, online=False)
        assert (len(instance.fds()), ready()) == (2, [])


def links(pid: int) -> Iterator[str]:
    """Where its descriptors lead; it goes on opening and closing others."""
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            yield os.readlink(entry)


def test_pipe_of_every_possible_cpu_is_open(agent: Agent) -> None:
    pipes = [link for link in links(agent.pid) if link.endswith("/trace_pipe_raw") and f"/{INSTANCES[0]}/" in link]
    wanted = [TRACEFS / "instances" / INSTANCES[0] / f"per_cpu/cpu{cpu}/trace_pipe_raw" for cpu in possible()]
    assert sorted(pipes) == [str(path) for path in wanted]


def test_clears_on_every_cpu_are_counted_once_and_named_as_a_cpu_comes_and_goes(agent: Agent, tmp_path: Path) -> None:
    cleaners = Cleaners(agent, tmp_path)
    cleaners.clear("before-on-0", cpu=0)
    for phase in ("first", "second"):
        switch(SECOND, online=True)
        cleaners.clear(f"{phase}-on-0", cpu=0)
        cleaners.clear(f"{phase}-on-1", cpu=SECOND)
        switch(SECOND, online=False)  # at once: some of what it has recorded is read after it has gone
        cleaners.clear(f"{phase}-gone", cpu=0)
    cleaners.are_counted_once_and_named()


def test_clears_while_a_cpu_comes_and_goes_are_counted_once_and_named(agent: Agent, tmp_path: Path) -> None:
    cleaners = Cleaners(agent, tmp_path)
    switch(SECOND, online=True)
    with coming_and_going(SECOND):
        cleaners.clear("anywhere", times=20)
    cleaners.are_counted_once_and_named()
