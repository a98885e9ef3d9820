"""Several pieces in one input: each with its length before it. Any bytes are frames."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable

import atheris

_MAX_FRAMES = 32

Change = Callable[[bytes, random.Random], bytes]


def split(data: bytes) -> list[bytes]:
    """The pieces; the last one may be shorter than it says."""
    found: list[bytes] = []
    while len(data) >= 2 and len(found) < _MAX_FRAMES:
        end = 2 + int.from_bytes(data[:2], "little")
        found.append(data[2:end])
        data = data[end:]
    return found


def join(pieces: Iterable[bytes]) -> bytes:
    return b"".join(len(piece).to_bytes(2, "little") + piece for piece in pieces)


def mutator(change: Change, first: Change | None = None) -> Callable[[bytes, int, int], bytes]:
    """A mutator that keeps the pieces' lengths right: it changes, drops, doubles and moves whole pieces.

    With `first` the first piece is of another kind: it stays where it is and is changed by that.
    """
    fixed = int(first is not None)

    def mutate(data: bytes, max_size: int, seed: int) -> bytes:
        dice = random.Random(seed)
        pieces = split(data) or [b""]
        for _ in range(dice.randint(1, 3)):
            at = dice.randrange(len(pieces))
            match dice.randrange(8):
                case 0 if len(pieces) > 1 and at >= fixed:
                    del pieces[at]
                case 1 if at >= fixed:
                    pieces.insert(at, pieces[dice.randrange(fixed, len(pieces))])
                case 2 if at >= fixed:
                    pieces.append(pieces.pop(at))
                case _:
                    pieces[at] = (first if first is not None and at == 0 else change)(pieces[at], dice)
        return join(pieces)[:max_size]

    return mutate


def changed(piece: bytes, _dice: random.Random) -> bytes:
    """The piece as libFuzzer changes it, a little longer at most."""
    return bytes(atheris.Mutate(piece, min(len(piece) + 16, 65535)))
