"""The table of values in the chart's README, from the comments in values.yaml."""

from __future__ import annotations

import json
from collections.abc import Iterator

import yaml

MARK = "# -- "


def rows(text: str) -> Iterator[tuple[str, str, str]]:
    """Name, default as JSON and description of each value. Raises ValueError for one that nothing describes."""
    yield from _described(yaml.compose(text), "", text.splitlines())


def table(text: str) -> str:
    """The rows as Markdown."""
    lines = ["| value | default | what it does |", "| --- | --- | --- |"]
    lines += [f"| `{name}` | `{default}` | {about} |" for name, default, about in rows(text)]
    return "\n".join(lines)


def _described(node: yaml.Node | None, prefix: str, lines: list[str]) -> Iterator[tuple[str, str, str]]:
    if not isinstance(node, yaml.MappingNode):
        raise ValueError(f"values.yaml: {prefix or 'the file'} has no {MARK!r} comment above it")
    for key, value in node.value:
        name = f"{prefix}.{key.value}" if prefix else key.value
        above = lines[key.start_mark.line - 1].strip()
        if above.startswith(MARK):
            default = yaml.safe_load(yaml.serialize(value))
            yield name, json.dumps(default), above.removeprefix(MARK)
        else:
            yield from _described(value, name, lines)
