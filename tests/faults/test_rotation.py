"""Certificates and keys that were rotated are taken at the next attempt."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from fault_certs import Authority
from fault_node import RESOURCE, living
from fault_server import Collector, Handler, accepts, serving

from kmsg_exporter.push.delivery import Delivery
from kmsg_exporter.push.endpoint import Endpoint


def test_a_ca_that_was_put_in_place_is_known_at_the_next_try(tmp_path: Path) -> None:
    authority, other = Authority(tmp_path / "ca"), Authority(tmp_path / "other")
    known = tmp_path / "known.pem"
    shutil.copy(other.cert, known)
    with serving(Collector(accepts)) as collector:
        collector.context = authority.context(authority.issue("collector"))
        endpoint = Endpoint(f"https://127.0.0.1:{collector.port}/v1/logs", ca_file=known)
        with living(tmp_path / "spool.db", endpoint, events=1) as node:
            assert node.naps.next() == 300.0
            shutil.copy(authority.cert, known)
            node.naps.end()
            node.reached(lambda state: state.sent_total == 1)


@pytest.mark.parametrize("rotated", [False, True])
def test_a_connection_that_is_kept_ends_with_the_certificate_it_was_made_with(tmp_path: Path, rotated: bool) -> None:
    shown: list[tuple[str, tuple[str, int]]] = []

    def looks(handler: Handler, numbers: list[int]) -> None:
        shown.append((handler.connection.getpeercert()["subject"][0][0][1], handler.client_address))
        handler.take(numbers)

    authority = Authority(tmp_path / "ca")
    first, second = authority.issue("first"), authority.issue("second")
    cert, key = tmp_path / "client.pem", tmp_path / "client.key"
    shutil.copy(first.cert, cert)
    shutil.copy(first.key, key)
    with serving(Collector(looks)) as collector:
        collector.context = authority.context(authority.issue("collector"), mutual=True)
        delivery = Delivery(
            Endpoint(
                f"https://127.0.0.1:{collector.port}/v1/logs",
                ca_file=authority.cert,
                client_cert=cert,
                client_key=key,
            ),
            RESOURCE,
        )
        delivery.post([{"sequence": 1}])
        if rotated:
            shutil.copy(second.cert, cert)
            shutil.copy(second.key, key)
        delivery.post([{"sequence": 2}])
        delivery.close()
    names, addresses = zip(*shown, strict=True)
    assert names == ("first", "second" if rotated else "first")
    assert (addresses[0] == addresses[1]) is not rotated
