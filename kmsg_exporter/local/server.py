"""The agent's side of the local socket: one thread that answers one client after the other."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Self

from kmsg_exporter.errors import DecodeError, KmsgExporterError
from kmsg_exporter.local.line import ANSWER_BYTES, REQUEST_BYTES, line_of, receive, send
from kmsg_exporter.local.place import listen, remove

Answer = Callable[[Mapping[str, Any]], Any]

# To send its request, and again to take the answer: what one client can keep the others waiting is twice that.
_CLIENT_SECONDS: Final = 0.5
_log: Final = logging.getLogger(__name__)


class LocalServer:
    """Serves `answers` by name from a thread of its own: a context manager, or `start` and `stop`.

    An answer is called with the request's other members and gives what JSON can hold; a KmsgExporterError that it
    raises becomes the error that the client sees. The socket at `path`, and the directory if it has to be made, are
    for the agent's own user only.
    """

    def __init__(self, path: Path, answers: Mapping[str, Answer], *, client_seconds: float = _CLIENT_SECONDS) -> None:
        self._path = path
        self._answers = answers
        self._client_seconds = client_seconds
        self._listener: socket.socket | None = None
        self._inode = 0
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Raises AlreadyRunning when another agent listens there, KmsgExporterError when the path can't be used."""
        self._listener, self._inode = listen(self._path)
        self._stopping.clear()
        self._thread = threading.Thread(target=self._serve, args=(self._listener,), name="local", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Waits for the client that is being served, at most a little longer than it may take."""
        listener, thread = self._listener, self._thread
        if listener is None or thread is None:
            return
        self._listener = self._thread = None
        self._stopping.set()
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)  # wakes accept
        thread.join(2 * self._client_seconds + 1)
        remove(self._path, self._inode)
        listener.close()

    def _serve(self, listener: socket.socket) -> None:
        while not self._stopping.is_set():
            try:
                client, _ = listener.accept()
            except OSError as exc:  # stopped, or out of descriptors
                if self._stopping.wait(1):
                    return
                _log.warning("the local socket can't accept: %s", exc)
                continue
            with client, suppress(OSError):  # one that goes away or is slow is closed
                self._serve_one(client)

    def _serve_one(self, client: socket.socket) -> None:
        try:
            answer = self._answer(receive(client, time.monotonic() + self._client_seconds, REQUEST_BYTES))
        except DecodeError as exc:
            answer = line_of({"error": str(exc)})
        send(client, answer, time.monotonic() + self._client_seconds)

    def _answer(self, request: dict[str, Any]) -> bytes:
        name = request.pop("get", None)
        if not isinstance(name, str) or name not in self._answers:
            raise DecodeError(f"no such question: {name!r}; this agent answers: {', '.join(sorted(self._answers))}")
        try:
            answer = line_of({"ok": self._answers[name](request)})
        except KmsgExporterError as exc:
            return line_of({"error": str(exc)})
        except Exception as exc:  # noqa: BLE001 (the outermost loop of this thread: one bad answer must not end it)
            _log.warning("the local question %r could not be answered: %r", name, exc)
            return line_of({"error": f"the agent could not answer {name!r}: {type(exc).__name__}; its log says more"})
        if len(answer) > ANSWER_BYTES:
            return line_of({"error": f"the answer is {len(answer)} bytes, more than {ANSWER_BYTES}: ask for less"})
        return answer
