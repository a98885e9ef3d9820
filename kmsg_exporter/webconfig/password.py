"""Names and passwords of HTTP's basic authentication, against bcrypt hashes.

Imports bcrypt, which only the extra `web` brings: imported when there are users.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import threading
from collections.abc import Mapping
from typing import Final

import bcrypt

_MAX_VERDICTS: Final = 128
_MAX_PASSWORD_BYTES: Final = 72  # bcrypt's own


class Passwords:
    """A check costs some 70 ms of a core: verdicts are remembered, and one is made at a time."""

    def __init__(self, users: Mapping[str, bytes]) -> None:
        self._users = dict(users)
        # a name that nobody has takes as long as a wrong password
        self._nobody = b"$2b$" + max((known[4:6] for known in users.values()), default=b"10") + b"$" + b"." * 53
        self._key = os.urandom(32)
        # apart, so that who tries many wrong ones makes nobody's right one be checked again
        self._verdicts: dict[bool, dict[bytes, None]] = {True: {}, False: {}}
        self._lock = threading.Lock()

    def allow(self, authorization: str | None) -> bool:
        """Whether this value of the Authorization header names a user with the right password."""
        credentials = _credentials(authorization)
        if credentials is None:
            return False
        with self._lock:
            known = self.verdict(authorization)
            if known is not None:
                return known
            name, password = credentials
            fits = self._check(name.decode("utf-8", "replace"), password)
            same = self._verdicts[fits]
            if len(same) >= _MAX_VERDICTS:
                del same[next(iter(same))]
            same[self._asked(*credentials)] = None
            return fits

    def verdict(self, authorization: str | None) -> bool | None:
        """The same where it is known already, None where it is not: at once, whatever else is being checked."""
        credentials = _credentials(authorization)
        if credentials is None:
            return False
        asked = self._asked(*credentials)
        return next((fits for fits, same in self._verdicts.items() if asked in same), None)

    def _asked(self, name: bytes, password: bytes) -> bytes:
        return hmac.digest(self._key, name + b"\0" + password, hashlib.sha256)

    def _check(self, name: str, password: bytes) -> bool:
        known = self._users.get(name)
        fits = bcrypt.checkpw(password[:_MAX_PASSWORD_BYTES], known or self._nobody)
        return fits and known is not None


def _credentials(authorization: str | None) -> tuple[bytes, bytes] | None:
    scheme, _, rest = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        plain = base64.b64decode(rest.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    name, colon, password = plain.partition(b":")
    return (name, password) if colon and b"\0" not in plain else None
