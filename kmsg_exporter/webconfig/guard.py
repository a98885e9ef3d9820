"""The web configuration file as it is now: read again when it, or a certificate that it names, has changed."""

from __future__ import annotations

import logging
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kmsg_exporter.errors import ConfigError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable

    from kmsg_exporter.webconfig.file import TlsFiles
    from kmsg_exporter.webconfig.password import Passwords

_log = logging.getLogger(__name__)

Signature = tuple[tuple[int, int, int] | None, ...]


@dataclass(frozen=True, slots=True)
class _Rules:
    context: ssl.SSLContext | None
    passwords: Passwords | None
    paths: tuple[Path, ...]


class Guard:
    """What `path` asks of clients. While a changed file is wrong, what was right before goes on to hold."""

    def __init__(self, path: Path) -> None:
        """Raises ConfigError."""
        self._path = path
        self._lock = threading.Lock()
        self._rules = _read(path)
        self._signature = _signature(self._rules.paths)

    def context(self) -> ssl.SSLContext | None:
        """What the next connection is shaken hands with; None for plain HTTP."""
        return self._current().context

    def allow(self, authorization: str | None) -> bool:
        """Whether a request with this Authorization header may be answered."""
        passwords = self._current().passwords
        return passwords is None or passwords.allow(authorization)

    def _current(self) -> _Rules:
        with self._lock:
            signature = _signature(self._rules.paths)
            if signature != self._signature:
                self._signature = signature
                try:
                    self._rules = _read(self._path)
                except ConfigError as exc:
                    _log.error("%s; what was there before goes on to hold", exc)
                else:
                    self._signature = _signature(self._rules.paths)
                    _log.info("%s, or a file that it names, has changed and was read again", self._path)
            return self._rules


def _read(path: Path) -> _Rules:
    try:
        from kmsg_exporter.webconfig.file import parse

        text = path.read_text(encoding="utf-8")
        config = parse(text, path)
        passwords = None
        if config.users:
            from kmsg_exporter.webconfig.password import Passwords

            passwords = Passwords(config.users)
    except ImportError as exc:
        raise ConfigError(
            f"--web.config.file needs {exc.name}, which is not installed: pip install 'kmsg-exporter[web]'"
        ) from exc
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{path}: is not UTF-8: {exc.reason}") from exc
    except OSError as exc:
        raise ConfigError(f"{path}: {exc.strerror}") from exc
    if config.tls is None:
        return _Rules(None, passwords, (path,))
    tls = config.tls
    named = [file for file in (tls.cert_file, tls.key_file, tls.client_ca_file) if file is not None]
    return _Rules(_context(tls, path), passwords, (path, *named))


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
    except OSError as exc:  # ssl.SSLError is one
        why = exc.strerror or str(exc)
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
