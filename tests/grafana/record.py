#!/usr/bin/env python3
"""Record what an agent with the kprobe backend answers to Prometheus: real scrapes, from a booted guest."""

from __future__ import annotations

import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]
CHECKOUT = TESTS.parent
INSIDE = Path("/opt/kmsg-exporter/tests/grafana/scene.py")
sys.path.insert(0, str(TESTS / "guest"))

from boot import boot  # noqa: E402
from initrd import Copy  # noqa: E402


def main() -> int:
    """Boot Debian's 6.1, play scene.py there, keep its scrapes in recorded/."""
    here = Path(__file__).parent
    copies = [
        Copy.parse(f"{CHECKOUT / 'kmsg_exporter'}:/opt/kmsg-exporter/kmsg_exporter"),
        Copy.parse(f"{here}:{INSIDE.parent}"),
    ]
    return boot("6.1", ["python3", str(INSIDE)], timeout_seconds=400, copies=copies, out=here / "recorded").status


if __name__ == "__main__":
    sys.exit(main())
