"""Probes that are attached anew go on counting where they were."""

from __future__ import annotations

from kmsg_exporter.agent.hits import Hits
from kmsg_exporter.model import ProbeState


def probe(hits: int, missed: int = 0, *, name: str = "clear", attached: bool = True) -> ProbeState:
    return ProbeState(name, attached, hits, missed)


def test_hits_of_one_life_are_shown_as_they_are() -> None:
    hits = Hits()
    assert hits.go_on([probe(3)]) == (probe(3),)
    assert hits.go_on([probe(5, 1)]) == (probe(5, 1),)


def test_hits_of_a_probe_that_was_taken_away_and_attached_again_go_on() -> None:
    hits = Hits()
    hits.go_on([probe(5, 2)])
    assert hits.go_on([probe(0, attached=False)]) == (probe(5, 2, attached=False),)
    assert hits.go_on([probe(0, attached=False)]) == (probe(5, 2, attached=False),)
    assert hits.go_on([probe(1)]) == (probe(6, 2),)
    assert hits.go_on([probe(4, 1)]) == (probe(9, 3),)
    assert hits.go_on([probe(2)]) == (probe(11, 3),)


def test_probe_that_is_no_more_stays_with_what_it_counted() -> None:
    hits = Hits()
    hits.go_on([probe(5), probe(7, name="read")])
    assert hits.go_on([probe(6)]) == (probe(6), probe(7, name="read", attached=False))
