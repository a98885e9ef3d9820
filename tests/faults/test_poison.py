"""An event that the collector refuses, among others, alone, and at an endpoint that refuses everything."""

from __future__ import annotations

import logging
import threading
from contextlib import closing
from pathlib import Path

import pytest
from fault_node import Node, living
from fault_server import (
    PATIENCE,
    Act,
    Collector,
    Handler,
    accepts,
    answers,
    never_answers,
    refuses_event_1,
    refuses_events,
    serving,
)

from kmsg_exporter.push.endpoint import Endpoint
from kmsg_exporter.push.spool import Spool

HELLO_SECONDS = 100.0


def refuses_five(handler: Handler, numbers: list[int]) -> None:
    if min(numbers, default=6) < 6:
        handler.answer(400)
    else:
        handler.take(numbers)


def answers_events_only(handler: Handler, numbers: list[int]) -> None:
    if numbers:
        handler.take(numbers)
    else:
        never_answers(handler, numbers)


def refusals(node: Node) -> int:
    return sum(node.failures().values())


def sent(node: Node, number: int) -> None:
    node.reached(lambda state: state.sent_total == number)


def after_another_refusal(node: Node, *, of: int = 1) -> None:
    """Each that is passed over was refused once more; they take turns."""
    before = refusals(node)
    node.reached(lambda _: refusals(node) >= before + of)


@pytest.mark.parametrize("status", [400, 413, 422])
def test_it_is_set_aside_after_three_tries_and_those_behind_it_go_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    with serving(Collector(refuses_event_1(status))) as collector:
        endpoint = Endpoint(f"http://127.0.0.1:{collector.port}/v1/logs")
        with living(tmp_path / "spool.db", endpoint, events=70, hello_interval_seconds=HELLO_SECONDS) as node:
            sent(node, 69)
            assert sorted(collector.taken) == list(range(2, 71))
            for taken in (70, 71):
                after_another_refusal(node)
                assert node.state().dropped_total["refused"] == 0
                node.event()
                sent(node, taken)
            state = node.reached(lambda state: state.queue_events == 0)
            assert (state.sent_total, state.dropped_total["refused"]) == (71, 1)
            assert [numbers for _, _, numbers in collector.heard].count([1]) >= 3
            refused = node.spool.find(node.spool.set_aside_uids()[0])
            assert refused is not None
            assert (refused.sequence, refused.aside, refused.sent_unix) == (1, True, None)
            said = f"the collector refuses event {refused.uid} and takes others: it is set aside"
            node.reached(lambda _: said in caplog.text)
            assert caplog.text.count(said) == 1


def test_a_whole_run_of_them_holds_up_nobody_for_ever(tmp_path: Path) -> None:
    with serving(Collector(refuses_five)) as collector:
        endpoint = Endpoint(f"http://127.0.0.1:{collector.port}/v1/logs")
        with living(tmp_path / "spool.db", endpoint, events=9, hello_interval_seconds=HELLO_SECONDS) as node:
            for longest in (24.0, 48.0, 96.0, 192.0):
                assert node.naps.next() == longest
                node.naps.end()
            for _ in range(4):
                node.naps.end()
            sent(node, 4)
            assert sorted(collector.taken) == [6, 7, 8, 9]
            for taken in (5, 6):
                after_another_refusal(node, of=5)
                node.event()
                sent(node, taken)
            node.reached(lambda state: state.queue_events == 0)
            assert node.state().dropped_total["refused"] == 5


def test_while_it_waits_for_its_next_try_a_new_event_goes_at_once(tmp_path: Path) -> None:
    with serving(Collector(refuses_event_1(400))) as collector:
        endpoint = Endpoint(f"http://127.0.0.1:{collector.port}/v1/logs")
        with living(tmp_path / "spool.db", endpoint, events=1) as node:
            node.reached(lambda state: state.failures_total.get("http_400", 0) >= 1)
            node.event()
            node.reached(lambda state: state.sent_total == 1)
            assert collector.taken == [2]


@pytest.mark.parametrize(
    "act", [answers(400), refuses_events(400), refuses_events(500)], ids=["all", "400 for events", "500 for events"]
)
def test_an_endpoint_that_refuses_every_event_makes_nothing_be_set_aside(
    tmp_path: Path, act: Act, caplog: pytest.LogCaptureFixture
) -> None:
    """Also one that takes hellos: a receiver answers 200 to a request without records before it asks who is behind."""
    caplog.set_level(logging.INFO)
    with serving(Collector(act)) as collector:
        endpoint = Endpoint(f"http://127.0.0.1:{collector.port}/v1/logs")
        with living(tmp_path / "spool.db", endpoint, events=3, hello_interval_seconds=HELLO_SECONDS) as node:
            for _ in range(30):
                node.naps.end()
            node.reached(lambda _: refusals(node) >= 25)
            assert [] in [numbers for _, _, numbers in collector.heard]
            assert node.state().queue_events == 3
            assert node.state().dropped_total["refused"] == 0
            assert node.sender.failing in (("http_400",), ("http_500",))
            assert "works again" not in caplog.text
            assert "can be reached" not in caplog.text
            collector.act = accepts
            node.reached(lambda state: state.queue_events == 0)
            assert sorted(collector.taken) == [1, 2, 3]


