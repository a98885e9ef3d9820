"""Durable events a second, and memory: the collector that comes with the project beside the OpenTelemetry Collector."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from kmsg_bench.child import BenchError, Child
from kmsg_bench.comparison import say
from kmsg_bench.events import write_requests
from kmsg_bench.figures import Spread
from kmsg_bench.service import collector, until

EMBEDDED: Final = "embedded"
OTELCOL: Final = "OpenTelemetry Collector"
CONNECTIONS: Final = (8, 64)
STORED: Final = (1_000, 100_000)
_FILL_EVENTS = 50  # a request, while a store is filled
_MOST_A_SECOND = 3_000
_READY_SECONDS = 60.0
_FILL_SECONDS = 300.0
# All events stay in the queue, which is what it has for a store: its destination is away. With one that takes them it
# writes each three times.
_CONFIG = """\
extensions:
  file_storage: {{directory: {queue}, create_directory: true, fsync: true, timeout: 10s}}
receivers:
  otlp: {{protocols: {{http: {{endpoint: "127.0.0.1:{port}"}}}}}}
processors:
  memory_limiter: {{check_interval: 1s, limit_mib: 400, spike_limit_mib: 80}}
exporters:
  otlp_http:
    endpoint: http://127.0.0.1:1
    sending_queue: {{storage: file_storage, sizer: bytes, queue_size: 8589934592, num_consumers: 1}}
    retry_on_failure: {{max_elapsed_time: 0s}}
service:
  telemetry: {{metrics: {{level: none}}, logs: {{level: error}}}}
  extensions: [file_storage]
  pipelines: {{logs: {{receivers: [otlp], processors: [memory_limiter], exporters: [otlp_http]}}}}
"""


_Load = tuple[float, float, float, float]  # events a second, p50 and p99 in milliseconds, microseconds of CPU for each


class Receiver(Protocol):
    """A collector that listens on `port` of 127.0.0.1 while it is entered."""

    port: int

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def peak_kib(self) -> int: ...
    def cpu_seconds(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Run:
    """One load on one collector. `peak_mib` is over all loads since its start, which was after it was filled."""

    who: str
    stored: int
    connections: int
    events_per_second: Spread
    p50_ms: Spread
    p99_ms: Spread
    cpu_us: Spread
    peak_mib: float


class Otelcol(Child):
    """The OpenTelemetry Collector with a queue on disk, fsync on."""

    def __init__(self, program: Path, directory: Path) -> None:
        directory.mkdir(exist_ok=True)
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port: int = probe.getsockname()[1]
        config = directory / "config.yaml"
        config.write_text(_CONFIG.format(queue=directory / "queue", port=self.port))
        super().__init__([program, "--config", config], directory / "log")

    def start(self) -> None:
        super().start()
        until(self._listens, "the OpenTelemetry Collector to listen", _READY_SECONDS)

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            self.require_alive()
            return False
        return True


def measure(
    otelcol: Path, senders: Path, directory: Path, *, seconds: float, rounds: int, stored: Sequence[int]
) -> list[Run]:
    """Both side by side and loaded in turns, each in a fresh store that is filled first and then opened anew."""
    turns = [(connections, number) for number in range(rounds) for connections in CONNECTIONS]
    for connections, number in turns:
        write_requests(directory / f"load-{connections}-{number}", int(seconds * _MOST_A_SECOND))
    runs: list[Run] = []
    for count in stored:
        filling = directory / f"fill-{count}"
        write_requests(filling, count // _FILL_EVENTS, events=_FILL_EVENTS)
        with ExitStack() as stack:
            receivers = {}
            for who, make in _both(otelcol):
                say(f"{who}, {count} events stored")
                folder = directory / f"{who.split()[0]}-{count}"
                folder.mkdir()
                with _running(make, folder) as receiver:
                    _send(senders, receiver, 4, _FILL_SECONDS, filling, count // _FILL_EVENTS)
                receivers[who] = stack.enter_context(_running(make, folder))
            found: dict[tuple[str, int], list[_Load]] = {}
            for connections, number in turns:
                for who, receiver in receivers.items():
                    load = _send(senders, receiver, connections, seconds, directory / f"load-{connections}-{number}")
                    found.setdefault((who, connections), []).append(load)
            peaks = {who: receiver.peak_kib() / 1024 for who, receiver in receivers.items()}
        for (who, connections), loads in found.items():
            rate, p50_ms, p99_ms, cpu_us = (Spread.of(figures) for figures in zip(*loads, strict=True))
            runs.append(Run(who, count, connections, rate, p50_ms, p99_ms, cpu_us, peaks[who]))
    return runs


def _both(otelcol: Path) -> Iterator[tuple[str, Callable[[Path], Receiver]]]:
    yield EMBEDDED, collector
    yield OTELCOL, lambda folder: Otelcol(otelcol, folder)


@contextmanager
def _running(make: Callable[[Path], Receiver], folder: Path) -> Iterator[Receiver]:
    receiver = make(folder)
    receiver.start()
    try:
        yield receiver
    finally:
        receiver.stop()


def _send(
    senders: Path, receiver: Receiver, connections: int, seconds: float, requests: Path, wanted: int | None = None
) -> _Load:
    """Raises BenchError when a request was refused, or not all went."""
    command = [str(senders), str(receiver.port), str(connections), str(seconds), str(requests)]
    cpu_before = receiver.cpu_seconds()
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    accepted, refused, took, p50_ms, p99_ms = map(float, said)
    if refused or wanted not in (None, int(accepted)):
        raise BenchError(f"of {wanted or 'all'} requests {accepted:.0f} were taken and {refused:.0f} were not")
    cpu_us = (receiver.cpu_seconds() - cpu_before) / max(accepted, 1) * 1e6
    return accepted / took, p50_ms, p99_ms, cpu_us
