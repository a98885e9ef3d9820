"""Two snapshots become users and rates."""

from __future__ import annotations

import pytest
from fake_moments import AFTER, BEFORE, DMESG, INTRUDER, JOURNALD, PROBLEMS, READERS, RSYSLOGD, snapshot

from kmsg_exporter.watching.users import ORDERS, Count, User, fitting, in_order, users


def found(seconds: float = 2.0) -> dict[tuple[str, str], User]:
    return {user.name: user for user in users(snapshot(AFTER, seconds=seconds), snapshot(BEFORE))}


def test_a_rate_is_what_came_between_by_the_clock_of_who_counted() -> None:
    everybody = found()
    assert everybody[RSYSLOGD]["reads"] == Count(355, 7.5)
    assert everybody[RSYSLOGD]["bytes"] == Count(31_200, 600.0)
    assert everybody[DMESG]["clears"] == Count(3, 0.5)
    assert everybody[JOURNALD]["writes"] == Count(12, 0.0)


def test_somebody_new_has_a_rate_at_once() -> None:
    assert found()[DMESG]["reads"] == Count(2, 1.0)


def test_what_nobody_did_is_0_a_second() -> None:
    assert found()[PROBLEMS]["clears"] == Count(0, 0.0)


def test_there_is_no_rate_without_a_snapshot_before() -> None:
    (first, *_) = users(snapshot(AFTER), None)
    assert (first["reads"].rate, first["clears"].rate, first.busy) == (None, None, False)


def test_numbers_of_another_life_are_not_compared() -> None:
    now = snapshot({("reads", RSYSLOGD, ("proc_kmsg", "read")): 3}, seconds=1.0, life="900 2")
    assert users(now, snapshot(BEFORE))[0]["reads"] == Count(3, None)


def test_two_snapshots_of_one_moment_are_not_compared() -> None:
    assert users(snapshot(AFTER), snapshot(BEFORE))[0]["reads"].rate is None


def test_who_holds_the_log_and_never_read_is_there_too() -> None:
    (only,) = users(snapshot({}, readers=READERS[:1]), None)
    assert (only.name, only.holds, only["reads"]) == (RSYSLOGD, {"proc_kmsg": (402,)}, Count(0, None))


def test_details_tell_interfaces_and_actions_apart() -> None:
    assert found()[DMESG].parts == {
        ("clears", ("clear",)): Count(3, 0.5),
        ("reads", ("syslog", "read_all")): Count(2, 1.0),
        ("bytes", ("syslog", "read_all")): Count(38_100, 19_050.0),
    }


@pytest.mark.parametrize(
    ("order", "names"),
    [
        ("activity", [DMESG, INTRUDER, RSYSLOGD, JOURNALD, PROBLEMS]),
        ("clears", [DMESG, INTRUDER, PROBLEMS, RSYSLOGD, JOURNALD]),
        ("reads", [RSYSLOGD, JOURNALD, DMESG, PROBLEMS, INTRUDER]),
        ("bytes", [DMESG, RSYSLOGD, JOURNALD, INTRUDER, PROBLEMS]),
        ("writes", [JOURNALD, INTRUDER, DMESG, PROBLEMS, RSYSLOGD]),
        ("name", [INTRUDER, DMESG, PROBLEMS, RSYSLOGD, JOURNALD]),
    ],
)
def test_most_comes_first_and_names_decide_what_is_the_same(order: str, names: list[tuple[str, str]]) -> None:
    everybody = found().values()
    assert [user.name for user in in_order(everybody, order)] == names
    assert [user.name for user in in_order(everybody, order, reverse=True)] == names[::-1]


def test_every_order_of_the_flag_is_one_of_these() -> None:
    from kmsg_exporter.commands import asked

    assert tuple(ORDERS) == asked.ORDERS


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ("", 5),
        ("SYSLOG", 1),
        ("journald", 1),
        ("/usr/*/dmesg", 1),
        ("*", 5),
        ("no such", 0),
    ],
)
def test_a_filter_is_a_part_of_comm_or_exe_or_a_glob(wanted: str, names: int) -> None:
    assert len(fitting(found().values(), wanted)) == names
