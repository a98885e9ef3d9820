"""A scraper sees 0 where a series is new to it, once, and never sees one fall."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, precondition, rule

from kmsg_exporter.metrics.scrapers import Scrapers


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


def test_the_first_scrape_of_the_first_minutes_sees_all_series_at_zero() -> None:
    assert Scrapers(clock=Clock()).meet(1, "10.0.0.1", births=5) == 0


def test_the_next_scrape_sees_what_the_first_one_met() -> None:
    scrapers = Scrapers(clock=Clock())
    scrapers.meet(1, "10.0.0.1", births=5)
    assert scrapers.meet(1, "10.0.0.1", births=7) == 5
    assert scrapers.meet(1, "10.0.0.1", births=7) == 7


def test_who_comes_first_after_five_minutes_sees_the_truth() -> None:
    clock = Clock()
    scrapers = Scrapers(clock=clock)
    clock.seconds += 299.9
    assert scrapers.meet(1, "10.0.0.1", births=5) == 0
    clock.seconds += 0.1
    assert scrapers.meet(2, "10.0.0.2", births=5) == 5


def test_who_came_late_sees_later_series_at_zero() -> None:
    clock = Clock()
    scrapers = Scrapers(clock=clock)
    clock.seconds += 3600
    scrapers.meet(1, "10.0.0.1", births=5)
    assert scrapers.meet(1, "10.0.0.1", births=6) == 5


def test_two_connections_from_one_address_are_two_scrapers() -> None:
    scrapers = Scrapers(clock=Clock())
    assert scrapers.meet(1, "10.0.0.1", births=5) == 0
    assert scrapers.meet(2, "10.0.0.1", births=5) == 0
    assert scrapers.meet(1, "10.0.0.1", births=5) == 5
    assert scrapers.meet(2, "10.0.0.1", births=5) == 5


def test_a_new_connection_goes_on_where_the_closed_one_of_its_address_ended() -> None:
    scrapers = Scrapers(clock=Clock())
    scrapers.meet(1, "10.0.0.1", births=5)
    scrapers.closed(1)
    assert scrapers.meet(2, "10.0.0.1", births=8) == 5


def test_of_two_closed_connections_the_one_that_saw_more_is_inherited_by_both() -> None:
    scrapers = Scrapers(clock=Clock())
    scrapers.meet(1, "10.0.0.1", births=5)
    scrapers.meet(2, "10.0.0.1", births=6)
    scrapers.closed(2)
    scrapers.closed(1)
    assert scrapers.meet(3, "10.0.0.1", births=8) == 6
    assert scrapers.meet(4, "10.0.0.1", births=8) == 6


def test_another_address_inherits_nothing() -> None:
    scrapers = Scrapers(clock=Clock())
    scrapers.meet(1, "10.0.0.1", births=5)
    scrapers.closed(1)
    assert scrapers.meet(2, "10.0.0.2", births=5) == 0


def test_an_answer_that_got_lost_was_not_seen() -> None:
    scrapers = Scrapers(clock=Clock())
    scrapers.meet(1, "10.0.0.1", births=5)
    mark = scrapers.meet(1, "10.0.0.1", births=7)
    scrapers.missed(1, mark)
    scrapers.closed(1)
    assert scrapers.meet(2, "10.0.0.1", births=7) == 5


def test_a_connection_that_never_scraped_leaves_nothing_to_inherit() -> None:
    scrapers = Scrapers(clock=Clock())
    scrapers.closed(1)
    assert scrapers.meet(2, "10.0.0.1", births=5) == 0


def test_a_connection_that_was_let_go_is_known_by_its_address() -> None:
    scrapers = Scrapers(max_scrapers=1, clock=Clock())
    scrapers.meet(1, "10.0.0.1", births=5)
    scrapers.meet(2, "10.0.0.2", births=5)
    assert scrapers.meet(1, "10.0.0.1", births=9) == 5


def test_when_an_address_was_let_go_newcomers_start_from_what_it_had_seen() -> None:
    scrapers = Scrapers(max_scrapers=1, clock=Clock())
    for number in (1, 2, 3):
        scrapers.meet(number, f"10.0.0.{number}", births=4 + number)
        scrapers.closed(number)
    assert scrapers.meet(4, "10.0.0.1", births=9) == 6


class Readers(RuleBasedStateMachine):
    """Series are born and grow; scrapers at a few addresses come over connections that open and close.

    A reader has one connection at a time and keeps its address. What it knows is kept by the model, so that
    a reader who reconnects, or was let go, is held to the same promise as a connection.
    """

    connections = Bundle("connections")

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.scrapers = Scrapers(max_scrapers=2, clock=self.clock)
        self.values: list[int] = []  # the series with birth n + 1
        self.numbers = 0
        self.idle: list[tuple[str, dict[int, int]]] = []

    @rule()
    def a_series_is_born(self) -> None:
        self.values.append(1)

    @precondition(lambda self: self.values)
    @rule(data=st.data())
    def a_series_grows(self, data: st.DataObject) -> None:
        self.values[data.draw(st.integers(0, len(self.values) - 1))] += 1

    @rule()
    def a_minute_passes(self) -> None:
        self.clock.seconds += 60

    @rule(target=connections, address=st.sampled_from("abc"))
    def a_new_reader_connects(self, address: str) -> tuple[int, str, dict[int, int]]:
        self.numbers += 1
        return self.numbers, address, {}

    @precondition(lambda self: self.idle)
    @rule(target=connections, data=st.data())
    def a_reader_reconnects(self, data: st.DataObject) -> tuple[int, str, dict[int, int]]:
        address, seen = self.idle.pop(data.draw(st.integers(0, len(self.idle) - 1)))
        self.numbers += 1
        return self.numbers, address, seen

    @rule(connection=consumes(connections))
    def a_reader_disconnects(self, connection: tuple[int, str, dict[int, int]]) -> None:
        number, address, seen = connection
        self.scrapers.closed(number)
        self.idle.append((address, seen))

    @rule(connection=connections)
    def a_reader_scrapes(self, connection: tuple[int, str, dict[int, int]]) -> None:
        number, address, seen = connection
        mark = self.scrapers.meet(number, address, len(self.values))
        for series, truth in enumerate(self.values):
            shown = 0 if series + 1 > mark else truth
            assert shown >= seen.get(series, 0), "a value fell"
            assert shown == truth or series not in seen, "0 twice"
            seen[series] = shown

    @rule(connection=connections)
    def an_answer_gets_lost(self, connection: tuple[int, str, dict[int, int]]) -> None:
        number, address, _ = connection
        self.scrapers.missed(number, self.scrapers.meet(number, address, len(self.values)))


TestReaders = Readers.TestCase
TestReaders.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
