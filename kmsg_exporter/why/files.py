"""Files of configuration as far as they may be read; what is there and may not be is kept, with the reason."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from kmsg_exporter.why import finding
from kmsg_exporter.why.finding import Finding, Roots

_GONE: Final = (FileNotFoundError, NotADirectoryError, ValueError)  # no path has a NUL in it


@dataclass(frozen=True, slots=True)
class Place:
    """A line of the configuration."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}"


@dataclass
class Files:
    """`unread` has what was refused: without it nothing can be said of what is not in the others."""

    roots: Roots
    unread: list[str] = field(default_factory=list)

    def text(self, path: Path) -> str | None:
        """None where there is no such file, and where it can't be read."""
        try:
            return path.read_text(errors="replace") if stat.S_ISREG(path.stat().st_mode) else None
        except _GONE:
            return None
        except OSError as exc:
            self._refused(path, exc)
            return None

    def listed(self, folder: Path, pattern: str) -> list[Path]:
        """By name, as the daemons' glob(3) has it."""
        try:
            names = sorted(os.listdir(folder))
        except _GONE:
            return []
        except OSError as exc:
            self._refused(folder, exc)
            return []
        return [folder / name for name in names if fnmatchcase(name, pattern) and not name.startswith(".")]

    def is_folder(self, path: Path) -> bool | None:
        """None where that can't be seen."""
        try:
            return stat.S_ISDIR(path.stat().st_mode)
        except _GONE:
            return False
        except OSError as exc:
            self._refused(path, exc)
            return None

    def unseen(self, daemon: str) -> list[Finding]:
        what = f"{daemon}'s configuration could be read only in part"
        if not self.unread:
            return []
        return [Finding("unseen", finding.DAEMON, what, tuple(self.unread), "run it as root")]

    def _refused(self, path: Path, exc: OSError) -> None:
        self.unread.append(f"{self.roots.named(path)}: {exc.strerror}")
