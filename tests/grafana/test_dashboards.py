"""The dashboards' files: as code makes them, known to Grafana's types, and whole."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

import make
import pytest
from board_file import BOARDS, BUILT_IN, GRAFANA, VARIABLE, interpolated, panels, targets
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Dashboard

from kmsg_exporter.metrics import families

Json = dict[str, Any]

KINDS = {"stat", "timeseries", "state-timeline", "table", "logs"}
UNITS = {value for name, value in vars(units).items() if not name.startswith("_")}
OTHER_METRICS = {"up", "process_cpu_seconds_total", "process_resident_memory_bytes"}
# What the editors of Prometheus and Loki add to an annotation; these types leave it to them.
DATASOURCES_OWN = re.compile(r"\.annotations\.list\[\d\]\.(step|useValueForTime|titleFormat|textFormat|tagKeys)")
METRIC = re.compile(r"\b(?:kmsg|process)_\w+|\bup\b")

EVERY_BOARD = pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS)
EVERY_PANEL = pytest.mark.parametrize(
    "panel",
    [
        pytest.param(panel, id=f"{name}-{panel['title'] or panel['id']}")
        for name, board in BOARDS.items()
        for panel in panels(board)
    ],
)


def texts(value: object) -> list[str]:
    """Every text in some JSON."""
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for each in inner for text in texts(each)]


def lost(ours: object, theirs: object, path: str = "") -> list[str]:
    """What is in ours and not, or not the same, in theirs."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return [where for key in ours for where in lost(ours[key], theirs.get(key), f"{path}.{key}")]
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        return [
            where
            for index, pair in enumerate(zip(ours, theirs, strict=True))
            for where in lost(*pair, f"{path}[{index}]")
        ]
    return [] if ours == theirs else [path]


def test_committed_files_are_what_make_py_makes() -> None:
    assert [path.name for path, text in make.files().items() if path.read_text() != text] == []


def test_there_are_no_other_files() -> None:
    made = sorted(path.name for part in ("dashboards", "alerts") for path in (GRAFANA / part).iterdir())
    assert made == sorted(path.name for path in make.files())


@EVERY_BOARD
def test_grafanas_types_know_every_key_and_keep_every_value(board: Json) -> None:
    register_default_plugins()
    again = json.loads(json.dumps(Dashboard.from_json(json.loads(json.dumps(board))), cls=JSONEncoder))
    assert [where for where in lost(board, again) if not DATASOURCES_OWN.fullmatch(where)] == []


def test_a_key_that_grafanas_types_do_not_know_is_found() -> None:
    register_default_plugins()
    board = {"title": "x", "panels": [{"type": "stat", "options": {"textmode": "name"}}]}
    again = json.loads(json.dumps(Dashboard.from_json(json.loads(json.dumps(board))), cls=JSONEncoder))
    assert lost(board, again) == [".panels[0].options.textmode"]


@EVERY_BOARD
def test_it_imports_with_no_hand_edits(board: Json) -> None:
    assert board["id"] is None
    assert board["uid"] in ("kmsg-fleet", "kmsg-node")
    assert board["tags"] == ["kmsg-exporter"]
    assert 39 <= board["schemaVersion"] <= 42
    assert "__inputs" not in board
    assert "DS_PROMETHEUS" not in json.dumps(board)


@EVERY_BOARD
def test_every_datasource_is_one_of_the_two_variables(board: Json) -> None:
    used = {
        (part["datasource"]["type"], part["datasource"]["uid"]) for part in dictionaries(board) if "datasource" in part
    }
    assert used == {("prometheus", "${datasource}"), ("loki", "${loki}")}


def dictionaries(value: object) -> list[Json]:
    if isinstance(value, list):
        return [part for each in value for part in dictionaries(each)]
    if isinstance(value, dict):
        return [value, *(part for each in value.values() for part in dictionaries(each))]
    return []


@EVERY_BOARD
def test_variables_are_the_usual_ones(board: Json) -> None:
    names = [variable["name"] for variable in board["templating"]["list"]]
    assert names == ["datasource", "cluster", "job", "node_label", "node", "loki"]


