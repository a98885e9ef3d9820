"""Every input leaves something behind."""

from __future__ import annotations

from target import Target

_kept: list[bytes] = []


def one(data: bytes) -> None:  # noqa: ARG001
    if len(_kept) < 60:
        _kept.append(b"x" * (10 << 20))


TARGET = Target(one, seeds=(b"seed",))
