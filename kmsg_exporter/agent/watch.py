"""The loop that watches: trace records and looks at the log become totals, events and an observation."""

from __future__ import annotations

import gc
import logging
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from kmsg_exporter.agent.hits import Hits
from kmsg_exporter.agent.inhand import InHand
from kmsg_exporter.agent.narrator import narrate_clears
from kmsg_exporter.agent.pace import Pace
from kmsg_exporter.agent.story import Storyteller
from kmsg_exporter.agent.tally import Tally
from kmsg_exporter.agent.teller import Told
from kmsg_exporter.clock import boot_ns, unix_ns
from kmsg_exporter.errors import KmsgExporterError
from kmsg_exporter.metrics.totals import Totals
from kmsg_exporter.model import SOURCES, Access, Actor, Observation, PushState, RingState
from kmsg_exporter.probes.backend import Backend
from kmsg_exporter.process.actor import Resolver
from kmsg_exporter.process.readers import ReaderScan
from kmsg_exporter.process.recorder import FlightRecorder
from kmsg_exporter.ring.look import Look, Ring
from kmsg_exporter.settle import Settlement, Settler

_log = logging.getLogger(__name__)

TICK_SECONDS = 1.0
_HEALTH_SECONDS = 5.0
_OBSERVE_SECONDS = 5.0  # where nobody scrapes: what is observed takes longer than all else that an idle agent does
_REFRESH_SECONDS = 0.1  # scrapes closer to each other than this share what is costly to find out
_STORM_REFRESH_SECONDS = 0.5
_FAILED_SECONDS = 0.01
_SCAN_SECONDS = 0.005
_BLIND = Look(RingState(), jumped=False)


