"""The Debian package from first installation to purge, in that order. Runs in a guest: see tests/systemd/boot.sh."""

from __future__ import annotations

import base64
import os
import re
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from node import (
    AGENT,
    COLLECTOR,
    PACKAGE,
    SRV,
    empty_the_log,
    eventually,
    get,
    in_tracefs,
    journal,
    metric,
    run,
    show,
    state,
)

NEXT = SRV / "kmsg-exporter-next.deb"
DEFAULTS = Path("/etc/default/kmsg-exporter")
STATE, COLLECTED = Path("/var/lib/kmsg-exporter"), Path("/var/lib/private/kmsg-collector")
CLEARS = 'kmsg_clears_total{action="clear",comm="dmesg",exe="/usr/bin/dmesg"}'
# What any service or dpkg itself leaves: logs, dpkg's own lists, private directories of systemd's, caches.
ELSEWHERE = (
    "proc",
    "sys",
    "dev",
    "run",
    "tmp",
    "srv",
    "out",
    "var/log",
    "var/tmp",
    "var/lib/dpkg",
    "var/cache",
    "var/lib/systemd",
)


def files() -> set[str]:
    """Every path of the system that a package might leave behind."""
    found = set()
    for directory, below, names in os.walk("/"):
        here = directory.strip("/")
        below[:] = [name for name in below if f"{here}/{name}".strip("/") not in ELSEWHERE]
        found |= {f"{here}/{name}" for name in (*names, *below)}
    return {path for path in found if "__pycache__" not in path or "kmsg" in path}


@pytest.fixture(scope="module")
def before() -> dict[str, object]:
    run("systemctl", "start", "sys-kernel-tracing.mount")
    users = (Path("/etc/passwd").read_text(), Path("/etc/group").read_text())
    return {"files": files(), "tracefs": in_tracefs(), "users": users}


def dpkg(*arguments: str | Path) -> None:
    """Nothing but dpkg's own words may be said: no script complains."""
    said = run("dpkg", *arguments)
    complaints = [line for line in said.splitlines() if re.search(r"warning|error|not found|failed|Traceback", line)]
    assert complaints == [], said


def test_installed_agent_is_enabled_and_runs_and_the_collector_waits(before: dict[str, object]) -> None:
    assert before["files"]
    dpkg("--install", PACKAGE)
    assert (state(AGENT), state(COLLECTOR)) == ("enabled active", "disabled inactive")
    assert get("/-/ready") == "ready\n"
    assert run("dpkg", "--verify", "kmsg-exporter") == ""
    empty_the_log("first")
    eventually(lambda: metric(CLEARS) == "1.0")


def test_program_is_on_the_path_and_finds_that_this_node_can_be_watched() -> None:
    version = run("dpkg-query", "--show", "--showformat=${Version}", "kmsg-exporter")
    assert run("kmsg-exporter", "--version") == f"kmsg-exporter {version}\n"
    assert "with the kprobe backend" in run("kmsg-exporter", "doctor")


def test_agent_compiles_nothing_when_it_starts() -> None:
    compiled = [path.stat().st_mtime_ns for path in Path("/usr/lib/kmsg-exporter").rglob("*.pyc")]
    assert len(compiled) == len(list(Path("/usr/lib/kmsg-exporter").rglob("*.py")))


def test_web_config_file_has_what_it_needs() -> None:
    from subprocess import check_output

    code = "import sys; sys.path.insert(0, '/usr/lib/kmsg-exporter'); import bcrypt; "
    code += "print(bcrypt.hashpw(b'secret', bcrypt.gensalt(4)).decode())"
    hashed = check_output(["/usr/bin/python3", "-sPc", code], text=True).strip()
    Path("/etc/kmsg-exporter-web.yml").write_text(f"basic_auth_users:\n  prometheus: {hashed}\n")
    kept = DEFAULTS.read_text()
    DEFAULTS.write_text(f"{kept}KMSG_EXPORTER_WEB_CONFIG_FILE=/etc/kmsg-exporter-web.yml\n")
    run("systemctl", "restart", AGENT)
    with pytest.raises(HTTPError, match="401") as refused:
        get("/metrics")
    refused.value.close()
    login = base64.b64encode(b"prometheus:secret").decode()
    with urlopen(Request("http://127.0.0.1:10144/metrics", headers={"Authorization": f"Basic {login}"})) as answer:
        assert b"kmsg_exporter_build_info" in answer.read()
    DEFAULTS.write_text(kept)
    Path("/etc/kmsg-exporter-web.yml").unlink()
    run("systemctl", "restart", AGENT)


def test_upgrade_restarts_what_runs_and_keeps_options_and_state() -> None:
    DEFAULTS.write_text(f"{DEFAULTS.read_text()}KMSG_EXPORTER_CLUSTER_NAME=kept\n")
    run("systemctl", "start", COLLECTOR)
    processes = show(AGENT, "MainPID"), show(COLLECTOR, "MainPID")
    told = [path.name for path in STATE.iterdir()]
    instance = re.findall(r"sequence=(\d+)", journal(AGENT))
    dpkg("--install", NEXT)
    assert "+next" in run("dpkg-query", "--show", "--showformat=${Version}", "kmsg-exporter")
    assert (state(AGENT), state(COLLECTOR)) == ("enabled active", "disabled active")
    assert (show(AGENT, "MainPID"), show(COLLECTOR, "MainPID")) != processes
    assert "KMSG_EXPORTER_CLUSTER_NAME=kept" in DEFAULTS.read_text()
    assert {path.name for path in STATE.iterdir()} >= set(told)
    empty_the_log("after the upgrade")
    eventually(lambda: len(re.findall(r"sequence=(\d+)", journal(AGENT))) > len(instance))
    assert re.findall(r"sequence=(\d+)", journal(AGENT))[-1] == str(int(instance[-1]) + 1)


def test_agent_that_was_disabled_stays_so() -> None:
    run("systemctl", "disable", "--now", AGENT)
    dpkg("--install", NEXT)
    assert state(AGENT) == "disabled inactive"
    run("systemctl", "enable", "--now", AGENT)


def test_removal_stops_all_and_keeps_options_and_state(before: dict[str, object]) -> None:
    run("kill", "-KILL", show(AGENT, "MainPID"))  # and so something of it is in tracefs until the next one starts
    dpkg("--remove", "kmsg-exporter")
    assert in_tracefs() == before["tracefs"]
    assert run("pgrep", "--full", "kmsg-exporter|kmsg_exporter", check=False) == ""
    assert not Path("/usr/lib/kmsg-exporter").exists()
    assert "KMSG_EXPORTER_CLUSTER_NAME=kept" in DEFAULTS.read_text()
    assert (STATE / "spool.sqlite3").exists()
    assert (COLLECTED / "collector" / "events.sqlite3").exists()


def test_purge_leaves_nothing(before: dict[str, object]) -> None:
    dpkg("--purge", "kmsg-exporter")
    assert files() == before["files"]
    assert not COLLECTED.exists()
    assert (Path("/etc/passwd").read_text(), Path("/etc/group").read_text()) == before["users"]
    assert list(Path("/var/lib/systemd").rglob("*kmsg*")) == []
