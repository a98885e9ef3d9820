"""Others' programs, as peers.sh unpacks them: started by their own ld.so, on any machine and in a guest."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from kmsg_bench.child import BenchError


@dataclass(frozen=True, slots=True)
class Peers:
    """The directory that has them."""

    root: Path

    def command(self, program: str, *arguments: str | Path) -> list[str | Path]:
        """What starts one of them. Raises BenchError when they are not there."""
        if not (self.root / "bin" / program).exists():
            raise BenchError(f"no {self.root / 'bin' / program}: run tests/bench/peers.sh")
        return [
            *(self.root / "lib" / "ld.so", "--library-path", self.root / "lib"),
            *(self.root / "bin" / program, *arguments),
        ]


def default_peers() -> Peers:
    """Where peers.sh leaves them."""
    home = os.environ.get("KMSG_GUEST_HOME")
    return Peers((Path(home) if home else Path.home() / ".cache" / "kmsg-exporter" / "guest") / "peers")