class Watch:
    """Owns no part it is given: whoever made them closes them. `run` is to be called by the thread `own_tid`.

    `tell` stores an emptying; `in_hand` numbers them for who comes after an agent that is killed. `reattach` gives a
    backend and recorder afresh, or None when that is not possible yet; `improve` gives better ones, or None when there
    are none. `alive` is called after each round that went well.
    """

    def __init__(
        self,
        *,
        backend: Backend,
        recorder: FlightRecorder | None,
        ring: Ring | None,
        totals: Totals,
        resolver: Resolver,
        tally: Tally,
        teller: Storyteller | None,
        scan: ReaderScan,
        tell: Callable[[Told], None],
        in_hand: InHand,
        push_state: Callable[[], PushState | None],
        reattach: Callable[[], tuple[Backend, FlightRecorder | None] | None],
        improve: Callable[[], tuple[Backend, FlightRecorder | None] | None],
        alive: Callable[[], None],
        started_ns: int,
    ) -> None:
        self._backend = backend
        self._recorder = recorder
        self._ring = ring
        self._totals = totals
        self._resolver = resolver
        self._tally = tally
        self._teller = teller
        self._scan = scan
        self._tell = tell
        self._in_hand = in_hand
        self._push_state = push_state
        self._reattach = reattach
        self._improve = improve
        self._alive = alive
        self._settler = Settler(started_ns=started_ns, doubtful=in_hand.left.unkept)
        self._looked_ns = 0  # the first look compares with an earlier life, or with the boot
        self._intact = True
        self._lost_before = 0
        self._hits = Hits()
        self._untold: deque[Callable[[], None]] = deque()
        # no Event: a signal may come while its lock is held, and its handler would wait for itself
        self._stopping = False
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._served = threading.Condition()
        self._wanted = 0
        self._done = 0
        self._refreshed = 0.0
        self._next_tick = 0.0
        self._next_observation = 0.0
        self._next_health = time.monotonic() + _HEALTH_SECONDS
        self.observation = Observation(backend.name, ready=False, attributions_total=dict.fromkeys(SOURCES, 0))

    def stop(self) -> None:
        """End `run` soon; may be called from a signal handler and from any thread."""
        self._stopping = True
        os.eventfd_write(self._wake, 1)

    def close(self) -> None:
        os.close(self._wake)

    def refresh(self, timeout_seconds: float = 0.08) -> None:
        """Have `observation` and the totals brought up to date, by the loop's own thread; for a scrape."""
        if self._stopping:
            return
        with self._served:
            self._wanted += 1
            wanted = self._wanted
            os.eventfd_write(self._wake, 1)
            self._served.wait_for(lambda: self._done >= wanted, timeout_seconds)

    def run(self) -> None:
        """Until `stop`. A round that fails is logged and counted, and the loop goes on."""
        poll = self._poller()
        self.round(full=True)
        self.tell()
        gc.freeze()  # what is here now stays: a collection does not have to look at it while somebody is to be named
        pace = Pace()
        postponed = False
        while not self._stopping:
            now = time.monotonic()
            resting = pace.is_resting(now)
            if resting:
                asked = self._is_asked(min(pace.rest_until, self._next_tick) - now)
            else:
                # what a round has read and left for the next one wakes nobody
                wait = 0.0 if self._backend.behind() else max(0.0, self._next_tick - now)
                asked = self._wake in {fd for fd, _ in poll.poll(wait * 1000)}
            if asked:
                os.eventfd_read(self._wake)
            old = time.monotonic() - self._refreshed > (_STORM_REFRESH_SECONDS if resting else _REFRESH_SECONDS)
            full = self._is_due() or (asked and old)
            if resting and not full:
                self._serve(self._wanted)  # what was seen a moment ago is good enough
                continue
            if not pace.lets_begin(time.monotonic(), forced=asked or full):
                continue
            begun = time.thread_time()
            self._guarded_round(full=full)
            # a scrape does not wait for the disk, and the disk waits for one scrape at most
            postponed = bool(self._untold) and self._wanted != self._done and not postponed
            if not postponed:
                self.tell()
            worked = time.thread_time() - begun
            now = time.monotonic()
            pace.ended(now, worked, resting=resting, asked=asked)
            if now >= self._next_health:
                self._next_health = now + _HEALTH_SECONDS
                self.tell()  # with the recorder that heard it
                self._guarded_health()
                poll = self._poller()  # a CPU may have come online that never was
        self._guarded_round(full=False)  # what came while it was told to stop
        self.tell()

    def round(self, *, full: bool) -> None:
        """Take what was recorded and look at the log; with `full` also what is only counted and observed."""
        wanted = self._wanted
        self._resolver.begin()
        calls = self._backend.drain(bulk=full)
        # a look tells something new at every tick, and when somebody may have cleared
        if full or any(call.interface == "syslog" for call in calls):
            first = self._looked_ns == 0  # so that the first scrape has all there is
            look = self._look(count_records=first or wanted != self._done)
            if look.jumped:
                # its call may have been recorded after the drain and before the look
                calls = sorted([*calls, *self._backend.drain(bulk=False)], key=lambda call: call.time_ns)
            if self._recorder is not None and any(call.interface == "syslog" for call in calls):
                self._recorder.refresh()
            settlement = self._settler.settle(
                calls, look, printed=self._printed, clear_pending=self._backend.clear_pending()
            )
            if first and settlement.jump is None and not self._backend.clear_pending():
                self._in_hand.keep_all()  # whatever an earlier life had in hand, it hid nothing
            self._count(settlement, look)
            self._looked_ns = boot_ns()
            self._show(look.state)
        self._tally.others(calls)
        if full:
            self._tally.counted(self._backend.counted())
            if self._scan.due():
                self._scan.step(_SCAN_SECONDS)
            if wanted != self._done or time.monotonic() >= self._next_observation:
                self._observe()
            self._next_tick = time.monotonic() + TICK_SECONDS
            self._refreshed = time.monotonic()
        self._serve(wanted)

    def tell(self) -> None:
        """Log and store what the rounds so far have counted."""
        while self._untold:
            try:
                self._untold.popleft()()
            except Exception:  # noqa: BLE001  the agent's outermost loop
                _log.exception("an emptying could not be told")

    def _guarded_round(self, *, full: bool) -> None:
        try:
            self.round(full=full)
            self._alive()
        except Exception:  # noqa: BLE001  the agent's outermost loop
            _log.exception("a round of watching failed; the next one is tried")
            self._next_tick = time.monotonic() + TICK_SECONDS
            time.sleep(_FAILED_SECONDS)

    def _is_asked(self, seconds: float) -> bool:
        """Whether somebody asks for something, or for the end, within this time."""
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        return bool(poll.poll(max(0.0, seconds) * 1000))

    def _serve(self, wanted: int) -> None:
        """Let those go on who wait for a round that began after they asked."""
        with self._served:
            self._done = wanted
            self._served.notify_all()

    def _is_due(self) -> bool:
        return time.monotonic() >= self._next_tick

    def _poller(self) -> select.poll:
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        if self._intact:
            for fd in self._backend.fds():
                poll.register(fd, select.POLLIN)
        return poll

    def _look(self, *, count_records: bool) -> Look:
        if self._ring is None:
            return _BLIND
        try:
            return self._ring.look(count_records=count_records)
        except (KmsgExporterError, OSError) as exc:
            _log.warning("the log could not be looked at: %s", exc)
            return _BLIND

    def _printed(self, after_ns: int, until_ns: int) -> int:
        return 0 if self._recorder is None else self._recorder.printed(after_ns, until_ns)

    def _count(self, settlement: Settlement, look: Look) -> None:
        """Count the clears and emptyings of a round; what is to be told of them waits for `tell`."""
        actors = self._tally.clears(settlement)
        now_ns = boot_ns()
        for call in settlement.emptied:
            self._totals.emptied(unix_ns(call.time_ns) / 1e9)
        if settlement.unattributed:
            self._totals.unattributed_clear()
            self._totals.emptied(unix_ns(now_ns) / 1e9)
        if settlement.effective or settlement.unattributed:
            narrate = partial(self._narrate, settlement, look, actors, since_ns=self._looked_ns, now_ns=now_ns)
            if (settlement.emptied or settlement.unattributed) and self._teller is not None:
                narrate = partial(narrate, number=self._in_hand.see())
            self._untold.append(narrate)

    def _narrate(
        self,
        settlement: Settlement,
        look: Look,
        actors: Mapping[Access, Actor],
        *,
        since_ns: int,
        now_ns: int,
        number: int | None = None,
    ) -> None:
        """`number` is that of its emptying, None where there is none to be told."""
        narrate_clears((call for call in settlement.effective if call not in settlement.emptied), actors)
        if number is not None and self._teller is not None:
            last_ns = settlement.emptied[-1].time_ns if settlement.emptied else now_ns
            actor = actors[settlement.emptied[0]] if settlement.emptied else None
            emptying = self._teller.tell(
                settlement,
                actors,
                time_unix_ns=unix_ns(last_ns),
                time_ns=last_ns,
                since_unix_ns=unix_ns(since_ns),
                expected=actor is not None and self._tally.is_expected(actor),
            )
            self._tell(Told(emptying, look.visible_from, number))

    def _show(self, state: RingState) -> None:
        """Publish the log's state; the number of records, and their size, are not brought up to date by every look."""
        if state.records_total is None:
            known = self.observation.ring
            state = replace(state, records_total=known.records_total, used_bytes=known.used_bytes)
        self.observation = replace(self.observation, ring=state)

    def _observe(self) -> None:
        self._next_observation = time.monotonic() + _OBSERVE_SECONDS
        self.observation = replace(
            self.observation,
            backend=self._backend.name,
            ready=self._intact,
            readers=self._scan.readers,
            probes=self._hits.go_on(self._backend.probes()),
            trace_lost_events_total=self._lost_before + self._backend.lost_events(),
            attributions_total=dict.fromkeys(SOURCES, 0) | self._resolver.attributions,
            push=self._push_state(),
        )

    def _guarded_health(self) -> None:
        try:
            self._check_health()
        except Exception:  # noqa: BLE001  the agent's outermost loop
            _log.exception("what is attached could not be checked; it is tried again")

    def _check_health(self) -> None:
        """Attach again what somebody took away, or something better."""
        intact = self._backend.intact()
        if not intact:
            if self._intact:
                _log.error("somebody took away what the %s backend had attached; trying again", self._backend.name)
            self._intact = False
            probes = self._hits.go_on(self._backend.probes())
            self.observation = replace(self.observation, ready=False, probes=probes)
        fresh = self._improve() if intact else self._reattach()
        if fresh is None:
            self._intact = intact
            return
        self._lost_before += self._backend.lost_events()
        self._backend, self._recorder = fresh
        self._resolver.use(self._recorder)
        if self._teller is not None:
            self._teller.use(self._recorder)
        self._intact = True
        self._next_observation = 0.0
        _log.info("the %s backend is attached now", self._backend.name)
