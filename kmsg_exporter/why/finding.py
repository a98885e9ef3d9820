"""What was found, with its evidence; and the places where it is looked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

Verdict = Literal["cause", "note", "unseen"]

# how likely it is what a person came for, most likely first
REFUSED, HIDDEN, CONSUMED, TROUBLE, DAEMON, OVERWRITTEN, CONSOLE, READERS = range(8)
_ETC: Final = Path("/etc")
_LOG: Final = Path("/var/log")


@dataclass(frozen=True, slots=True)
class Finding:
    """One line and what shows it. `cause` is wrong, `note` is worth knowing, `unseen` could not be looked at."""

    verdict: Verdict
    rank: int
    what: str
    evidence: tuple[str, ...] = ()
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Roots:
    """Where the node's files are. Other absolute paths lie below `root`."""

    proc: Path = Path("/proc")
    dev: Path = Path("/dev")
    etc: Path = _ETC
    log: Path = _LOG
    root: Path = Path("/")

    @property
    def own(self) -> bool:
        """Whether the log files are where this system's own programs have them."""
        return (self.log, self.root) == (_LOG, Path("/"))

    def at(self, path: str | Path) -> Path:
        """Where this node's absolute path is to be looked for."""
        path = Path(path)
        for known, place in ((_ETC, self.etc), (_LOG, self.log)):
            if path.is_relative_to(known):
                return place / path.relative_to(known)
        return self.root / path.relative_to("/") if path.is_absolute() else path

    def named(self, place: Path) -> str:
        """How this node calls what lies at `place`: the other way round."""
        for known, root in ((_ETC, self.etc), (_LOG, self.log), (Path("/"), self.root)):
            if place.is_relative_to(root):
                return str(known / place.relative_to(root))
        return str(place)
