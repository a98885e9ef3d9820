"""Two emptyings become one event that says all that both said."""

from __future__ import annotations

from kmsg_exporter.agent.coalesce import MAX_ACTORS, coalesce
from kmsg_exporter.model import Actor, Emptying, Hidden, LogRecord


def actor(pid: int, comm: str) -> Actor:
    return Actor(pid=pid, tid=pid, comm=comm, exe=f"/bin/{comm}", source="procfs", origin="cron")


EARLIER = Emptying(
    time_unix_ns=100,
    time_boot_ns=10,
    hidden=Hidden(3, 7, 9, {"err": 1, "info": 2}, (LogRecord("a", level=3),), 2),
    action="clear",
    interface="syslog",
    actor=actor(5, "dmesg"),
    expected=True,
)
LATER = Emptying(
    time_unix_ns=200,
    time_boot_ns=20,
    hidden=Hidden(2, 10, 11, {"emerg": 1, "info": 1}, (LogRecord("b", level=0),), 1),
    action="read_clear",
    interface="syslog",
    actor=actor(6, "klogd"),
    coalesced=4,
    actors=("6 klogd /bin/klogd", "7 dmesg /bin/dmesg"),
)


def test_it_is_told_of_the_first_at_the_moment_of_the_last() -> None:
    both = coalesce(EARLIER, LATER, sample=50)
    assert (both.time_unix_ns, both.time_boot_ns) == (200, 20)
    assert (both.actor, both.action, both.interface) == (actor(5, "dmesg"), "clear", "syslog")
    assert both.coalesced == 5
    assert both.actors == ("5 dmesg /bin/dmesg", "6 klogd /bin/klogd", "7 dmesg /bin/dmesg")
    assert not both.expected


def test_what_both_hid_is_summed_up() -> None:
    hidden = coalesce(EARLIER, LATER, sample=50).hidden
    assert (hidden.records, hidden.first_seq, hidden.last_seq) == (5, 7, 11)
    assert list(hidden.by_level.items()) == [("emerg", 1), ("err", 1), ("info", 3)]
    assert [record.text for record in hidden.sample] == ["a", "b"]
    assert hidden.sample_omitted == 3


def test_a_number_that_is_not_known_of_one_is_not_known_of_both() -> None:
    blind = Emptying(time_unix_ns=300, hidden=Hidden())
    both = coalesce(EARLIER, blind, sample=50)
    assert both.hidden.records is None
    assert (both.hidden.first_seq, both.hidden.last_seq) == (7, 9)


def test_one_that_nobody_explains_leaves_the_other_its_actor() -> None:
    unknown = Emptying(time_unix_ns=50, hidden=Hidden(), since_unix_ns=40)
    both = coalesce(unknown, LATER, sample=50)
    assert both.actor == actor(6, "klogd")
    assert both.since_unix_ns is None
    assert both.actors == ("unknown", "6 klogd /bin/klogd", "7 dmesg /bin/dmesg")


def test_two_that_nobody_explains_happened_after_the_first_look() -> None:
    unknown = Emptying(time_unix_ns=50, hidden=Hidden(), since_unix_ns=40)
    later = Emptying(time_unix_ns=60, hidden=Hidden(), since_unix_ns=50)
    both = coalesce(unknown, later, sample=50)
    assert (both.actor, both.since_unix_ns, both.time_unix_ns) == (None, 40, 60)
    assert both.actors == ("unknown",)


def test_a_storm_of_them_stays_small() -> None:
    both = EARLIER
    for pid in range(500):
        both = coalesce(both, Emptying(200 + pid, LATER.hidden, actor=actor(pid, "x"), action="clear"), sample=50)
    assert both.coalesced == 501
    assert len(both.actors) == MAX_ACTORS
    assert len(both.hidden.sample) == 50
    assert both.hidden.records == 3 + 500 * 2
    assert len(both.hidden.sample) + both.hidden.sample_omitted == 1 + 2 + 500 * 2
