"""The shipped files: the Collector takes each way to put them together, and asks agents for what they say."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import MakeGateway
from gateway import SHIPPED, Gateway, uid
from nodes import Nodes
from process import eventually

from kmsg_exporter.push.endpoint import Endpoint

ToGateway = Callable[[Gateway], Endpoint]
DESTINATIONS = ("to-file.yaml", "to-kafka.yaml", "to-loki.yaml", "to-otlp.yaml")


@pytest.mark.parametrize("destination", DESTINATIONS)
@pytest.mark.parametrize("beside", [(), ("client-certificates.yaml", "token.yaml"), ("culprit.yaml",)])
def test_the_collector_takes_them(otelcol: Path, tmp_path: Path, destination: str, beside: tuple[str, ...]) -> None:
    said = _validated(otelcol, tmp_path, "gateway.yaml", *beside, destination)
    assert (said.returncode, said.stderr) == (0, "")


def test_the_collector_takes_all_destinations_at_once(otelcol: Path, tmp_path: Path) -> None:
    said = _validated(otelcol, tmp_path, "gateway.yaml", *DESTINATIONS)
    assert (said.returncode, said.stderr) == (0, "")


def test_without_a_destination_the_collector_refuses_to_start(otelcol: Path, tmp_path: Path) -> None:
    said = _validated(otelcol, tmp_path, "gateway.yaml")
    assert (said.returncode, said.stderr) == (1, "Error: no exporter configuration specified in config\n")


def test_an_event_arrives_as_it_left(gateway: MakeGateway, to_gateway: ToGateway, tmp_path: Path) -> None:
    receiver = gateway("client-certificates.yaml", "token.yaml", "to-file.yaml")
    with Nodes(["node-1"], tmp_path, to_gateway(receiver)) as nodes:
        nodes.empty()
        eventually(lambda: nodes.waiting == 0, "it was sent")
        (left,) = nodes.records().values()
        (arrived,) = receiver.records()
        assert arrived == left
        assert nodes.all[0].failures == {}


def test_without_a_client_certificate_nothing_arrives(
    gateway: MakeGateway, to_gateway: ToGateway, tmp_path: Path
) -> None:
    receiver = gateway("client-certificates.yaml", "to-file.yaml")
    endpoint = replace(to_gateway(receiver), client_cert=None, client_key=None)
    with Nodes(["node-1"], tmp_path, endpoint) as nodes:
        nodes.empty()
        eventually(lambda: nodes.failures("tls"), "it was refused")
        assert nodes.waiting == 1
        assert receiver.records() == []


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer wrong"}])
def test_without_a_token_nothing_arrives(
    gateway: MakeGateway, to_gateway: ToGateway, tmp_path: Path, headers: dict[str, str]
) -> None:
    receiver = gateway("token.yaml", "to-file.yaml")
    with Nodes(["node-1"], tmp_path, replace(to_gateway(receiver), headers=headers)) as nodes:
        nodes.empty()
        eventually(lambda: nodes.failures("http_401"), "it was refused")
        assert nodes.waiting == 1
        assert receiver.records() == []


def test_a_token_that_was_changed_lets_in_what_waits(
    gateway: MakeGateway, to_gateway: ToGateway, tmp_path: Path
) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text("another\n")
    receiver = gateway("token.yaml", "to-file.yaml", KMSG_GATEWAY_TOKENS=str(tokens))
    with Nodes(["node-1"], tmp_path, to_gateway(receiver)) as nodes:
        nodes.empty()
        eventually(lambda: nodes.failures("http_401"), "it was refused")
        tokens.write_text("another\none-of-two-tokens\n")
        eventually(lambda: nodes.waiting == 0, "it was sent")
        assert {uid(record) for record in receiver.records()} == set(nodes.records())


def test_the_readme_has_every_variable() -> None:
    said = re.findall(r"`(_?[A-Z][A-Z_]+)`", (SHIPPED / "README.md").read_text())
    known = {f"KMSG_GATEWAY{name}" if name.startswith("_") else name for name in said}
    files = "".join(path.read_text() for path in SHIPPED.glob("*.yaml"))
    assert set(re.findall(r"\$\{env:(\w+)", files)) <= known


def _validated(otelcol: Path, folder: Path, *files: str) -> subprocess.CompletedProcess[str]:
    words = [word for name in files for word in ("--config", SHIPPED / name)]
    environ = {"PATH": os.environ["PATH"], "KMSG_GATEWAY_QUEUE": str(folder / "queue")}
    return subprocess.run([otelcol, "validate", *words], env=environ, capture_output=True, text=True, timeout=60)
