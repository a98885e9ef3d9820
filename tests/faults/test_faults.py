"""Each row of the table, on real sockets, against a collector that does just that."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from fault_cases import CASES, Case
from fault_certs import Authority
from fault_network import in_own_network, loopback
from fault_node import living
from fault_server import Collector, accepts, serving

from kmsg_exporter.push.endpoint import Endpoint


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certs") / "ca")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.does)
def test_the_row_holds(case: Case, tmp_path: Path, authority: Authority, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    if case.own_network:
        in_own_network(lambda: _holds(case, tmp_path, authority, caplog))
    else:
        _holds(case, tmp_path, authority, caplog)


def _holds(case: Case, tmp_path: Path, authority: Authority, caplog: pytest.LogCaptureFixture) -> None:
    with serving(Collector(case.act)) as collector, serving(Collector(accepts)) as healthy:
        endpoint = Endpoint(
            case.url.format(port=collector.port),
            {"Authorization": "Bearer s3cret"},
            timeout_seconds=0.3 if case.reason == "timeout" else 10.0,
            ca_file=_tls(case, collector, authority, tmp_path),
        )
        try:
            hello_seconds = 100.0 if case.among_hellos else 0.0
            with living(tmp_path / "spool.db", endpoint, events=2, hello_interval_seconds=hello_seconds) as node:
                log = case.log.format(url=endpoint)
                if case.again.longest_seconds is None:
                    state = node.reached(lambda state: state.sent_total + state.rejected_total == len(case.sent))
                    assert sorted(collector.taken) == list(case.sent)
                    assert state.queue_events == 2 - len(case.sent)
                    assert node.failures() == ({case.reason: case.failures} if case.reason else {})
                else:
                    assert node.naps.next() == case.again.longest_seconds
                    assert node.failures() == {case.reason: case.failures}
                    node.naps.end()
                    if case.among_hellos:
                        node.reached(lambda _: _hellos(collector) >= 3 and node.failures()[case.reason] >= 12)
                        assert node.state().dropped_total["refused"] == 0
                    else:
                        node.naps.next()
                        assert node.failures() == {case.reason: case.failures + 1}
                    assert node.state().queue_events == 2
                    assert collector.taken == []
                    _mend(case, collector)
                    node.sender.use(Endpoint(f"http://127.0.0.1:{healthy.port}/v1/logs"))
                    node.naps.end()
                    node.reached(lambda state: state.queue_events == 0)
                    assert sorted(healthy.taken) == [1, 2]
                    assert collector.taken == []
                node.reached(lambda _: log in caplog.text)
                assert caplog.text.count(log) == 1
                assert "s3cret" not in caplog.text
                assert {path for path, _, _ in collector.heard + healthy.heard} == {"/v1/logs"}
        finally:
            collector.over.set()


def _hellos(collector: Collector) -> int:
    return [numbers for _, _, numbers in collector.heard].count([])


def _tls(case: Case, collector: Collector, authority: Authority, tmp_path: Path) -> Path | None:
    """Give the collector the certificate of the case; which CA the agent knows."""
    if case.tls is None:
        return None
    name = "IP:127.0.0.2" if case.tls == "other name" else "IP:127.0.0.1"
    shown = authority.issue(case.tls.replace(" ", "-"), san=name, days=-1 if case.tls == "expired" else 30)
    collector.context = authority.context(shown, mutual=case.tls == "mutual")
    return Authority(tmp_path / "other").cert if case.tls == "unknown" else authority.cert


def _mend(case: Case, collector: Collector) -> None:
    """What the operator does about it, whatever it was; a request that is late to be looked at changes nothing then."""
    with collector.mending:
        collector.over.set()
        if case.own_network:
            loopback(up=True)
