"""A disk that is really full: a small tmpfs that only the collector sees. As root."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

ON_A_SMALL_DISK = ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs -o size=4m none "$0" && exec "$@"')


def inside(collector: Any, *command: str) -> None:
    """Run it where the collector sees its disk."""
    subprocess.run(["nsenter", f"--target={collector.process.pid}", "--mount", *command], check=True, timeout=30)


def test_a_full_disk_is_503_and_it_goes_on_when_there_is_room(start: Any, body: Any, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    collector = start(before=(*ON_A_SMALL_DISK, str(disk)), directory=disk / "collector")
    inside(collector, "dd", "if=/dev/zero", f"of={disk}/else", "bs=64k", "count=40", "status=none")
    stored, number, status = 0, 0, 200
    while status == 200:
        status, headers, answer = collector.post(body(*(f"{number}-{part}" for part in range(5)), size=20_000))
        stored += 5 * (status == 200)
        number += 1
    assert (status, headers["retry-after"]) == (503, "10")
    assert b"database or disk is full: make room on that disk" in answer
    assert len([line for line in collector.log.splitlines() if "disk is full" in line]) == 1
    collector.becomes(503)
    assert collector.get("/-/healthy")[0] == 200
    assert collector.value("kmsg_collector_events_stored_total") == stored

    inside(collector, "rm", f"{disk}/else")
    assert collector.post(body("late", size=20_000))[0] == 200
    collector.becomes(200)
    assert collector.value("kmsg_collector_events_stored_total") == stored + 1  # never part of a batch
