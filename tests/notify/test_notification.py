"""From a real `dmesg -C` on a booted node, the first of its life, to a notification: and how long that takes."""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from browser import Page, browser
from node import node
from receiver import Notification, Receiver, receiving
from servers import (
    EVALUATE_SECONDS,
    FILES,
    GROUP_WAIT_SECONDS,
    SCRAPE_SECONDS,
    alertmanager,
    answers,
    free_port,
    get,
    prometheus,
    query,
    wait_until,
)

HERE = Path(__file__).parent
PROMTOOL = Path.home() / ".cache" / "kmsg-exporter" / "notify" / "promtool-0.42.0"
CLEARS = 'kmsg_clears_total{comm="dmesg"}'


@dataclass(frozen=True)
class Story:
    """What was there before the clear, when the node was told to clear, what came of it, and where to look at it."""

    before: list[dict[str, Any]]
    told: float
    cleared: Notification
    unexpected: Notification
    prometheus: str
    alertmanager: str


@pytest.fixture(scope="session", autouse=True)
def _machine_is_ready() -> None:
    subprocess.run([HERE / "setup.sh"], check=True, timeout=1800)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    directory = tmp_path_factory.mktemp("notify")
    with ExitStack() as stack:
        port = free_port()
        signal_port = free_port()  # the receiver is left first and signals the end to the node, which is waited for
        machine = stack.enter_context(node(directory, metrics_port=port, signal_port=signal_port))
        receiver: Receiver = stack.enter_context(receiving(signal_port))
        notifying = stack.enter_context(alertmanager(directory, webhook_port=receiver.port))
        wait_until(
            lambda: machine.ready(lambda: answers(f"http://127.0.0.1:{port}/-/ready")), "the node's agent is ready"
        )
        evaluating = stack.enter_context(prometheus(directory, metrics_port=port, alertmanager=notifying))
        wait_until(lambda: query(evaluating, 'count_over_time(up{node="node-1"}[5m]) >= 2'), "two scrapes")
        before = query(evaluating, "kmsg_clears_total")
        told = time.time()
        receiver.signal("clear")
        cleared = wait_until(lambda: receiver.about("KmsgCleared"), "KmsgCleared is notified")
        unexpected = wait_until(lambda: receiver.about("KmsgClearedUnexpectedly"), "the other is notified")
        assert cleared is not None
        assert unexpected is not None
        yield Story(before, told, cleared, unexpected, evaluating, notifying)


def alert(notification: Notification) -> dict[str, Any]:
    """The only alert of the notification."""
    (one,) = notification.body["alerts"]
    result: dict[str, Any] = one
    return result


def test_the_clear_is_the_first_of_the_nodes_life(story: Story) -> None:
    assert story.before == []


def test_kmsg_cleared_is_notified_with_node_comm_and_exe(story: Story) -> None:
    found = alert(story.cleared)
    assert story.cleared.path == "/record"
    assert found["status"] == "firing"
    assert found["labels"] == {
        "alertname": "KmsgCleared",
        "comm": "dmesg",
        "exe": "/usr/bin/dmesg",
        "instance": "node-1:10144",
        "job": "kmsg-exporter",
        "node": "node-1",
        "severity": "info",
    }
    assert found["annotations"] == {
        "summary": "dmesg cleared the kernel log of node-1",
        "description": "dmesg (/usr/bin/dmesg) cleared the kernel log of node-1: dmesg hides what was logged before. "
        "The records are still in the kernel's ring until newer ones overwrite them.",
        "runbook_url": "https://github.com/kmsg-exporter/kmsg-exporter/blob/main/deploy/runbooks/KmsgCleared.md",
    }


def test_the_one_to_act_on_is_notified_elsewhere_with_the_script(story: Story) -> None:
    labels = alert(story.unexpected)["labels"]
    assert story.unexpected.path == "/on-call"
    assert (labels["node"], labels["comm"], labels["exe"]) == ("node-1", "dmesg", "/usr/bin/dmesg")
    assert (labels["origin"], labels["expected"], labels["severity"]) == ("cleanup.sh", "false", "warning")


