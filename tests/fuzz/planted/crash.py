"""Four bytes, each behind the one before: chance alone does not find them in time."""

from __future__ import annotations

from target import Target


def one(data: bytes) -> None:
    if data[:1] == b"k" and data[1:2] == b"m" and data[2:3] == b"s" and data[3:4] == b"g":
        raise ValueError("planted")


TARGET = Target(one, seeds=(b"seed",))