@pytest.mark.parametrize("by", ["start", "use"])
def test_what_was_set_aside_gets_another_chance(tmp_path: Path, by: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with closing(Spool(tmp_path / "spool.db")) as spool:
        uid = spool.append(lambda uid, sequence: {"uid": uid, "sequence": sequence}).uid
        spool.set_aside(uid)
        assert spool.state.queue_events == 0
    with serving(Collector(refuses_event_1(400) if by == "use" else accepts)) as collector:
        endpoint = Endpoint(f"http://127.0.0.1:{collector.port}/v1/logs")
        with living(tmp_path / "spool.db", endpoint) as node:
            if by == "use":
                node.reached(lambda state: state.failures_total.get("http_400", 0) == 1)
                assert node.spool.set_aside_uids() == [uid]
                collector.act = accepts
                node.sender.use(endpoint)
            node.reached(lambda state: state.sent_total == 1)
            assert collector.taken == [1]
            assert node.spool.set_aside_uids() == []
            assert node.state().dropped_total["refused"] == 0


def test_a_hello_has_no_records_and_says_where_the_agent_stands(tmp_path: Path) -> None:
    with serving(Collector(accepts)) as collector:
        endpoint = Endpoint(f"http://127.0.0.1:{collector.port}/v1/logs")
        with living(tmp_path / "spool.db", endpoint, hello_interval_seconds=HELLO_SECONDS) as node:
            node.reached(lambda state: state.attempts_total >= 2)
            node.reached(lambda state: state.last_success_timestamp_seconds is not None)
            assert node.state().sent_total == 0
    scope = {
        "name": "kmsg_exporter",
        "version": "0.1.0",
        "attributes": [
            {"key": "kmsg.sequence", "value": {"intValue": "0"}},
            {"key": "kmsg.boot_id", "value": {"stringValue": "5f0c"}},
        ],
    }
    resource = {
        "attributes": [
            {"key": "service.name", "value": {"stringValue": "kmsg-exporter"}},
            {"key": "host.name", "value": {"stringValue": "node-7"}},
        ]
    }
    assert collector.bodies[0] == {
        "resourceLogs": [{"resource": resource, "scopeLogs": [{"scope": scope, "logRecords": []}]}]
    }


def test_an_event_does_not_wait_for_a_hello(tmp_path: Path) -> None:
    """The hello is under way and never answered; the attempt's time would be over in an hour."""
    with serving(Collector(answers_events_only)) as collector:
        endpoint = Endpoint(f"http://127.0.0.1:{collector.port}/v1/logs", timeout_seconds=3600.0)
        with living(tmp_path / "spool.db", endpoint, hello_interval_seconds=86_400.0) as node:
            node.reached(lambda _: len(collector.heard) == 1)
            node.event()
            state = node.reached(lambda state: state.sent_total == 1)
            assert collector.taken == [1]
            assert (state.attempts_total, node.failures()) == (2, {})


def test_who_would_cut_a_hello_off_and_comes_late_leaves_the_event_alone(tmp_path: Path) -> None:
    """The hello is over and the event's own request under way when it comes to the cutting."""
    about_to_cut, cut = threading.Event(), threading.Event()

    def answers_when(handler: Handler, numbers: list[int]) -> None:
        (cut if numbers else about_to_cut).wait(PATIENCE)
        handler.take(numbers)

    with serving(Collector(answers_when)) as collector:
        endpoint = Endpoint(f"http://127.0.0.1:{collector.port}/v1/logs")
        with living(tmp_path / "spool.db", endpoint, hello_interval_seconds=86_400.0) as node:
            delivery = node.sender._delivery
            assert delivery is not None
            cut_off = delivery.cut

            def comes_late() -> None:
                about_to_cut.set()
                node.reached(lambda _: [1] in [numbers for _, _, numbers in collector.heard])
                cut_off()
                cut.set()

            delivery.cut = comes_late  # type: ignore[method-assign]
            node.reached(lambda _: len(collector.heard) == 1)
            node.event()
            state = node.reached(lambda state: state.sent_total == 1)
            assert (state.attempts_total, node.failures()) == (2, {})