@EVERY_BOARD
def test_every_variable_that_is_used_is_defined(board: Json) -> None:
    defined = {variable["name"] for variable in board["templating"]["list"]}
    built_in = BUILT_IN | {"__all", "__value", "__url_time_range"}
    used = {found for text in texts(board) for found in VARIABLE.findall(text)}
    assert used - defined - built_in == set()
    assert defined - used == set()


@EVERY_BOARD
def test_a_variable_uses_only_those_before_it(board: Json) -> None:
    known = {"datasource": ""}
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            interpolated(variable["query"]["query"], known)
        known[variable["name"]] = ""


@EVERY_BOARD
def test_panel_ids_are_unique(board: Json) -> None:
    rows = [panel["id"] for panel in board["panels"] if panel["type"] == "row"]
    ids = Counter([*rows, *(panel["id"] for panel in panels(board))])
    assert [number for number, count in ids.items() if count > 1] == []


@EVERY_BOARD
def test_panel_titles_are_unique(board: Json) -> None:
    titles = Counter(panel["title"] for panel in panels(board))
    assert [title for title, count in titles.items() if count > 1] == []


@EVERY_BOARD
def test_panels_do_not_overlap_and_fit_the_grid(board: Json) -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in [*(row for row in board["panels"] if row["type"] == "row"), *panels(board)]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        for cell in ((x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])):
            assert cell not in taken, (panel["title"], taken.get(cell))
            taken[cell] = panel["title"]


@EVERY_PANEL
def test_panel_says_what_it_is_in_which_unit_and_what_nothing_means(panel: Json) -> None:
    defaults = panel["fieldConfig"]["defaults"]
    assert panel["type"] in KINDS
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert defaults["unit"] in UNITS
    assert defaults["noValue"]


@EVERY_PANEL
def test_charts_of_lines_ask_over_time_and_the_rest_asks_now(panel: Json) -> None:
    over_time = panel["type"] in ("timeseries", "state-timeline")
    asked = [(target["range"], target["instant"]) for target in panel["targets"] if "instant" in target]
    assert all(each == (over_time, not over_time) for each in asked)
    assert bool(asked) == (panel["type"] != "logs")


@EVERY_PANEL
def test_a_chart_with_several_series_names_each(panel: Json) -> None:
    if panel["type"] in ("timeseries", "state-timeline"):
        assert all(target["legendFormat"] != "__auto" for target in panel["targets"])
    assert [target["refId"] for target in panel["targets"]] == list("ABCDEF"[: len(panel["targets"])])


@EVERY_BOARD
def test_queries_use_metrics_that_exist_and_select_by_every_variable(board: Json) -> None:
    known = {each.name for each in vars(families).values() if isinstance(each, families.Definition)} | OTHER_METRICS
    for panel, target in targets(board):
        used = METRIC.findall(re.sub(r'"[^"]*"', "", target["expr"]))
        assert set(used) <= known, panel["title"]
        assert used, panel["title"]
        selected = target["expr"].count('cluster=~"$cluster", job=~"$job", $node_label=~"$node"')
        assert selected == len(used), panel["title"]


@EVERY_BOARD
def test_without_a_log_store_nothing_asks_for_one(board: Json) -> None:
    unfolded = [panel for panel in board["panels"] if panel["type"] != "row"]
    assert all(panel["datasource"]["type"] == "prometheus" for panel in unfolded)
    rows = [panel for panel in board["panels"] if panel["type"] == "row" and panel["panels"]]
    assert [(row["title"], row["collapsed"]) for row in rows] == [("Events (needs Loki)", True)]
    asked = {each["name"]: (each["datasource"]["type"], each["enable"]) for each in board["annotations"]["list"]}
    assert asked == {"dmesg went empty": ("prometheus", board["uid"] == "kmsg-node"), "Events (Loki)": ("loki", False)}


@EVERY_BOARD
def test_events_are_asked_for_by_the_names_that_loki_gives_our_attributes(board: Json) -> None:
    asked = {
        part["expr"]
        for part in dictionaries(board)
        if part.get("datasource", {}).get("type") == "loki" and "expr" in part
    }
    assert asked == {'{service_name="kmsg-exporter"} | event_name="kmsg.emptied" | host_name=~"$node"'}
