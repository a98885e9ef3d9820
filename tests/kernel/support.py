"""What the tests on a real kernel share: an agent that really runs, its metrics, and programs that use the log."""

from __future__ import annotations

import ctypes
import http.client
import json
import mmap
import os
import platform
import random
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TypeVar

from prometheus_client.parser import text_string_to_metric_families

T = TypeVar("T")

TRACEFS = Path("/sys/kernel/tracing")
CHECKOUT = Path(__file__).parents[2]
INSTANCES = ("kmsg_exporter", "kmsg_exporter_bulk", "kmsg_exporter_recorder")
NOBODY = 65534
IN_GUEST = "KMSG_GUEST" in os.environ
RELEASE = ".".join(os.uname().release.split(".")[:2])
KERNEL = RELEASE + ("-arm64" if os.uname().machine == "aarch64" else "")
DEADLINE_SECONDS = 180.0  # an emulated machine is slow: this only bounds a failure

CLEAR, READ_ALL, READ_CLEAR, CONSOLE_LEVEL = 5, 3, 4, 8


def eventually(ask: Callable[[], T | Literal[False] | None], *, why: str = "") -> T:
    """What `ask` returns as soon as that is true."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        answer = ask()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"did not come true: {why or ask}")
        time.sleep(0.05)


def klogctl(action: int, buffer: Any = None, length: int = 0) -> int:
    """syslog(2) by this process: the result, or minus the errno."""
    call = ctypes.CDLL(None, use_errno=True).klogctl
    result: int = call(action, buffer, length)
    return -ctypes.get_errno() if result < 0 else result


def run_python(code: str, *, name: str | None = None, user: int | None = None) -> str:
    """Run some Python in a process of its own and wait for it; what it printed."""
    prelude = "import ctypes, os, sys\nklogctl = ctypes.CDLL(None, use_errno=True).klogctl\n"
    if name is not None:
        prelude += f"open('/proc/self/comm', 'w').write({name!r})\n"
    if user is not None:
        prelude += f"os.setuid({user})\n"
    return subprocess.run([sys.executable, "-c", prelude + code], check=True, capture_output=True, text=True).stdout


def printk(text: str) -> None:
    """Put a line into the kernel log. Without its newline it would stay open for more, and nobody could read it."""
    with Path("/dev/kmsg").open("w") as file:
        file.write(f"{text}\n")


def visible_records() -> list[str]:
    """The raw records that dmesg would show, read as dmesg reads them."""
    return _records(os.SEEK_DATA)


def all_records() -> list[str]:
    """The raw records that the ring holds, hidden ones too."""
    return _records(os.SEEK_SET)


def first_to_hide() -> int:
    """The sequence number of the record with which the next clear begins."""
    following = int(all_records()[-1].split(",")[1]) + 1  # asked first: what is printed from here on is visible
    visible = visible_records()
    return int(visible[0].split(",")[1]) if visible else following


def _records(whence: int) -> list[str]:
    fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
    try:
        os.lseek(fd, 0, whence)
        found = []
        while True:
            try:
                found.append(os.read(fd, 16384).decode(errors="replace"))
            except BlockingIOError:
                return found
            except BrokenPipeError:
                continue
    finally:
        os.close(fd)


def program32(path: Path, action: int) -> Path:
    """A 32-bit program of a few instructions that calls syslog(action, NULL, 4) and exits with 0."""
    if platform.machine() == "aarch64":
        machine, flags = 40, 0x05000000  # ARM, EABI5
        words = (
            0xE3A07067,
            0xE3A00000 | action,
            0xE3A01000,
            0xE3A02004,
            0xEF000000,
            0xE3A07001,
            0xE3A00000,
            0xEF000000,
        )
        code = b"".join(struct.pack("<I", word) for word in words)
    else:
        machine, flags = 3, 0  # 386
        code = _int80(action)
    base, headers = 0x10000, 52 + 32
    size = headers + len(code)
    elf = b"\x7fELF\x01\x01\x01" + bytes(9)
    elf += struct.pack("<HHIIIIIHHHHHH", 2, machine, 1, base + headers, 52, 0, flags, 52, 32, 1, 0, 0, 0)
    elf += struct.pack("<IIIIIIII", 1, 0, base, base, size, size, 5, 0x1000)
    path.write_bytes(elf + code)
    path.chmod(0o755)
    return path


def program_int80(path: Path, action: int) -> Path:
    """The same for x86-64, as a 64-bit program that enters the kernel by int $0x80."""
    code, base, headers = _int80(action), 0x10000, 64 + 56
    size = headers + len(code)
    elf = b"\x7fELF\x02\x01\x01" + bytes(9)
    elf += struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, base + headers, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    elf += struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, size, size, 0x1000)
    path.write_bytes(elf + code)
    path.chmod(0o755)
    return path


def _int80(action: int) -> bytes:
    """syslog(action, NULL, 4) and exit(0), in instructions that 32-bit and 64-bit programs have in common."""
    call = bytes([0xB8, 103, 0, 0, 0, 0xBB, action, 0, 0, 0, 0x31, 0xC9, 0xBA, 4, 0, 0, 0, 0xCD, 0x80])
    return call + bytes([0xB8, 1, 0, 0, 0, 0x31, 0xDB, 0xCD, 0x80])


def faulting_buffer(good_bytes: int) -> tuple[int, mmap.mmap]:
    """An address with `good_bytes` of writable memory before a page that faults, and the mapping to keep alive."""
    area = mmap.mmap(-1, 2 * mmap.PAGESIZE)
    start = ctypes.addressof(ctypes.c_char.from_buffer(area))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mprotect(ctypes.c_void_p(start + mmap.PAGESIZE), mmap.PAGESIZE, 0):
        raise OSError(ctypes.get_errno(), "mprotect")
    return start + mmap.PAGESIZE - good_bytes, area


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Agent:
    """One `kmsg-exporter run` as a child process."""

    def __init__(self, directory: Path, backend: str, flags: Sequence[str] = ()) -> None:
        self.directory = directory
        self.backend = backend
        self.port = free_port()
        self.collector_port = free_port()
        self._log = (directory / "agent.log").open("ab")
        self.flags = flags
        self.process: subprocess.Popen[bytes] | None = None
        self.start_seconds = 0.0

    def command(self) -> list[str]:
        return [
            *(sys.executable, "-m", "kmsg_exporter", "run", f"--backend={self.backend}"),
            f"--web.listen-address=127.0.0.1:{self.port}",
            f"--collector.listen-address=127.0.0.1:{self.collector_port}",
            f"--state-directory={self.directory}/state",
            f"--runtime-directory={self.directory}/run",
            "--readers.scan-interval-seconds=1",
            "--log.format=json",
            *self.flags,
        ]

    def start(self) -> None:
        """Start it and wait until it is ready; `start_seconds` is how long that took."""
        begun = time.monotonic()
        self.spawn()
        self.until_ready()
        self.start_seconds = time.monotonic() - begun

    def spawn(self) -> None:
        """Start it, and go on at once."""
        self.process = subprocess.Popen(self.command(), stdout=self._log, stderr=self._log, env=environment())

    def until_ready(self) -> None:
        eventually(self.is_ready, why=f"the agent is ready; its log: {self.log()[-2000:]}")

    def stop(self, number: int = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(DEADLINE_SECONDS)

    def kill_after(self, seconds: float) -> None:
        """kill -9 at some moment, up to which it has not ended by itself."""
        time.sleep(seconds)
        assert self.stop(signal.SIGKILL) == -signal.SIGKILL, self.log()[-2000:]

    def kill_while_it_starts(self, chance: random.Random) -> None:
        """kill -9 at any moment from its first to well after the one in which it gets ready."""
        self.kill_after(chance.uniform(0.0, 1.5 * self.start_seconds))

    def close(self) -> None:
        """End it also after a failure, so that the next test finds a clean node."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(DEADLINE_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._log.close()

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def get(self, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_SECONDS)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def is_ready(self) -> bool:
        if self.process is not None and self.process.poll() is not None:
            raise AssertionError(f"the agent ended with {self.process.returncode}; its log: {self.log()[-2000:]}")
        try:
            return self.get("/-/ready")[0] == 200
        except OSError:
            return False

    def value(self, name: str, **labels: str) -> float | None:
        """The sum of the samples that have these labels, None when there is none."""
        found = [value for sample, value in self.samples(name) if labels.items() <= sample.items()]
        return sum(found) if found else None

    def count(self, name: str, **labels: str) -> float:
        """The same for a counter, where no series is 0."""
        return self.value(name, **labels) or 0.0

    def samples(self, name: str) -> list[tuple[dict[str, str], float]]:
        time.sleep(0.11)  # scrapes closer to each other than this share one look
        # the others' lines are left out: to take them apart is most of the time of such a look in a guest
        lines = [f"{line}\n" for line in self.get("/metrics")[1].split("\n") if line.startswith(name)]
        families = text_string_to_metric_families("".join(lines))
        return [
            (sample.labels, sample.value) for family in families for sample in family.samples if sample.name == name
        ]

    def log(self) -> str:
        return (self.directory / "agent.log").read_text(errors="replace")

    def events(self) -> list[dict[str, Any]]:
        """This node's own emptyings, oldest first, as OTLP records with plain attributes."""
        from kmsg_exporter.local import ask

        history = ask(self.directory / "run" / "agent.sock", "history", limit=1000)
        return [_plain(event["record"]) for event in reversed(history)]

    def told(self) -> list[dict[str, Any]]:
        """The same once each emptying that was counted is in one: what follows within a second of another is held."""
        eventually(
            lambda: sum(event["kmsg.coalesced"] for event in self.events()) >= self.count("kmsg_emptied_total"),
            why="each emptying is told",
        )
        return self.events()

    def collected(self) -> list[dict[str, Any]]:
        """What the embedded collector has stored, newest first."""
        connection = http.client.HTTPConnection("127.0.0.1", self.collector_port, timeout=DEADLINE_SECONDS)
        try:
            connection.request("GET", "/api/events?limit=500")
            answer: dict[str, list[dict[str, Any]]] = json.loads(connection.getresponse().read())
            return answer["events"]
        finally:
            connection.close()


