"""Every query, put to a real Prometheus that has scraped real agents, returns data."""

from __future__ import annotations

from typing import Any

import pytest
from board_file import BOARDS, View, chosen, targets
from conftest import Fleet

Json = dict[str, Any]
FALLBACK = " or vector(0)"

EVERY = [
    pytest.param(name, panel, target, id=f"{name}-{panel['title']}-{target['refId']}")
    for name, board in BOARDS.items()
    for panel, target in targets(board)
]
ANNOTATIONS = [
    pytest.param(name, annotation, id=name)
    for name, board in BOARDS.items()
    for annotation in board["annotations"]["list"]
    if annotation["datasource"]["type"] == "prometheus"
]


def view(fleet: Fleet, name: str) -> View:
    return View(fleet.server, fleet.look, chosen(BOARDS[name], fleet.server, fleet.look))


def nodes_with_data(fleet: Fleet, name: str, target: Json) -> list[str]:
    """The nodes, or all of them together on the fleet's dashboard, for which a query has an answer of its own."""
    target = target | {"expr": target["expr"].removesuffix(FALLBACK)}
    nodes = ["tracing", "blind", "recorded"] if name == "kmsg-node" else [".*"]
    return [node for node in nodes if view(fleet, name).on(node=node).ask(target)]


@pytest.mark.parametrize(("name", "panel", "target"), EVERY)
def test_query_returns_data(fleet: Fleet, name: str, panel: Json, target: Json) -> None:
    assert nodes_with_data(fleet, name, target), (panel["title"], target["expr"])


def test_only_these_panels_of_a_node_are_empty_with_the_tracepoint_backend(fleet: Fleet) -> None:
    empty = {
        (panel["title"], target["refId"])
        for panel, target in targets(BOARDS["kmsg-node"])
        if "tracing" not in nodes_with_data(fleet, "kmsg-node", target)
    }
    assert empty == {
        ("Writes to /dev/kmsg", "A"),
        ("Opens", "A"),
        ("Clears by script", "B"),  # by nobody known: there was none
        ("Deliveries", "D"),  # its collector never failed
        ("Refused clears and console changes", "B"),  # the test leaves the console alone
    }


@pytest.mark.parametrize(("name", "annotation"), ANNOTATIONS)
def test_annotation_marks_the_moments_at_which_dmesg_went_empty(fleet: Fleet, name: str, annotation: Json) -> None:
    marks = view(fleet, name).on(node="tracing").ask(annotation | {"instant": False})
    times = {float(value) / 1000 for series in marks for _, value in series["values"]}
    assert times
    assert all(fleet.look.start < moment < fleet.look.end for moment in times)


@pytest.mark.parametrize("name", BOARDS)
def test_variables_choose_themselves_after_an_import(fleet: Fleet, name: str) -> None:
    assert chosen(BOARDS[name], fleet.server, fleet.look) == {
        "cluster": ".*",
        "job": "kmsg-exporter",
        "node_label": "node",
        "node": ".*" if name == "kmsg-fleet" else "blind",
    }


@pytest.mark.parametrize("name", BOARDS)
def test_nodes_go_by_instance_where_prometheus_knows_no_label_node(fleet: Fleet, name: str) -> None:
    assert chosen(BOARDS[name], fleet.plain, fleet.look) == {
        "cluster": ".*",
        "job": "kmsg-exporter",
        "node_label": "instance",
        "node": ".*" if name == "kmsg-fleet" else fleet.plain_instance,
    }


def test_the_fleets_tables_name_the_instance_there(fleet: Fleet) -> None:
    plain = View(fleet.plain, fleet.look, chosen(BOARDS["kmsg-fleet"], fleet.plain, fleet.look))
    where = next(target for panel, target in targets(BOARDS["kmsg-fleet"]) if panel["title"] == "Where")
    assert [series["metric"] for series in plain.ask(where)] == [{"instance": fleet.plain_instance}]


@pytest.mark.parametrize("name", BOARDS)
def test_every_query_is_valid_where_there_is_no_data_at_all(fleet: Fleet, name: str) -> None:
    long_ago = type(fleet.look)(1_000_000, 1_003_600, 15)
    empty = View(fleet.server, long_ago, chosen(BOARDS[name], fleet.server, long_ago))
    with_data = {panel["title"] for panel, target in targets(BOARDS[name]) if empty.ask(target)}
    zeros = {"Down", "Blind", "Clears", "Unexpected", "Competing"}
    assert with_data == (zeros if name == "kmsg-fleet" else set())
