"""Born at zero: what each scraper has met already, so that a new series starts at 0 for it, once.

A scraper is remembered as one number, the *mark*: the highest birth that was there at its last scrape.
It sees 0 for series born after its mark and the truth for all others, and its mark then moves up.
No reader sees a series fall, because whoever might be a scraper met before gets a mark at least as high as its own:

    the same connection                 its own mark
    a new one, from an address          the highest mark of all connections that address has closed; which of
      that closed others                several scrapers behind it this one is can't be told
    nobody met before                   within the first minutes of the agent's life the highest mark that was
                                        forgotten (0 as a rule), later everything there is
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_SCRAPERS: Final = 64
NEWCOMER_SECONDS: Final = 300.0


class Scrapers:
    """Marks of at most `max_scrapers` connections and as many addresses; those met least recently are let go.

    A connection that is let go lives on in its address's mark, an address in the mark that newcomers start from.
    """

    def __init__(
        self,
        *,
        max_scrapers: int = MAX_SCRAPERS,
        newcomer_seconds: float = NEWCOMER_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_scrapers = max_scrapers
        self._clock = clock
        self._newcomers_until = clock() + newcomer_seconds
        self._lock = threading.Lock()
        self._connections: OrderedDict[int, tuple[str, int]] = OrderedDict()
        self._addresses: OrderedDict[str, int] = OrderedDict()
        self._forgotten_mark = 0

    def meet(self, connection: int, address: str, births: int) -> int:
        """The mark of whoever scrapes over `connection`: series born after it are to be shown at 0.

        `births` is the highest birth in what is shown, and becomes the connection's mark.
        """
        with self._lock:
            mark = self._mark(connection, address, births)
            self._connections[connection] = (address, max(mark, births))
            self._connections.move_to_end(connection)
            self._let_go()
            return mark

    def missed(self, connection: int, mark: int) -> None:
        """The answer did not get through: the next one starts from `mark` again."""
        with self._lock:
            known = self._connections.get(connection)
            if known is not None:
                self._connections[connection] = (known[0], mark)

    def closed(self, connection: int) -> None:
        """The connection is no more; one that never scraped is nobody's."""
        with self._lock:
            known = self._connections.pop(connection, None)
            if known is not None:
                self._remember(*known)
                self._let_go()

    def _mark(self, connection: int, address: str, births: int) -> int:
        known = self._connections.get(connection)
        if known is not None:
            return known[1]
        if address in self._addresses:
            return self._addresses[address]
        return self._forgotten_mark if self._clock() < self._newcomers_until else births

    def _remember(self, address: str, mark: int) -> None:
        self._addresses[address] = max(mark, self._addresses.get(address, 0))
        self._addresses.move_to_end(address)

    def _let_go(self) -> None:
        if len(self._connections) > self._max_scrapers:
            _, known = self._connections.popitem(last=False)
            self._remember(*known)
        if len(self._addresses) > self._max_scrapers:
            _, mark = self._addresses.popitem(last=False)
            self._forgotten_mark = max(mark, self._forgotten_mark)
