"""Headers from files: read again when they were rotated, and never shown."""

from __future__ import annotations

import errno
import re
from collections.abc import Mapping
from pathlib import Path
from stat import S_ISREG
from typing import Final

from kmsg_exporter.errors import PushError

MAX_BYTES: Final = 64 << 10
HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_REMEDY: Final = "nothing is sent without it; it is looked at again at each try"

Stamp = tuple[int, int, int, int]


class SecretFiles:
    """The headers that `headers_file` (lines `Name: value`) and `token_file` (a bearer token) hold at the moment."""

    def __init__(self, headers_file: Path | None, token_file: Path | None) -> None:
        self._files = tuple(path for path in (headers_file, token_file) if path is not None)
        self._headers_file = headers_file
        self._token_file = token_file
        self._stamps: tuple[Stamp, ...] | None = None
        self._headers: Mapping[str, str] = {}

    def headers(self) -> Mapping[str, str]:
        """Raises PushError, which names the file and never repeats what is in it."""
        try:
            stamps = tuple(stamp(path) for path in self._files)
            if stamps != self._stamps:
                self._headers, self._stamps = self._read(), stamps
        except OSError as exc:
            self._stamps = None
            raise _fault(f"{exc.filename} can't be read ({exc.strerror})") from exc
        return self._headers

    def _read(self) -> dict[str, str]:
        headers = _lines(self._headers_file) if self._headers_file is not None else {}
        if self._token_file is not None:
            token = _text(self._token_file).strip()
            if not token or not token.isprintable() or " " in token:
                raise _fault(f"{self._token_file} must hold one token of printable ASCII and nothing else")
            headers = merged(headers, {"Authorization": f"Bearer {token}"})
        return headers


def stamp(path: Path) -> Stamp:
    """What tells one version of a file from another, also behind a symbolic link that is turned. Raises OSError.

    No pipe or device passes: to open one may wait for ever.
    """
    found = path.stat()
    if not S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "it is no file", str(path))
    return found.st_dev, found.st_ino, found.st_size, found.st_ctime_ns


def merged(first: Mapping[str, str], *others: Mapping[str, str]) -> dict[str, str]:
    """Headers of several sources; a name is the same in capitals, and the last one wins."""
    found = dict(first)
    for other in others:
        taken = {name.lower() for name in other}
        found = {name: value for name, value in found.items() if name.lower() not in taken} | dict(other)
    return found


def _lines(path: Path) -> dict[str, str]:
    headers: dict[str, str] = {}
    for number, line in enumerate(_text(path).splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        name, colon, value = line.partition(":")
        if not colon or not HEADER_NAME.fullmatch(name) or not value.strip().isprintable() or not value.strip():
            raise _fault(f"{path}: line {number} is not Name: value in printable ASCII")
        headers = merged(headers, {name: value.strip()})
    return headers


def _text(path: Path) -> str:
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES or not content.isascii():
        raise _fault(f"{path} must be ASCII text of at most {MAX_BYTES >> 10} KiB")
    return content.decode("ascii")


def _fault(found: str) -> PushError:
    return PushError(f"cannot push: {found}; {_REMEDY}", reason="secret", retriable=True)
