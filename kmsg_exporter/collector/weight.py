"""What a body may become in memory: its JSON values before they are parsed, its records while they are decoded."""

from __future__ import annotations

import sys
from typing import Final

from kmsg_exporter.errors import BodyTooLarge

# A value of three bytes takes a hundred and more once it is parsed. Events of ours have one for each 10 bytes at most,
# and an event by itself has fewer than this, whatever its text is: who splits what was refused gets it through.
MAX_VALUES: Final = 512 * 1024
# The resource stands once in a body and in the document of each of its records.
MAX_DECODED_BYTES: Final = 16 * 1024 * 1024
_RECORD_BYTES: Final = 1024  # of an event, a refusal or a hello beside its document


def require_few_values(body: bytes) -> None:
    """Raises BodyTooLarge. Commas and brackets within a text count as well: to tell them apart would be to parse it."""
    if sum(map(body.count, (b",", b"{", b"["))) > MAX_VALUES:
        raise BodyTooLarge(f"the body has over {MAX_VALUES} values: send fewer records at a time")


class Weight:
    """Some bytes more than what was decoded takes."""

    def __init__(self) -> None:
        self.bytes = 0

    def record(self) -> None:
        self._add(_RECORD_BYTES)

    def document(self, text: str) -> None:
        self._add(sys.getsizeof(text))

    def _add(self, count: int) -> None:
        self.bytes += count
        if self.bytes > MAX_DECODED_BYTES:
            raise BodyTooLarge(
                f"its records are over {MAX_DECODED_BYTES} bytes, each with its resource: send fewer at a time"
            )
