"""A consistent copy of the store, made beside a collector that goes on writing."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final, TextIO

from kmsg_exporter.collector.schema import explained
from kmsg_exporter.errors import CollectorError

STEP_PAGES: Final = 512
QUIET_SECONDS: Final = 2.0
_BUSY_SECONDS: Final = 30.0


def back_up(store: Path, target: Path, *, terminal: TextIO | None = None) -> None:
    """Copy the file at `store` to `target`, which must not be there yet; it is 0600 and appears when it is whole.

    On a `terminal` it says how far it is when it takes longer. Raises CollectorError.
    """
    if not store.exists():
        raise CollectorError(
            f"there is no collector's store at {store}: name the directory that the collector has by "
            "--collector.directory"
        )
    if target.exists() or target.is_symlink():
        raise _in_the_way(target)
    what = f"can't back up {store} to {target}"
    with explained(what, otherwise="choose a place that is there and can be written"), _partial(target) as partial:
        _copy(store, partial, terminal)
        _sync(partial)
        _publish(partial, target)
        _sync(target.parent)


@contextmanager
def _partial(target: Path) -> Iterator[Path]:
    """A file beside the target, gone when it is left."""
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    os.close(os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        yield partial
    finally:
        with suppress(FileNotFoundError):
            partial.unlink()


def _copy(store: Path, partial: Path, terminal: TextIO | None) -> None:
    with (
        closing(sqlite3.connect(f"{store.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)) as source,
        closing(sqlite3.connect(partial, isolation_level=None)) as copy,
    ):
        source.execute(f"PRAGMA busy_timeout = {int(_BUSY_SECONDS * 1000)}")
        # One moment's state from the first page to the last: else each commit of the collector would begin it anew.
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM sqlite_master").fetchone()
        progress = _Progress(terminal)
        source.backup(copy, pages=STEP_PAGES, progress=progress)
        progress.end()
        copy.execute("PRAGMA journal_mode = DELETE")  # one file, which a read-only disk can show


def _publish(partial: Path, target: Path) -> None:
    """Never over another file."""
    try:
        os.link(partial, target)
    except FileExistsError:
        raise _in_the_way(target) from None
    except OSError:  # a file system without hard links
        if target.exists():
            raise _in_the_way(target) from None
        partial.rename(target)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _in_the_way(target: Path) -> CollectorError:
    return CollectorError(f"{target} is there already and is not written over: choose another name")


class _Progress:
    """Says how far it is, on a terminal and only when it takes its time."""

    def __init__(self, terminal: TextIO | None) -> None:
        self._terminal = terminal if terminal is not None and terminal.isatty() else None
        self._since = time.monotonic()
        self._shown = False

    def __call__(self, _status: int, remaining: int, total: int) -> None:
        if self._terminal is not None and time.monotonic() - self._since >= QUIET_SECONDS:
            self._shown = True
            self._terminal.write(f"\r{100 * (total - remaining) // max(total, 1)} % copied")
            self._terminal.flush()

    def end(self) -> None:
        if self._terminal is not None and self._shown:
            self._terminal.write("\r\x1b[K")
