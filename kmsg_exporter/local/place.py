"""The socket's place in the file system: made whole, taken over from the dead, never from the living."""

from __future__ import annotations

import fcntl
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from kmsg_exporter.errors import AlreadyRunning, KmsgExporterError

_WAITING_CLIENTS: Final = 16


def listen(path: Path) -> tuple[socket.socket, int]:
    """A listening socket at `path`, mode 0600, in place of a dead agent's; and its inode."""
    hidden = path.parent / ".new" / "socket"
    listener = socket.socket(socket.AF_UNIX)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _alone(path.parent):
            _refuse_living(path)
            # Bound where nobody else can reach it, then moved: never there with another mode, never half there.
            _discard(hidden)
            hidden.parent.mkdir(mode=0o700)
            try:
                listener.bind(str(hidden))
                hidden.chmod(0o600)
                listener.listen(_WAITING_CLIENTS)
                inode = hidden.stat().st_ino
                hidden.rename(path)
            finally:
                _discard(hidden)
    except BlockingIOError as exc:
        listener.close()
        raise AlreadyRunning(f"another agent is starting or stopping in {path.parent}: try again") from exc
    except OSError as exc:
        listener.close()
        raise KmsgExporterError(f"the local socket {path} can't be made: {exc}") from exc
    except KmsgExporterError:
        listener.close()
        raise
    return listener, inode


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Agents that start or stop at once look at the socket one after the other. Raises BlockingIOError."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _refuse_living(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise KmsgExporterError(f"{path} is there and is no socket: it is left alone; move it away")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return
        except BlockingIOError:
            pass  # it has no time for us, so it lives
    raise AlreadyRunning(f"another agent listens at {path}: stop it first, or give this one a --runtime-directory")


def _discard(hidden: Path) -> None:
    """What a start leaves behind, or was killed in the middle of."""
    hidden.unlink(missing_ok=True)
    with suppress(FileNotFoundError):
        hidden.parent.rmdir()


def remove(path: Path, inode: int) -> None:
    """Our own socket, not one that has taken its place. What stays is stale, and the next start replaces it."""
    with suppress(OSError), _alone(path.parent):
        if path.lstat().st_ino == inode:
            path.unlink()
