"""Each thing that the agent needs: whether it is there, why not, and what to do about it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from kmsg_exporter.agent import place
from kmsg_exporter.agent.agent import SOCKET_NAME, attach
from kmsg_exporter.commands import delivery
from kmsg_exporter.commands.check import Check, Verdict
from kmsg_exporter.config import Config
from kmsg_exporter.errors import AlreadyRunning, KmsgExporterError, RingUnavailable, TracefsError, TracefsRejected
from kmsg_exporter.local import ask
from kmsg_exporter.probes import plan
from kmsg_exporter.ring.devkmsg import DevKmsg
from kmsg_exporter.ring.syslog import SyslogRing, buffer_bytes
from kmsg_exporter.tracefs.files import Tracefs, open_tracefs

_CAPABILITIES: Final = (
    (34, "CAP_SYSLOG", "the state of the log and the addresses of functions", "missing"),
    (19, "CAP_SYS_PTRACE", "the executables of other users' processes", "missing"),
    (2, "CAP_DAC_READ_SEARCH", "which processes of other users hold the log open", "note"),
)
_ELSE: Final = "--backend=auto takes the best that this kernel accepts"
_HOST_PID_NAMESPACE: Final = "pid:[4026531836]"  # PROC_PID_INIT_INO


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All findings, the backend that this node accepts (None: nothing can be traced) and whether the log is seen."""

    checks: tuple[Check, ...]
    backend: str | None
    ring: bool

    @property
    def exit_code(self) -> int:
        """0 actors can be named, 1 only the log's state can be watched, 3 nothing can."""
        if self.backend not in (None, "state"):
            return 0
        return 1 if self.ring else 3


def diagnose(config: Config, environ: Mapping[str, str], progress: Callable[[str], None] = lambda _: None) -> Diagnosis:
    """Look at everything; a backend is really attached for a moment, unless an agent is running."""
    progress("looking at this node")
    checks = [*_capability_checks(config), _lockdown(config), _apparmor(config), _pid_namespace(config)]
    tracefs_check, tracefs = _tracefs(config)
    checks.append(tracefs_check)
    backend = None
    if tracefs is not None:
        checks += _features(tracefs)
        progress("trying what can be traced")
        tried, backend = _backend(config, tracefs)
        checks += tried
    progress("looking at the log")
    ring_checks, ring = _ring(config)
    checks += ring_checks
    progress("asking the agent, or the collector, whether events arrive")
    checks += [
        _state_directory(config),
        *delivery.checks(config, environ),
        _extra("collector", "uvicorn"),
        _extra("config", "yaml"),
        _extra("web", "bcrypt"),
    ]
    return Diagnosis(tuple(check for check in checks if check is not None), backend, ring)


def _capability_checks(config: Config) -> list[Check]:
    held = place.capabilities(config.path_procfs)
    found = []
    for number, name, what, severity in _CAPABILITIES:
        if held >> number & 1:
            found.append(Check(name, "ok", f"for {what}"))
        else:
            remedy = f"run as root, or add {name.removeprefix('CAP_')} to the container's capabilities"
            verdict: Verdict = "missing" if severity == "missing" else "note"
            found.append(Check(name, verdict, f"not held: {what} can't be seen", remedy))
    return found


def _lockdown(config: Config) -> Check | None:
    try:
        text = (config.path_sysfs / "kernel" / "security" / "lockdown").read_text()
    except OSError:
        return None  # this kernel has none, or securityfs is not mounted: what it forbids shows below
    mode = text.partition("[")[2].partition("]")[0]
    if mode == "confidentiality":
        remedy = "boot with lockdown=integrity or none; until then only the state of the log can be watched"
        return Check("lockdown", "missing", "confidentiality: the kernel forbids all tracing", remedy)
    return Check("lockdown", "ok", f"{mode}: tracing is allowed")


def _apparmor(config: Config) -> Check | None:
    try:
        profile = (config.path_procfs / "self" / "attr" / "current").read_text().rstrip("\0\n")
    except OSError:
        return None
    if not profile or profile.startswith(("unconfined", "kernel")) or ":" in profile:
        return None
    return Check(
        "AppArmor",
        "note",
        f"confined by {profile}: it may forbid writing to tracefs",
        "in Kubernetes set appArmorProfile.type to Unconfined; on a host allow /sys/kernel/tracing/** rw",
    )


def _pid_namespace(config: Config) -> Check | None:
    try:
        own = os.readlink(config.path_procfs / "self" / "ns" / "pid")
    except OSError:
        return None
    if own == _HOST_PID_NAMESPACE:
        return Check("host pids", "ok", "the agent sees the node's processes")
    return Check(
        "host pids",
        "missing",
        "the agent is in a pid namespace of its own: the processes that it traces have no names here",
        "run it with the host's pids (hostPID: true, --pid=host)",
    )


def _tracefs(config: Config) -> tuple[Check, Tracefs | None]:
    try:
        tracefs = open_tracefs(config.path_tracefs, proc=config.path_procfs)
    except TracefsRejected as exc:
        return Check("tracefs", "missing", str(exc)), None
    except TracefsError as exc:
        return Check("tracefs", "missing", str(exc), _tracefs_remedy(config)), None
    return Check("tracefs", "ok", f"mounted at {config.path_tracefs}"), tracefs


