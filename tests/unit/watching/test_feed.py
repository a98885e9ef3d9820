"""Sources that come and go, on a clock of the test's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from fake_moments import AFTER, EVENTS, snapshot

from kmsg_exporter.config import Config
from kmsg_exporter.emptied import Emptied
from kmsg_exporter.errors import AlreadyRunning, KmsgExporterError, NotPermitted, SpoolError
from kmsg_exporter.local import AgentNotReachedError
from kmsg_exporter.watching.feed import GRACE_SECONDS, Feed
from kmsg_exporter.watching.snapshot import Snapshot
from kmsg_exporter.watching.sources import Source


class Scripted:
    """A source; what is in `error` is raised by its next call."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.error: KmsgExporterError | None = None
        self.wanted = False
        self.closed = False
        self.asked_for_events = 0
        self.emptied = 3
        self.events_error: KmsgExporterError | None = None

    def title(self) -> str:
        return self.name

    def snapshot(self) -> Snapshot:
        if self.error is not None:
            raise self.error
        return snapshot(AFTER, life=self.name, emptied=self.emptied)

    def emptyings(self) -> Sequence[Emptied]:
        self.asked_for_events += 1
        if self.events_error is not None:
            raise self.events_error
        return EVENTS

    def is_wanted(self) -> bool:
        return self.wanted

    def close(self) -> None:
        self.closed = True


class Node:
    """What there is to be found: None is not there, an error is raised."""

    def __init__(self) -> None:
        self.now = 100.0
        self.agent: Scripted | KmsgExporterError | None = None
        self.own: Scripted | KmsgExporterError = Scripted("own tracing")
        self.log: Scripted | KmsgExporterError = Scripted("a look")
        self.why = ""

    def feed(self, *, root: bool = True) -> Feed:
        def attach() -> Source:
            return _there(AgentNotReachedError("nobody listens") if self.agent is None else self.agent)

        def look(why: str) -> Source:
            self.why = why
            return _there(self.log)

        trace: Callable[[], Source] = lambda: _there(self.own)  # noqa: E731
        return Feed(
            Config(runtime_directory=Path("/nonexistent")),
            is_root=lambda: root,
            monotonic=lambda: self.now,
            attach=attach,
            trace=trace,
            look=look,
        )


def _there(found: Scripted | KmsgExporterError) -> Source:
    if isinstance(found, KmsgExporterError):
        raise found
    return found


@pytest.fixture
def node() -> Node:
    return Node()


def test_an_agent_that_runs_is_asked_and_nothing_is_traced(node: Node) -> None:
    node.agent = Scripted("the agent")
    with node.feed() as feed:
        first = feed.next()
        assert (first.source, first.notes, first.before) == ("the agent", ("watching through the agent",), None)
        second = feed.next()
        assert (second.before, second.notes) == (first.snapshot, ())
    assert node.agent.closed


def test_root_traces_where_there_is_no_agent(node: Node) -> None:
    with node.feed() as feed:
        assert feed.next().source == "own tracing"


def test_others_look_at_the_log_and_are_told_why(node: Node) -> None:
    node.agent = NotPermitted("the agent's socket is for its own user only")
    with node.feed(root=False) as feed:
        assert feed.next().source == "a look"
    assert node.why == "not root, so nobody is named: sudo kmsg-exporter watch asks the agent, or traces by itself"


def test_who_can_see_nothing_is_told_so(node: Node) -> None:
    node.log = NotPermitted("nothing to be seen")
    with pytest.raises(NotPermitted), node.feed(root=False):
        pass


def test_another_agent_that_is_not_reached_is_named(node: Node) -> None:
    node.own = AlreadyRunning("another kmsg-exporter (pid 7) runs on this node and holds it: stop it first")
    with node.feed() as feed:
        assert feed.next().source == "a look"
    assert node.why == (
        "another kmsg-exporter (pid 7) runs on this node and holds it: stop it first or name its --runtime-directory"
    )


def test_emptyings_are_asked_for_when_there_are_new_ones(node: Node) -> None:
    node.agent = Scripted("the agent")
    with node.feed() as feed:
        for _ in range(3):
            assert feed.next().emptyings == EVENTS
        assert node.agent.asked_for_events == 1
        node.agent.emptied = 4
        feed.next()
        assert node.agent.asked_for_events == 2


