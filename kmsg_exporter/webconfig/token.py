"""Bearer tokens, against SHA-256 hashes: enough for tokens that are random, and quick."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable


class Tokens:
    """Whoever shows one of the tokens with these hashes may ask."""

    def __init__(self, hashes: Iterable[bytes]) -> None:
        self._hashes = tuple(hashes)

    def allow(self, authorization: str | None) -> bool:
        """Whether this value of the Authorization header is `Bearer` and one of the tokens."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer":
            return False
        shown = hashlib.sha256(token.strip().encode("utf-8", "replace")).digest()
        return any(hmac.compare_digest(shown, known) for known in self._hashes)
