"""deploy/README.md: its links lead somewhere, and each platform's row says how it is known."""

from __future__ import annotations

import re

import pytest
import yaml
from page import PAGE

TEXT = PAGE.read_text()
TOP = PAGE.parents[1]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in TEXT.partition("\n## Platforms\n")[2].splitlines()
    if line.startswith("| ") and not line.startswith(("| ---", "| node"))
]
PLATFORMS = (
    *(
        "Debian",
        "Ubuntu",
        "RHEL",
        "Amazon Linux 2023",
        "Flatcar",
        "Talos",
        "GKE, Container-Optimized OS",
        "GKE Autopilot",
    ),
    *("EKS, Bottlerocket", "OpenShift", "AKS, Ubuntu", "AKS, Azure Linux", "Kubernetes 1.36"),
)
SEEN = ("Debian", "Kubernetes 1.36")


def test_relative_links_lead_to_files() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", TEXT) if "://" not in link]
    assert len(links) > 10
    assert [link for link in links if not (PAGE.parent / link).exists()] == []


def test_every_link_by_name_is_defined_and_used() -> None:
    defined = set(re.findall(r"^\[([^\]]+)\]: https://", TEXT, re.MULTILINE))
    used = set(re.findall(r"\[[^\]]+\]\[([^\]]+)\]", TEXT))
    assert used == defined


@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_table_has_a_row_for_the_platform(platform: str) -> None:
    assert [row[0] for row in ROWS if row[0].startswith(platform)]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row[0]))
def test_a_row_is_seen_or_has_a_source(row: list[str]) -> None:
    if row[0].startswith(SEEN):
        assert row[-1].startswith("seen")
    else:
        assert re.match(r"by their documentation: \[.+\]\[.+\]", row[-1])


def test_the_values_that_the_page_names_are_the_charts() -> None:
    values = yaml.safe_load((TOP / "helm/kmsg-exporter/values.yaml").read_text())
    named = re.findall(r"`((?:privileged|tracing|containerSecurityContext|securityContextConstraints)[\w.]*)=", TEXT)
    assert named
    for name in named:
        node = values
        for key in name.split("."):
            if key == "seLinuxOptions":  # an open object of Kubernetes' own
                break
            node = node[key]


def test_the_options_that_the_page_names_exist() -> None:
    options = (TOP / "docs/configuration.md").read_text()
    for flag in re.findall(r"`(--[a-z][\w.-]+)", TEXT):
        assert f"`{flag}`" in options
