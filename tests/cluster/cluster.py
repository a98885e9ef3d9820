"""The cluster that KUBECONFIG names, by kubectl and Helm: objects, pods, an agent's metrics, a collector's events."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar

from prometheus_client.parser import text_string_to_metric_families

T = TypeVar("T")
Json = dict[str, Any]

TOP = Path(__file__).parents[2]
CHART = TOP / "helm" / "kmsg-exporter"
RELEASE = "kmsg-exporter"
DEADLINE_SECONDS = 180.0


def eventually(ask: Callable[[], T | Literal[False] | None], why: str) -> T:
    """What `ask` returns as soon as that is true."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        answer = ask()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"did not come true within {DEADLINE_SECONDS:g} s: {why}")
        time.sleep(0.2)


def call(*command: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
    """A command's end; the caller judges its status."""
    return subprocess.run(command, input=text, capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=False)


def kubectl(*arguments: str, text: str | None = None) -> str:
    """What kubectl prints. Raises AssertionError with what it says against it."""
    ended = call("kubectl", *arguments, text=text)
    assert ended.returncode == 0, f"kubectl {shlex.join(arguments)}: {ended.stderr}"
    return ended.stdout


def helm(verb: str, namespace: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Helm on the release, with what CHART_ARGS says about this cluster."""
    chart = [str(CHART), *shlex.split(os.environ.get("CHART_ARGS", ""))] if verb in {"install", "upgrade"} else []
    program = str(Path(sys.executable).with_name("helm"))
    return call(program, verb, "--namespace", namespace, RELEASE, *chart, *arguments)


class Namespace:
    """A namespace with a Pod Security level."""

    def __init__(self, name: str, level: str) -> None:
        self.name = name
        label = f"pod-security.kubernetes.io/enforce={level}"
        kubectl("create", "namespace", name)
        kubectl("label", "namespace", name, label)

    def delete(self) -> None:
        helm("uninstall", self.name, "--wait", "--timeout=2m")
        kubectl("delete", "namespace", self.name, "--wait=true", f"--timeout={DEADLINE_SECONDS:g}s")

    def get(self, what: str, *arguments: str) -> list[Json]:
        items: list[Json] = json.loads(kubectl("-n", self.name, "get", what, "-o", "json", *arguments))["items"]
        return items

    def apply(self, text: str) -> None:
        kubectl("-n", self.name, "apply", "-f", "-", text=text)

    def python(self, pod: str, code: str) -> str:
        """What Python prints in a pod."""
        return kubectl("-n", self.name, "exec", "-i", pod, "--", "python3", "-", text=code).strip()

    def agent(self, node: str) -> Json:
        """The agent's pod on this node."""
        label = f"app.kubernetes.io/name={RELEASE}"
        pods = self.get("pods", "-l", label, f"--field-selector=spec.nodeName={node},status.phase=Running")
        (pod,) = (pod for pod in pods if "deletionTimestamp" not in pod["metadata"])
        return pod

    def samples(self, node: str, name: str) -> list[tuple[dict[str, str], float]]:
        """The samples of this name that the agent on this node shows now."""
        pod = self.agent(node)["metadata"]["name"]
        text = kubectl("get", "--raw", f"/api/v1/namespaces/{self.name}/pods/{pod}:10144/proxy/metrics")
        families = text_string_to_metric_families(text)
        return [
            (sample.labels, sample.value) for family in families for sample in family.samples if sample.name == name
        ]

    def events(self) -> list[Json]:
        """What the embedded collector has stored, oldest first."""
        path = f"/api/v1/namespaces/{self.name}/services/{RELEASE}-collector:4318/proxy/api/events?limit=500"
        events: list[Json] = json.loads(kubectl("get", "--raw", path))["events"]
        return events[::-1]
