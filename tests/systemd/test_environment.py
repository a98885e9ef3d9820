"""The units' environment files explain every option, as the code has it. Runs anywhere."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from kmsg_exporter.config import options

SYSTEMD = Path(__file__).parents[2] / "deploy" / "systemd"


@pytest.mark.parametrize("unit", ["kmsg-exporter", "kmsg-collector"])
def test_environment_file_is_what_the_code_would_write(unit: str) -> None:
    write = runpy.run_path(str(SYSTEMD / "environment.py"))["text"]
    assert (SYSTEMD / f"{unit}.default").read_text() == write(unit), "run python deploy/systemd/environment.py"


@pytest.mark.parametrize(("unit", "command"), [("kmsg-exporter", "run"), ("kmsg-collector", "collector")])
def test_environment_file_has_every_option_of_the_command(unit: str, command: str) -> None:
    lines = (SYSTEMD / f"{unit}.default").read_text().splitlines()
    assert [line for line in lines if line.startswith("#KMSG_EXPORTER_")] == [
        f"#{option.variable}=" for option in options(command)
    ]
