"""Keys."""

from __future__ import annotations

from dataclasses import replace

from fake_moments import AFTER, DMESG, INTRUDER, JOURNALD, RSYSLOGD, emptying, moment, snapshot
from hypothesis import given
from hypothesis import strategies as st

from kmsg_exporter.watching.controls import Controls


def controls(*keys: str) -> Controls:
    found = Controls()
    found.take(moment())
    for key in keys:
        found.press(key)
    return found


def selected(found: Controls) -> tuple[str, str]:
    everybody = found.users()
    return everybody[found.user_at(everybody)].name


def test_s_goes_through_the_orders_and_round() -> None:
    orders = [controls(*["s"] * times).order for times in range(7)]
    assert orders == ["activity", "clears", "reads", "bytes", "writes", "name", "activity"]
    assert controls("S").order == "name"


def test_r_turns_the_order_round() -> None:
    assert controls("r").users() == controls().users()[::-1]


def test_the_selection_stays_with_whom_it_is_on() -> None:
    found = controls("down", "down")
    assert selected(found) == RSYSLOGD
    found.press("s")
    assert selected(found) == RSYSLOGD
    assert found.user_at(found.users()) == 3


def test_the_selection_stops_at_both_ends() -> None:
    assert selected(controls("up")) == DMESG
    assert selected(controls("end", "down", "up")) == JOURNALD
    assert selected(controls("page down", "page down", "home")) == DMESG


def test_a_filter_is_typed_mended_kept_and_dropped() -> None:
    found = controls("/", "q", "p", "backspace", "backspace", "d", "m", "e")
    assert (found.wanted, found.typing, found.done) == ("dme", True, False)
    found.press("enter")
    assert ([user.name for user in found.users()], found.typing) == ([DMESG], False)
    assert [event.sequence for event in found.events()] == [3]
    found.press("esc")
    assert len(found.users()) == 5
    assert controls("/", "d", "esc").wanted == ""
    assert controls("/", "d", "ctrl u", "x", "enter").wanted == "x"


def test_a_filter_finds_emptyings_by_their_chain() -> None:
    assert [event.sequence for event in controls("/", *"cron", "enter").events()] == [3]


def test_paused_it_shows_what_it_showed_and_goes_on_with_what_is_now() -> None:
    found = controls("p")
    found.take(replace(moment(notes=("gone",)), snapshot=snapshot({})))
    assert found.users() == controls().users()
    assert [text for _, text in found.notes] == ["gone"]
    found.press(" ")
    found.take(replace(moment(), snapshot=snapshot({}, readers=())))
    assert found.users() == []


def test_an_open_emptying_stays_when_newer_ones_push_it_off() -> None:
    found = controls("tab", "enter")
    found.take(replace(moment(), emptyings=(emptying(9, 1.0),)))
    assert found.event is not None
    assert found.event.sequence == 3


def test_an_open_user_is_shown_as_it_is_now() -> None:
    found = controls("down", "enter")
    assert found.opened == "user"
    found.take(replace(moment(), snapshot=snapshot({**AFTER, ("denied", INTRUDER, ("clear",)): 9}, seconds=1.0)))
    user = found.user()
    assert user is not None
    assert user["denied"].total == 9
    found.take(replace(moment(), snapshot=snapshot({}, readers=())))
    assert found.user() is None


def test_enter_with_nothing_to_open_opens_nothing() -> None:
    found = Controls()
    for key in ("enter", "tab", "enter", "down"):
        found.press(key)
    assert found.opened == ""


def test_escape_with_a_key_right_after_it_is_both() -> None:
    found = controls("tab", "enter", "meta ?")
    assert found.opened == "help"
    assert controls("/", "x", "meta s").order == "clears"


def test_q_quits_from_anywhere_but_a_filter() -> None:
    assert controls("q").done
    assert controls("enter", "q").done
    assert controls("?", "q").done
    assert not controls("/", "q").done


@given(keys=st.lists(st.text(max_size=3) | st.sampled_from(["up", "down", "enter", "esc", "tab", "/", "p", "s", "?"])))
def test_any_keys_leave_it_in_order(keys: list[str]) -> None:
    found = controls(*keys)
    assert len(found.wanted) <= 60
    assert found.wanted.isprintable()
    assert found.scroll >= 0