def _tracefs_remedy(config: Config) -> str:
    if not (config.path_sysfs / "kernel" / "tracing").exists():
        return "this kernel is built without tracing (CONFIG_FTRACE): only the state of the log can be watched"
    return f"mount it on the host: mount -t tracefs nodev {config.path_tracefs}"


def _features(tracefs: Tracefs) -> list[Check]:
    def feature(name: str, there: bool, option: str, means: str) -> Check:
        if there:
            return Check(name, "ok", "in this kernel")
        return Check(name, "note", f"this kernel has none ({option}): {means}")

    tracers = tracefs.read("available_tracers").split()
    return [
        feature("kprobes", tracefs.exists("kprobe_events"), "CONFIG_KPROBE_EVENTS", "the kprobe backend can't be had"),
        feature(
            "syscall events",
            tracefs.exists("events/syscalls/sys_enter_syslog"),
            "CONFIG_FTRACE_SYSCALLS",
            "the tracepoint backend can't be had",
        ),
        feature(
            "function tracer", "function" in tracers, "CONFIG_FUNCTION_TRACER", "the function backend can't be had"
        ),
    ]


def _backend(config: Config, tracefs: Tracefs) -> tuple[list[Check], str | None]:
    """Ask the running agent, look at what a killed one left, or attach for a moment."""
    with ExitStack() as stack:
        try:
            place.take(config, stack)
            left_by = plan.left_by(tracefs)
            if left_by is not None:  # to attach and detach would take away what the next agent is to tell
                return [_leftovers(tracefs)], left_by
            attached = attach(config)
        except AlreadyRunning as exc:
            return _of_running(config, exc)
        except KmsgExporterError as exc:
            return [Check(f"backend {config.backend}", "missing", str(exc), _ELSE)], None
        stack.callback(attached.close)
        name = attached.backend.name
        checks = [Check(f"backend {other}", "note", why) for other, why in attached.refused.items()]
        if name == "state":
            remedy = _ELSE if config.backend == "state" else ""
            checks.append(
                Check("backend state", "missing", "it names nobody: it sees that the log was emptied", remedy)
            )
        else:
            checks.append(Check(f"backend {name}", "ok", "accepted by this kernel"))
        checks += [Check(f"probe {probe}", "note", why) for probe, why in attached.backend.failures().items()]
        return checks, name


def _leftovers(tracefs: Tracefs) -> Check:
    return Check(
        "leftovers",
        "note",
        f"an agent that was killed left {', '.join(plan.leftovers(tracefs))}: they go on recording",
        "start the agent, which takes over what they hold, or remove them: kmsg-exporter cleanup",
    )


def _of_running(config: Config, running: AlreadyRunning) -> tuple[list[Check], str | None]:
    try:
        status = ask(config.runtime_directory / SOCKET_NAME, "status")
    except KmsgExporterError:
        return [Check("backend", "note", f"not tried: {running}")], None
    name = str(status["backend"])
    gone = [probe["name"] for probe in status["probes"] if not probe["attached"]]
    checks = [Check(f"backend {name}", "ok", f"in use by the agent that runs here (pid {status['pid']})")]
    if config.backend not in ("auto", name):
        asked = f"not tried: the agent that runs here has {name}"
        checks.append(Check(f"backend {config.backend}", "note", asked, "stop the agent first, and ask again"))
    return checks + [Check(f"probe {probe}", "missing", "not attached") for probe in gone], name


def _ring(config: Config) -> tuple[list[Check], bool]:
    device = config.path_dev / "kmsg"
    try:
        DevKmsg(device, buffer_bytes=buffer_bytes()).close()
    except RingUnavailable as exc:
        remedy = "in a container: privileged, or a device rule for /dev/kmsg; without it hidden records are not counted"
        checks = [Check(str(device), "note", str(exc), remedy)]
    else:
        return [Check(str(device), "ok", "hidden records and their text can be read")], True
    try:
        SyslogRing().close()
    except RingUnavailable as exc:
        return [*checks, Check("syslog(2)", "missing", str(exc), "run as root or add CAP_SYSLOG")], False
    return [*checks, Check("syslog(2)", "ok", "whether dmesg is empty can be seen")], True


def _state_directory(config: Config) -> Check:
    path = config.state_directory
    there = next((parent for parent in (path, *path.parents) if parent.exists()), Path("/"))
    if os.access(there, os.W_OK):
        return Check("state directory", "ok", f"{path} can be written")
    remedy = f"make {there} writable, or name another one with --state-directory"
    return Check("state directory", "note", f"{path} can't be written: events would wait in memory only", remedy)


def _extra(name: str, module: str) -> Check:
    if find_spec(module) is not None:
        return Check(f"extra [{name}]", "ok", "installed")
    return Check(f"extra [{name}]", "note", "not installed", f"pip install 'kmsg-exporter[{name}]' if you want it")
