"""Real sources, where nothing needs to be traced: an agent's answers, tracing without tracefs, the log alone."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fake_kmsg import FakeKmsg

from kmsg_exporter.agent.snapshot import snapshot
from kmsg_exporter.config import Config
from kmsg_exporter.errors import DecodeError, KmsgExporterError, NotPermitted
from kmsg_exporter.local import AgentNotReachedError, LocalServer
from kmsg_exporter.metrics.totals import Totals
from kmsg_exporter.model import Actor, Emptying, Hidden, LogRecord, Observation
from kmsg_exporter.push.otlp import log_record
from kmsg_exporter.push.spool import Spool
from kmsg_exporter.ring.look import Look, Ring
from kmsg_exporter.watching.feed import Feed
from kmsg_exporter.watching.own import OwnTracing, Traced
from kmsg_exporter.watching.sources import EVENTS, Attached, Looked

ACTOR = Actor(7, 7, "dmesg", "/usr/bin/dmesg", "procfs", origin="cron")


def record(sequence: int) -> dict[str, Any]:
    hidden = Hidden(5, 0, 4, {"info": 5})
    emptying = Emptying(sequence * 10**9, hidden, "clear", "syslog", ACTOR)
    made = log_record(emptying, node="n", boot_id="boot", uid=f"u{sequence}", sequence=sequence, observed_unix_ns=1)
    found: dict[str, Any] = json.loads(json.dumps(made))
    return found


@contextmanager
def agent(folder: Path, history: list[dict[str, Any]]) -> Iterator[Path]:
    """Answers as an agent does, of version and history as given."""
    totals = Totals()
    totals.clear("dmesg", "/usr/bin/dmesg", "clear", origin="cron", expected=False)
    observation = Observation("kprobe", ready=True)

    def stored(asked: Mapping[str, Any]) -> list[dict[str, Any]]:
        return [{"sent_unix": None, "aside": False, "record": one} for one in history[: asked["limit"]]]

    answers = {
        "snapshot": lambda _: snapshot(totals.snapshot(), observation, started_ns=1, last_sequence=9, compat=False),
        "history": stored,
    }
    with LocalServer(folder / "agent.sock", answers, client_seconds=30):
        yield folder / "agent.sock"


def test_an_agent_is_asked_for_numbers_and_emptyings(tmp_path: Path) -> None:
    with agent(tmp_path, [record(2), record(1)]) as socket:
        source = Attached(socket)
        assert sum(source.snapshot().counts.values()) == 1
        assert source.title().endswith(", kprobe)")
        told = source.emptyings()
    assert [(event.sequence, event.text("kmsg.process.comm"), event.time_unix_ns) for event in told] == [
        (2, "dmesg", 2 * 10**9),
        (1, "dmesg", 10**9),
    ]
    with pytest.raises(AgentNotReachedError):
        source.snapshot()


def test_emptyings_that_one_answer_can_not_carry_are_asked_for_in_fewer(tmp_path: Path) -> None:
    history = [record(number) for number in range(EVENTS, 0, -1)]
    for one in history:  # a sample of another version's, larger than any of ours
        one["attributes"] += [{"key": "x", "value": {"stringValue": "\u4e16" * 60_000}}]
    with agent(tmp_path, history) as socket:
        assert [event.sequence for event in Attached(socket).emptyings()] == list(range(EVENTS, EVENTS // 2, -1))


def test_an_answer_in_other_words_is_an_error(tmp_path: Path) -> None:
    with LocalServer(tmp_path / "agent.sock", {"snapshot": lambda _: {"new": 1}}), pytest.raises(DecodeError):
        Attached(tmp_path / "agent.sock")


def config(folder: Path, **more: Any) -> Config:
    """No tracefs here: the agent of this process looks at the log alone, and traces nothing on this machine."""
    return Config(
        path_tracefs=folder / "none", state_directory=folder / "state", runtime_directory=folder / "run", **more
    )


def test_tracing_of_our_own_tells_what_an_agent_tells_and_leaves_nothing(tmp_path: Path) -> None:
    found = config(tmp_path, backend="auto")
    source = Traced(found)
    try:
        now = source.snapshot()
        assert (now.backend, now.emptied) == ("state", now.unattributed)
        assert now.ring.empty is not None
        assert source.title() == "this command's own tracing (state)"
        assert not source.is_wanted()
    finally:
        source.close()
    with pytest.raises(KmsgExporterError, match="tracing has ended"):
        source.snapshot()
    assert list(tmp_path.iterdir()) == []


def test_tracing_begins_where_an_agents_history_ends(tmp_path: Path) -> None:
    """Or what the agent has told of already would be told again, by nobody known."""
    from kmsg_exporter.clock import boot_id
    from kmsg_exporter.ring.devkmsg import DevKmsg

    ring = DevKmsg(Path("/dev/kmsg"), buffer_bytes=None)
    visible_from = ring.look(count_records=True).visible_from or 0
    ring.close()
    found = config(tmp_path)
    spool = Spool(found.state_directory / "spool.sqlite3")
    hidden = Hidden(visible_from, 0, visible_from - 1)
    boot = boot_id(Path("/proc"))
    emptying = Emptying(5 * 10**9, hidden, "clear", "syslog", ACTOR)
    spool.append(
        lambda uid, sequence: log_record(
            emptying, node="n", boot_id=boot, uid=uid, sequence=sequence, observed_unix_ns=1
        )
    )
    spool.close()
    before = sorted(found.state_directory.iterdir())
    source = Traced(found)
    try:
        assert source.snapshot().emptied == 0
        assert [event.time_unix_ns for event in source.emptyings()] == [5 * 10**9]
    finally:
        source.close()
    assert sorted(found.state_directory.iterdir()) == before


def test_a_backend_that_can_not_be_had_is_an_error_for_who_began_it(tmp_path: Path) -> None:
    with pytest.raises(KmsgExporterError, match="tracefs"), OwnTracing(config(tmp_path, backend="kprobe")):
        pass


class FakeRing:
    """A ring on the fake log, which the test may clear."""

    def __init__(self, log: FakeKmsg) -> None:
        self.log = log
        self.seen = log.visible_from
        self.closed = False

    def look(self, *, count_records: bool) -> Look:
        from kmsg_exporter.model import RingState

        before, self.seen = self.seen, self.log.visible_from
        state = RingState(
            empty=self.seen == self.log.next_seq, records_total=self.log.next_seq if count_records else None
        )
        return Look(state, self.seen > before, before, self.seen, self.seen)

    def hidden(self, look: Look) -> tuple[LogRecord, ...]:
        raise NotImplementedError(look)

    def resume(self, visible_from: int) -> None:
        raise NotImplementedError(visible_from)

    def close(self) -> None:
        self.closed = True


def test_a_look_alone_sees_that_the_log_was_emptied_and_not_by_whom(tmp_path: Path) -> None:
    log = FakeKmsg(100)
    for _ in range(5):
        log.print()
    ring: Ring = FakeRing(log)
    source = Looked(config(tmp_path), "not root", ring=ring)
    looked_unix_ns = time.time_ns()
    assert (source.snapshot().emptied, source.emptyings()) == (0, [])
    log.clear()
    now = source.snapshot()
    assert (now.emptied, now.unattributed, now.ring.empty, now.backend) == (1, 1, True, "")
    (told,) = source.emptyings()
    assert (told.number("kmsg.hidden.records"), told.text("kmsg.process.comm")) == (5, "")
    assert looked_unix_ns < (told.number("kmsg.since_unix_nano") or 0) < told.time_unix_ns
    assert source.title() == "a look at the log alone: not root"
    source.close()


def test_who_may_not_even_look_is_told_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from kmsg_exporter.errors import RingUnavailable
    from kmsg_exporter.watching import sources

    def refuse(*_: object, **__: object) -> None:
        raise RingUnavailable("refused")

    monkeypatch.setattr(sources, "DevKmsg", refuse)
    monkeypatch.setattr(sources, "SyslogRing", refuse)
    feed = Feed(config(tmp_path), is_root=lambda: False)
    with pytest.raises(NotPermitted, match=r"sudo kmsg-exporter watch .*; and the log itself can't be looked at"), feed:
        pass
