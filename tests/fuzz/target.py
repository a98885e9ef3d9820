"""What a target is: a decoder, where to start, and how inputs are changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Mutate = Callable[[bytes, int, int], bytes]
"""(input, most bytes, seed) -> another input."""


@dataclass(frozen=True)
class Target:
    """`one` takes any bytes and returns; what it raises is a finding, so it lets only documented errors pass.

    `words` are pieces of the input's language, which libFuzzer strews in. Without `mutate` the changes are libFuzzer's.
    """

    one: Callable[[bytes], None]
    seeds: tuple[bytes, ...]
    words: tuple[bytes, ...] = ()
    mutate: Mutate | None = None
    max_bytes: int = 2048
