"""kill -9 in the middle of a flood: what was acknowledged is there, and no batch is there in part."""

from __future__ import annotations

import sqlite3
import threading
from collections import Counter
from contextlib import closing
from http.client import HTTPException
from typing import Any

SENDERS = 8
KILLS = 6
BATCH = 3
BETWEEN_KILLS = 40  # batches acknowledged


def test_what_was_acknowledged_survives_every_kill(start: Any, body: Any) -> None:
    collector = start()
    acknowledged: list[str] = []
    progress = threading.Semaphore(0)
    stopping, up = threading.Event(), threading.Event()
    up.set()

    def send(sender: int) -> None:
        number = 0
        while not stopping.is_set():
            batch = f"{sender}-{number}"
            try:
                status, _, _ = collector.post(body(*(f"{batch}-{part}" for part in range(BATCH))))
            except (OSError, HTTPException):
                up.wait(30)
                continue  # the same again, as an agent does
            assert status == 200
            acknowledged.append(batch)
            progress.release()
            number += 1

    senders = [threading.Thread(target=send, args=(sender,)) for sender in range(SENDERS)]
    for sender in senders:
        sender.start()
    try:
        for _ in range(KILLS):
            for _ in range(BETWEEN_KILLS):
                assert progress.acquire(timeout=30)
            up.clear()
            collector.kill()
            collector.restart()
            up.set()
        for _ in range(BETWEEN_KILLS):
            assert progress.acquire(timeout=30)
    finally:
        stopping.set()
        up.set()
        for sender in senders:
            sender.join()
    collector.kill()

    with closing(sqlite3.connect(collector.store)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        uids = [uid for (uid,) in connection.execute("SELECT uid FROM event JOIN document USING (seq)")]
    stored = Counter(uid.rpartition("-")[0] for uid in uids)
    assert set(acknowledged) - stored.keys() == set()
    assert set(stored.values()) == {BATCH}
    assert len(uids) == len(set(uids))
    assert len(acknowledged) >= (KILLS + 1) * BETWEEN_KILLS