def test_no_other_alert_fires(story: Story) -> None:
    alerts = json.loads(get(f"{story.prometheus}/api/v1/alerts"))["data"]["alerts"]
    firing = {one["labels"]["alertname"] for one in alerts if one["state"] == "firing"}
    assert firing == {"KmsgCleared", "KmsgClearedUnexpectedly"}


def test_the_way_of_the_notification_is_told(story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    (series,) = query(story.prometheus, f"{CLEARS}[5m]")
    samples = [(moment, float(value)) for moment, value in series["values"]]
    born = samples[0][0] - story.told
    risen = next(moment for moment, value in samples if value == 1) - story.told
    (firing,) = query(story.prometheus, 'ALERTS{alertname="KmsgCleared",alertstate="firing"}[5m]')
    fired = firing["values"][0][0] - story.told
    with capsys.disabled():
        print(
            f"\ndmesg -C to notification: {story.cleared.time - story.told:.1f} s"
            f" (scraped at 0 after {born:.1f} s, at 1 after {risen:.1f} s, firing after {fired:.1f} s;"
            f" scrapes every {SCRAPE_SECONDS} s, rules every {EVALUATE_SECONDS} s, group_wait {GROUP_WAIT_SECONDS} s)"
        )
    assert samples[0][1] == 0
    assert 0 < born < risen < fired < story.cleared.time - story.told


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures go: PICTURES=docs renews those of the README."""
    chosen = os.environ.get("PICTURES")
    return Path(chosen) if chosen else tmp_path_factory.mktemp("pictures")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(tmp_path_factory.mktemp("browser")) as page:
        yield page


def test_prometheus_shows_the_alert(story: Story, page: Page, pictures: Path) -> None:
    listening = (
        "document.readyState == 'complete' && !!jQuery._data(document.getElementById('inactiveAlerts'), 'events')"
    )
    page.open(f"{story.prometheus}/classic/alerts", width=1200, height=640, until=listening)
    page.run("document.getElementById('inactiveAlerts').parentElement.click()")  # only what fires
    page.run("jQuery('.alert_header:visible').first().click()[0].scrollIntoView(); scrollBy(0, -100)")
    page.wait("jQuery('.alert_elements_table:visible').length == 1")
    text = page.run("document.body.innerText")
    page.picture(pictures / "prometheus-alert.png")
    assert "KmsgCleared (1 active)" in text
    for label in ('node="node-1"', 'comm="dmesg"', 'exe="/usr/bin/dmesg"'):
        assert label in text


def button(text: str) -> str:
    return f"[...document.querySelectorAll('button')].find(one => one.innerText.includes('{text}'))"


def test_alertmanager_shows_the_alert(story: Story, page: Page, pictures: Path) -> None:
    only = urllib.parse.quote('{alertname="KmsgCleared"}')
    url = f"{story.alertmanager}/#/alerts?silenced=false&inhibited=false&active=true&filter={only}"
    page.open(url, width=1200, height=660, until=f"!!{button('Expand all groups')}")
    page.run(f"{button('Expand all groups')}.click()")
    page.wait(f"!!{button('Info')}")
    page.run(f"{button('Info')}.click()")
    page.wait("document.body.innerText.includes('node=') && document.body.innerText.includes('dmesg hides')")
    text = page.run("document.body.innerText")
    page.picture(pictures / "alertmanager.png")
    for label in ('node="node-1"', 'comm="dmesg"', 'exe="/usr/bin/dmesg"'):
        assert label in text


def test_amtool_takes_the_example() -> None:
    done = subprocess.run(
        ["amtool", "check-config", FILES / "alertmanager-example.yaml"],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("file", ["static.yaml", "kubernetes-pods.yaml"])
def test_promtool_takes_the_scrape_configuration_as_it_is(file: str) -> None:
    done = subprocess.run(
        [PROMTOOL, "check", "config", FILES / file], capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode == 0, done.stdout + done.stderr
