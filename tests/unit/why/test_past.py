"""The node's own emptyings are read from the agent's file, beside the agent and after it."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kmsg_exporter.errors import SpoolError
from kmsg_exporter.model import Actor, Emptying, Hidden, LogRecord, Process
from kmsg_exporter.push.otlp import log_record
from kmsg_exporter.push.spool import Spool
from kmsg_exporter.why import moment
from kmsg_exporter.why.kept import kept
from kmsg_exporter.why.kmsg import Record, Ring
from kmsg_exporter.why.past import read_past

BOOT = "7d2f0a3e-0000-4000-8000-000000000000"
CRON = Actor(
    pid=4242,
    tid=4242,
    comm="dmesg",
    exe="/usr/bin/dmesg",
    source="exec_trace",
    ancestors=(
        Process(4240, "sh", "/usr/bin/dash"),
        Process(4239, "cleanup.sh", "/usr/bin/dash"),
        Process(700, "cron", "/usr/sbin/cron"),
        Process(1, "systemd", "/usr/lib/systemd/systemd"),
    ),
    origin="cleanup.sh",
)


def hidden(first: int, last: int, *lines: LogRecord) -> Hidden:
    return Hidden(last - first + 1, first, last, {"err": 1, "info": last - first}, lines)


def store(spool: Spool, emptying: Emptying, *, boot_id: str = BOOT) -> str:
    def render(uid: str, sequence: int) -> Mapping[str, object]:
        return log_record(emptying, node="n", boot_id=boot_id, uid=uid, sequence=sequence, observed_unix_ns=1)

    return spool.append(render).uid


def test_no_file_is_no_history(tmp_path: Path) -> None:
    assert read_past(tmp_path / "absent") is None


def test_emptyings_are_read_newest_first_while_the_agent_writes(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.sqlite3", clock=lambda: 1_700_000_100.0)
    try:
        sent = store(spool, Emptying(1_700_000_000_000_000_000, hidden(0, 9), "clear", "syslog", CRON))
        store(spool, Emptying(1_700_000_050_000_000_000, hidden(10, 11)))
        spool.mark_sent([sent], 1_700_000_200.0)
        past = read_past(tmp_path)
    finally:
        spool.close()
    assert past is not None
    newest, oldest = past
    assert (newest.sequence, newest.sent_unix, newest.text("kmsg.process.comm"), newest.chain) == (2, None, "", "")
    assert (oldest.sequence, oldest.sent_unix, oldest.text("kmsg.process.comm")) == (1, 1_700_000_200.0, "dmesg")
    assert (oldest.chain, oldest.number("kmsg.hidden.records"), oldest.errors) == ("cleanup.sh <- cron", 10, 1)
    assert oldest.time_unix_ns == 1_700_000_000_000_000_000
    assert read_past(tmp_path, wanted=lambda event: event.sequence == 1) == [oldest]
    assert read_past(tmp_path, limit=1) == [newest]


def test_reading_leaves_nothing_behind_where_no_agent_runs(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.sqlite3")
    store(spool, Emptying(1, hidden(0, 9)))
    spool.close()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert len(read_past(tmp_path) or ()) == 1
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert stat.S_IMODE((tmp_path / "spool.sqlite3").stat().st_mode) == 0o600


def test_a_file_that_is_no_history_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "spool.sqlite3").write_bytes(b"not a database at all, but long enough to be looked at" * 40)
    with pytest.raises(SpoolError, match=r"history .*spool\.sqlite3 can't be read: file is not a database"):
        read_past(tmp_path)


def test_an_event_that_can_not_be_understood_has_still_happened(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.sqlite3", clock=lambda: 1_700_000_000.0)
    spool.append(lambda _uid, _sequence: {"attributes": [{"key": 1}], "timeUnixNano": "x"})
    spool.close()
    past = read_past(tmp_path)
    assert past is not None
    assert [(event.time_unix_ns, event.body) for event in past] == [(1_700_000_000_000_000_000, "")]


def samples(directory: Path) -> None:
    spool = Spool(directory / "spool.sqlite3")
    store(
        spool,
        Emptying(
            1, hidden(0, 9, LogRecord("first", 8, 1_000_000, 3, 0), LogRecord("second\nline", 9, 2_000_000, 6, 1))
        ),
    )
    store(spool, Emptying(2, hidden(10, 19, LogRecord("old", 10, 3_000_000, 6), LogRecord("new", 19, 9_000_000, 6))))
    store(spool, Emptying(3, hidden(20, 29, LogRecord("still there", 20, 10_000_000, 6))))
    store(spool, Emptying(4, hidden(0, 9, LogRecord("of another boot", 0, 1, 6))), boot_id="another")
    spool.close()


def test_samples_from_before_the_rings_first_record_are_kept(tmp_path: Path) -> None:
    samples(tmp_path)
    records = kept(read_past(tmp_path) or (), boot_id=BOOT, ring=Ring((Record(b"", 5_000_000, 6, 15),), 15, 15))
    assert records == (
        Record(b"first", 1_000_000, 3),
        Record(b"second\nline", 2_000_000, 14),
        Record(b"old", 3_000_000, 6),
    )


def test_a_line_without_a_time_is_kept_where_the_ring_has_not_its_text(tmp_path: Path) -> None:
    """As syslog(2) gives them with printk.time=0."""
    spool = Spool(tmp_path / "spool.sqlite3")
    lines = map(LogRecord, ("gone", "still there", "second line", "\N{REPLACEMENT CHARACTER}t"))
    store(spool, Emptying(1, Hidden(sample=tuple(lines))))
    spool.close()
    texts = (b"still there", b"first line\nsecond line", b"\xe9t")
    ring = Ring(tuple(Record(text, 5_000_000, 6, 15 + index) for index, text in enumerate(texts)), 15, 15)
    assert kept(read_past(tmp_path) or (), boot_id=BOOT, ring=ring) == (Record(b"gone", None, None),)


def test_without_a_ring_all_samples_of_this_boot_are_kept(tmp_path: Path) -> None:
    samples(tmp_path)
    records = kept(read_past(tmp_path) or (), boot_id=BOOT, ring=None)
    assert [record.text for record in records] == [b"first", b"second\nline", b"old", b"new", b"still there"]


NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment_utc"),
    [
        ("2h", "2026-11-23T07:30:00Z"),
        ("-2h", "2026-11-23T07:30:00Z"),
        ("90s ago", "2026-11-23T09:28:30Z"),
        ("7d", "2026-11-16T09:30:00Z"),
        ("now", "2026-11-23T09:30:00Z"),
        ("2026-11-22T09:30:00Z", "2026-11-22T09:30:00Z"),
        ("2026-11-22 09:30+02:00", "2026-11-22T07:30:00Z"),
    ],
)
def test_moments_are_understood(text: str, moment_utc: str) -> None:
    assert moment.utc(moment.parse(text, now=NOW)) == moment_utc


def test_a_moment_without_a_zone_is_local() -> None:
    assert moment.local(moment.parse("2026-11-22 09:30", now=NOW)) == "2026-11-22 09:30:00"
    assert moment.local(moment.parse("2026-11-22", now=NOW)) == "2026-11-22 00:00:00"
    assert moment.local(moment.parse("today", now=NOW)).endswith(" 00:00:00")
    assert moment.parse("today", now=NOW) - moment.parse("yesterday", now=NOW) in (82800, 86400, 90000)


@pytest.mark.parametrize("text", ["", "soon", "2h30", "2026-13-01", "99999999999d", "-"])
def test_what_is_no_moment_says_what_is(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time like 2026-11-23"):
        moment.parse(text, now=NOW)


def test_a_moment_out_of_range_is_shown_all_the_same() -> None:
    assert moment.utc(1e30) == "1970-01-01T00:00:00Z"
