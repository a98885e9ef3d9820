"""What `helm test` runs: the program as the chart renders it, against the project's own servers."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from charts import Helm, container, one

from kmsg_exporter.collector.server import CollectorServer
from kmsg_exporter.metrics.totals import Totals
from kmsg_exporter.metrics.web import WebServer
from kmsg_exporter.model import Observation
from kmsg_exporter.webconfig import Guard

Finished = subprocess.CompletedProcess[str]
NOBODY = "No agent answers at http://kmsg-kmsg-exporter.monitoring.svc:{}/metrics: [Errno 111] Connection refused.\n"
REMEDY = """\
It refuses the agents' pods, which need the host's pids and tracefs. The install succeeds all the same.
See:    kubectl -n monitoring get events --field-selector reason=FailedCreate
Remedy: kubectl label --overwrite namespace monitoring pod-security.kubernetes.io/enforce=privileged
        kubectl -n monitoring rollout restart daemonset/kmsg-kmsg-exporter
If it is another: kubectl -n monitoring describe daemonset/kmsg-kmsg-exporter
                  kubectl -n monitoring logs daemonset/kmsg-kmsg-exporter
"""


def start(helm: Helm, port: int, *level: str, scheme: str = "http", seconds: int = 0) -> subprocess.Popen[str]:
    """The test pod's command, with the variable by which the kubelet tells a pod where the agents' Service is."""
    test = container(one(helm.template(), "Pod"))
    assert test["command"] == ["python3", "-c"]
    program, *arguments = test["args"]
    assert arguments == ["http", "kmsg-kmsg-exporter.monitoring.svc", "10144", "30", "monitoring", "kmsg-kmsg-exporter"]
    command = [sys.executable, "-c", program, scheme, arguments[1], str(port), str(seconds), *arguments[4:], *level]
    environ = {"KMSG_KMSG_EXPORTER_SERVICE_HOST": "127.0.0.1", "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ)


def run(helm: Helm, port: int, *level: str, scheme: str = "http") -> Finished:
    with start(helm, port, *level, scheme=scheme) as process:
        out, err = process.communicate(timeout=60)
    return Finished(process.args, process.returncode, out, err)


@contextmanager
def agent(guard: Guard | None = None, port: int = 0) -> Iterator[int]:
    """The agent's web server; its port."""
    seen = Observation("kprobe", ready=True)
    address = ("127.0.0.1", port)
    with WebServer([address], totals=Totals(), observe=lambda: seen, version="0.1.0", guard=guard) as server:
        yield server.addresses[0][1]


@pytest.fixture
def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A folder with tls.crt and tls.key."""
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-subj", "/CN=agent", "-days", "2", "-keyout", "tls.key", "-out", "tls.crt"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=60)
    return tmp_path


def test_an_agent_that_answers_is_a_pass(helm: Helm) -> None:
    with agent() as port:
        done = run(helm, port)
    assert done.stdout.startswith(f"An agent answers at http://kmsg-kmsg-exporter.monitoring.svc:{port}/metrics: ")
    assert done.returncode == 0


def test_an_agent_that_comes_later_is_waited_for(helm: Helm, free_port: int) -> None:
    with start(helm, free_port, seconds=50) as process, agent(port=free_port):
        out, _ = process.communicate(timeout=60)
    assert out.startswith("An agent answers")
    assert process.returncode == 0


def test_without_an_agent_it_says_what_the_usual_reason_is(helm: Helm, free_port: int) -> None:
    done = run(helm, free_port)
    why = "The usual reason is the namespace's Pod Security level.\n"
    assert done.stdout == NOBODY.format(free_port) + why + REMEDY
    assert done.returncode == 1


def test_where_the_namespace_refuses_the_pods_it_says_so(helm: Helm, free_port: int) -> None:
    done = run(helm, free_port, "restricted")
    why = 'The reason: namespace monitoring enforces the Pod Security level "restricted".\n'
    assert done.stdout == NOBODY.format(free_port) + why + REMEDY
    assert done.returncode == 1


def test_another_server_at_the_port_is_no_agent(helm: Helm, tmp_path: Path) -> None:
    with CollectorServer("127.0.0.1", 0, tmp_path) as collector:
        done = run(helm, collector.port)
    assert "something else answers: status 200, without kmsg_exporter_build_info." in done.stdout
    assert done.returncode == 1


def test_an_agent_with_tls_and_a_password_passes(helm: Helm, certificate: Path) -> None:
    config = certificate / "web-config.yaml"
    # any hash: nobody logs in
    config.write_text(
        "tls_server_config: {cert_file: tls.crt, key_file: tls.key}\n"
        "basic_auth_users: {prometheus: $2b$04$8Jkjfxh9BxcQcRAQa5eYAOGk6vJEUcmgVbYJmYPGVb9JXHXSNCOtq}\n"
    )
    with agent(Guard(config)) as port:
        done = run(helm, port, scheme="https")
    assert done.stdout.endswith(": it asks for a password.\n")
    assert done.returncode == 0


def test_an_agent_that_asks_for_a_certificate_passes(helm: Helm, certificate: Path) -> None:
    config = certificate / "web-config.yaml"
    config.write_text(
        "tls_server_config: {cert_file: tls.crt, key_file: tls.key, client_ca_file: tls.crt, "
        "client_auth_type: RequireAndVerifyClientCert}\n"
    )
    with agent(Guard(config)) as port:
        done = run(helm, port, scheme="https")
    assert done.stdout.endswith(": it asks for a client certificate.\n")
    assert done.returncode == 0
