"""What a command prints: all of it, or the reason why not."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable

from kmsg_exporter.errors import OutputError


def emit(chunks: Iterable[str | bytes]) -> bool:
    """Write to standard output; whether anybody reads: who has closed it (`| head`) has seen enough.

    Raises OutputError.
    """
    if sys.stdout is None:  # closed before we began
        return False
    try:
        for chunk in chunks:
            if isinstance(chunk, str):
                sys.stdout.write(chunk)
            else:
                sys.stdout.buffer.write(chunk)
        sys.stdout.flush()
    except BrokenPipeError:
        _give_up()
        return False
    except OSError as exc:
        _give_up()
        raise OutputError(
            f"the output can't be written: {exc.strerror}: make room where it goes, or send it elsewhere"
        ) from exc
    return True


def _give_up() -> None:
    """What is left in the buffer is not to be tried again at the end."""
    null = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
