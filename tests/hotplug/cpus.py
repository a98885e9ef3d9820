"""The CPUs of this machine, brought online and offline by hand."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path("/sys/devices/system/cpu")


def cpu_list(name: str) -> list[int]:
    """`possible`, `present` or `online`: "0-1,3" is [0, 1, 3]."""
    ranges = (part.split("-") for part in (FOLDER / name).read_text().strip().split(","))
    return [cpu for ends in ranges for cpu in range(int(ends[0]), int(ends[-1]) + 1)]


def switch(cpu: int, *, online: bool) -> None:
    (FOLDER / f"cpu{cpu}" / "online").write_text("1" if online else "0")
