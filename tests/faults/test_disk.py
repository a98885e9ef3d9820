"""The spool on a disk that is really full, and on one that is really read-only."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest
from fault_mounts import make_read_only, on_small_disk

from kmsg_exporter.push.identity import RingPosition
from kmsg_exporter.push.spool import Spool

MIB = 1 << 20


def large(uid: str, sequence: int) -> Mapping[str, object]:
    return {"uid": uid, "sequence": sequence, "text": "x" * 9000}


def sequences(spool: Spool) -> list[int]:
    return [event.sequence for event in reversed(spool.history(1000))]


def fill(path: Path) -> None:
    """Somebody else takes all that is left."""
    with path.open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12):
            with pytest.raises(OSError, match="No space left on device"):
                file.writelines(itertools.repeat(b"x" * size))


def test_a_full_disk_gets_the_reserve_then_memory_and_all_is_there_when_there_is_room(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    def run() -> None:
        with closing(Spool(tmp_path / "spool.db", max_bytes=8 * MIB)) as spool:
            spool.append(large)
            assert (tmp_path / "spool.db.reserve").stat().st_size == MIB
            fill(tmp_path / "filler")
            on_disk = 0
            while spool.durable:
                spool.append(large, position=RingPosition("boot", spool.last_sequence))
                on_disk += spool.durable
            assert on_disk >= 10
            assert not (tmp_path / "spool.db.reserve").exists()
            for _ in range(5):
                spool.append(large)
            waiting = [event.sequence for event in spool.unsent(1000, 1 << 30)]
            assert waiting == sequences(spool) == list(range(1, spool.last_sequence + 1))
            (tmp_path / "filler").unlink()
            spool.settle()
            assert spool.durable
            assert (tmp_path / "spool.db.reserve").exists()
            assert spool.state.dropped_total == {"spool_full": 0, "spool_corrupt": 0, "refused": 0}
        with closing(Spool(tmp_path / "spool.db")) as spool:
            assert [event.sequence for event in spool.unsent(1000, 1 << 30)] == waiting

    on_small_disk(tmp_path, 4 * MIB, run)
    assert caplog.text.count("events are kept in memory and would be lost with this process") == 1
    assert caplog.text.count("can be written again") == 1


def test_on_a_full_disk_history_makes_room_for_what_is_new(tmp_path: Path) -> None:
    def run() -> None:
        with closing(Spool(tmp_path / "spool.db", max_bytes=8 * MIB)) as spool:
            sent = [spool.append(large).uid for _ in range(200)]
            spool.mark_sent(sent, 1.0)
            fill(tmp_path / "filler")
            new = [spool.append(large).uid for _ in range(190)]
            assert spool.durable
            spool.mark_sent(new[:30], 2.0)
            assert spool.durable
            assert [event.uid for event in spool.unsent(1000, 1 << 30)] == new[30:]
            assert spool.state.dropped_total["spool_full"] == 0
        with closing(Spool(tmp_path / "spool.db")) as spool:
            assert [event.uid for event in spool.unsent(1000, 1 << 30)] == new[30:]

    on_small_disk(tmp_path, 7 * MIB, run)


def test_a_disk_that_is_full_from_the_start(tmp_path: Path) -> None:
    def run() -> None:
        fill(tmp_path / "filler")
        with closing(Spool(tmp_path / "spool.db")) as spool:
            assert not spool.durable
            event = spool.append(large)
            assert spool.unsent() == [event]
            (tmp_path / "filler").unlink()
            spool.settle()
            assert spool.durable
        with closing(Spool(tmp_path / "spool.db")) as spool:
            assert spool.unsent() == [event]

    on_small_disk(tmp_path, 4 * MIB, run)


def test_a_read_only_disk_knows_the_agent_and_is_taken_up_again_when_it_can_be_written(tmp_path: Path) -> None:
    def run() -> None:
        with closing(Spool(tmp_path / "spool.db")) as spool:
            first, made = spool.append(large, position=RingPosition("boot", 7)), spool.instance_id
        make_read_only(tmp_path, read_only=True)
        with closing(Spool(tmp_path / "spool.db")) as spool:
            assert not spool.durable
            assert (spool.instance_id, spool.load_position()) == (made, RingPosition("boot", 7))
            second = spool.append(large)
            assert second.sequence == 2
            assert spool.unsent() == [second]
            make_read_only(tmp_path, read_only=False)
            third = spool.append(large)
            assert spool.durable
            assert spool.unsent() == [first, second, third]
            assert spool.instance_id == made

    on_small_disk(tmp_path, 4 * MIB, run)
