"""The collector's HTML pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from kmsg_exporter import __version__
from kmsg_exporter.collector.event import ReceivedEvent
from kmsg_exporter.collector.present import tell
from kmsg_exporter.collector.visible import visible


class Pages:
    """Renders the templates. Every text they print is made visible, then escaped: no template can forget to."""

    def __init__(self) -> None:
        self._templates = Environment(
            loader=PackageLoader("kmsg_exporter.collector"),
            autoescape=True,
            finalize=_printed,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._templates.globals["version"] = __version__

    def index(
        self,
        events: Sequence[ReceivedEvent],
        *,
        now_ns: int,
        filters: Mapping[str, str],
        older: str | None,
        newest: str | None,
        endpoint: str,
    ) -> str:
        """`older` and `newest` are links, None where there is nothing; `endpoint` is what agents push to."""
        return self._templates.get_template("index.html").render(
            stories=[tell(event, now_ns=now_ns) for event in events],
            filters=filters,
            older=older,
            newest=newest,
            endpoint=endpoint,
        )

    def event(self, event: ReceivedEvent, *, now_ns: int) -> str:
        return self._templates.get_template("event.html").render(story=tell(event, now_ns=now_ns))

    def message(self, title: str, text: str) -> str:
        return self._templates.get_template("message.html").render(title=title, text=text)


def _printed(value: Any) -> Any:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value
