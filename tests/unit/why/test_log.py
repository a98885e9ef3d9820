"""What is told of the log itself: cleared by whom, cleared by nobody knows whom, overwritten, refused."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from kmsg_exporter.emptied import Emptied
from kmsg_exporter.errors import RingUnavailable
from kmsg_exporter.why import log
from kmsg_exporter.why.clocks import Clocks
from kmsg_exporter.why.finding import Finding
from kmsg_exporter.why.kmsg import Record, Ring
from kmsg_exporter.why.log import Log
from kmsg_exporter.why.telling import Told

NOW = 1_795_428_000.0


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


def ring(first: int, end: int, visible_from: int) -> Ring:
    """One record a second."""
    records = tuple(Record(b"x", seq * 1_000_000, 6, seq) for seq in range(first, end))
    return Ring(records, visible_from, first)


def cleared(sequence: int, last_seq: int | None, **attributes: object) -> Emptied:
    known = {"kmsg.hidden.last_seq": last_seq, "kmsg.hidden.records": 3, "kmsg.process.comm": "dmesg", "process.pid": 9}
    known["kmsg.hidden.first_seq"] = None if last_seq is None else last_seq - 2
    return Emptied(sequence, 0.0, None, int((NOW - 600) * 1e9), "", known | attributes)


def findings(
    seen: Log,
    past: Sequence[Emptied] | None = None,
    *,
    restricted: bool | None = True,
    more: bool = False,
    slept: float = 0,
) -> list[Finding]:
    clocks = Clocks(NOW, 3600, 3600 + slept)
    return log.findings(seen, Told(past, more), restricted=restricted, clocks=clocks)


def of_ring(one: Ring) -> Log:
    return Log(one, one.records, size_bytes=1 << 17)


def test_a_log_that_nobody_cleared_is_no_finding() -> None:
    assert findings(of_ring(ring(0, 5, 0))) == []


def test_a_clear_that_an_event_for_several_stands_for_is_told_of() -> None:
    (found,) = findings(of_ring(ring(0, 12, 9)), [cleared(3, 10, **{"kmsg.coalesced": 2})])
    assert not [line for line in found.evidence if "not known" in line]


def test_who_cleared_is_told_from_the_history_newest_first() -> None:
    past = [cleared(3, 9), cleared(2, 5), cleared(1, 1)]
    (found,) = findings(of_ring(ring(0, 12, 10)), past)
    assert (found.verdict, found.what) == ("cause", "a clear hides 10 records: dmesg shows only the 2 after it")
    assert found.evidence == (
        "/dev/kmsg: records 0 to 9 are in the ring, dmesg starts at 10",
        "2026-11-23 09:50:00  dmesg (pid 9) hid 3 records (history: 3)",
        "2026-11-23 09:50:00  dmesg (pid 9) hid 3 records (history: 2)",
        "2026-11-23 09:50:00  dmesg (pid 9) hid 3 records (history: 1)",
    )


def test_a_clear_that_no_history_explains_lies_between_two_records() -> None:
    (found,) = findings(of_ring(ring(0, 12, 10)))
    assert found.evidence[1:] == (
        "cleared at some time between 2026-11-23 09:00:09 (the last hidden record) and 2026-11-23 09:00:10 "
        "(the first visible one)",
        "by whom is not known: no agent ran then; while it runs it names who clears",
    )
    (found,) = findings(of_ring(ring(0, 12, 12)), [cleared(1, 5)])
    assert found.evidence[1:] == (
        "cleared at some time between 2026-11-23 09:00:11 (the last hidden record) and 2026-11-23 10:00:00 (now)",
        "by whom is not known: the agent's history has no such emptying",
        "earlier: 2026-11-23 09:50:00  dmesg (pid 9) hid 3 records (history: 1)",
    )


def test_a_clear_that_a_running_agent_has_yet_to_tell_is_not_one_that_it_does_not_know() -> None:
    (found,) = findings(of_ring(ring(0, 12, 12)), [cleared(1, 5)], more=True)
    assert found.evidence[2:] == (
        "by whom is not known yet: the running agent has not told it: ask again in a moment",
        "earlier: 2026-11-23 09:50:00  dmesg (pid 9) hid 3 records (history: 1)",
    )


def test_where_the_machine_slept_a_clear_lies_between_moments_further_apart() -> None:
    (found,) = findings(of_ring(ring(0, 12, 10)), slept=1800)
    assert found.evidence[1] == (
        "cleared at some time between 2026-11-23 08:30:09 (the last hidden record) and 2026-11-23 09:00:10 "
        "(the first visible one)"
    )
    (found,) = findings(of_ring(ring(5, 10, 5)), slept=1800)
    assert found.evidence[1] == "its time is between 2026-11-23 08:30:05 and 2026-11-23 09:00:05, 5 s after the boot"


def test_clears_that_hide_nothing_any_more_are_told() -> None:
    note, overwritten = findings(of_ring(ring(20, 30, 20)), [cleared(number, number) for number in (4, 3, 2, 1)])
    assert (note.verdict, note.what) == (
        "note",
        "the log was emptied 4 times, last 2026-11-23 09:50:00, in this boot; what that hid is overwritten since",
    )
    assert note.evidence[0] == "2026-11-23 09:50:00  dmesg (pid 9) hid 3 records (history: 4)"
    assert note.evidence[3:] == ("and 1 more in this boot: kmsg-exporter history",)
    assert overwritten.what == "the first 20 records of this boot were overwritten by later ones"
    note, _ = findings(of_ring(ring(20, 30, 20)), [cleared(1, 1)])
    assert note.what.startswith("the log was emptied once, 2026-11-23 09:50:00, in this boot; ")


def test_clears_whose_records_are_overwritten_are_not_told_and_of_many_only_three() -> None:
    past = [cleared(number, number) for number in range(9, 0, -1)]
    found, overwritten = findings(of_ring(ring(5, 10, 10)), past)
    assert [line.rpartition("(")[2] for line in found.evidence[1:]] == [
        "history: 9)",
        "history: 8)",
        "history: 7)",
        "and 6 more in this boot: kmsg-exporter history",
    ]
    assert overwritten.what == "the first 5 records of this boot were overwritten by later ones"
    assert overwritten.evidence[1:] == ("its time is 2026-11-23 09:00:05, 5 s after the boot", "the ring has 128 KiB")


def test_a_containers_clear_and_an_unknown_one_are_told() -> None:
    inside = cleared(1, 9, **{"kmsg.process.container.id": "0123456789abcdef", "process.executable.path": "/bin/x"})
    assert (
        log.line_of(inside)
        == "2026-11-23 09:50:00  dmesg (/bin/x, pid 9) in container 0123456789ab hid 3 records (history: 1)"
    )
    since = cleared(2, None, **{"kmsg.process.comm": None, "kmsg.since_unix_nano": int((NOW - 900) * 1e9)})
    assert log.line_of(since) == (
        "between 2026-11-23 09:45:00 and 2026-11-23 09:50:00  an unknown process hid 3 records (history: 2)"
    )


def test_an_empty_ring_is_a_note() -> None:
    assert [(one.verdict, one.what) for one in findings(of_ring(Ring((), 0, 0)))] == [
        ("note", "the log is empty: nothing was printed since the boot")
    ]


def test_a_refused_log_says_what_refuses_it() -> None:
    (found,) = findings(Log(None, None, "/dev/kmsg: permission denied: run as root"))
    assert found.what == "dmesg is refused to this user: kernel.dmesg_restrict is 1, and CAP_SYSLOG is missing"
    (found,) = findings(Log(None, None, "why"), restricted=False)
    assert found.what == "the log can't be read here: neither /dev/kmsg nor syslog(2)"


def test_without_the_device_an_empty_log_was_most_likely_cleared() -> None:
    unseen, cause = findings(Log(None, (), "there is no such device here"))
    assert (unseen.verdict, unseen.evidence) == ("unseen", ("there is no such device here",))
    assert (cause.verdict, cause.what) == ("cause", "dmesg shows nothing: most likely a clear hides it")
    _, cause = findings(Log(None, ()), [cleared(1, 9)])
    assert cause.evidence == ("2026-11-23 09:50:00  dmesg (pid 9) hid 3 records (history: 1)",)
    assert [one.verdict for one in findings(Log(None, (Record(b"x", 1, 6),)))] == ["unseen"]


def test_without_the_device_the_history_names_who_cleared_also_where_dmesg_shows_something() -> None:
    past = [cleared(number, None) for number in (4, 3, 2, 1)]
    _, cause = findings(Log(None, (Record(b"printed after the clear", 1, 6),)), past)
    assert (cause.verdict, cause.what) == (
        "cause",
        "the log was cleared in this boot: dmesg shows only the 1 record after it",
    )
    assert cause.evidence == (
        "2026-11-23 09:50:00  dmesg (pid 9) hid 3 records (history: 4)",
        "2026-11-23 09:50:00  dmesg (pid 9) hid 3 records (history: 3)",
        "2026-11-23 09:50:00  dmesg (pid 9) hid 3 records (history: 2)",
        "and 1 more in this boot: kmsg-exporter history",
    )


def test_the_log_is_read_by_the_device_else_by_the_system_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "buffer_bytes", lambda: None)
    monkeypatch.setattr(log, "read_all", lambda _: b"<3>[    1.500000] one\n<30>[    2.000000] two\n")
    seen = log.read_log(tmp_path / "kmsg")
    assert seen.records == (Record(b"one", 1_500_000, 3), Record(b"two", 2_000_000, 30))
    assert seen.ring is None

    def refused(_: int) -> bytes:
        raise RingUnavailable("syslog action 3: Operation not permitted")

    monkeypatch.setattr(log, "read_all", refused)
    seen = log.read_log(tmp_path / "kmsg")
    assert (seen.records, seen.why_not) == (
        None,
        f"{tmp_path}/kmsg: there is no such device here; syslog action 3: Operation not permitted",
    )