def test_a_history_that_can_not_be_read_ends_nothing_and_is_said_once(node: Node) -> None:
    node.agent = Scripted("the agent")
    node.agent.events_error = SpoolError("disk I/O error")
    with node.feed() as feed:
        assert feed.next().notes == (
            "watching through the agent",
            "the last emptyings can't be had: disk I/O error",
        )
        node.agent.emptied = 4
        assert (feed.next().source, feed.next().notes) == ("the agent", ())


def test_an_agent_that_goes_is_waited_for_and_found_again(node: Node) -> None:
    first = node.agent = Scripted("the agent")
    with node.feed() as feed:
        before = feed.next()
        node.agent, first.error = None, AgentNotReachedError("gone")
        waiting = feed.next()
        assert waiting.notes == ("the agent is gone, or has no time to answer",)
        assert (waiting.fresh, waiting.snapshot, waiting.source) == (
            False,
            before.snapshot,
            "nobody: waiting for the agent",
        )
        assert first.closed
        node.agent = Scripted("another agent")
        again = feed.next()
        assert (again.source, again.notes, again.fresh) == ("another agent", ("watching through another agent",), True)


def test_an_agent_that_stays_away_is_done_without(node: Node) -> None:
    first = node.agent = Scripted("the agent")
    with node.feed() as feed:
        feed.next()
        node.agent, first.error = None, AgentNotReachedError("gone")
        feed.next()
        node.now += GRACE_SECONDS - 1
        assert not feed.next().fresh
        node.now += 1
        assert feed.next().source == "own tracing"


def test_own_tracing_gives_way_to_an_agent_that_starts(node: Node) -> None:
    own = node.own = Scripted("own tracing")
    with node.feed() as feed:
        feed.next()
        own.wanted = True
        waiting = feed.next()
        assert own.closed
        assert (waiting.notes, waiting.fresh) == (("an agent starts: it traces from now on",), False)
        node.agent = Scripted("the agent")
        assert feed.next().source == "the agent"


def test_own_tracing_that_breaks_is_begun_again(node: Node) -> None:
    own = node.own = Scripted("own tracing")
    with node.feed() as feed:
        feed.next()
        own.error = KmsgExporterError("tracing has ended: out of memory")
        assert feed.next().notes == ("own tracing is lost: tracing has ended: out of memory",)
        node.own = Scripted("own tracing, again")
        node.now += GRACE_SECONDS
        assert feed.next().source == "own tracing, again"


def test_an_agent_that_comes_is_taken_over_from_a_mere_look(node: Node) -> None:
    node.own = AlreadyRunning("held")
    with node.feed() as feed:
        feed.next()
        node.agent = Scripted("the agent")
        assert feed.next().source == "a look"
        node.now += GRACE_SECONDS
        assert feed.next().source == "the agent"


def test_an_agent_of_another_version_is_said_once(node: Node) -> None:
    node.agent = KmsgExporterError("no such question: 'snapshot'")
    node.own = AlreadyRunning("held")
    with node.feed() as feed:
        assert feed.next().notes == ("no such question: 'snapshot'", "watching through a look")
        node.now += GRACE_SECONDS
        assert feed.next().notes == ()


def test_when_all_is_lost_it_goes_on_trying(node: Node) -> None:
    node.own = AlreadyRunning("held")
    log = node.log = Scripted("a look")
    with node.feed() as feed:
        feed.next()
        log.error = KmsgExporterError("the log can't be looked at any more")
        node.log = NotPermitted("nothing to be seen")
        assert not feed.next().fresh
        node.now += GRACE_SECONDS
        assert feed.next().notes == ("nothing to be seen",)
        node.agent = Scripted("the agent")
        assert feed.next().source == "the agent"


def test_notes_from_elsewhere_come_with_the_next_moment(node: Node) -> None:
    with node.feed() as feed:
        feed.next(keep_notes=True)
        feed.note("something")
        assert feed.next().notes == ("watching through own tracing", "something")
