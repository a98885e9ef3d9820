"""The endpoint and the resource from flag and environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from kmsg_exporter.errors import ConfigError
from kmsg_exporter.push.endpoint import Endpoint
from kmsg_exporter.push.resource import Resource

BASE = "OTEL_EXPORTER_OTLP_ENDPOINT"
LOGS = "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"
HEADERS = "OTEL_EXPORTER_OTLP_HEADERS"


def url(environ: dict[str, str], flag: str | None = None) -> str | None:
    endpoint = Endpoint.from_environ(environ, flag)
    return endpoint.url if endpoint else None


def test_no_endpoint_means_events_stay_here() -> None:
    assert Endpoint.from_environ({}) is None
    assert Endpoint.from_environ({BASE: " ", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}) is None


def test_the_path_is_appended_to_all_but_the_logs_variable() -> None:
    assert url({BASE: "http://c:4318"}) == "http://c:4318/v1/logs"
    assert url({BASE: "https://c/otlp/"}) == "https://c/otlp/v1/logs"
    assert url({BASE: "http://c/v1/logs"}) == url({BASE: "http://c/v1/logs/"}) == "http://c/v1/logs"
    assert url({LOGS: "http://c/in?tenant=1"}) == "http://c/in?tenant=1"
    assert url({}, "http://[::1]:4318") == "http://[::1]:4318/v1/logs"


def test_the_flag_wins_over_the_logs_variable_and_that_over_the_general_one() -> None:
    assert url({BASE: "http://base", LOGS: "http://logs/x"}) == "http://logs/x"
    assert url({BASE: "http://base", LOGS: "http://logs/x"}, "http://flag") == "http://flag/v1/logs"


def test_all_variables_are_read_and_the_logs_ones_win() -> None:
    assert Endpoint.from_environ(
        {
            LOGS: "https://c/v1/logs",
            HEADERS: "a=1",
            "OTEL_EXPORTER_OTLP_LOGS_HEADERS": "authorization=%20Bearer%20s3cret, x-tenant = t",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "2500",
            "OTEL_EXPORTER_OTLP_CERTIFICATE": "/ca.pem",
            "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": "/c.pem",
            "OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY": "/k.pem",
            "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json",
        }
    ) == Endpoint(
        url="https://c/v1/logs",
        headers={"authorization": "Bearer s3cret", "x-tenant": "t"},
        timeout_seconds=2.5,
        ca_file=Path("/ca.pem"),
        client_cert=Path("/c.pem"),
        client_key=Path("/k.pem"),
        compression="none",
    )


def test_secrets_do_not_show() -> None:
    endpoint = Endpoint("https://c/v1/logs?token=s3cret", {"authorization": "s3cret"})
    assert "s3cret" not in f"{endpoint!r} {endpoint}"
    assert str(endpoint) == "https://c/v1/logs"


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        (
            {"OTEL_EXPORTER_OTLP_LOGS_PROTOCOL": "grpc"},
            "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL=grpc: this agent speaks http/json only; unset it or set it to http/json",
        ),
        (
            {"OTEL_EXPORTER_OTLP_COMPRESSION": "zstd"},
            "OTEL_EXPORTER_OTLP_COMPRESSION=zstd: allowed are gzip and none",
        ),
        ({"OTEL_EXPORTER_OTLP_TIMEOUT": "0"}, "OTEL_EXPORTER_OTLP_TIMEOUT=0: allowed are 1 to 3600000 milliseconds"),
        (
            {"OTEL_EXPORTER_OTLP_TIMEOUT": "10s"},
            "OTEL_EXPORTER_OTLP_TIMEOUT=10s: allowed are 1 to 3600000 milliseconds",
        ),
        (
            {HEADERS: "a=b,s3cret"},
            f"{HEADERS}: entry 2 is not name=value; allowed is name=value,name=value,...",
        ),
        (
            {HEADERS: "token=s3cret%0Amore"},
            f"{HEADERS}: the value of token is not printable ASCII; allowed is name=value,...",
        ),
        (
            {HEADERS: "a=b,Authorization: Bearer czNjcmV0LXRva2Vu="},
            f"{HEADERS}: the name of header 2 is none; allowed is name=value,...",
        ),
        (
            {HEADERS: "Authorization: Basic czNjcmV0LXRva2Vu=="},
            f"{HEADERS}: the name of header 1 is none; allowed is name=value,...",
        ),
        (
            {"OTEL_EXPORTER_OTLP_TIMEOUT": "9" * 5000},
            f"OTEL_EXPORTER_OTLP_TIMEOUT={'9' * 5000}: allowed are 1 to 3600000 milliseconds",
        ),
    ],
)
def test_a_wrong_variable_is_named_with_what_is_allowed(environ: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Endpoint.from_environ({BASE: "http://c", **environ})
    assert str(caught.value) == message


@pytest.mark.parametrize("bad", ["collector:4318", "ftp://c", "http://", "http://c:99999", "http://c:0", "http://[::1"])
def test_what_is_no_address_is_refused(bad: str) -> None:
    with pytest.raises(ConfigError, match=r"^--push.endpoint.*allowed is http://HOST\[:PORT\]"):
        Endpoint.from_environ({}, bad)


@pytest.mark.parametrize("bad", ["http://u:s3cret@c", "u:s3cret@c:4318", "http://u:s3c/ret@c", "http://s3cret:s3cret"])
def test_a_password_in_the_address_is_refused_and_not_repeated(bad: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Endpoint.from_environ({}, bad)
    assert "s3c" not in str(caught.value)


def test_no_variable_takes_the_identity_of_an_agent_away() -> None:
    none = {"OTEL_RESOURCE_ATTRIBUTES": "service.instance.id=,host.name="}
    attributes = Resource.from_environ(none, instance_id="i", host_name="node-7").attributes
    assert (attributes["service.instance.id"], "host.name" in attributes) == ("i", False)


def test_the_resource_names_the_node() -> None:
    resource = Resource.from_environ(
        {"OTEL_SERVICE_NAME": "kmsg", "OTEL_RESOURCE_ATTRIBUTES": "service.name=x,team=core%20os,host.name=alias"},
        instance_id="i",
        host_name="node-7",
        host_id="m",
        cluster_name="prod",
    )
    assert resource.attributes == {
        "service.name": "kmsg",
        "service.version": "0.1.0",
        "service.instance.id": "i",
        "host.name": "alias",
        "host.id": "m",
        "os.type": "linux",
        "k8s.cluster.name": "prod",
        "team": "core os",
    }
    assert resource.node == "alias"


def test_the_node_s_name_in_kubernetes_wins_over_the_host_s() -> None:
    assert Resource.from_environ({}, instance_id="i", host_name="pod-1", node_name="node-7").node == "node-7"
