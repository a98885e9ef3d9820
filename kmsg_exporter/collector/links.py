"""Links within the pages: each keeps what was asked for and changes one thing."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlencode

from kmsg_exporter.collector.question import COLUMNS, FLAGS, TIMES

KEPT = (*TIMES, *COLUMNS, *FLAGS, "q")


class Links:
    """Made from the query of the page that they stand on."""

    def __init__(self, path: str, query: Mapping[str, str]) -> None:
        self.path = path
        self.asked = {name: query[name] for name in KEPT if query.get(name)}

    def here(self, **changes: str | None) -> str:
        """This page with other parameters; None takes one away. Where in the list one was is always forgotten."""
        return _url(self.path, {**self.asked, **changes})

    def events(self, **only: str | None) -> str:
        """The first page with these parameters beside the times that are asked for here."""
        return _url("/", {**{name: self.asked[name] for name in TIMES if name in self.asked}, **only})

    def node(self, node: str, cluster: str = "") -> str:
        return _url("/node", {"node": node, "cluster": cluster})

    def event(self, uid: str, variant: int = 0) -> str:
        return f"/events/{quote(uid, safe='')}" + (f"?variant={variant}" if variant else "")

    def json(self, uid: str, variant: int = 0) -> str:
        return f"/api{self.event(uid, variant)}"

    def agents(self, **only: str | None) -> str:
        return _url("/agents", only)


def _url(path: str, query: Mapping[str, str | None]) -> str:
    given = {name: value for name, value in query.items() if value}
    return f"{path}?{urlencode(given)}" if given else path
