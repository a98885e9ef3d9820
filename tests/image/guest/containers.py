"""Containers under runc in the guest, and what the agent and the collector in them say."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from support import DEADLINE_SECONDS, eventually

BUNDLES = Path("/opt/image/bundles")
METRICS = "http://127.0.0.1:10144"
COLLECTOR = "http://127.0.0.1:4318"


class Container:
    """One bundle that runs, by its container id."""

    def __init__(self, bundle: str) -> None:
        config = json.loads((BUNDLES / bundle / "config.json").read_text())
        self.id = Path(config["linux"]["cgroupsPath"]).name
        self._log = Path("/var/log") / f"{bundle}.log"
        command = ["runc", "run", "--bundle", str(BUNDLES / bundle), self.id]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def execute(self, code: str) -> str:
        """What Python prints in the container, with the container's own privileges."""
        command = ["runc", "exec", self.id, "/opt/kmsg-exporter/bin/python", "-c", code]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()

    @property
    def pid(self) -> int:
        """Its first process, as the node counts."""
        state = subprocess.run(["runc", "state", self.id], check=True, stdout=subprocess.PIPE).stdout
        return int(json.loads(state)["pid"])

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def wait_until_ready(self, url: str) -> None:
        eventually(lambda: self._is_ready(url), why=f"{url} is ready; the log: {self.log()[-2000:]}")

    def _is_ready(self, url: str) -> bool:
        assert self.process.poll() is None, f"it ended with {self.process.returncode}; its log: {self.log()[-2000:]}"
        try:
            with urllib.request.urlopen(f"{url}/-/ready", timeout=DEADLINE_SECONDS) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def stop(self) -> int:
        """End it as the kubelet does; its exit status."""
        subprocess.run(["runc", "kill", self.id, "TERM"], check=True)
        return self.process.wait(DEADLINE_SECONDS)

    def close(self) -> None:
        """End it also after a failure."""
        if self.process.poll() is None:
            subprocess.run(["runc", "kill", self.id, "KILL"], check=False)
            self.process.wait(DEADLINE_SECONDS)


@contextmanager
def running(bundle: str, url: str) -> Iterator[Container]:
    """A container that is ready, ended afterwards."""
    container = Container(bundle)
    try:
        container.wait_until_ready(url)
        yield container
    finally:
        container.close()


def run(bundle: str) -> int:
    """A container that ends by itself; its exit status."""
    container = Container(bundle)
    try:
        return container.process.wait(DEADLINE_SECONDS)
    finally:
        container.close()


def samples(name: str) -> list[tuple[dict[str, str], float]]:
    """The samples of this name in the agent's /metrics now."""
    with urllib.request.urlopen(f"{METRICS}/metrics", timeout=DEADLINE_SECONDS) as answer:
        families = text_string_to_metric_families(answer.read().decode())
        return [
            (sample.labels, sample.value) for family in families for sample in family.samples if sample.name == name
        ]


def backend() -> str:
    """How the agent traces."""
    (found,) = (labels["backend"] for labels, value in samples("kmsg_exporter_backend_info") if value == 1)
    return found


def events() -> list[dict[str, Any]]:
    """What the collector has stored, oldest first."""
    with urllib.request.urlopen(f"{COLLECTOR}/api/events?limit=500", timeout=DEADLINE_SECONDS) as answer:
        stored: list[dict[str, Any]] = json.load(answer)["events"]
        return stored[::-1]
