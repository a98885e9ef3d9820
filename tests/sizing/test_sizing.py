"""The figures in deploy/README.md are what the code gives; no durations are held to anything."""

from __future__ import annotations

import json
import re
from pathlib import Path

import event
import measure
import pytest
from event import EventSize
from nodes import PROBES, Node, at_bound, at_rest, ordinary
from page import (
    BEGIN,
    END,
    EVERY_WAY,
    ONE_WAY,
    ORDINARY,
    PAGE,
    REST,
    event_size,
    gateway_table,
    prometheus_table,
    real,
    scrapes,
    what_really_ran,
    write,
)
from scrape import Scrape, scrape, serving
from services import SizingError

TOP = Path(__file__).parents[2]
TEXT = PAGE.read_text()
WRITTEN = scrapes(TEXT)
TOLERANCE = 0.1


def series(node: Node) -> int:
    with serving(node) as port:
        return scrape(port, rounds=1).series


@pytest.mark.parametrize("row", measure.MODELLED)
def test_the_page_says_how_many_series_and_bytes_each_kind_of_node_has(row: str) -> None:
    with serving(measure.MODELLED[row]()) as port:
        now = scrape(port, rounds=1)
    assert WRITTEN[row].series == now.series
    assert WRITTEN[row].plain_bytes == pytest.approx(now.plain_bytes, rel=TOLERANCE)
    assert WRITTEN[row].gzip_bytes == pytest.approx(now.gzip_bytes, rel=TOLERANCE)


def test_the_agent_that_really_ran_showed_what_its_model_does() -> None:
    ((row, ran),) = [(row, ran) for row in WRITTEN if (ran := what_really_ran(row))]
    backend, readers = ran
    with serving(at_rest(backend, readers=readers)) as port:
        now = scrape(port, rounds=1)
    assert WRITTEN[row].series == now.series
    assert WRITTEN[row].plain_bytes == pytest.approx(now.plain_bytes, rel=TOLERANCE)
    assert row == real(backend, readers)


def test_a_node_at_rest_has_83_series_and_an_ordinary_one_107() -> None:
    assert (series(at_rest()), series(ordinary())) == (83, 107)


def test_nine_families_have_512_names_at_the_bound() -> None:
    born_with_the_first_emptying = 2
    assert series(at_bound(every_way=False)) == 83 + born_with_the_first_emptying + 9 * 512
    assert WRITTEN[ONE_WAY].series == 4693


def test_every_way_to_use_the_log_is_24_series_a_name() -> None:
    assert series(at_bound(every_way=True, max_pairs=64)) == 85 + 24 * 64
    assert WRITTEN[EVERY_WAY].series == 85 + 24 * 512


def test_a_recorded_agent_with_kprobes_has_the_probes_of_the_model() -> None:
    recorded = (TOP / "tests/grafana/recorded/kprobe-00.prom").read_text()
    assert (
        tuple(re.findall(r'^kmsg_exporter_probe_attached\{probe="(\w+)"\}', recorded, re.MULTILINE)) == PROBES["kprobe"]
    )


def test_the_page_says_how_large_an_event_is() -> None:
    written, now = event_size(TEXT), event.measure()
    assert written.plain_bytes == pytest.approx(now.plain_bytes, rel=TOLERANCE)
    assert written.gzip_bytes == pytest.approx(now.gzip_bytes, rel=TOLERANCE)


def test_the_typical_event_has_50_lines_and_the_largest_is_under_64_kib() -> None:
    record = json.loads(event.body())["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]
    (sample,) = [one["value"] for one in record["attributes"] if one["key"] == "kmsg.hidden.sample"]
    assert len(sample["arrayValue"]["values"]) == 50
    assert event.largest() < 64 * 1024


def test_the_fleet_in_the_page_follows_from_one_node_in_the_page() -> None:
    assert prometheus_table(WRITTEN[REST], WRITTEN[ORDINARY]) in TEXT
    assert gateway_table(event_size(TEXT), event.largest()) in TEXT


def test_the_suggested_sample_limit_is_above_the_bound() -> None:
    (limit,) = re.findall(r"`sample_limit: (\d+)`", TEXT)
    assert WRITTEN[EVERY_WAY].series < int(limit) < WRITTEN[EVERY_WAY].series * 1.5


def test_ten_thousand_nodes_are_ten_thousand_times_one_and_what_prometheus_adds() -> None:
    assert prometheus_table(Scrape(95, 0, 3000, 1.0), Scrape(195, 0, 6000, 1.0)) == (
        "| 10,000 nodes, Prometheus | all at rest | all ordinary |\n"
        "| --- | --- | --- |\n"
        "| active series | 1,000,000 | 2,000,000 |\n"
        "| memory for them, at 3 to 8 KiB a series | 2.9 to 7.6 GiB | 5.7 to 15.3 GiB |\n"
        "| samples a second, every 15 s | 66,666 | 133,333 |\n"
        "| samples a second, every 30 s | 33,333 | 66,666 |\n"
        "| samples a second, every 60 s | 16,666 | 33,333 |\n"
        "| bodies over the network, gzip, every 15 s | 2.00 MB/s | 4.00 MB/s |\n"
        "| bodies over the network, gzip, every 30 s | 1.00 MB/s | 2.00 MB/s |\n"
        "| bodies over the network, gzip, every 60 s | 0.50 MB/s | 1.00 MB/s |\n"
        "| disk a day at 2 bytes a sample, every 30 s | 5.8 GB | 11.5 GB |"
    )


def test_a_herd_is_ten_thousand_events_at_once() -> None:
    assert gateway_table(EventSize(10_000, 2_500), 64_000) == (
        "| 10,000 nodes, gateway | requests | gzip, over the network | JSON, to decode and store |\n"
        "| --- | --- | --- | --- |\n"
        "| one event with 50 lines | 1 | 2,500 bytes | 10,000 bytes |\n"
        "| the largest event there is | 1 |  | 64,000 bytes |\n"
        "| every node goes empty once a day | 0.12/s | 25 MB a day | 100 MB a day |\n"
        "| all in the same second | 10,000 | 25 MB | 100 MB |"
    )


def test_writing_replaces_what_stands_between_the_marks_only(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text(f"before\n\n{BEGIN}\nold\n{END}\n\nafter\n")
    write(page, "new")
    assert page.read_text() == f"before\n\n{BEGIN}\n\nnew\n\n{END}\n\nafter\n"


def test_a_page_without_marks_is_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text("no marks\n")
    with pytest.raises(SizingError, match="lacks the marks"):
        write(page, "new")
    assert page.read_text() == "no marks\n"
