"""The sender: a thread that brings what waits in the spool to the collector, and keeps trying."""

from __future__ import annotations

import json
import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from kmsg_exporter.errors import PushError, SpoolError
from kmsg_exporter.model import PushState
from kmsg_exporter.push import spread
from kmsg_exporter.push.culprit import Culprit
from kmsg_exporter.push.delivery import Delivery
from kmsg_exporter.push.endpoint import Endpoint
from kmsg_exporter.push.fault import REASONS, REFUSALS
from kmsg_exporter.push.otlp import Json
from kmsg_exporter.push.resource import Resource
from kmsg_exporter.push.spool import Spool, StoredEvent

if TYPE_CHECKING:
    import tenacity

_log = logging.getLogger(__name__)

_GATHER_SECONDS: Final = 0.004  # what happens in one moment goes in one request, and a scrape of that moment goes first
_PREPARE_SECONDS: Final = 1.0  # what starts goes first
_SETTLE_SECONDS: Final = 30.0
_NEVER: Final = float("inf")


class Sender:
    """Sends at once what is new, and again what failed: with backoff, or slowly where trying again soon is no use.

    With no endpoint it does nothing, and events stay in the spool as the node's history. An event that the collector
    refuses for what is in it (see Culprit) is passed over, tried alone from time to time and set aside in the end;
    those that were set aside are tried once more after each start and each `use`.
    """

    def __init__(
        self,
        spool: Spool,
        endpoint: Endpoint | None,
        resource: Resource,
        *,
        boot_id: str = "",
        hello_interval_seconds: float = 0.0,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
        rng: random.Random | None = None,
        connect: Callable[[Endpoint, Resource], Delivery] = Delivery,
    ) -> None:
        """`sleep` must return early when the sender stops or is given another endpoint; the default does.

        `clock` gives Unix seconds, `monotonic` seconds that never step.
        """
        self._spool = spool
        self._resource = resource
        self._connect = connect
        self._boot_id = boot_id
        self._clock = clock
        self._monotonic = monotonic
        self._rng = rng or random.Random()  # noqa: S311  no secret: it spreads retries
        self._stopping = threading.Event()
        self._urgent = threading.Event()  # ends the wait for another try
        self._sleep = sleep or self._urgent.wait
        self._woken = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._counts = PushState(failures_total=dict.fromkeys((*REASONS, "spool", "internal"), 0))
        self._next: tuple[Endpoint | None, float] | None = (endpoint, hello_interval_seconds)
        self._delivery: Delivery | None = None
        self._take_over()

    def start(self) -> None:
        """Begin with what an earlier run left."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="push", daemon=True)
            self._thread.start()

    def wake(self) -> None:
        """Something new is in the spool. Sent at once (see _GATHER_SECONDS), unless a failure is being waited out."""
        self._woken.set()
        delivery = self._delivery
        if delivery is not None:
            delivery.cut()

    def use(self, endpoint: Endpoint | None, *, hello_interval_seconds: float = 0.0) -> None:
        """From the next request on send there, and try at once what failed or was refused. From any thread."""
        with self._lock:
            self._next = (endpoint, hello_interval_seconds)
            self._urgent.set()
            self._woken.set()

    def stop(self, timeout: float) -> bool:
        """End the thread; False when a request was still under way after `timeout` seconds. What waits is kept."""
        with self._lock:
            self._stopping.set()
            self._urgent.set()
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

    @property
    def destination(self) -> str | None:
        """The address that events go to, without what may be a secret in it; None when they stay here."""
        return None if self._delivery is None else str(self._delivery.endpoint)

    @property
    def page(self) -> str | None:
        """The address of the collector's pages, with a slash at its end; None when it has named none yet."""
        return None if self._delivery is None else self._delivery.page

    @property
    def failing(self) -> tuple[str, ...]:
        """Why the push fails now, in the words of the metric; empty when it works."""
        return tuple(sorted(self._failing))

    def _take_over(self) -> None:
        """The endpoint that is to be used from now on."""
        with self._lock:
            if self._next is None:
                return
            (endpoint, self._hello_seconds), self._next = self._next, None
            if not self._stopping.is_set():
                self._urgent.clear()
        self._delivery = self._connect(endpoint, self._resource) if endpoint else None
        self._culprit = Culprit()
        self._chances = deque(self._spool.set_aside_uids() if endpoint else ())
        self._probe_at = self._monotonic()
        self._prepare_at = self._monotonic() + _PREPARE_SECONDS if endpoint else _NEVER
        self._hello_at = _NEVER
        if endpoint and self._hello_seconds:
            self._hello_at = self._monotonic() + spread.hello_seconds(self._hello_seconds, self._rng, first=True)
        self._failing: frozenset[str] = frozenset()  # the reasons that the log has named since the last success
        self._backlog = False
        self._reached = False

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._woken.clear()
            try:
                self._take_over()
                if self._delivery is not None:
                    self._work(self._delivery)
                if not self._spool.durable:
                    self._spool.settle()
            except PushError:  # stopped, or given another endpoint, while it failed
                continue
            except SpoolError:  # closed: the agent is going
                return
            except Exception:  # noqa: BLE001  the thread's outermost loop: it must not die silently
                _log.exception("the sender failed in a way it does not know; it goes on")
                self._count_failure("internal")
                self._sleep(spread.SLOW_RETRY_SECONDS)
                continue
            finally:
                if self._delivery is not None:
                    self._delivery.close()
            if self._woken.wait(self._idle_seconds()):
                self._stopping.wait(_GATHER_SECONDS)

    def _idle_seconds(self) -> float | None:
        """Until there is something to do without being woken; None: nothing is."""
        probe_at = self._probe_at if self._delivery is not None and self._to_probe() else _NEVER
        wait = max(0.0, min(self._prepare_at, self._hello_at, probe_at) - self._monotonic())
        if not self._spool.durable:
            wait = min(wait, _SETTLE_SECONDS)
        return None if wait == _NEVER else wait

    def _work(self, delivery: Delivery) -> None:
        """Until nothing is due. Raises PushError when stopped, or given another endpoint, while failing."""
        while not self._urgent.is_set():
            if self._waits():
                step = self._send_batch
            elif self._to_probe() and self._monotonic() >= self._probe_at:
                step = self._send_probe
            else:
                if self._monotonic() >= self._prepare_at:
                    self._prepare(delivery)
                if self._monotonic() < self._hello_at or self._woken.is_set():
                    return
                self._say_hello(delivery)
                continue
            if self._backlog and step == self._send_batch:
                self._sleep(spread.backlog_seconds(self._rng))
            self._retrying()(step, delivery)

    def _prepare(self, delivery: Delivery) -> None:
        """While there is time: load what the first event would else wait for."""
        self._prepare_at = _NEVER
        self._retrying()
        delivery.prepare()

    def _retrying(self) -> tenacity.Retrying:
        import tenacity

        return tenacity.Retrying(
            sleep=self._pause,
            wait=self._backoff,
            retry=tenacity.retry_if_exception_type(PushError),
            stop=tenacity.stop_when_event_set(self._urgent),
            reraise=True,
        )

    def _pause(self, seconds: float) -> None:
        self._sleep(seconds)

    def _backoff(self, attempt: tenacity.RetryCallState) -> float:
        error = attempt.outcome.exception() if attempt.outcome else None
        if not isinstance(error, PushError):
            return 0.0
        if error.suspicious and not error.retriable:
            return spread.refused_seconds(self._culprit.refusals, self._rng)
        asked = error.retry_after_seconds
        return spread.retry_seconds(attempt.attempt_number, self._rng, soon=error.retriable, asked=asked)

    def _waits(self) -> bool:
        """There are events that nothing is held against."""
        if self._culprit.suspects and self._spool.state.queue_events <= len(self._culprit.suspects):
            self._forget_the_gone()
        return self._spool.state.queue_events > len(self._culprit.suspects)

    def _to_probe(self) -> bool:
        return bool(self._culprit.suspects or self._chances)

    def _send_batch(self, delivery: Delivery) -> None:
        if self._urgent.is_set() or not self._waits():
            return
        batch = self._spool.unsent(self._culprit.limit, without=self._culprit.suspects)
        try:
            if not batch:
                raise PushError(f"{self._spool.path} can't be read", reason="spool", retriable=True)
            self._post(delivery, batch)
        except PushError as exc:
            self._failed(exc)
            if exc.suspicious:
                at_once = self._culprit.refused([event.uid for event in batch])
                self._probe_later(exc)
                if at_once and not exc.retriable:
                    return
            self._backlog = True
            raise
        else:
            self._backlog = self._backlog and self._waits()

    def _send_probe(self, delivery: Delivery) -> None:
        """One event alone that was refused before, with nothing else at stake."""
        if self._urgent.is_set() or not self._to_probe():
            return
        uid = self._culprit.suspects[0] if self._culprit.suspects else self._chances[0]
        event = self._spool.find(uid)
        if event is None or event.sent_unix is not None:
            self._forget(uid)
            return
        try:
            self._post(delivery, [event])
        except PushError as exc:
            if not exc.suspicious:
                self._failed(exc)
                raise
            self._count_failure(exc.reason)  # what is to be said of it is said when it is set aside
            if uid in self._culprit.suspects:
                self._culprit.refused([uid])
            else:
                self._forget(uid)
            self._probe_later(exc)
        else:
            self._forget(uid)
            self._probe_at = self._monotonic() + spread.backlog_seconds(self._rng)

    def _probe_later(self, error: PushError) -> None:
        wait = spread.probe_seconds(self._culprit.refusals, self._rng, soon=error.retriable)
        self._probe_at = self._monotonic() + wait

    def _forget(self, uid: str) -> None:
        self._culprit.forget(uid)
        if self._chances and self._chances[0] == uid:
            self._chances.popleft()

    def _forget_the_gone(self) -> None:
        """Suspects that went to make room."""
        for uid in self._culprit.suspects:
            if self._spool.find(uid) is None:
                self._culprit.forget(uid)

    def _post(self, delivery: Delivery, batch: list[StoredEvent]) -> None:
        records = self._records(batch)
        if not records:
            return
        self._counts = replace(self._counts, attempts_total=self._counts.attempts_total + 1)
        rejected = delivery.post(list(records.values()))
        uids = list(records)
        self._spool.mark_sent(set(uids), self._clock())
        self._counts = replace(
            self._counts,
            sent_total=self._counts.sent_total + len(uids) - rejected,
            rejected_total=self._counts.rejected_total + rejected,
        )
        if rejected:
            _log.error("the collector rejected %d of %d events for good: its log says why", rejected, len(uids))
        for uid in self._culprit.accepted(uids):
            if self._spool.find(uid) is None:  # it went to make room, and is counted for that
                continue
            self._spool.set_aside(uid)
            _log.error(
                "the collector refuses event %s and takes others: it is set aside, stays in this node's history and "
                "is tried once more at the next start or reload; the collector's log says what is wrong with it",
                uid,
            )
        self._succeeded(delivery, mended=self._failing)

    def _records(self, batch: list[StoredEvent]) -> dict[str, Json]:
        """The events as they were stored, by uid. One that the disk has damaged is set aside: the others go on."""
        records: dict[str, Json] = {}
        for event in batch:
            try:
                records[event.uid] = json.loads(event.record)
            except ValueError:
                self._culprit.forget(event.uid)
                if not event.aside:
                    self._spool.set_aside(event.uid)
                    _log.error("event %s is damaged in %s and can't be sent: set aside", event.uid, self._spool.path)
        return records

    def _say_hello(self, delivery: Delivery) -> None:
        """An event that comes meanwhile cuts it off: a hello delays nothing, and the next one is soon enough."""
        self._hello_at = self._monotonic() + spread.hello_seconds(self._hello_seconds, self._rng, first=False)
        self._counts = replace(self._counts, attempts_total=self._counts.attempts_total + 1)
        try:
            sequence = self._spool.last_sequence
            delivery.hello(sequence=sequence, boot_id=self._boot_id, unwanted=self._woken.is_set)
        except PushError as exc:
            if not self._woken.is_set():
                self._failed(exc)
        else:
            refuses_events = REFUSALS if self._culprit.suspects else frozenset()
            self._succeeded(delivery, mended=self._failing - refuses_events)
        finally:
            delivery.close()

    def _succeeded(self, delivery: Delivery, *, mended: frozenset[str]) -> None:
        """`mended`: the reasons that a failure may have again, and be named in the log for it."""
        self._counts = replace(self._counts, last_success_timestamp_seconds=self._clock())
        failing = self._failing - mended
        if self._failing and not failing:
            _log.info("the push to %s works again", delivery.endpoint)
        elif not self._reached and not failing:
            _log.info("%s can be reached", delivery.endpoint.name or f"the collector at {delivery.endpoint}")
        self._failing = failing
        self._reached = True

    def _failed(self, error: PushError) -> None:
        self._count_failure(error.reason)
        if error.reason not in self._failing:
            self._failing |= {error.reason}
            _log.warning("%s; %d events wait in %s", error, self._spool.state.queue_events, self._spool.path)

    def _count_failure(self, reason: str) -> None:
        failures = self._counts.failures_total
        self._counts = replace(self._counts, failures_total={**failures, reason: failures.get(reason, 0) + 1})
