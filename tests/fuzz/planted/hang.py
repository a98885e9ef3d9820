"""An input that is never done with."""

from __future__ import annotations

from target import Target


def one(data: bytes) -> None:
    while data[:1] == b"k":
        pass


TARGET = Target(one, seeds=(b"k",))
