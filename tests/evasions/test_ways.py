"""Every way to clear or read the log is seen as the table says, no better and no worse."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from programs import evade
from scene import Done, Scene
from support import IN_GUEST, RELEASE, Agent, all_records, eventually, running
from verdict import Judge, Metrics
from ways import COLUMNS, WAYS, WITNESSED, Column, Way

EVADE = Path(os.environ["KMSG_EVADE"])
RESULTS = os.environ.get("KMSG_EVASIONS")  # a folder for what was seen, to make the table of


def column() -> Column:
    """Which one this is."""
    release = RELEASE if IN_GUEST else ""
    (fitting,) = (one for one in COLUMNS if one == Column(release, os.environ["KMSG_BACKEND"], platform.machine()))
    return fitting


HERE = [way for way in WAYS if way.is_tried(column())]


@dataclass(frozen=True)
class Table:
    """What the agent made of each way, by its key, and how many clears it has counted with and without a name."""

    verdicts: dict[str, str]
    counted: float
    unattributed: float


def scraped_beside(oldest_seq: int, agent: Agent) -> tuple[Metrics, int] | None:
    """A scrape that knows of just what was overwritten by then, or none: the kernel may print in between."""
    metrics = Metrics(agent.get("/metrics")[1])
    return (metrics, oldest_seq) if metrics.value("kmsg_overwritten_records_total") == oldest_seq else None


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory, backend: str) -> Iterator[Table]:
    """All of them played, one after the other, and then judged."""
    # what is only counted is read a CPU after the other: the second of these finds all before it
    last = [Way(key, "", evade("read", "/dev/kmsg"), kind="read", stays=True) for key in ("afterwards", "at last")]
    scene = Scene(tmp_path_factory.mktemp("ways"), EVADE, [*HERE, *last])
    with ExitStack() as stack:
        for way in HERE:
            if way.early:
                scene.begin(way, stack)
        agent = stack.enter_context(running(tmp_path_factory.mktemp("agent"), backend, "--push.sample=0"))
        unattributed = agent.count("kmsg_unattributed_clears_total")  # of before it started
        done: list[Done] = []
        verdicts: dict[str, str] = {}
        for way in HERE:
            print(way.key, time.monotonic(), flush=True)
            try:
                done.append(scene.play(way, agent))
            except (AssertionError, OSError) as exc:  # the others are to be seen all the same
                print(way.key, exc, flush=True)
                verdicts[way.key] = f"{type(exc).__name__}: {exc}"
        for way in last:
            scene.play(way, agent)
        metrics, oldest_seq = eventually(lambda: scraped_beside(int(all_records()[0].split(",")[1]), agent))
        judge = Judge(metrics, launcher=scene.launcher, oldest_seq=oldest_seq)
        verdicts |= {one.way.key: judge.verdict(one) for one in done}
        if RESULTS:
            Path(RESULTS, f"{column().name}.json").write_text(json.dumps(verdicts))
        yield Table(
            verdicts, metrics.value("kmsg_clears_total"), metrics.value("kmsg_unattributed_clears_total") - unattributed
        )


@pytest.mark.parametrize("way", HERE, ids=[way.key for way in HERE])
def test_it_is_seen_as_the_table_says(way: Way, seen: Table) -> None:
    assert seen.verdicts[way.key] == way.expected(column())


def test_each_clear_is_counted_once(seen: Table) -> None:
    expected = [way.expected(column()) for way in HERE if way.kind == "clear"]
    witnessed = expected.count(WITNESSED)
    assert (seen.counted, seen.unattributed) == (len(expected) - witnessed, witnessed)
