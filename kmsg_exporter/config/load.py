"""Flags, environment and file made into one Config: who wins, and where a wrong value came from."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from kmsg_exporter.config.options import OPTIONS, Config, Option
from kmsg_exporter.config.wording import one_line, quoted
from kmsg_exporter.errors import ConfigError


class Given(NamedTuple):
    """The texts of one option (one, unless it is repeatable) and where they came from, as an error names it."""

    where: str
    texts: list[str]


def _read_text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def load(
    args: argparse.Namespace, environ: Mapping[str, str], *, read_file: Callable[[Path], str] = _read_text
) -> Config:
    """Flag > environment > file > default, each value checked.

    `args` holds the flags as text, as `add_flags` leaves them. A variable that is set to nothing is not set.
    Raises ConfigError: one line that names where the value came from, the value and what is allowed.
    """
    flags = vars(args)
    file: dict[str, Given] = {}
    values: dict[str, Any] = {}
    for option in OPTIONS:  # config.file comes first, so that the others find what it holds
        given = _given(option, flags, environ, file)
        if given is None:
            continue
        read = [_value(option, given.where, text) for text in given.texts]
        values[option.field] = tuple(read) if option.repeatable else read[0]
        if option.name == "config.file":
            file = _from_file(given.where, read[0], read_file)
    config = Config(**values)
    if "collector_directory" not in values:
        config = replace(config, collector_directory=config.state_directory / "collector")
    if "collector_web_config_file" not in values:
        config = replace(config, collector_web_config_file=config.web_config_file)
    return config


def _given(
    option: Option, flags: Mapping[str, Any], environ: Mapping[str, str], file: Mapping[str, Given]
) -> Given | None:
    """What sets the option, None when nothing does."""
    if option.field in flags:
        flag = flags[option.field]
        return Given(f"flag {option.flag}", flag if isinstance(flag, list) else [str(flag)])
    # A Service called kmsg-exporter makes the kubelet set KMSG_EXPORTER_SERVICE_HOST, KMSG_EXPORTER_PORT and more in
    # every pod of its namespace, so variables that are no option's are not errors.
    text = environ.get(option.variable, "")
    if texts := [line for line in text.split("\n") if line.strip()] if option.repeatable else [text] if text else []:
        return Given(f"variable {option.variable}", texts)
    if option.name in file:
        return file[option.name]
    # systemd joins several directories by colons.
    if text := environ.get(option.fallback, "").partition(":")[0]:
        return Given(f"variable {option.fallback}", [text])
    return None


def _value(option: Option, where: str, text: str) -> Any:
    try:
        return option.kind.read(text)
    except ValueError as exc:
        raise ConfigError(one_line(f"{where}: {quoted(text)} {exc}")) from exc


def _from_file(where: str, path: Path, read_file: Callable[[Path], str]) -> dict[str, Given]:
    try:
        from kmsg_exporter.config.file import parse
    except ImportError as exc:
        raise ConfigError(f"{where}: reading a file needs PyYAML: pip install 'kmsg-exporter[config]'") from exc
    try:
        text = read_file(path)
    except OSError as exc:
        what = f"{where}: {quoted(str(path))} can't be read: {exc.strerror}"
        raise ConfigError(one_line(f"{what}: name a file that is there, or leave it out")) from exc
    except UnicodeDecodeError as exc:
        raise ConfigError(one_line(f"{where}: {quoted(str(path))} is not UTF-8 text")) from exc
    return {name: Given(f"{path}: {name}", texts) for name, texts in parse(text, str(path)).items()}
