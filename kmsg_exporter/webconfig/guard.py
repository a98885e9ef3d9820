"""The web configuration file as it is now: read again when it, or a certificate that it names, has changed."""

from __future__ import annotations

import logging
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kmsg_exporter.errors import ConfigError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable

    from kmsg_exporter.webconfig.file import TlsFiles
    from kmsg_exporter.webconfig.password import Passwords
    from kmsg_exporter.webconfig.token import Tokens

_log = logging.getLogger(__name__)

_RETRY_SECONDS = 5.0

Signature = tuple[tuple[int, int, int] | None, ...]


@dataclass(frozen=True, slots=True)
class _Rules:
    context: ssl.SSLContext | None
    passwords: Passwords | None
    tokens: Tokens | None
    paths: tuple[Path, ...]

    @property
    def asks(self) -> tuple[bool, bool, bool]:
        """For TLS, for a certificate, for a password or token."""
        context = self.context
        # without ssl's own name for it: who has no TLS does not import that
        certificate = context is not None and context.verify_mode.name == "CERT_REQUIRED"
        return context is not None, certificate, self.passwords is not None or self.tokens is not None


class Guard:
    """What `path` asks of clients. While a changed file is wrong, what was right before goes on to hold."""

    def __init__(self, path: Path) -> None:
        """Raises ConfigError."""
        self._path = path
        self._lock = threading.Lock()
        self._rules = _read(path)
        self._signature = _signature(self._rules.paths)
        self._retry_at: float | None = None

    def context(self) -> ssl.SSLContext | None:
        """What the next connection is shaken hands with; None for plain HTTP."""
        return self._current().context

    @property
    def closed(self) -> bool:
        """Whether everybody has to show something: a certificate, a password or a token."""
        return any(self._current().asks[1:])

    def challenges(self) -> tuple[str, ...]:
        """What may be shown in an Authorization header, as WWW-Authenticate says it."""
        rules = self._current()
        asked = {"Basic": rules.passwords, "Bearer": rules.tokens}
        return tuple(f'{scheme} realm="kmsg_exporter"' for scheme, known in asked.items() if known is not None)

    def allow(self, authorization: str | None) -> bool:
        """Whether a request with this Authorization header may be answered. A new password takes some 70 ms."""
        verdict = self.verdict(authorization)
        if verdict is not None:
            return verdict
        passwords = self._current().passwords
        return passwords is not None and passwords.allow(authorization)

    def verdict(self, authorization: str | None) -> bool | None:
        """The same where it can be said at once; None where `allow` would have to check a password."""
        rules = self._current()
        if not rules.asks[2] or (rules.tokens is not None and rules.tokens.allow(authorization)):
            return True
        return False if rules.passwords is None else rules.passwords.verdict(authorization)

    def _current(self) -> _Rules:
        with self._lock:
            signature = _signature(self._rules.paths)
            if signature != self._signature or (self._retry_at is not None and time.monotonic() >= self._retry_at):
                failed = self._retry_at is not None and signature == self._signature
                self._signature = signature
                self._read_again(quiet=failed)
            return self._rules

    def _read_again(self, *, quiet: bool) -> None:
        try:
            fresh = _read(self._path)
            if any(was and not is_now for was, is_now in zip(self._rules.asks, fresh.asks, strict=True)):
                raise ConfigError(f"{self._path}: would open what is closed now: that takes a restart")
        except ConfigError as exc:
            self._retry_at = time.monotonic() + _RETRY_SECONDS  # a file that it names may come later
            if not quiet:
                _log.error("%s; what was there before goes on to hold", exc)
            return
        self._retry_at = None
        if fresh.paths != self._rules.paths:
            self._signature = _signature(fresh.paths)
        self._rules = fresh
        _log.info("%s, or a file that it names, has changed and was read again", self._path)


def _read(path: Path) -> _Rules:
    try:
        from kmsg_exporter.webconfig.file import parse

        text = path.read_text(encoding="utf-8")
        config = parse(text, path)
        passwords = None
        if config.users:
            from kmsg_exporter.webconfig.password import Passwords

            passwords = Passwords(config.users)
        tokens = None
        if config.tokens:
            from kmsg_exporter.webconfig.token import Tokens

            tokens = Tokens(config.tokens.values())
    except ImportError as exc:
        raise ConfigError(
            f"--web.config.file needs {exc.name}, which is not installed: pip install 'kmsg-exporter[web]'"
        ) from exc
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{path}: is not UTF-8: {exc.reason}") from exc
    except OSError as exc:
        raise ConfigError(
            f"{path} can't be read: {exc.strerror}: --web.config.file or --collector.web-config-file names it"
        ) from exc
    if config.tls is None:
        return _Rules(None, passwords, tokens, (path,))
    tls = config.tls
    named = [file for file in (tls.cert_file, tls.key_file, tls.client_ca_file) if file is not None]
    return _Rules(_context(tls, path), passwords, tokens, (path, *named))


def _context(tls: TlsFiles, path: Path) -> ssl.SSLContext:
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3 if tls.min_version == "TLS13" else ssl.TLSVersion.TLSv1_2
    wanted = tls.cert_file
    try:
        # a key that asks for a passphrase is an error, not a prompt
        context.load_cert_chain(tls.cert_file, tls.key_file, password=lambda: b"")
        if tls.client_ca_file is not None:
            wanted = tls.client_ca_file
            context.load_verify_locations(tls.client_ca_file)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ValueError) as exc:  # ssl.SSLError is the first
        why = (exc.strerror if isinstance(exc, OSError) else None) or str(exc)
        raise ConfigError(f"{path}: tls_server_config: {wanted}: {why}") from exc
    return context


def _signature(paths: Iterable[Path]) -> Signature:
    """What tells that a file was replaced or written, None for one that is not there."""
    found: list[tuple[int, int, int] | None] = []
    for path in paths:
        try:
            status = os.stat(path)  # noqa: PTH116  at each request
        except OSError:
            found.append(None)
        else:
            found.append((status.st_ino, status.st_mtime_ns, status.st_size))
    return tuple(found)
