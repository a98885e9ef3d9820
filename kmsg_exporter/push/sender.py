"""The sender: a thread that brings what waits in the spool to the collector, and keeps trying."""

from __future__ import annotations

import json
import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from kmsg_exporter.errors import PushError, SpoolError
from kmsg_exporter.model import PushState
from kmsg_exporter.push.delivery import Delivery
from kmsg_exporter.push.endpoint import Endpoint
from kmsg_exporter.push.fault import REASONS
from kmsg_exporter.push.resource import Resource
from kmsg_exporter.push.spool import Spool

if TYPE_CHECKING:
    import tenacity

_log = logging.getLogger(__name__)

FIRST_RETRY_SECONDS: Final = 5.0
RETRY_GROWTH: Final = 1.5
MAX_RETRY_SECONDS: Final = 30.0
SLOW_RETRY_SECONDS: Final = 300.0
_GATHER_SECONDS: Final = 0.01  # what happens in one moment goes in one request, and a scrape of that moment goes first


class Sender:
    """Sends at once what is new, and again what failed: with backoff, or slowly where trying again soon is no use.

    With no endpoint it does nothing, and events stay in the spool as the node's history.
    """

    def __init__(
        self,
        spool: Spool,
        endpoint: Endpoint | None,
        resource: Resource,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], object] | None = None,
        rng: random.Random | None = None,
        slow_retry_seconds: float = SLOW_RETRY_SECONDS,
    ) -> None:
        """`sleep` must return early when the sender stops; the default does. `clock` gives Unix seconds."""
        self._spool = spool
        self._endpoint = endpoint
        self._delivery = Delivery(endpoint, resource, clock=clock) if endpoint else None
        self._clock = clock
        self._rng = rng or random.Random()  # noqa: S311  no secret: it spreads retries
        self._slow_retry_seconds = slow_retry_seconds
        self._stopping = threading.Event()
        self._sleep = sleep or self._stopping.wait
        self._woken = threading.Event()
        self._thread: threading.Thread | None = None
        self._failing: str | None = None
        self._counts = PushState(failures_total=dict.fromkeys((*REASONS, "spool", "internal"), 0))

    def start(self) -> None:
        """Begin with what an earlier run left."""
        if self._delivery is not None and self._thread is None:
            self._thread = threading.Thread(target=self._run, args=(self._delivery,), name="push", daemon=True)
            self._thread.start()

    def wake(self) -> None:
        """Something new is in the spool. Sent at once (see _GATHER_SECONDS), unless a failure is being waited out."""
        self._woken.set()

    def stop(self, timeout: float) -> bool:
        """End the thread; False when a request was still under way after `timeout` seconds. What waits is kept."""
        self._stopping.set()
        self._woken.set()
        if self._thread is None:
            return True
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def state(self) -> PushState | None:
        """The queue and the sender in numbers; None when nothing is to be sent from this node."""
        if self._delivery is None:
            return None
        queue = self._spool.state
        return replace(
            self._counts,
            queue_events=queue.queue_events,
            queue_oldest_timestamp_seconds=queue.queue_oldest_unix,
            dropped_total=dict(queue.dropped_total),
        )

    def _run(self, delivery: Delivery) -> None:
        while not self._stopping.is_set():
            self._woken.clear()
            try:
                self._drain(delivery)
            except PushError:
                self._sleep(self._slow_retry_seconds)
                continue
            except SpoolError:  # closed: the agent is going
                return
            except Exception:  # noqa: BLE001  the thread's outermost loop: it must not die silently
                _log.exception("the sender failed in a way it does not know; it goes on")
                self._count_failure("internal")
                self._sleep(self._slow_retry_seconds)
                continue
            finally:
                delivery.close()
            self._woken.wait()
            self._stopping.wait(_GATHER_SECONDS)

    def _drain(self, delivery: Delivery) -> None:
        """Until nothing waits. Raises PushError when trying again soon is no use, or when stopped while failing."""
        if not self._spool.state.queue_events:
            return
        import tenacity

        retrying = tenacity.Retrying(
            sleep=self._pause,
            wait=self._backoff,
            retry=tenacity.retry_if_exception(lambda exc: isinstance(exc, PushError) and exc.retriable),
            stop=tenacity.stop_when_event_set(self._stopping),
            reraise=True,
        )
        while self._spool.state.queue_events and not self._stopping.is_set():
            retrying(self._send_batch, delivery)

    def _backoff(self, attempt: tenacity.RetryCallState) -> float:
        """What the collector asked for, and full jitter on top: all that it told the same come back spread."""
        import tenacity

        error = attempt.outcome.exception() if attempt.outcome else None
        asked = error.retry_after_seconds if isinstance(error, PushError) else None
        ceiling = tenacity.wait_exponential(FIRST_RETRY_SECONDS, exp_base=RETRY_GROWTH, max=MAX_RETRY_SECONDS)(attempt)
        return (asked or 0.0) + self._rng.uniform(0.0, ceiling)

    def _pause(self, seconds: float) -> None:
        self._sleep(seconds)

    def _send_batch(self, delivery: Delivery) -> None:
        if self._stopping.is_set():
            return
        batch = self._spool.unsent()
        self._counts = replace(self._counts, attempts_total=self._counts.attempts_total + 1)
        try:
            if not batch:
                raise PushError(f"{self._spool.path} can't be read", reason="spool", retriable=True)
            rejected = delivery.post([json.loads(event.record) for event in batch])
        except PushError as exc:
            self._count_failure(exc.reason)
            if self._failing != exc.reason:
                self._failing = exc.reason
                _log.warning("%s; %d events wait in %s", exc, self._spool.state.queue_events, self._spool.path)
            raise
        now = self._clock()
        self._spool.mark_sent({event.uid for event in batch}, now)
        self._counts = replace(
            self._counts,
            sent_total=self._counts.sent_total + len(batch) - rejected,
            rejected_total=self._counts.rejected_total + rejected,
            last_success_timestamp_seconds=now,
        )
        if rejected:
            _log.error("the collector rejected %d of %d events for good: its log says why", rejected, len(batch))
        if self._failing is not None:
            _log.info("the push to %s works again", self._endpoint)
            self._failing = None

    def _count_failure(self, reason: str) -> None:
        failures = self._counts.failures_total
        self._counts = replace(self._counts, failures_total={**failures, reason: failures.get(reason, 0) + 1})
