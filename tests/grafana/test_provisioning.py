"""The provisioning examples agree with the dashboards and alerts that they provision."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from alerts import DATASOURCE, FOLDER
from board_file import GRAFANA
from test_alerts import complaint

PROVISIONING = GRAFANA / "provisioning"


def example(path: str) -> dict[str, Any]:
    """One example; every one of them is version 1."""
    loaded: dict[str, Any] = yaml.safe_load((PROVISIONING / path).read_text())
    assert loaded["apiVersion"] == 1
    return loaded


def test_the_datasource_has_the_uid_that_the_alerts_ask() -> None:
    (source,) = example("datasources/kmsg.yaml")["datasources"]
    assert (source["type"], source["uid"]) == ("prometheus", DATASOURCE)


def test_the_dashboards_come_from_files_into_the_alerts_folder() -> None:
    (provider,) = example("dashboards/kmsg.yaml")["providers"]
    assert (provider["type"], provider["folder"]) == ("file", FOLDER)


def test_grafanas_own_types_know_the_contact_point(tmp_path: Path) -> None:
    assert complaint(example("alerting/kmsg-contact-point.yaml"), tmp_path) == ""


def test_there_are_no_other_examples() -> None:
    files = sorted(str(path.relative_to(PROVISIONING)) for path in PROVISIONING.rglob("*") if path.is_file())
    assert files == ["alerting/kmsg-contact-point.yaml", "dashboards/kmsg.yaml", "datasources/kmsg.yaml"]
