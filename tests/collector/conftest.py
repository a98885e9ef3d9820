"""The collector as the process that people start, and senders that keep a record of what it acknowledged."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

SECONDS = 30.0
Start = Callable[..., "Collector"]


class Collector:
    """One process on a port that stays the same over restarts."""

    def __init__(
        self,
        directory: Path,
        flags: Sequence[str],
        before: Sequence[str],
        port: int,
        context: ssl.SSLContext | None,
    ) -> None:
        self.directory = directory
        self._context = context
        self.port = port
        command = [sys.executable, "-m", "kmsg_exporter", "collector", f"--collector.directory={directory}", *flags]
        self._command = [*before, *command, f"--collector.listen-address=127.0.0.1:{port}"]
        self._log = directory.with_suffix(".log")
        self.process = self._started()

    @property
    def store(self) -> Path:
        return self.directory / "events.sqlite3"

    @property
    def log(self) -> str:
        return self._log.read_text()

    def restart(self) -> None:
        self.process = self._started()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(SECONDS)

    def get(self, path: str) -> tuple[int, bytes]:
        with closing(self._connection()) as connection:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def post(self, body: bytes, **headers: str) -> tuple[int, Mapping[str, str], bytes]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with closing(self._connection()) as connection:
            connection.request("POST", "/v1/logs", body, {"Content-Type": "application/json", **named})
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()

    def value(self, name: str) -> float:
        """The value of a series, as /metrics writes it."""
        status, text = self.get("/metrics")
        assert status == 200, text
        return next(float(line.split()[-1]) for line in text.decode().splitlines() if line.startswith(f"{name} "))

    @property
    def peak_mib(self) -> float:
        """The most memory that it has had until now."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")) / 1024

    def _connection(self) -> http.client.HTTPConnection:
        if self._context is None:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=SECONDS, context=self._context)

    def becomes(self, status: int) -> None:
        """Wait for /-/ready to answer with it: what it found is true for a second."""
        deadline = time.monotonic() + SECONDS
        while self.get("/-/ready")[0] != status:
            assert time.monotonic() < deadline, self.log

    def _started(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            process = subprocess.Popen(self._command, stderr=log)
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                if self.get("/-/ready")[0] == 200:
                    return process
            except OSError:
                pass
            assert process.poll() is None, self.log
            assert time.monotonic() < deadline, self.log


@pytest.fixture
def certificate(tmp_path: Path) -> ssl.SSLContext:
    """What a client needs for a collector with the `web.yaml` that lies there then."""
    made = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "key", "-out", "crt")
    named = ("-subj", "/CN=collector", "-addext", "subjectAltName=IP:127.0.0.1")
    subprocess.run(["openssl", "req", "-x509", *made, *named], cwd=tmp_path, check=True, capture_output=True)
    (tmp_path / "web.yaml").write_text("tls_server_config: {cert_file: crt, key_file: key}\n")
    return ssl.create_default_context(cafile=tmp_path / "crt")


@pytest.fixture
def start(tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Start]:
    with ExitStack() as stack:

        def make(
            *flags: str,
            before: Sequence[str] = (),
            directory: Path | None = None,
            context: ssl.SSLContext | None = None,
        ) -> Collector:
            collector = Collector(directory or tmp_path / "collector", flags, before, free_port(), context)
            stack.callback(collector.kill)
            return collector

        yield make


@pytest.fixture
def free_port() -> Callable[[], int]:
    def find() -> int:
        with socket.create_server(("127.0.0.1", 0)) as sock:
            return int(sock.getsockname()[1])

    return find


def text(value: str) -> dict[str, str]:
    return {"stringValue": value}


@pytest.fixture
def body() -> Callable[..., bytes]:
    """An OTLP body of events by their uids, each of some size."""

    def make(*uids: str, size: int = 1000) -> bytes:
        records: list[dict[str, Any]] = [
            {
                "eventName": "kmsg.emptied",
                "body": text("x" * size),
                "attributes": [{"key": "log.record.uid", "value": text(uid)}],
            }
            for uid in uids
        ]
        return json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]}).encode()

    return make
