"""Dashboards as Grafana reads them: their panels, and their variables put into queries."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from servers import Prometheus

Json = dict[str, Any]

GRAFANA: Final = Path(__file__).parents[2] / "grafana"
BOARDS: Final = {path.stem: json.loads(path.read_text()) for path in sorted((GRAFANA / "dashboards").glob("*.json"))}
VARIABLE: Final = re.compile(r"\$\{?([A-Za-z_]\w*)(?::\w+)?\}?")  # not $1, which is label_replace's
SPECIAL: Final = re.compile(r"[\\^$*+?.()|{}\[\]/]")  # what Grafana escapes in a regular expression
BUILT_IN: Final = frozenset({"__range", "__range_s", "__interval", "__rate_interval"})


@dataclass(frozen=True)
class Range:
    """What a person looks at: the time range, and how often Prometheus scrapes."""

    start: float
    end: float
    scrape_seconds: int

    def step(self, points: int) -> int:
        """Seconds between two points; no less than between two scrapes."""
        return max(self.scrape_seconds, round((self.end - self.start) / points))

    def built_in(self, points: int) -> dict[str, str]:
        """Grafana's own variables."""
        step = self.step(points)
        rate = max(step + self.scrape_seconds, 4 * self.scrape_seconds)
        span = round(self.end - self.start)
        return {"__range": f"{span}s", "__range_s": f"{span}", "__interval": f"{step}s", "__rate_interval": f"{rate}s"}


def interpolated(text: str, values: Mapping[str, str]) -> str:
    """The text with every variable replaced. Raises KeyError for one that there is not."""
    return VARIABLE.sub(lambda match: values[match[1]], text)


def panels(board: Json) -> Iterator[Json]:
    """Every panel, those of folded rows too; rows themselves are none."""
    for panel in board["panels"]:
        yield from panel["panels"] if panel["type"] == "row" else [panel]


def targets(board: Json) -> Iterator[tuple[Json, Json]]:
    """Every panel's every query to Prometheus."""
    for panel in panels(board):
        for target in panel["targets"]:
            if target["datasource"]["type"] == "prometheus":
                yield panel, target


def options(variable: Json, server: Prometheus, look: Range, values: Mapping[str, str]) -> list[str]:
    """What Grafana offers for a query variable."""
    query = interpolated(variable["query"]["query"], values)
    if match := re.fullmatch(r"label_values\((.*), ?(\w+)\)", query):
        return server.label_values(match[2], match[1], look.start, look.end)
    match = re.fullmatch(r"query_result\((.*)\)", query)
    assert match, f"{query} is neither label_values(SELECTOR, LABEL) nor query_result(QUERY)"
    lines = []
    for series in server.query(match[1], look.end):
        labels = ",".join(f'{name}="{value}"' for name, value in series["metric"].items())
        lines.append(f"{{{labels}}} {series['value'][1]} {look.end * 1000:.0f}")
    pattern = re.compile(variable["regex"].strip("/"))
    return [found[1] for line in lines if (found := pattern.search(line))]


def chosen(board: Json, server: Prometheus, look: Range) -> dict[str, str]:
    """The variables' values right after an import: the first option, or all of them."""
    values: dict[str, str] = {}
    for variable in board["templating"]["list"]:
        if variable["type"] == "datasource":
            continue
        offered = options(variable, server, look, values)
        if not variable["includeAll"]:
            values[variable["name"]] = offered[0] if offered else ""
        elif "allValue" in variable:
            values[variable["name"]] = variable["allValue"]
        else:
            escaped = (SPECIAL.sub(r"\\\\\g<0>", value) for value in offered)
            values[variable["name"]] = "|".join(escaped)
    return values


@dataclass(frozen=True)
class View:
    """One dashboard as one person sees it."""

    server: Prometheus
    look: Range
    values: Mapping[str, str]

    def on(self, **values: str) -> View:
        """The same with some variables chosen by hand."""
        return replace(self, values={**self.values, **values})

    def text(self, text: str, points: int = 1000) -> str:
        return interpolated(text, {**self.values, **self.look.built_in(points)})

    def ask(self, target: Json, points: int = 1000) -> list[Json]:
        """The series of a target; over time, or now when it is instant."""
        query = self.text(target["expr"], points)
        if target["instant"]:
            return self.server.query(query, self.look.end)
        step = self.look.step(points)
        return self.server.query_range(query, self.look.start // step * step, self.look.end, step)
