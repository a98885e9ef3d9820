"""A spool that is older than its agent, or another's, is found out by what this boot remembers."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

from kmsg_exporter.push.identity import RingPosition
from kmsg_exporter.push.spool import Spool
from kmsg_exporter.push.witness import Witness

YEAR = 365 * 86_400.0


def render(uid: str, sequence: int) -> Mapping[str, object]:
    return {"uid": uid, "sequence": sequence}


class Machine:
    """A state directory that may be copied, and a runtime directory that may not."""

    def __init__(self, folder: Path, boot_id: str = "boot-1") -> None:
        self.state, self.run, self.boot_id = folder / "state", folder / "run", boot_id

    def spool(self, now: float = 0.0) -> Spool:
        witness = Witness(self.run / "spool.witness", self.boot_id)
        return Spool(self.state / "spool.db", witness=witness, clock=lambda: now)

    def empty(self, number: int) -> tuple[str, int]:
        """One run of an agent in which the log is emptied once; uid and sequence of its event."""
        with closing(self.spool()) as spool:
            event = spool.append(render, position=RingPosition(self.boot_id, number))
            return event.uid, event.sequence


def test_a_spool_restored_in_the_same_boot_goes_on_where_the_agent_was(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    machine = Machine(tmp_path)
    machine.empty(10)
    shutil.copytree(machine.state, tmp_path / "backup")
    with closing(machine.spool()) as spool:
        made = spool.instance_id
    assert [machine.empty(20)[1], machine.empty(30)[1]] == [2, 3]
    shutil.rmtree(machine.state)
    shutil.move(tmp_path / "backup", machine.state)
    with closing(machine.spool()) as spool:
        assert (spool.instance_id, spool.last_sequence) == (made, 3)
        assert spool.load_position() == RingPosition("boot-1", 30)
        assert spool.append(render).sequence == 4
    assert caplog.text.count("as if restored from a backup: its last event is 1, 3 was given") == 1


def test_a_spool_that_was_removed_leaves_the_agent_who_it_was(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.empty(10)
    with closing(machine.spool()) as spool:
        made = spool.instance_id
    shutil.rmtree(machine.state)
    with closing(machine.spool()) as spool:
        assert (spool.instance_id, spool.last_sequence) == (made, 1)
        assert spool.load_position() == RingPosition("boot-1", 10)


def test_another_boot_says_nothing_about_this_one(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.empty(10)
    shutil.copytree(machine.state, tmp_path / "backup")
    machine.empty(20)
    shutil.rmtree(machine.state)
    shutil.move(tmp_path / "backup", machine.state)
    machine.boot_id = "boot-2"
    with closing(machine.spool()) as spool:
        assert spool.last_sequence == 1
        assert spool.load_position() == RingPosition("boot-1", 10)


def test_a_clone_has_the_same_numbers_in_another_boot_and_its_own_uids(tmp_path: Path) -> None:
    machine, clone = Machine(tmp_path / "one"), Machine(tmp_path / "two", "boot-2")
    machine.empty(10)
    shutil.copytree(machine.state, clone.state)
    (uid, number), (cloned_uid, cloned_number) = machine.empty(20), clone.empty(20)
    assert (number, cloned_number) == (2, 2)
    assert uid != cloned_uid
    with closing(machine.spool()) as one, closing(clone.spool()) as two:
        assert one.instance_id == two.instance_id


def test_the_spool_of_another_machine_keeps_its_numbers_and_this_log_its_position(tmp_path: Path) -> None:
    machine, other = Machine(tmp_path / "one"), Machine(tmp_path / "two", "boot-9")
    machine.empty(10)
    for number in range(5):
        other.empty(number)
    with closing(other.spool()) as spool:
        theirs = spool.instance_id
    shutil.rmtree(machine.state)
    shutil.copytree(other.state, machine.state)
    with closing(machine.spool()) as spool:
        assert (spool.instance_id, spool.last_sequence) == (theirs, 5)
        assert spool.load_position() == RingPosition("boot-1", 10)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"\xff", b'{"boot_id": "boot-1"}', b'{"boot_id": "boot-1", "position": 7}']
)
def test_a_witness_that_makes_no_sense_is_not_heard(tmp_path: Path, content: bytes) -> None:
    machine = Machine(tmp_path)
    machine.empty(10)
    (machine.run / "spool.witness").write_bytes(content)
    assert machine.empty(20)[1] == 2
    assert json.loads((machine.run / "spool.witness").read_bytes())["sequence"] == 2


def test_a_runtime_directory_that_can_t_be_written_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    machine = Machine(tmp_path)
    machine.run.write_text("a file where the directory should be")
    with closing(machine.spool()) as spool:
        spool.append(render)
        spool.append(render)
        assert spool.durable
    assert caplog.text.count("a spool restored from a backup would go unnoticed") == 1


@pytest.mark.parametrize("step", [YEAR, -YEAR])
def test_a_clock_that_steps_a_year_changes_neither_order_nor_numbers(tmp_path: Path, step: float) -> None:
    now = 1_700_000_000.0
    with closing(Spool(tmp_path / "spool.db", clock=lambda: now)) as spool:
        before = [spool.append(render) for _ in range(2)]
        now += step
        after = [spool.append(render) for _ in range(2)]
        assert spool.unsent() == [*before, *after]
        assert [event.sequence for event in spool.history()] == [4, 3, 2, 1]
        assert sorted(event.uid for event in spool.history()) == [event.uid for event in [*before, *after]]
        spool.mark_sent({event.uid for event in before}, now)
        assert spool.unsent() == after
    now -= step
    with closing(Spool(tmp_path / "spool.db", clock=lambda: now)) as spool:
        assert spool.append(render).sequence == 5
        assert len({event.uid for event in spool.history()}) == 5


def test_what_only_waits_in_memory_does_not_move_the_position(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """An agent that is killed then tells it again, as an emptying that nobody explains."""
    caplog.set_level(logging.ERROR)
    machine = Machine(tmp_path)
    machine.empty(10)
    with closing(machine.spool()) as spool:
        with spool._lock:
            spool._db.execute("PRAGMA query_only = 1")  # type: ignore[union-attr]
        event = spool.append(render, position=RingPosition("boot-1", 20))
        assert not spool.durable
        witness = json.loads((machine.run / "spool.witness").read_bytes())
        assert (witness["sequence"], witness["position"]) == (2, ["boot-1", 10])
        spool.mark_sent({event.uid}, 1.0)
        witness = json.loads((machine.run / "spool.witness").read_bytes())
        assert witness["position"] == ["boot-1", 20]
