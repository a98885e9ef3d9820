"""Reading and writing tracefs control files, with the kernel's own reason when it refuses."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from kmsg_exporter.errors import FeatureUnavailable, TracefsNotMounted, TracefsRejected

_DEVICE = re.compile(rb"\d+ \d+ (\d{1,9}):(\d{1,9}) ")


class Tracefs:
    """The tracing file system at `root`. Paths given to its methods are relative to it.

    Every write is one write(2) on an unbuffered descriptor, so a refusal shows here and not at close.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._base = f"{os.fspath(root)}/"  # Path is slow, and a scrape reads a dozen of these files

    def read(self, path: str) -> str:
        """The text of a control file.

        Raises FeatureUnavailable when this kernel has no such file, TracefsRejected when it may not be read.
        """
        return self.read_bytes(path).decode("utf-8", "replace")

    def read_bytes(self, path: str) -> bytes:
        """The bytes of a control file, of which some hold what processes call themselves. Raises as `read` does."""
        try:
            with open(self._base + path, "rb", buffering=0) as file:  # noqa: PTH123
                return file.readall()
        except OSError as exc:
            raise self._refused(path, None, exc) from exc

    def lines(self, path: str) -> Iterator[str]:
        """The lines of a long control file, one at a time. Raises as `read` does."""
        try:
            with (self.root / path).open(encoding="utf-8", errors="replace") as file:
                yield from file
        except OSError as exc:
            raise self._refused(path, None, exc) from exc

    def write(self, path: str, command: str, *, truncate: bool = False) -> None:
        """Write one command to a control file; with `truncate` it replaces what the file held.

        Raises FeatureUnavailable when this kernel has no such file, TracefsRejected with the kernel's reason.
        """
        flags = os.O_WRONLY | os.O_CLOEXEC | (os.O_TRUNC if truncate else os.O_APPEND)
        try:
            fd = os.open(self._base + path, flags)
            try:
                os.write(fd, command.encode())
            finally:
                os.close(fd)
        except OSError as exc:
            raise self._refused(path, command, exc) from exc

    def exists(self, path: str) -> bool:
        return os.path.exists(self._base + path)  # noqa: PTH110

    def names(self, path: str) -> list[str]:
        """The names in a folder, sorted; empty when there is none."""
        try:
            return sorted(os.listdir(self._base + path))
        except FileNotFoundError:
            return []
        except OSError as exc:
            raise self._refused(path, None, exc) from exc

    def make(self, path: str) -> None:
        """Make a folder (an instance); one that is already there is left as it is."""
        try:
            (self.root / path).mkdir(exist_ok=True)
        except OSError as exc:
            raise self._refused(path, "mkdir", exc) from exc

    def remove(self, path: str) -> None:
        """Remove a folder (an instance) with all that is in it; one that is gone already is fine."""
        try:
            (self.root / path).rmdir()
        except FileNotFoundError:
            return
        except OSError as exc:
            raise self._refused(path, "rmdir", exc) from exc

    def open(self, path: str) -> int:
        """A non-blocking read descriptor of a file or folder; the caller closes it."""
        try:
            return os.open(self.root / path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as exc:
            raise self._refused(path, "open", exc) from exc

    def _refused(self, path: str, command: str | None, exc: OSError) -> FeatureUnavailable | TracefsRejected:
        full = self.root / path
        if exc.errno in (errno.ENOENT, errno.ENODEV):
            return FeatureUnavailable(f"this kernel has no {full}" if command is None else f"no {full} for {command!r}")
        what = f"{full}: " + (f"{command.strip()!r}: " if command else "")
        reason = os.strerror(exc.errno or 0)
        detail = self._error_log(path) if exc.errno == errno.EINVAL and command else ""
        return TracefsRejected(what + reason + (f" ({detail})" if detail else ""), errno=exc.errno or 0)

    def _error_log(self, path: str) -> str:
        """What the kernel wrote about the last refused command: an instance's own log for what is in an instance."""
        parts = Path(path).parts
        log = "/".join((*parts[:2], "error_log")) if parts[:1] == ("instances",) else "error_log"
        with suppress(FeatureUnavailable, TracefsRejected):
            heads = [line.partition(": error: ")[2] for line in self.read(log).splitlines() if ": error: " in line]
            if heads:
                return heads[-1].strip()
        return ""


def open_tracefs(root: Path, *, proc: Path) -> Tracefs:
    """The tracefs mounted at `root`, found by its file system type and not by its path.

    Raises TracefsNotMounted when what is there is no tracefs, FeatureUnavailable when the kernel keeps it empty
    (lockdown), TracefsRejected when it may not be entered.
    """
    try:
        device = root.stat().st_dev
    except FileNotFoundError:
        device = -1
    except PermissionError as exc:
        raise _not_for_us(root, exc) from exc
    if device not in _tracefs_devices(proc / "self" / "mountinfo"):
        raise TracefsNotMounted(f"tracefs not found at {root}: mount it (mount -t tracefs nodev {root})")
    tracefs = Tracefs(root)
    try:
        empty = not os.listdir(root)
    except PermissionError as exc:
        raise _not_for_us(root, exc) from exc
    if empty:
        raise FeatureUnavailable(
            f"tracefs at {root} is empty: kernel lockdown is at confidentiality, which only a boot without it ends"
        )
    return tracefs


def _not_for_us(root: Path, exc: PermissionError) -> TracefsRejected:
    return TracefsRejected(f"{root}: {exc.strerror}: it belongs to root, run as root", errno=errno.EACCES)


def _tracefs_devices(mountinfo: Path) -> set[int]:
    devices = set()
    for line in mountinfo.read_bytes().splitlines():
        head, _, tail = line.partition(b" - ")
        if tail.split(b" ", 1)[0] == b"tracefs" and (device := _DEVICE.match(head)):
            devices.add(os.makedev(int(device[1]), int(device[2])))
    return devices
