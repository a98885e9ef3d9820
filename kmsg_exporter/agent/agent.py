"""One agent: every part made in order, run, and taken away in the opposite order."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import asdict, replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from kmsg_exporter import __version__
from kmsg_exporter.agent import destination, place
from kmsg_exporter.agent.face import Face
from kmsg_exporter.agent.inhand import InHand
from kmsg_exporter.agent.keeping import Keeper, store_left
from kmsg_exporter.agent.notify import Notifier
from kmsg_exporter.agent.reload import Reloader
from kmsg_exporter.agent.snapshot import snapshot
from kmsg_exporter.agent.story import Storyteller
from kmsg_exporter.agent.tally import Tally
from kmsg_exporter.agent.teller import Teller
from kmsg_exporter.agent.watch import Watch
from kmsg_exporter.clock import boot_id, boot_ns
from kmsg_exporter.config import Config
from kmsg_exporter.coverage import unseen
from kmsg_exporter.errors import KmsgExporterError, RingUnavailable, TracefsNotMounted
from kmsg_exporter.local import Answer, LocalServer
from kmsg_exporter.metrics.totals import Totals
from kmsg_exporter.metrics.web import WebServer
from kmsg_exporter.model import Observation
from kmsg_exporter.probes import plan
from kmsg_exporter.probes.backend import Backend
from kmsg_exporter.process.actor import Resolver
from kmsg_exporter.process.readers import ReaderScan
from kmsg_exporter.process.recorder import FlightRecorder
from kmsg_exporter.push.draft import Draft
from kmsg_exporter.push.endpoint import Endpoint
from kmsg_exporter.push.identity import RingPosition
from kmsg_exporter.push.resource import Resource
from kmsg_exporter.push.sample import most
from kmsg_exporter.push.sender import Sender
from kmsg_exporter.push.spool import Spool
from kmsg_exporter.push.witness import Witness
from kmsg_exporter.ring.devkmsg import DevKmsg
from kmsg_exporter.ring.look import Ring
from kmsg_exporter.ring.syslog import SyslogRing, buffer_bytes
from kmsg_exporter.tracefs.handover import is_wanted
from kmsg_exporter.webconfig import Guard

if TYPE_CHECKING:
    from kmsg_exporter.collector.server import CollectorServer

_log = logging.getLogger("kmsg_exporter")

SPOOL_NAME = "spool.sqlite3"
SOCKET_NAME = place.SOCKET_NAME
WITNESS_NAME = "spool.witness"
DRAFT_NAME = "spool.draft"
IN_HAND_NAME = "in-hand"
_SENDER_STOP_SECONDS = 1.0


class Agent:
    """A context manager: entered, it watches as soon as `run` is called by the same thread; left, nothing remains.

    Entering raises AlreadyRunning, NotPermitted, TracefsError (a backend that was asked for by name can't be had),
    ConfigError and CollectorError.
    """

    def __init__(
        self,
        config: Config,
        environ: Mapping[str, str],
        *,
        read_config: Callable[[], Config] | None = None,
        position: RingPosition | None = None,
        gives_way: bool = False,
    ) -> None:
        """`read_config` reads the configuration again; without it `reload` only reads the secrets again.

        `position` is where the log stood when somebody last looked, where the state directory does not know. Who
        `gives_way` is to be stopped when it `is_wanted`: another agent waits for this node.
        """
        self.config = config
        self._environ = environ
        self._read_config = read_config or (lambda: config)
        self._position = position
        self._gives_way = gives_way
        self._offered: int | None = None
        self.answers: Mapping[str, Answer] = {}  # to questions of commands, by name
        self._notifier = Notifier(environ)
        self._stack = ExitStack()
        self._collector: CollectorServer | None = None
        self._watch: Watch | None = None
        self._reloader: Reloader | None = None
        self._reload_asked = False
        self._stop_asked = False
        self._keep = False

    def __enter__(self) -> Self:
        place.require_privileges(self.config)
        with ExitStack() as stack:
            self._build(stack)
            # not before: an agent that can't start leaves nothing. Nor later: it says that it is ready, and may be
            # told to stop before it runs
            self._keep = self.config.trace_keep_on_exit
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def run(self) -> None:
        """Watch until `stop`."""
        if self._watch is not None and not self._stop_asked:
            self._notifier.ready("; ".join(self.summary()))
            self._watch.run()
        self._notifier.stopping()

    def stop(self) -> None:
        """End `run` soon, or keep it from beginning; may be called from a signal handler and from any thread."""
        if not self._stop_asked:  # who asks again finds parts that are closed
            self._stop_asked = True
            if self._watch is not None:
                self._watch.stop()

    def reload(self) -> None:
        """Read the configuration again, soon; may be called from a signal handler and from any thread."""
        if self._reloader is not None:
            self._reloader.ask()
        else:
            self._reload_asked = True

    def is_wanted(self) -> bool:
        return self._offered is not None and is_wanted(self._offered)

    @property
    def leaves_recording(self) -> bool:
        """Whether tracefs goes on recording for the next agent when this one is left."""
        return self._keep and self._attached.recorder is not None

    @property
    def addresses(self) -> tuple[tuple[str, int], ...]:
        """Where the web server listens."""
        return self._web.addresses

    @property
    def collector_url(self) -> str | None:
        return self._collector.url if self._collector is not None else None

    def _build(self, stack: ExitStack) -> None:
        config = self.config
        self._guard = None if config.web_config_file is None else Guard(config.web_config_file)
        place.take(config, stack, asks=not self._gives_way)
        if self._gives_way:
            self._offered = place.offer_node(config, stack)
        late = stack.enter_context(ExitStack())  # what is taken later is given back where it would have been
        boot = boot_id(config.path_procfs)
        spool = Spool(
            config.state_directory / SPOOL_NAME,
            max_bytes=config.push_spool_bytes,
            witness=Witness(config.runtime_directory / WITNESS_NAME, boot),
        )
        stack.callback(spool.close)
        draft = Draft(config.runtime_directory / DRAFT_NAME, boot)
        store_left(spool, draft)
        self._in_hand = InHand(config.runtime_directory / IN_HAND_NAME, boot)
        stack.callback(self._in_hand.close)
        self._attached = attach(self.config)
        stack.callback(lambda: self._attached.close(keep=self._keep))
        recorder = self._recorder()
        started_ns = boot_ns()
        ring = self._ring(stack)
        self._resume(ring, spool, boot)
        self._collector = self._start_collector(stack)
        resource = self._resource(spool)
        sender = Sender(
            spool,
            self._endpoint(config),
            resource,
            boot_id=boot,
            hello_interval_seconds=config.push_hello_interval_seconds,
        )
        stack.callback(sender.stop, _SENDER_STOP_SECONDS)

        def use(config: Config) -> None:
            sender.use(self._endpoint(config), hello_interval_seconds=config.push_hello_interval_seconds)

        reloader = Reloader(config, self._read_config, use)
        totals = Totals(config.metrics_max_pairs)
        resolver = Resolver(recorder, proc=config.path_procfs, command_args=config.push_command_args)
        scan = ReaderScan(proc=config.path_procfs, interval_seconds=config.readers_scan_interval_seconds)
        tally = Tally(totals, resolver, expected=config.expected, on_open=scan.bring_forward)

        keeper = Keeper(spool, draft, node=resource.node, boot_id=boot, on_stored=sender.wake)
        teller = Teller(keeper.store, sample=most(config.push_sample), draft=keeper.draft, kept=self._in_hand.keep)
        watch = self._watch = Watch(
            backend=self._attached.backend,
            recorder=recorder,
            ring=ring,
            totals=totals,
            resolver=resolver,
            tally=tally,
            teller=None
            if ring is None
            else Storyteller(
                ring, recorder, sample=config.push_sample, redact=config.push_redact, started_ns=started_ns
            ),
            scan=scan,
            tell=stack.enter_context(teller).put,
            in_hand=self._in_hand,
            push_state=sender.state,
            reattach=self._reattach,
            improve=lambda: self._improve(late),
            alive=self._notifier.alive,
            started_ns=started_ns,
        )
        stack.callback(watch.close)
        watch.round(full=True)
        watch.tell()

        def observe() -> Observation:
            return replace(watch.observation, spool_durable=spool.durable, config=reloader.state)

        face = Face(
            resource.node,
            spool,
            sender,
            self._collector,
            refused=lambda: self._attached.refused,
            compat=config.trace_compat_syscalls,
        )
        self._web = WebServer(
            config.web_listen_address,
            config.web_telemetry_path,
            totals=totals,
            observe=observe,
            version=__version__,
            revision=self._environ.get("KMSG_EXPORTER_REVISION") or "unknown",
            node=face,
            refresh=watch.refresh,
            max_requests=config.web_max_requests,
            proc=config.path_procfs,
            guard=self._guard,
        )

        def take_snapshot(_: Mapping[str, Any]) -> dict[str, Any]:
            watch.refresh()
            return snapshot(
                totals.snapshot(),
                observe(),
                started_ns=started_ns,
                last_sequence=spool.last_sequence,
                compat=config.trace_compat_syscalls,
            )

        self.answers = self._answers(spool, sender, observe) | {"snapshot": take_snapshot}
        self._reloader = stack.enter_context(reloader)
        if self._reload_asked:  # by a signal that came while all this was made
            reloader.ask()
        self._start_local(stack)
        stack.enter_context(self._web)  # which says that all is ready
        sender.start()

    def _recorder(self) -> FlightRecorder | None:
        if self._attached.recorder is None:
            return None
        recorder = FlightRecorder(self._attached.recorder, on_read=self._in_hand.record)
        recorder.start(taken_ns=self._in_hand.left.recorded_ns)
        return recorder

    def _reattach(self) -> tuple[Backend, FlightRecorder | None] | None:
        """Begin again after somebody took things away; None when that does not work yet."""
        with suppress(KmsgExporterError, OSError):
            self._attached.close()
        try:
            attached = attach(self.config)
        except (KmsgExporterError, OSError) as exc:
            _log.error("attaching again failed: %s", exc)
            return None
        if attached.backend.name != self._attached.backend.name:
            # less than before would look like all is well: keep trying for the backend that was there
            with suppress(KmsgExporterError, OSError):
                attached.close()
            return None
        self._attached = attached
        return attached.backend, self._recorder()

    def _improve(self, stack: ExitStack) -> tuple[Backend, FlightRecorder | None] | None:
        """Trace after all, where tracefs is mounted only now."""
        if not self._attached.awaits_tracefs:
            return None
        try:
            place.take_node(self.config, stack, asks=not self._gives_way)
            if self._gives_way:
                self._offered = place.offer_node(self.config, stack)
            attached = attach(self.config)
        except TracefsNotMounted:
            return None
        except (KmsgExporterError, OSError) as exc:
            _log.error("tracefs is mounted now, and can't be used: %s", exc)
            self._attached = replace(self._attached, awaits_tracefs=False)
            return None
        self._attached = attached
        return attached.backend, self._recorder()

    def _ring(self, stack: ExitStack) -> Ring | None:
        try:
            ring: Ring = DevKmsg(self.config.path_dev / "kmsg", buffer_bytes=buffer_bytes())
        except RingUnavailable as exc:
            _log.info("looking at the log by syslog(2): %s", exc)
            try:
                ring = SyslogRing()
            except RingUnavailable as worse:
                _log.error("the log's own state can't be watched here: %s", worse)
                return None
        stack.callback(ring.close)
        return ring

    def _resume(self, ring: Ring | None, spool: Spool, boot: str) -> None:
        """Compare the first look with where the log stood when this agent last looked in this boot, else at boot."""
        position = spool.load_position() or self._position
        if ring is None:
            return
        if position is None or position.boot_id != boot:
            ring.resume(0)
        elif position.visible_from is not None:
            ring.resume(position.visible_from)

    def _resource(self, spool: Spool) -> Resource:
        config = self.config
        machine_id = None
        with suppress(OSError):
            machine_id = (config.path_etc / "machine-id").read_text().strip() or None
        return Resource.from_environ(
            self._environ,
            instance_id=spool.instance_id,
            host_name=config.node_name,
            host_id=machine_id,
            node_name=config.node_name if "NODE_NAME" in self._environ else None,
            cluster_name=config.cluster_name,
        )

    def _endpoint(self, config: Config) -> Endpoint | None:
        if config.push_endpoint is None and self._collector is not None and self._collector.inside_url is not None:
            return destination.inside(config, self._collector.inside_url, self._collector.inside_token)
        return destination.configured(config, self._environ)

    def _start_collector(self, stack: ExitStack) -> CollectorServer | None:
        if not self.config.collector_embedded:
            return None
        server = collector_server(self.config, self._environ, inside=True)
        return stack.enter_context(server)

    def _answers(self, spool: Spool, sender: Sender, observe: Callable[[], Observation]) -> dict[str, Answer]:
        return {
            "status": lambda _: (
                asdict(observe())
                | {
                    "version": __version__,
                    "pid": os.getpid(),
                    "push_to": sender.destination,
                    "push_failing": sender.failing,
                    "state_directory": str(self.config.state_directory),
                }
            ),
            "history": lambda asked: [
                {"sent_unix": event.sent_unix, "aside": event.aside, "record": json.loads(event.record)}
                for event in spool.history(min(int(asked.get("limit", 100)), 1000))
            ],
        }

    def _start_local(self, stack: ExitStack) -> None:
        path = self.config.runtime_directory / SOCKET_NAME
        try:
            stack.enter_context(LocalServer(path, self.answers))
        except KmsgExporterError as exc:
            _log.warning("local commands can't ask this agent: %s", exc)

    def summary(self) -> list[str]:
        """What a person wants to know at the start: where to look, and what this node lets the agent see."""
        backend = self._attached.backend.name
        scheme = "https" if self._guard is not None and self._guard.context() is not None else "http"
        lines = [
            f"metrics    {scheme}://{_shown(host)}:{port}{self.config.web_telemetry_path}"
            for host, port in self.addresses
        ]
        if self._collector is not None:
            lines.append(f"collector  {self._collector.url}")
        lines.append(f"backend    {backend}")
        missing = unseen(backend, compat=self.config.trace_compat_syscalls)
        for why in dict.fromkeys(self._attached.refused.values()):
            names = ", ".join(name for name, reason in self._attached.refused.items() if reason == why)
            lines.append(f"not taken  {names}: {why}")
        failed = self._attached.backend.failures()
        if missing or not failed:
            lines.append("not seen   " + ("; ".join(missing) or "nothing that it looks for"))
        lines += [f"not there  {name}: {why}" for name, why in failed.items()]
        return lines


def attach(config: Config) -> plan.Attached:
    """Attach the backend that this node accepts, for the thread that calls. Raises TracefsError."""
    where = plan.Where(
        tracefs=config.path_tracefs,
        proc=config.path_procfs,
        dev=config.path_dev,
        budget_bytes=config.trace_budget_mib << 20,
        own_tid=threading.get_native_id(),
        machine=os.uname().machine,
        compat=config.trace_compat_syscalls,
    )
    return plan.attach(config.backend, where)


def collector_server(config: Config, environ: Mapping[str, str], *, inside: bool = False) -> CollectorServer:
    """The embedded collector, not yet started. Raises CollectorError when its packages are not installed, ConfigError.

    With `inside` it has an address for the agent of this process, too.
    """
    from kmsg_exporter.errors import CollectorError

    try:
        from kmsg_exporter.collector.retention import Keep
        from kmsg_exporter.collector.server import CollectorServer, Settings
    except ImportError as exc:
        raise CollectorError(
            f"the collector needs {exc.name}, which is not installed: pip install 'kmsg-exporter[collector]'"
        ) from exc
    file = config.collector_web_config_file
    settings = Settings(
        guard=None if file is None else Guard(file),
        allow_anonymous=config.collector_allow_anonymous,
        page_address=config.collector_page_address,
        keep=Keep(
            retention_seconds=config.collector_retention_seconds,
            max_bytes=config.collector_max_bytes,
            forget_after_seconds=config.collector_forget_after_seconds,
        ),
        silent_after_seconds=config.collector_silent_after_seconds,
        access_log=config.collector_access_log,
        revision=environ.get("KMSG_EXPORTER_REVISION") or "unknown",
        inside=inside,
    )
    address = config.collector_listen_address
    return CollectorServer(address.host, address.port, config.collector_directory, settings)


def _shown(host: str) -> str:
    if host in ("", "0.0.0.0", "::"):
        return "localhost"
    return f"[{host}]" if ":" in host else host
