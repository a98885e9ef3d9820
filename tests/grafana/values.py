"""Values as Grafana shows them: units, words for numbers, threshold colours."""

from __future__ import annotations

import math
from typing import Any

Json = dict[str, Any]

COLORS = {"green": "#3d9a50", "orange": "#d9730d", "red": "#d22d3b", "blue": "#2f66c4", "text": "#24292e"}
PALETTE = ["#56a64b", "#e0a911", "#3274d9", "#e0752d", "#c4162a", "#0a7ea4", "#8f3bb8", "#c0508f", "#6b7a10", "#7c5b3f"]
_AGES = [(31536000, "year"), (2592000, "month"), (86400, "day"), (3600, "hour"), (60, "minute")]
_SI = [(1e9, "G"), (1e6, "M"), (1e3, "k")]
_IEC = [(2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"), (1, "B")]
_RATES = {"cps": "c/s"}


def formatted(value: float, unit: str, decimals: int | None, *, now: float) -> str:
    """One value in its unit. Raises KeyError for a unit that no panel of ours uses."""
    if math.isnan(value):
        return "NaN"
    if unit == "locale":
        return f"{value:,.{decimals or 0}f}"
    if unit == "dateTimeFromNow":
        return _age(now - value / 1000)
    if unit == "bytes":
        size, name = next((each for each in _IEC if abs(value) >= each[0]), _IEC[-1])
        return f"{_number(value / size, decimals)} {name}"
    if unit == "percentunit":
        return f"{_number(value * 100, decimals)}%"
    scale, prefix = next((each for each in _SI if abs(value) >= each[0]), (1.0, ""))
    number = _number(value / scale, decimals if scale == 1 else None)
    if unit == "Bps":
        return f"{number} {prefix}B/s"
    return f"{number} {prefix}{_RATES[unit]}"


def _number(value: float, decimals: int | None) -> str:
    if decimals is None:
        return f"{value:.3g}"
    return f"{value:.{decimals}f}"


def _age(seconds: float) -> str:
    size, name = next((each for each in _AGES if seconds >= each[0]), (1, "second"))
    count = round(seconds / size)
    return f"{count} {name}{'' if count == 1 else 's'} ago"


def word(value: float, defaults: Json) -> tuple[str, str] | None:
    """The text and colour that the panel's mappings give this value, if they do."""
    for mapping in defaults.get("mappings", []):
        found = mapping["options"].get(f"{value:g}")
        if found:
            return found["text"], COLORS[found["color"]]
    return None


def color_by_threshold(value: float, defaults: Json) -> str:
    """The colour of the highest step that the value reaches."""
    steps = defaults["thresholds"]["steps"]
    return COLORS[next(step["color"] for step in reversed(steps) if step["value"] is None or value >= step["value"])]
