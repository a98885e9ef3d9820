"""The page at / says what there is and what can't be seen, and can't be made to say anything else."""

from __future__ import annotations

import base64
import hashlib
import re

from kmsg_exporter.metrics.page import blind_spots, render_page, security_headers
from kmsg_exporter.model import Observation, ProbeState, RingState


def page(observation: Observation) -> str:
    return render_page(observation, version="0.1.0", telemetry_path="/metrics").decode()


def test_the_page_has_name_version_state_and_links(full: Observation) -> None:
    text = page(full)
    assert "<h1>kmsg_exporter 0.1.0</h1>" in text
    assert "<th scope=row>dmesg<td>shows nothing; a clear hides 812 records" in text
    assert "<th scope=row>readers now<td>3" in text
    assert "<th scope=row>backend<td>kprobe, ready" in text
    assert "<th scope=row>push<td>3 events to send, 11 sent" in text
    for path in ("/metrics", "/-/healthy", "/-/ready"):
        assert f'<a href="{path}">{path}</a>' in text


def test_the_page_names_no_process(full: Observation) -> None:
    assert "systemd-journal" not in page(full)


def test_a_node_that_shows_little_says_so() -> None:
    assert list(blind_spots(Observation("state", ready=True))) == [
        "who cleared it: comm, exe, chain",
        "clear and read_clear told apart",
        "clears that were refused",
        "clears by 32-bit programs",
        "reads by syslog(2)",
        "reads of /dev/kmsg and /proc/kmsg",
        "opens of /dev/kmsg and /proc/kmsg",
        "writes to /dev/kmsg",
        "console level changes",
        "whether dmesg shows anything",
        "how many records a clear hides",
        "how many records were printed",
        "who holds the log open",
    ]
    assert "<th scope=row>dmesg<td>not known" in page(Observation("state", ready=True))
    assert "<th scope=row>push<td>off" in page(Observation("state", ready=True))


def test_a_probe_that_is_not_attached_is_named(full: Observation) -> None:
    assert list(blind_spots(full)) == ["what the probe devkmsg_read would show: it is not attached"]


def test_a_node_that_shows_everything_says_so() -> None:
    seen = Observation("kprobe", ready=True, ring=RingState(False, 0, 1, 0, 1), readers=())
    assert "<li>nothing that it looks for" in page(seen)


def test_what_is_not_ours_is_escaped() -> None:
    hostile = Observation("<script>", ready=False, probes=(ProbeState("<img src=x>\ud800", attached=False),))
    text = render_page(hostile, version="<b>", telemetry_path='/"><i>').decode()
    for tag in ("<script>", "<img", "<b>", "<i>"):
        assert tag not in text


def test_the_policy_allows_the_page_s_own_style_and_nothing_else(full: Observation) -> None:
    style = re.search("<style>(.*)</style>", page(full))
    assert style
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert dict(security_headers())["Content-Security-Policy"] == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
