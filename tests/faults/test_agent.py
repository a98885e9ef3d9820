"""The whole agent, without tracing: what SIGHUP does to it, and that no secret shows anywhere."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import socket
import subprocess
import sys
import termios
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fault_certs import Authority
from fault_server import PATIENCE, Collector, accepts, answers, serving

from kmsg_exporter.agent import agent as agent_itself
from kmsg_exporter.config import Config
from kmsg_exporter.config.values import Address
from kmsg_exporter.local import ask
from kmsg_exporter.push.spool import Spool

COMMAND = (sys.executable, "-m", "kmsg_exporter")


class Agent:
    """One in `folder`, with its configuration in a file; its log grows in a file too."""

    def __init__(self, folder: Path, environ: dict[str, str], terminal: int | None) -> None:
        self.folder = folder
        self.port = free_port()
        self.log_file = folder / "log"
        self.configuration = folder / "config.yaml"
        self.environ = {"PATH": os.environ["PATH"], "NO_PROXY": "*", **environ}
        self.flags = (
            f"--config.file={self.configuration}",
            f"--path.tracefs={folder / 'none'}",
            f"--state-directory={folder / 'state'}",
        )

        def take_terminal() -> None:
            if terminal is not None:
                fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)

        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    *(*COMMAND, "run", *self.flags, f"--runtime-directory={folder / 'run'}"),
                    *(f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=debug", "--log.format=logfmt"),
                ],
                env=self.environ,
                stderr=log,
                start_new_session=True,
                preexec_fn=take_terminal,
            )

    def log(self) -> str:
        return self.log_file.read_text()

    def get(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=PATIENCE) as answer:
            return str(answer.read().decode())

    def value(self, name: str) -> float:
        lines = [line for line in self.get("/metrics").splitlines() if line.startswith(f"{name} ")]
        return float(lines[0].split()[1])

    def doctor(self, *more: str) -> str:
        command = [*COMMAND, "doctor", *self.flags, *more]
        done = subprocess.run(command, env=self.environ, capture_output=True, timeout=60, text=True)
        return done.stdout + done.stderr

    def configure(self, *lines: str) -> None:
        self.configuration.write_text("".join(f"{line}\n" for line in lines))


@contextmanager
def running(
    folder: Path, *lines: str, environ: dict[str, str] | None = None, terminal: int | None = None
) -> Iterator[Agent]:
    (folder / "config.yaml").write_text("".join(f"{line}\n" for line in lines))
    agent = Agent(folder, environ or {}, terminal)
    try:
        eventually(lambda: "not seen" in agent.log() or agent.process.poll() is not None)
        yield agent
    finally:
        agent.process.kill()
        agent.process.wait(PATIENCE)


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def store(folder: Path, events: int) -> list[str]:
    """What an earlier run left to be sent."""
    spool = Spool(folder / "state" / "spool.sqlite3")
    uids = [spool.append(lambda uid, sequence: {"uid": uid, "sequence": sequence}).uid for _ in range(events)]
    spool.close()
    return uids


def test_sighup_takes_over_a_changed_endpoint_and_loses_nothing(tmp_path: Path) -> None:
    store(tmp_path, 3)
    nowhere = f"push.endpoint: http://127.0.0.1:{free_port()}"
    with serving(Collector(accepts)) as collector, running(tmp_path, nowhere) as agent:
        eventually(lambda: "refused; nothing listens there" in agent.log())
        started = agent.value("kmsg_exporter_config_last_reload_success_timestamp_seconds")
        agent.configure(f"push.endpoint: http://127.0.0.1:{collector.port}", "web.max-requests: 7")
        agent.process.send_signal(signal.SIGHUP)
        eventually(lambda: {1, 2, 3} <= set(collector.taken))
        eventually(lambda: agent.value("kmsg_exporter_config_last_reload_success_timestamp_seconds") > started)
        assert "the configuration was read again; changed: push.endpoint" in agent.log()
        assert "changed too, and taken over at the next start only: web.max-requests" in agent.log()
        eventually(lambda: agent.value("kmsg_exporter_push_queue_events") == 0)
        assert len(collector.taken) == len(set(collector.taken))


def test_a_configuration_that_is_wrong_changes_nothing(tmp_path: Path) -> None:
    with serving(Collector(accepts)) as collector:
        endpoint = f"push.endpoint: http://127.0.0.1:{collector.port}"
        with running(tmp_path, endpoint, "push.hello-interval-seconds: 1") as agent:
            assert agent.value("kmsg_exporter_config_last_reload_successful") == 1
            agent.configure(endpoint, "push.sample: many")
            agent.process.send_signal(signal.SIGHUP)
            eventually(lambda: agent.value("kmsg_exporter_config_last_reload_successful") == 0)
            assert "the configuration was not read again, all stays as it was" in agent.log()
            heard = len(collector.heard)
            eventually(lambda: len(collector.heard) > heard)
            agent.configure(endpoint)
            agent.process.send_signal(signal.SIGHUP)
            eventually(lambda: agent.value("kmsg_exporter_config_last_reload_successful") == 1)


def test_sighup_gives_an_agent_without_endpoint_one(tmp_path: Path) -> None:
    store(tmp_path, 2)
    with serving(Collector(accepts)) as collector, running(tmp_path, "push.sample: 0") as agent:
        assert "kmsg_exporter_push_queue_events 0" not in agent.get("/metrics")
        agent.configure(f"push.endpoint: http://127.0.0.1:{collector.port}")
        agent.process.send_signal(signal.SIGHUP)
        eventually(lambda: {1, 2} <= set(collector.taken))


def test_a_sighup_that_comes_while_it_starts_is_not_forgotten(tmp_path: Path) -> None:
    read_again = threading.Event()
    config = Config(
        path_tracefs=tmp_path / "none",
        state_directory=tmp_path / "state",
        runtime_directory=tmp_path / "run",
        web_listen_address=(Address("127.0.0.1", 0),),
    )

    def read() -> Config:
        read_again.set()
        return config

    agent = agent_itself.Agent(config, {}, read_config=read)
    agent.reload()
    with agent:
        assert read_again.wait(PATIENCE)


def test_an_agent_ends_with_its_terminal_and_not_by_a_sighup_on_it(tmp_path: Path) -> None:
    ours, its = pty.openpty()
    with running(tmp_path, "push.sample: 0", terminal=its) as agent:
        os.close(its)
        agent.process.send_signal(signal.SIGHUP)
        eventually(lambda: "the configuration was read again; changed: nothing" in agent.log())
        assert agent.process.poll() is None
        os.close(ours)
        assert agent.process.wait(PATIENCE) == 0
        assert "stopped; nothing is left in tracefs" in agent.log()


def test_no_secret_shows_anywhere(tmp_path: Path) -> None:
    canaries = {name: f"c4nary-{name}" for name in ("variable", "header", "token", "rotated", "query", "proxy")}
    authority = Authority(tmp_path / "ca")
    client = authority.issue("client")
    (tmp_path / "headers").write_text(f"X-Secret: {canaries['header']}\n")
    (tmp_path / "token").write_text(canaries["token"])
    key = client.key.read_text().splitlines()[1]
    store(tmp_path, 1)
    with serving(Collector(answers(401))) as collector:
        collector.context = authority.context(authority.issue("collector"), mutual=True)
        environ = {
            "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": f"https://127.0.0.1:{collector.port}/v1/logs?key={canaries['query']}",
            "OTEL_EXPORTER_OTLP_HEADERS": f"X-Variable={canaries['variable']}",
            "OTEL_EXPORTER_OTLP_CERTIFICATE": str(authority.cert),
            "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": str(client.cert),
            "OTEL_EXPORTER_OTLP_CLIENT_KEY": str(client.key),
            "HTTP_PROXY": f"http://somebody:{canaries['proxy']}@127.0.0.1:1",
        }
        files = (f"push.headers-file: {tmp_path / 'headers'}", f"push.bearer-token-file: {tmp_path / 'token'}")
        with running(tmp_path, *files, environ=environ) as agent:
            eventually(lambda: "HTTP status 401" in agent.log())
            collector.act = accepts
            (tmp_path / "token").write_text(canaries["rotated"])
            agent.process.send_signal(signal.SIGHUP)
            eventually(lambda: 1 in collector.taken)
            tokens = [headers["Authorization"] for _, headers, _ in collector.heard]
            assert (tokens[0], tokens[-1]) == (f"Bearer {canaries['token']}", f"Bearer {canaries['rotated']}")
            assert {headers["X-Secret"] for _, headers, _ in collector.heard} == {canaries["header"]}
            assert {headers["X-Variable"] for _, headers, _ in collector.heard} == {canaries["variable"]}
            (tmp_path / "headers").write_text(canaries["header"])
            agent.process.send_signal(signal.SIGHUP)
            status = [ask(tmp_path / "run" / "agent.sock", name) for name in ("status", "history")]
            doctor = [agent.doctor(), agent.doctor("--json")]
            processes = subprocess.run(["ps", "-ww", "-eo", "args"], capture_output=True, check=True, text=True).stdout
            assert str(agent.configuration) in processes
            shown = {
                "log": agent.log(),
                "metrics": agent.get("/metrics"),
                "page": agent.get("/"),
                "status": str(status),
                "doctor": "".join(doctor),
                "processes": processes,
            }
    for place, text in shown.items():
        assert text, place
        assert "c4nary" not in text, place
        assert key not in text, place


@pytest.mark.parametrize("secret", ["", "two words s3cret"])
def test_a_secret_that_is_missing_or_malformed_holds_events_back_until_it_is_there(tmp_path: Path, secret: str) -> None:
    store(tmp_path, 1)
    if secret:
        (tmp_path / "token").write_text(secret)
    with serving(Collector(accepts)) as collector:
        lines = (f"push.endpoint: http://127.0.0.1:{collector.port}", f"push.bearer-token-file: {tmp_path / 'token'}")
        with running(tmp_path, *lines) as agent:
            eventually(lambda: "nothing is sent without it" in agent.log())
            assert 'kmsg_exporter_push_failures_total{reason="secret"}' in agent.get("/metrics")
            assert collector.heard == []
            (tmp_path / "token").write_text("t0ken")
            agent.process.send_signal(signal.SIGHUP)
            eventually(lambda: 1 in collector.taken)
            assert "s3cret" not in agent.log()
