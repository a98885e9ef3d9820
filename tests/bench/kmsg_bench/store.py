"""The collector's store, looked at from outside."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Self

from kmsg_bench.programs import CLEAR


class Store:
    """Its events so far, by a connection that can't write."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def clears(self) -> int:
        """How many events of our own clears it holds."""
        with closing(self._connection.execute("SELECT count(*) FROM event WHERE comm = ?", (CLEAR,))) as rows:
            count: int = rows.fetchone()[0]
            return count
