"""Does an agent answer? If none does, say what keeps them away. `helm test` runs it in a pod without any rights."""

import http.client
import os
import ssl
import sys
import time
from collections.abc import Sequence

PAUSE_SECONDS = 1.0


class Stranger(Exception):
    """Something answers, and it is not the agent."""


def ask(scheme: str, host: str, port: int) -> str:
    """How the agent answers a scrape. Raises OSError or HTTPException when nobody does, Stranger when it is another."""
    connection: http.client.HTTPConnection
    if scheme == "https":
        # only whether it answers is asked here, and the certificate need not be for this name
        context = ssl._create_unverified_context()  # noqa: S323
        connection = http.client.HTTPSConnection(host, port, timeout=5, context=context)
    else:
        connection = http.client.HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", "/metrics")
        response = connection.getresponse()
        body = response.read()
    except ssl.SSLError as exc:
        if "CERTIFICATE_REQUIRED" in (exc.reason or ""):
            return "it asks for a client certificate"
        raise
    finally:
        connection.close()
    if response.status == 401:
        return "it asks for a password"
    if response.status != 200 or b"kmsg_exporter_build_info" not in body:
        raise Stranger(f"status {response.status}, without kmsg_exporter_build_info")
    return f"{body.count(bytes([10]))} lines of metrics"


def explanation(namespace: str, name: str, enforced: str) -> str:
    """Why no agent may be there, and what to do. `enforced` is the namespace's Pod Security level, if it is known."""
    if enforced in ("baseline", "restricted"):
        why = f'The reason: namespace {namespace} enforces the Pod Security level "{enforced}".'
    else:
        why = "The usual reason is the namespace's Pod Security level."
    return f"""{why}
It refuses the agents' pods, which need the host's pids and tracefs. The install succeeds all the same.
See:    kubectl -n {namespace} get events --field-selector reason=FailedCreate
Remedy: kubectl label --overwrite namespace {namespace} pod-security.kubernetes.io/enforce=privileged
        kubectl -n {namespace} rollout restart daemonset/{name}
If it is another: kubectl -n {namespace} describe daemonset/{name}
                  kubectl -n {namespace} logs daemonset/{name}"""


def main(arguments: Sequence[str]) -> int:
    """SCHEME SERVICE PORT SECONDS NAMESPACE DAEMONSET [LEVEL]: 0 when an agent answers within SECONDS."""
    scheme, service, port, seconds, namespace, name, *level = arguments
    # the kubelet tells the Service's address, so this works without DNS too
    host = os.environ.get(f"{service.partition('.')[0].replace('-', '_').upper()}_SERVICE_HOST", service)
    deadline = time.monotonic() + float(seconds)
    while True:
        try:
            print(f"An agent answers at {scheme}://{service}:{port}/metrics: {ask(scheme, host, int(port))}.")  # noqa: T201
            return 0
        except Stranger as exc:
            print(f"At {scheme}://{service}:{port}/metrics something else answers: {exc}.")  # noqa: T201
            return 1
        except (OSError, http.client.HTTPException) as exc:
            failure = exc
        if time.monotonic() >= deadline:
            break
        time.sleep(PAUSE_SECONDS)
    print(f"No agent answers at {scheme}://{service}:{port}/metrics: {failure}.")  # noqa: T201
    print(explanation(namespace, name, *level or [""]))  # noqa: T201
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
