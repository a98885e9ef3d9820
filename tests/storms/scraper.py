"""A scraper in a loop: says of every counter series whether it ever went down or went away while its agent lived."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

_PAUSE_SECONDS = 0.2
_ANSWER_SECONDS = 60.0
_BORN = "process_start_time_seconds"


def counters(text: str) -> dict[str, float]:
    """The counter series of one answer, and when the process began, by name with labels."""
    kinds: dict[str, str] = {}
    found: dict[str, float] = {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            kinds[name] = kind
        elif not line.startswith("#"):
            series, _, value = line.rpartition(" ")
            name = series.partition("{")[0]
            if kinds.get(name) == "counter" or name == _BORN:
                found[series] = float(value)
    return found


class Scraper(threading.Thread):
    """Scrapes until it is left. `faults` names what went down or away; `slowest_seconds` is of one whole answer."""

    def __init__(self, port: int, *, scraping: bool) -> None:
        super().__init__(daemon=True)
        self._port = port
        self._headers = {"X-Prometheus-Scrape-Timeout-Seconds": "10"} if scraping else {}
        self._over = threading.Event()
        self._before: dict[str, float] = {}
        self.scrapes = 0
        self.series = 0
        self.slowest_seconds = 0.0
        self.faults: list[str] = []

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self.join()

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_ANSWER_SECONDS)
        while not self._over.wait(_PAUSE_SECONDS):
            begun = time.monotonic()
            try:
                connection.request("GET", "/metrics", headers=self._headers)
                answer = connection.getresponse()
                text = answer.read().decode()
            except (OSError, http.client.HTTPException):
                connection.close()  # killed: the next one answers soon
                continue
            self.slowest_seconds = max(self.slowest_seconds, time.monotonic() - begun)
            if answer.status == 200:
                self.compare(counters(text))
        connection.close()

    def compare(self, now: dict[str, float]) -> None:
        """Hold one answer against the one before."""
        before, self._before = self._before, now
        self.scrapes += 1
        self.series = max(self.series, len(now))
        if before.get(_BORN) != now.get(_BORN):
            return  # a new life
        self.faults += [f"{series} went away" for series in before.keys() - now.keys()]
        self.faults += [
            f"{series} fell from {before[series]:.0f} to {value:.0f}"
            for series, value in now.items()
            if value < before.get(series, value)
        ]


@contextmanager
def scraped(port: int) -> Iterator[tuple[Scraper, Scraper]]:
    """One scraper that is shown new series at zero and one that is not; afterwards neither has seen a series fall."""
    with Scraper(port, scraping=True) as prometheus, Scraper(port, scraping=False) as curl:
        yield prometheus, curl
    assert (prometheus.faults, curl.faults) == ([], [])
    assert min(prometheus.scrapes, curl.scrapes) > 0
