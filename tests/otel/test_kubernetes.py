"""The gateway in Kubernetes: valid manifests, and the culprit's pod by name."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml
from conftest import MakeGateway
from gateway import SHIPPED, Gateway, uid
from nodes import Nodes
from process import eventually

from kmsg_exporter.push.endpoint import Endpoint

POD_UID = "3f1c2a9e-7b1d-4c52-9a61-0d5d2f6f8a11"
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "cleanup-29384", "namespace": "batch", "uid": POD_UID, "resourceVersion": "1"},
    "spec": {"nodeName": "node-1", "containers": [{"name": "cleanup", "image": "debian"}]},
    "status": {"phase": "Running", "podIP": "10.0.0.7"},
}


class Api(ThreadingHTTPServer):
    """As much of a Kubernetes API as somebody needs who watches pods: one pod, and nothing changes."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.closing = threading.Event()


class _Handler(BaseHTTPRequestHandler):
    server: Api
    protocol_version = "HTTP/1.0"

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        asked = parse_qs(address.query)
        items = [POD] if address.path == "/api/v1/pods" else []
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        if "watch" not in asked:
            self._write({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": items})
            return
        if "sendInitialEvents" in asked:
            for item in items:
                self._write({"type": "ADDED", "object": item})
            done = {"resourceVersion": "1", "annotations": {"k8s.io/initial-events-end": "true"}}
            self._write({"type": "BOOKMARK", "object": {"apiVersion": "v1", "kind": "Pod", "metadata": done}})
        self.server.closing.wait(120)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    def _write(self, value: object) -> None:
        self.wfile.write(json.dumps(value).encode() + b"\n")
        self.wfile.flush()


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Iterator[Path]:
    """Of an API that knows one pod."""
    with Api() as api:
        thread = threading.Thread(target=api.serve_forever, args=(0.01,))
        thread.start()
        path = tmp_path / "kubeconfig"
        cluster = {"name": "one", "cluster": {"server": f"http://127.0.0.1:{api.server_address[1]}"}}
        context = {"name": "one", "context": {"cluster": "one", "user": "one"}}
        named = {"clusters": [cluster], "contexts": [context], "users": [{"name": "one", "user": {}}]}
        path.write_text(json.dumps({"apiVersion": "v1", "kind": "Config", "current-context": "one", **named}))
        yield path
        api.closing.set()
        api.shutdown()
        thread.join()


def test_the_culprits_pod_is_moved_to_the_resource_and_named(
    gateway: MakeGateway, to_gateway: Callable[[Gateway], Endpoint], kubeconfig: Path, tmp_path: Path
) -> None:
    settings = {"KMSG_GATEWAY_KUBERNETES_AUTH": "kubeConfig", "KUBECONFIG": str(kubeconfig)}
    receiver = gateway("culprit.yaml", "to-file.yaml", **settings)
    with Nodes(["node-1"], tmp_path, to_gateway(receiver)) as nodes:
        nodes.empty()
        eventually(lambda: nodes.waiting == 0, "it was sent")
        (left,) = nodes.records().values()
    (arrived,) = receiver.records()
    assert uid(arrived) == uid(left)
    assert arrived["attributes"] == left["attributes"]
    assert _plain(arrived["resource"]) == {
        **_plain(left["resource"]),
        "k8s.pod.uid": POD_UID,
        "k8s.pod.name": "cleanup-29384",
        "k8s.namespace.name": "batch",
    }


@pytest.mark.parametrize("version", ["1.30", "1.37"])
def test_manifests_are_valid(version: str) -> None:
    for path in sorted((SHIPPED / "kubernetes").glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text()):
            kubernetes_validate.validate(document, version, strict=True)


def test_every_file_that_the_manifests_name_is_there() -> None:
    kustomization = yaml.safe_load((SHIPPED / "kustomization.yaml").read_text())
    (config,) = kustomization["configMapGenerator"]
    files = sorted(path.name for path in SHIPPED.glob("*.yaml") if path.name != "kustomization.yaml")
    assert sorted(config["files"]) == files
    assert sorted(kustomization["resources"]) == sorted(f"kubernetes/{p.name}" for p in SHIPPED.glob("kubernetes/*"))
    stateful_set = yaml.safe_load((SHIPPED / "kubernetes" / "statefulset.yaml").read_text())
    (container,) = stateful_set["spec"]["template"]["spec"]["containers"]
    assert {word.removeprefix("--config=/etc/otelcol/config/") for word in container["args"]} <= set(files)


def _plain(attributes: list[dict[str, Any]]) -> dict[str, Any]:
    return {pair["key"]: pair["value"]["stringValue"] for pair in attributes}