def _plain(record: dict[str, Any]) -> dict[str, Any]:
    attributes = {item["key"]: _value(item["value"]) for item in record["attributes"]}
    return attributes | {"body": record["body"]["stringValue"], "time_unix_ns": int(record["timeUnixNano"])}


def _value(value: dict[str, Any]) -> Any:
    kind, inner = next(iter(value.items()))
    if kind == "intValue":
        return int(inner)
    if kind == "arrayValue":
        return [_value(item) for item in inner.get("values", [])]
    if kind == "kvlistValue":
        return {item["key"]: _value(item["value"]) for item in inner.get("values", [])}
    return inner


def environment() -> dict[str, str]:
    """This process's environment, with the checkout importable."""
    return os.environ | {"PYTHONPATH": str(CHECKOUT)}


@contextmanager
def running(directory: Path, backend: str, *flags: str) -> Iterator[Agent]:
    """A ready agent, ended afterwards."""
    directory.mkdir(exist_ok=True)
    agent = Agent(directory, backend, flags)
    try:
        agent.start()
        yield agent
        if agent.process is not None and agent.process.poll() is None:
            agent.stop()
    finally:
        agent.close()


@contextmanager
def stopped(agent: Agent) -> Iterator[None]:
    """The agent sees nothing before this is over."""
    os.kill(agent.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(agent.pid, signal.SIGCONT)


@contextmanager
def collector(port: int, directory: Path) -> Iterator[None]:
    """A collector as a process of its own, ended afterwards."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "kmsg_exporter", "collector"),
            f"--collector.listen-address=127.0.0.1:{port}",
            f"--collector.directory={directory}",
        ],
        env=environment(),
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)


def kprobe_command(command: str) -> None:
    """Append one command to kprobe_events: a plain append seeks first, and the file refuses that."""
    fd = os.open(TRACEFS / "kprobe_events", os.O_WRONLY | os.O_APPEND)
    try:
        os.write(fd, f"{command}\n".encode())
    finally:
        os.close(fd)


def ours_in_tracefs() -> list[str]:
    """Everything of ours that is in tracefs now."""
    found = [name for name in os.listdir(TRACEFS / "instances") if name.startswith("kmsg_exporter")]
    probes = TRACEFS / "kprobe_events"
    if probes.exists():
        found += [line for line in probes.read_text().splitlines() if ":kmsg_exporter/" in line]
    return found
