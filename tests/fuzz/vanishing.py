"""A /proc whose files hold fuzzed bytes, come in short reads, and are gone or refused from some moment on."""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

ROOT = "/fuzzed"
_FD = 1 << 20  # no descriptor of this process is that high
_REFUSALS = (errno.ENOENT, errno.ESRCH, errno.EACCES)


class VanishingFiles:
    """Answers for what lies below ROOT while it is entered; all else is the machine's.

    `files` are contents, `links` targets and `devices` numbers by path. After `lasts` calls everything answers
    `gone_with`; a read gives at most `most` bytes.
    """

    def __init__(
        self,
        files: Mapping[str, bytes],
        links: Mapping[str, bytes],
        devices: Mapping[str, int],
        *,
        lasts: int,
        gone_with: int,
        most: int,
    ) -> None:
        self.files, self.links, self.devices = files, links, devices
        self._left = lasts
        self._gone_with = _REFUSALS[gone_with % len(_REFUSALS)]
        self._most = most
        self._open: dict[int, bytes] = {}
        names = ("open", "read", "close", "readlink", "listdir", "stat", "lstat")
        self._real: dict[str, Callable[..., Any]] = {name: getattr(os, name) for name in names}
        self._real["io"] = io.open
        self._patches = [patch.object(os, name, getattr(self, name)) for name in names]
        self._patches.append(patch.object(io, "open", self.io))

    def __enter__(self) -> None:
        for one in self._patches:
            one.start()

    def __exit__(self, *_: object) -> None:
        for one in self._patches:
            one.stop()
        assert not self._open, "a descriptor was left open"

    def _path(self, path: object) -> str | None:
        """The path below ROOT, None for the machine's own; each call brings the end nearer."""
        if not isinstance(path, str | bytes | os.PathLike):
            return None
        name = os.fsdecode(path)
        if not name.startswith(ROOT):
            return None
        self._left -= 1
        if self._left < 0 and name != ROOT:
            raise OSError(self._gone_with, os.strerror(self._gone_with))
        return name.removeprefix(ROOT).strip("/")

    def _content(self, name: str) -> bytes:
        if name not in self.files:
            raise FileNotFoundError(errno.ENOENT, name)
        return self.files[name]

    def open(self, path: object, *rest: Any, **more: Any) -> int:
        name = self._path(path)
        if name is None:
            return int(self._real["open"](path, *rest, **more))
        fd = _FD + len(self._open)
        self._open[fd] = self._content(name)
        return fd

    def read(self, fd: int, size: int) -> bytes:
        if fd not in self._open:
            return bytes(self._real["read"](fd, size))
        self._path(f"{ROOT}/read")
        return self._open[fd][: min(size, self._most)]

    def close(self, fd: int) -> None:
        if self._open.pop(fd, None) is None:
            self._real["close"](fd)

    def io(
        self,
        path: Any,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        *rest: Any,
        **more: Any,
    ) -> Any:
        name = self._path(path)
        if name is None:
            return self._real["io"](path, mode, buffering, encoding, errors, *rest, **more)
        raw = io.BytesIO(self._content(name)[: self._most])
        return raw if "b" in mode else io.TextIOWrapper(raw, encoding, errors)

    def readlink(self, path: Any) -> Any:
        name = self._path(path)
        if name is None:
            return self._real["readlink"](path)
        if name not in self.links:
            raise FileNotFoundError(errno.ENOENT, name)
        return self.links[name] if isinstance(path, bytes) else os.fsdecode(self.links[name])

    def listdir(self, path: Any = ".") -> list[str]:
        name = self._path(path)
        if name is None:
            return list(self._real["listdir"](path))
        inside = f"{name}/" if name else ""
        known = (*self.files, *self.links, *self.devices)
        return sorted({one[len(inside) :].split("/")[0] for one in known if one.startswith(inside)})

    def stat(self, path: Any, *rest: Any, **more: Any) -> Any:
        name = self._path(path)
        if name is None:
            return self._real["stat"](path, *rest, **more)
        if name in self.devices:
            return _status(stat.S_IFCHR, self.devices[name])
        if name in self.files or name in self.links:
            return _status(stat.S_IFREG, 0)
        raise FileNotFoundError(errno.ENOENT, name)

    lstat = stat


def _status(kind: int, device: int) -> Any:
    return os.stat_result((kind | 0o600, 7, 1, 1, 0, 0, 0, 0, 0, 0), {"st_rdev": device, "st_ctime_ns": 0})


PROC = Path(ROOT)
