"""The real Collector and Kafka, certificates of the tests' own, and agents that use them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from gateway import Gateway
from process import Program

from kmsg_exporter.push.endpoint import Endpoint

TOKEN = "one-of-two-tokens"  # noqa: S105
SETUP = Path(__file__).with_name("setup.sh")
_EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")

MakeGateway = Callable[..., Gateway]


@pytest.fixture(scope="session")
def otelcol() -> Path:
    return _made("collector")


@pytest.fixture(scope="session")
def kafka_jars() -> Path:
    return _made("kafka")


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ca, gateway and agent (.crt, .key), and the tokens that the gateway takes."""
    folder = tmp_path_factory.mktemp("certificates")

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], check=True, cwd=folder, capture_output=True)

    usage = ("-addext", "keyUsage=critical,keyCertSign")
    openssl("req", "-x509", *_EC, "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=tests", *usage)
    (folder / "extensions").write_text("subjectAltName=IP:127.0.0.1\n")
    for name in ("gateway", "agent"):
        openssl("req", *_EC, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        signed_by = ("-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2")
        openssl("x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.crt", "-extfile", "extensions", *signed_by)
    (folder / "tokens").write_text(f"{TOKEN}\nthe-next-one\n")
    return folder


@pytest.fixture
def running() -> Iterator[Callable[[Program], None]]:
    """Starts a program, and stops it after the test."""
    with ExitStack() as stack:

        def run(program: Program) -> None:
            stack.callback(program.stop)
            program.start()

        yield run


@pytest.fixture
def gateway(otelcol: Path, certificates: Path, tmp_path: Path, running: Callable[[Program], None]) -> MakeGateway:
    """Starts a gateway: the shipped files beside gateway.yaml, then its settings."""
    made = 0

    def make(*files: str | Path, **settings: str) -> Gateway:
        nonlocal made
        made += 1
        folder = tmp_path / f"gateway-{made}"
        folder.mkdir()
        one = Gateway(otelcol, folder, files, certificates, settings)
        running(one)
        return one

    return make


@pytest.fixture
def to_gateway(certificates: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Gateway], Endpoint]:
    """How agents talk to a gateway that asks for all there is: certificate and token."""
    monkeypatch.setenv("NO_PROXY", "*")

    def endpoint(gateway: Gateway) -> Endpoint:
        return Endpoint(
            gateway.url,
            headers={"authorization": f"Bearer {TOKEN}"},
            ca_file=certificates / "ca.crt",
            client_cert=certificates / "agent.crt",
            client_key=certificates / "agent.key",
        )

    return endpoint


def _made(what: str) -> Path:
    return Path(subprocess.run([SETUP, what], check=True, capture_output=True, text=True).stdout.strip())
