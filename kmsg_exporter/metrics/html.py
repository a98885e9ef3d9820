"""HTML that can't be broken out of: whatever is not markup already is escaped where it is filled in."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from kmsg_exporter.config.wording import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable


class Html(str):
    """Text that is markup. Only `html` and `joined` make it."""

    __slots__ = ()


def html(template: str, **values: object) -> Html:
    """The template, a literal of ours, with its `{names}` filled in; control and bidirectional characters show."""
    return Html(template.format(**{name: _markup(value) for name, value in values.items()}))


def joined(parts: Iterable[Html], between: str = "") -> Html:
    return Html(between.join(parts))


def _markup(value: object) -> str:
    return value if isinstance(value, Html) else escape(one_line(str(value)))
