"""As much of an API server as Helm asks for in a server-side dry run: namespaces with their labels, no more."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

RESOURCES = {
    "/api/v1": {"namespaces": "Namespace", "services": "Service", "serviceaccounts": "ServiceAccount", "pods": "Pod"},
    "/apis/apps/v1": {"daemonsets": "DaemonSet", "statefulsets": "StatefulSet"},
}


@contextmanager
def cluster(kubeconfig: Path, namespaces: Mapping[str, Mapping[str, str]]) -> Iterator[Path]:
    """A server until the block ends, and a configuration that leads to it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(_documents(namespaces)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        kubeconfig.write_text(
            json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
                    "users": [{"name": "u", "user": {}}],
                    "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
                    "current-context": "c",
                }
            )
        )
        yield kubeconfig
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _documents(namespaces: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    version = {"groupVersion": "apps/v1", "version": "v1"}
    group = {"name": "apps", "versions": [version], "preferredVersion": version}
    documents: dict[str, Any] = {
        "/version": {"major": "1", "minor": "32", "gitVersion": "v1.32.0"},
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
        "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": [group]},
    }
    for path, kinds in RESOURCES.items():
        resources = [
            {"name": name, "singularName": "", "kind": kind, "namespaced": kind != "Namespace", "verbs": ["get"]}
            for name, kind in kinds.items()
        ]
        group_version = path.removeprefix("/apis/").removeprefix("/api/")
        documents[path] = {"kind": "APIResourceList", "groupVersion": group_version, "resources": resources}
    for name, labels in namespaces.items():
        metadata = {"name": name, "labels": dict(labels)}
        documents[f"/api/v1/namespaces/{name}"] = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
    return documents


def _handler(documents: Mapping[str, Any]) -> type[BaseHTTPRequestHandler]:
    missing = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            document = documents.get(self.path.partition("?")[0])
            body = json.dumps(document or missing).encode()
            self.send_response(200 if document else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Helm's errors are enough."""

    return Handler
