"""Found by the collector's answers alone, and never against an endpoint that refuses everything."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from kmsg_exporter.push.culprit import MAX_SUSPECTS, STRIKES, Culprit


@given(st.lists(st.booleans(), min_size=1, max_size=200))
@example([True] * 70 + [False])
@example([True, False] * 70)
def test_all_that_are_refused_alone_are_found_and_no_other(poison: list[bool]) -> None:
    """Where it goes on that others come: without any, nothing speaks against those that are refused."""
    culprit, waiting, guilty, requests = Culprit(), [str(number) for number in range(len(poison))], set(), 0
    poisoned = {uid for uid, is_poison in zip(waiting, poison, strict=True) if is_poison}
    while poisoned & set(waiting) or any("later" not in uid for uid in waiting):
        requests += 1
        assert requests < 100 * (len(poison) + 1)
        fresh = [uid for uid in waiting if uid not in culprit.suspects][: culprit.limit]
        batch = fresh or [culprit.suspects[0]]
        if poisoned & set(batch):
            culprit.refused(batch)
        else:
            guilty |= set(culprit.accepted(batch))
            waiting = [uid for uid in waiting if uid not in batch]
        waiting = [uid for uid in waiting if uid not in guilty] + ([] if fresh else [f"later {requests}"])
    assert guilty == poisoned


def test_without_anything_accepted_nothing_is_ever_held_against_an_event() -> None:
    culprit = Culprit()
    for _ in range(10 * STRIKES):
        for uid in ("a", "b", "c"):
            culprit.refused([uid])
    assert culprit.accepted(["c"]) == []
    assert list(culprit.suspects) == ["a", "b"]
    assert culprit.accepted(["a"]) == []
    assert list(culprit.suspects) == ["b"]


def test_each_strike_is_a_refusal_of_its_own() -> None:
    culprit = Culprit()
    for number in range(STRIKES):
        culprit.refused(["a"])
        guilty = [culprit.accepted([f"{number} {other}"]) for other in range(9)]
    assert guilty == [["a"], *[[]] * 8]
    culprit.refused(["b"])
    assert [culprit.accepted(["c"]) for _ in range(9)] == [[]] * 9


def test_a_batch_is_halved_and_grows_again() -> None:
    culprit, limits = Culprit(), []
    while culprit.limit > 1:
        assert culprit.refused([str(number) for number in range(culprit.limit)])
        limits.append(culprit.limit)
    assert limits == [32, 16, 8, 4, 2, 1]
    for _ in range(7):
        culprit.accepted(["a"])
    assert culprit.limit == 64


def test_the_second_single_event_in_a_row_is_waited_for() -> None:
    culprit = Culprit()
    assert culprit.refused(["a"])
    assert not culprit.refused(["b"])
    culprit.accepted(["c"])
    assert culprit.refused(["d"])


def test_suspects_are_bounded() -> None:
    culprit = Culprit()
    for number in range(MAX_SUSPECTS + 9):
        culprit.refused([str(number)])
    assert len(culprit.suspects) == MAX_SUSPECTS
