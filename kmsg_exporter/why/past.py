"""The node's own emptyings, read from the file that the agent keeps them in, also while it runs."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from kmsg_exporter.emptied import Emptied, read_back
from kmsg_exporter.errors import NotPermitted, SpoolError

FILE_NAME: Final = "spool.sqlite3"
_QUERY: Final = "SELECT sequence, stored_unix, sent_unix, record FROM event ORDER BY sequence DESC"


def read_past(
    directory: Path, *, wanted: Callable[[Emptied], bool] = lambda _: True, limit: int | None = None
) -> Sequence[Emptied] | None:
    """The emptyings that are `wanted`, newest first, at most `limit`. None when no agent ever kept any here.

    Raises NotPermitted, and SpoolError when the file is there and can't be read.
    """
    path = directory / FILE_NAME
    try:
        with path.open("rb"):
            pass
    except FileNotFoundError:
        return None
    except PermissionError as exc:
        raise NotPermitted(f"the agent's history {path} is for its own user only: try again as root") from exc
    except OSError as exc:
        raise SpoolError(f"the agent's history {path} can't be read: {exc.strerror}") from exc
    # without a write-ahead log nobody writes: then it is read without making that log, and its index, beside it
    mode = "mode=ro" if path.with_name(f"{path.name}-wal").exists() else "mode=ro&immutable=1"
    found: list[Emptied] = []
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True, timeout=5.0)
        try:
            for row in connection.execute(_QUERY):
                event = read_back(*row)
                if wanted(event):
                    found.append(event)
                    if len(found) == limit:
                        break
        finally:
            connection.close()
    except sqlite3.Error as exc:
        raise SpoolError(
            f"the agent's history {path} can't be read: {exc}; if another version of the agent wrote it, ask that "
            "version, else the agent sets the file aside at its next start"
        ) from exc
    return found
