"""The exposition holds every metric of the contract, in a form that Prometheus reads."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.parser import text_string_to_metric_families

from kmsg_exporter.metrics.exposition import Exposition
from kmsg_exporter.metrics.textformat import write_text
from kmsg_exporter.metrics.totals import Totals
from kmsg_exporter.model import Observation, ProbeState, PushState, Reader, RingState

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from prometheus_client.metrics_core import Metric

UNKNOWN = Observation(backend="state", ready=False)

EVERYTHING = """\
kmsg_clears_total{action="clear",comm="dmesg",exe="/usr/bin/dmesg"} 1.0
kmsg_clears_by_origin_total{comm="dmesg",exe="/usr/bin/dmesg",expected="false",origin="cleanup.sh"} 1.0
kmsg_clears_denied_total{action="clear",comm="sh",exe="/bin/sh"} 1.0
kmsg_reads_total{action="read_all",comm="dmesg",exe="/usr/bin/dmesg",interface="syslog"} 2.0
kmsg_read_bytes_total{action="read_all",comm="dmesg",exe="/usr/bin/dmesg",interface="syslog"} 4096.0
kmsg_opens_total{comm="sh",exe="",interface="proc_kmsg"} 1.0
kmsg_writes_total{comm="sh",exe=""} 1.0
kmsg_console_changes_total{action="console_off",comm="sh",exe=""} 1.0
kmsg_readers{comm="systemd-journal",exe="/usr/lib/systemd/systemd-journald",interface="dev_kmsg"} 1.0
kmsg_readers{comm="dmesg",exe="/usr/bin/dmesg",interface="dev_kmsg"} 2.0
kmsg_empty 1.0
kmsg_emptied_total 1.0
kmsg_last_emptied_timestamp_seconds 1.7000000005e+09
kmsg_unattributed_clears_total 1.0
kmsg_hidden_records 812.0
kmsg_records_total 9000.0
kmsg_overwritten_records_total 188.0
kmsg_buffer_bytes 262144.0
kmsg_exporter_build_info{pythonversion="PYTHON",revision="abc123",version="0.1.0"} 1.0
kmsg_exporter_backend_info{backend="kprobe"} 1.0
kmsg_exporter_probe_attached{probe="syslog"} 1.0
kmsg_exporter_probe_attached{probe="devkmsg_read"} 0.0
kmsg_exporter_probe_hits_total{probe="syslog"} 7.0
kmsg_exporter_probe_hits_total{probe="devkmsg_read"} 0.0
kmsg_exporter_probe_missed_total{probe="syslog"} 1.0
kmsg_exporter_probe_missed_total{probe="devkmsg_read"} 0.0
kmsg_exporter_trace_lost_events_total 4.0
kmsg_exporter_attributions_total{source="procfs"} 5.0
kmsg_exporter_attributions_total{source="exec_trace"} 2.0
kmsg_exporter_attributions_total{source="fork_trace"} 0.0
kmsg_exporter_attributions_total{source="cache"} 0.0
kmsg_exporter_attributions_total{source="none"} 0.0
kmsg_exporter_series_overflowed_total 0.0
kmsg_exporter_push_queue_events 3.0
kmsg_exporter_push_queue_oldest_timestamp_seconds 1.7e+09
kmsg_exporter_push_sent_total 11.0
kmsg_exporter_push_attempts_total 14.0
kmsg_exporter_push_failures_total{reason="connection"} 2.0
kmsg_exporter_push_rejected_total 1.0
kmsg_exporter_push_dropped_total{reason="queue_full"} 6.0
kmsg_exporter_push_last_success_timestamp_seconds 1.7000001e+09
"""

NOTHING_YET = """\
kmsg_emptied_total 0.0
kmsg_unattributed_clears_total 0.0
kmsg_exporter_build_info{pythonversion="PYTHON",revision="unknown",version="0.1.0"} 1.0
kmsg_exporter_backend_info{backend="state"} 1.0
kmsg_exporter_trace_lost_events_total 0.0
kmsg_exporter_attributions_total{source="procfs"} 0.0
kmsg_exporter_attributions_total{source="exec_trace"} 0.0
kmsg_exporter_attributions_total{source="fork_trace"} 0.0
kmsg_exporter_attributions_total{source="cache"} 0.0
kmsg_exporter_attributions_total{source="none"} 0.0
kmsg_exporter_series_overflowed_total 0.0
kmsg_exporter_push_sent_total 0.0
kmsg_exporter_push_attempts_total 0.0
kmsg_exporter_push_rejected_total 0.0
"""


def samples(exposition: bytes) -> str:
    python = ".".join(map(str, sys.version_info[:3]))
    lines = exposition.decode().replace(f'"{python}"', '"PYTHON"').splitlines(keepends=True)
    return "".join(line for line in lines if line.startswith("kmsg_"))


def parse(exposition: bytes) -> list[Metric]:
    return list(text_string_to_metric_families(exposition.decode()))


@pytest.fixture
def busy() -> Totals:
    totals = Totals()
    totals.clear("dmesg", "/usr/bin/dmesg", "clear", origin="cleanup.sh", expected=False)
    totals.denied("sh", "/bin/sh", "clear")
    totals.read("dmesg", "/usr/bin/dmesg", "syslog", "read_all", calls=2, nbytes=4096)
    totals.open("sh", "", "proc_kmsg")
    totals.write("sh", "")
    totals.console_change("sh", "", "console_off")
    totals.emptied(1700000000.5)
    totals.unattributed_clear()
    return totals


def test_everything_that_is_known_is_shown(busy: Totals, full: Observation) -> None:
    exposition = Exposition(busy, version="0.1.0", revision="abc123")
    assert samples(exposition.render(exposition.view(full))) == EVERYTHING


def test_what_is_not_known_is_absent_and_unlabelled_counters_start_at_zero() -> None:
    exposition = Exposition(Totals(), version="0.1.0")
    assert samples(exposition.render(exposition.view(UNKNOWN))) == NOTHING_YET


def test_a_log_that_is_not_empty_is_zero_not_absent() -> None:
    exposition = Exposition(Totals(), version="0.1.0")
    seen = Observation("kprobe", ready=True, ring=RingState(empty=False), readers=(), push=PushState())
    text = samples(exposition.render(exposition.view(seen)))
    assert "\nkmsg_exporter_push_queue_events 0.0\n" in text
    assert "kmsg_empty 0.0\n" in text
    assert "kmsg_readers" not in text


def test_a_labelled_counter_is_described_before_it_has_a_series() -> None:
    exposition = Exposition(Totals(), version="0.1.0")
    text = exposition.render(exposition.view(UNKNOWN)).decode()
    assert (
        "# HELP kmsg_clears_total Clears of the kernel log that took effect.\n# TYPE kmsg_clears_total counter\n"
        in text
    )


def test_the_process_metrics_of_the_client_library_are_there() -> None:
    exposition = Exposition(Totals(), version="0.1.0")
    text = exposition.render(exposition.view(UNKNOWN)).decode()
    assert "\nprocess_resident_memory_bytes " in text
    assert "\nprocess_cpu_seconds_total " in text


def test_without_procfs_the_process_metrics_are_absent(tmp_path: Path) -> None:
    exposition = Exposition(Totals(), version="0.1.0", proc=tmp_path)
    assert b"process_" not in exposition.render(exposition.view(UNKNOWN))


def test_nothing_is_called_created(busy: Totals, full: Observation) -> None:
    exposition = Exposition(busy, version="0.1.0")
    assert b"_created" not in exposition.render(exposition.view(full))


def test_promtool_has_nothing_to_say(busy: Totals, full: Observation) -> None:
    promtool = shutil.which("promtool")
    assert promtool, "promtool is missing: apt-get install prometheus"
    busy.write('\\"\n\r\t\x00\x01\x7f{}#', "/tmp/\u2028\U0001f600 \ufffd\udc80")
    exposition = Exposition(busy, version="0.1.0")
    check = subprocess.run(
        [promtool, "check", "metrics"],
        input=exposition.render(exposition.view(full)),
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert (check.stdout, check.stderr, check.returncode) == (b"", b"", 0)


def test_readers_share_the_bound_on_names() -> None:
    exposition = Exposition(Totals(max_pairs=2), version="0.1.0")
    readers = tuple(Reader(pid, f"c{pid}", "", "dev_kmsg") for pid in range(5))
    text = samples(exposition.render(exposition.view(Observation("kprobe", ready=True, readers=readers))))
    assert text.startswith(
        'kmsg_readers{comm="c0",exe="",interface="dev_kmsg"} 1.0\n'
        'kmsg_readers{comm="other",exe="other",interface="dev_kmsg"} 4.0\n'
    )


def test_a_process_with_two_descriptors_is_one_reader() -> None:
    exposition = Exposition(Totals(), version="0.1.0")
    readers = (Reader(1, "cat", "/bin/cat", "dev_kmsg"), Reader(1, "cat", "/bin/cat", "dev_kmsg"))
    text = samples(exposition.render(exposition.view(Observation("kprobe", ready=True, readers=readers))))
    assert 'kmsg_readers{comm="cat",exe="/bin/cat",interface="dev_kmsg"} 1.0\n' in text


def test_series_born_after_the_mark_are_zero_and_older_ones_true() -> None:
    totals = Totals()
    exposition = Exposition(totals, version="0.1.0")
    totals.write("old", "")
    mark = exposition.view(UNKNOWN).births
    totals.write("old", "")
    totals.write("new", "")
    view = exposition.view(UNKNOWN)
    assert 'kmsg_writes_total{comm="old",exe=""} 2.0\n' in samples(exposition.render(view, mark=mark))
    assert 'kmsg_writes_total{comm="new",exe=""} 0.0\n' in samples(exposition.render(view, mark=mark))
    assert 'kmsg_writes_total{comm="new",exe=""} 1.0\n' in samples(exposition.render(view, mark=view.births))


def test_a_reason_that_first_appears_in_an_observation_is_born_then() -> None:
    exposition = Exposition(Totals(), version="0.1.0")
    mark = exposition.view(UNKNOWN).births
    failed = Observation("state", ready=True, push=PushState(failures_total={"timeout": 1}))
    view = exposition.view(failed)
    assert view.births == mark + 1
    assert 'failures_total{reason="timeout"} 0.0\n' in samples(exposition.render(view, mark=mark))
    assert 'failures_total{reason="timeout"} 1.0\n' in samples(
        exposition.render(exposition.view(failed), mark=mark + 1)
    )


def test_gauges_and_unlabelled_counters_are_never_held_back(busy: Totals, full: Observation) -> None:
    exposition = Exposition(busy, version="0.1.0", revision="abc123")
    shown = samples(exposition.render(exposition.view(full), mark=0)).splitlines()
    for now, true in zip(shown, EVERYTHING.splitlines(), strict=True):
        held_back = "{" in true and "_total{" in true
        assert now == (true.rsplit(" ", 1)[0] + " 0.0" if held_back else true)


ANY_TEXT = st.text(st.characters(exclude_categories=[]), max_size=20)


@given(ANY_TEXT, ANY_TEXT, ANY_TEXT, ANY_TEXT)
def test_any_name_comes_back_from_the_parser_as_it_was(comm: str, exe: str, origin: str, probe: str) -> None:
    totals = Totals()
    totals.clear(comm, exe, "clear", origin=origin, expected=True)
    exposition = Exposition(totals, version="0.1.0")
    observation = Observation(
        probe, ready=True, readers=(Reader(1, comm, exe, "dev_kmsg"),), probes=(ProbeState(probe, attached=True),)
    )
    families = {family.name: family for family in parse(exposition.render(exposition.view(observation)))}

    def encodable(text: str) -> str:
        return "".join("\ufffd" if 0xD800 <= ord(char) <= 0xDFFF else char for char in text)

    (clears,) = families["kmsg_clears_by_origin"].samples
    (reader,) = families["kmsg_readers"].samples
    (attached,) = families["kmsg_exporter_probe_attached"].samples
    who = {"comm": encodable(comm), "exe": encodable(exe)}
    assert clears.labels == {**who, "origin": encodable(origin), "expected": "true"}
    assert reader.labels == {**who, "interface": "dev_kmsg"}
    assert attached.labels == {"probe": encodable(probe)}


class Fixed:
    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


@given(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.lists(
        st.tuples(st.text(st.characters(exclude_categories=["Cs"])), st.text(max_size=3), st.floats() | st.integers(0)),
    ),
    st.floats(),
)
def test_the_text_is_what_the_client_library_writes(
    text: str, rows: list[tuple[str, str, float]], number: float
) -> None:
    counter = CounterMetricFamily("a_total", text, labels=("x", "b"))
    for first, second, value in rows:
        counter.add_metric((first, second.replace("\ud800", "")), value)
    registry = CollectorRegistry()
    registry.register(Fixed([counter, GaugeMetricFamily("g", text, value=number)]))
    assert write_text(registry.collect()) == generate_latest(registry)
