"""The YAML file: dotted names or nested mappings, every value taken as the text that stands there.

Imports PyYAML, which only the extra `config` brings: imported when there is a file to read.
"""

from __future__ import annotations

from typing import Final

import yaml

from kmsg_exporter.config.options import OPTIONS
from kmsg_exporter.config.wording import near, one_line
from kmsg_exporter.errors import ConfigError

_OPTIONS: Final = {option.name: option for option in OPTIONS if option.name != "config.file"}


def parse(text: str, name: str) -> dict[str, list[str]]:
    """The texts of each option that the file called `name` sets. A key with nothing behind it sets nothing.

    Values come from YAML's syntax tree, not from the objects it would make, so that `no`, `010` and `1:30` stay what
    was written and nothing is ever constructed. Raises ConfigError.
    """
    found: dict[str, list[str]] = {}
    try:
        _walk(yaml.compose(text, Loader=yaml.SafeLoader), "", found)
    except (yaml.YAMLError, RecursionError) as exc:
        raise ConfigError(one_line(f"{name}: is not YAML: {_reason(exc)}")) from exc
    except ValueError as exc:
        raise ConfigError(one_line(f"{name}: {exc}")) from exc
    return found


def _reason(exc: Exception) -> str:
    if isinstance(exc, yaml.MarkedYAMLError) and (mark := exc.problem_mark) is not None:
        return f"line {mark.line + 1}, column {mark.column + 1}: {exc.problem}"
    return " ".join(str(exc).split())


def _walk(node: yaml.Node | None, prefix: str, found: dict[str, list[str]]) -> None:
    """Add to `found` what lies below one mapping. No deeper than the options' names, so an alias can't loop."""
    if node is None or node.value == "":
        return
    if not isinstance(node, yaml.MappingNode):
        raise ValueError(f"{prefix.removesuffix('.') or 'all of it'}: must be a mapping, like web.max-requests: 40")
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise ValueError("a key must be the name of an option")
        name = f"{prefix}{key.value}"
        if name in found:
            raise ValueError(f"{name}: is set twice")
        if name in _OPTIONS:
            if texts := _texts(name, value):
                found[name] = texts
        elif any(option.startswith(f"{name}.") for option in _OPTIONS):
            _walk(value, f"{name}.", found)
        elif name == "config.file":
            raise ValueError("config.file: can't be set in the file itself: use the flag or the variable")
        else:
            raise ValueError(f"{name}: is no option{near(name, _OPTIONS)}")


def _texts(name: str, node: yaml.Node) -> list[str]:
    if isinstance(node, yaml.ScalarNode):
        return [node.value] if node.value else []
    items = node.value
    if not _OPTIONS[name].repeatable:
        raise ValueError(f"{name}: must be one value, not a list or a mapping")
    if not isinstance(node, yaml.SequenceNode) or not all(isinstance(item, yaml.ScalarNode) for item in items):
        raise ValueError(f"{name}: must be one value or a list of values")
    return [item.value for item in items if item.value]
