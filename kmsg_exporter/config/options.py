"""The table of options: each field of Config is one flag, one environment variable and one key of the file."""

# ruff: noqa: RUF009 (a row is a call, made once for the class)

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final, Literal, TypeVar, get_args

from kmsg_exporter.config import values
from kmsg_exporter.config.values import Address, Kind
from kmsg_exporter.expected import ExpectedRule

T = TypeVar("T")

Backend = Literal["auto", "kprobe", "tracepoint", "function", "state"]
LogLevel = Literal["debug", "info", "warn", "error"]
LogFormat = Literal["logfmt", "json", "terminal"]

CONFIGURATION: Final = "Configuration"
TRACING: Final = "Tracing"
WEB: Final = "Web"
METRICS: Final = "Metrics"
PUSH: Final = "Push"
COLLECTOR: Final = "Collector"
NODE: Final = "Node"
DIRECTORIES: Final = "Directories"
PATHS: Final = "Paths"
LOGGING: Final = "Logging"

_COMMON: Final = (CONFIGURATION, DIRECTORIES, LOGGING)
# What a command's --help offers. The file and the environment may hold options of every command.
_GROUPS: Final = {
    "run": (CONFIGURATION, TRACING, WEB, METRICS, PUSH, COLLECTOR, NODE, DIRECTORIES, PATHS, LOGGING),
    "collector": (CONFIGURATION, COLLECTOR, DIRECTORIES, LOGGING),
    "doctor": (CONFIGURATION, TRACING, PUSH, DIRECTORIES, PATHS, LOGGING),
    "why": (CONFIGURATION, DIRECTORIES, PATHS, LOGGING),
    "recover": (CONFIGURATION, DIRECTORIES, PATHS, LOGGING),
    "history": (CONFIGURATION, DIRECTORIES, LOGGING),
    "watch": (CONFIGURATION, TRACING, DIRECTORIES, PATHS, LOGGING),
    "cleanup": (CONFIGURATION, DIRECTORIES, PATHS, LOGGING),
}
# and of other groups
_SINGLE: Final = {"collector": ("web.config.file",)}


@dataclass(frozen=True, slots=True)
class Option:
    """One row: `name` as in the file (`push.sample`), `default` as --help words it, `fallback` a foreign variable."""

    name: str
    kind: Kind[Any]
    group: str
    about: str
    default: str
    repeatable: bool
    fallback: str

    @property
    def field(self) -> str:
        """The name of its field in Config."""
        return self.name.replace(".", "_").replace("-", "_")

    @property
    def flag(self) -> str:
        return f"--{self.name}"

    @property
    def variable(self) -> str:
        return f"KMSG_EXPORTER_{self.field.upper()}"


def _row(
    name: str,
    default: T,
    kind: Kind[Any],
    group: str,
    about: str,
    *,
    shown: str = "",
    repeatable: bool = False,
    fallback: str = "",
) -> T:
    """A field of Config with its row of the table."""
    row = Option(name, kind, group, about, shown or _shown(default), repeatable, fallback)
    return field(default=default, metadata={"option": row})


def _asked(
    name: str, default: Callable[[], T], kind: Kind[Any], group: str, about: str, *, shown: str, fallback: str = ""
) -> T:
    """The same, where the default has to be asked for."""
    row = Option(name, kind, group, about, shown, repeatable=False, fallback=fallback)
    return field(default_factory=default, metadata={"option": row})


def _shown(default: Any) -> str:
    if isinstance(default, bool):
        return "yes" if default else "no"
    if isinstance(default, tuple) and not isinstance(default, Address):
        return ", ".join(map(str, default))
    return "" if default is None else str(default)


def _host_name() -> str:
    return os.uname().nodename


def _log_format() -> LogFormat:
    return "terminal" if sys.stderr is not None and sys.stderr.isatty() else "logfmt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything that can be configured, checked. Sizes are bytes, times seconds, where the name says nothing else."""

    config_file: Path | None = _row(
        "config.file", None, values.PATH, CONFIGURATION, "Read options from this YAML file; flags and variables win."
    )

    backend: Backend = _row(
        "backend",
        "auto",
        values.choice(get_args(Backend)),
        TRACING,
        "How to watch the kernel log; auto takes the first of the list that this kernel accepts.",
    )
    trace_budget_mib: int = _row(
        "trace.budget-mib",
        16,
        values.whole(1, 4096),
        TRACING,
        "Memory for all our trace buffers on this node together, in MiB, however many CPUs it has.",
    )
    trace_compat_syscalls: bool = _row(
        "trace.compat-syscalls",
        False,
        values.BOOLEAN,
        TRACING,
        "With the tracepoint backend, also see 32-bit callers. Slows every system call of the node a little.",
    )
    trace_keep_on_exit: bool = _row(
        "trace.keep-on-exit",
        False,
        values.BOOLEAN,
        TRACING,
        "Leave it recording when the agent stops, so that the next one misses nothing; `cleanup` removes it.",
    )

    web_listen_address: tuple[Address, ...] = _row(
        "web.listen-address",
        (Address("", 10144),),
        values.ADDRESS,
        WEB,
        "Where to serve the metrics: host:port, [::1]:port, or :port for every address.",
        repeatable=True,
    )
    web_telemetry_path: str = _row(
        "web.telemetry-path", "/metrics", values.TELEMETRY_PATH, WEB, "The metrics' path on the web server."
    )
    web_config_file: Path | None = _row(
        "web.config.file",
        None,
        values.PATH,
        WEB,
        "TLS, passwords and tokens for the web server, as Prometheus' exporters take them; needs the extra [web].",
    )
    web_max_requests: int = _row(
        "web.max-requests", 40, values.whole(1, 1000), WEB, "Requests that are served at once; more are turned away."
    )

    metrics_max_pairs: int = _row(
        "metrics.max-pairs",
        512,
        values.whole(1, 100_000),
        METRICS,
        'Distinct (comm, exe) pairs in a metric; what comes later is counted as comm="other", exe="other".',
    )
    readers_scan_interval_seconds: float = _row(
        "readers.scan-interval-seconds",
        15.0,
        values.seconds(1, 3600),
        METRICS,
        "How often to look for the processes that hold the kernel log open.",
        shown="15",
    )
    expected: tuple[ExpectedRule, ...] = _row(
        "expected",
        (),
        Kind("RULE", ExpectedRule.parse),
        METRICS,
        'Count clears that fit this rule as expected="true", e.g. origin=nightly-ci.sh or comm=dmesg,ancestor=cron: '
        "globs on comm, exe, origin (the script) and ancestor, which must all fit.",
        repeatable=True,
    )

    push_endpoint: str | None = _row(
        "push.endpoint",
        None,
        values.optional(values.ENDPOINT),
        PUSH,
        "Send an event here, as OTLP over HTTP, when dmesg goes empty, e.g. http://collector:4318; "
        "/v1/logs is appended. Without it OTEL_EXPORTER_OTLP_ENDPOINT counts; without both, events stay on this node.",
    )
    push_sample: int | Literal["errors"] = _row(
        "push.sample",
        50,
        values.SAMPLE,
        PUSH,
        "How many of the hidden log lines an event carries; errors: only errors and worse; 0: none.",
    )
    push_redact: tuple[re.Pattern[str], ...] = _row(
        "push.redact",
        (),
        values.REGEX,
        PUSH,
        "Replace what matches in the log lines of an event, before it is stored or sent.",
        repeatable=True,
    )
    push_spool_bytes: int = _row(
        "push.spool-bytes",
        64 << 20,
        values.size(1 << 20, 1 << 40),
        PUSH,
        "Room on disk for events; when it is full the oldest go first. KiB, MiB and GiB are understood.",
        shown="64MiB",
    )
    push_command_args: bool = _row(
        "push.command-args",
        False,
        values.BOOLEAN,
        PUSH,
        "Also send the arguments of the command that emptied the log. They may hold secrets.",
    )
    push_timeout_seconds: float | None = _row(
        "push.timeout-seconds",
        None,
        values.seconds(0.1, 300),
        PUSH,
        "How long one attempt to send may take.",
        shown="OTEL_EXPORTER_OTLP_TIMEOUT if set, else 10",
    )
    push_headers_file: Path | None = _row(
        "push.headers-file",
        None,
        values.PATH,
        PUSH,
        "Send the headers of this file too, lines like Name: value. Read again when it changes; never shown.",
    )
    push_bearer_token_file: Path | None = _row(
        "push.bearer-token-file",
        None,
        values.PATH,
        PUSH,
        "Send the token in this file as Authorization: Bearer TOKEN. Read again when it changes; never shown.",
    )
    push_hello_interval_seconds: int = _row(
        "push.hello-interval-seconds",
        300,
        values.whole(0, 86_400),
        PUSH,
        "How often to send a request without events, by which a collector tells a silent node from a missing one; "
        "0: never.",
    )
    collector_embedded: bool = _row(
        "collector.embedded",
        False,
        values.BOOLEAN,
        PUSH,
        "Also run the collector in this process, for one machine with nothing else to run.",
    )

    collector_listen_address: Address = _row(
        "collector.listen-address",
        Address("127.0.0.1", 4318),
        values.ADDRESS,
        COLLECTOR,
        "Where the collector receives events and shows its page.",
    )
    collector_directory: Path = _row(
        "collector.directory",
        Path("/var/lib/kmsg-exporter/collector"),
        values.PATH,
        COLLECTOR,
        "Where the collector keeps its events.",
        shown="collector below the state directory",
    )

    collector_page_address: Address | None = _row(
        "collector.page-address",
        None,
        values.optional(values.ADDRESS),
        COLLECTOR,
        "Show the page, /api/events and /metrics here, and only here; events are still received at the address above.",
        shown="the same address",
    )
    collector_web_config_file: Path | None = _row(
        "collector.web-config-file",
        None,
        values.PATH,
        COLLECTOR,
        "TLS, passwords and tokens for the collector, in a file like that of --web.config.file; needs the extra [web].",
        shown="that of --web.config.file",
    )
    collector_allow_anonymous: bool = _row(
        "collector.allow-anonymous",
        False,
        values.BOOLEAN,
        COLLECTOR,
        "Listen beyond this machine without asking anybody for a certificate, a password or a token.",
    )
    collector_retention_seconds: float = _row(
        "collector.retention-seconds",
        7_776_000.0,
        values.seconds(60, 999_999_999),
        COLLECTOR,
        "How long the collector keeps events.",
        shown="7776000 (90 days)",
    )
    collector_max_bytes: int = _row(
        "collector.max-bytes",
        4 << 30,
        values.size(16 << 20, 1 << 44),
        COLLECTOR,
        "Room for them on disk; when it is full the oldest go first. KiB, MiB and GiB are understood.",
        shown="4GiB",
    )
    collector_silent_after_seconds: float = _row(
        "collector.silent-after-seconds",
        900.0,
        values.seconds(60, 999_999_999),
        COLLECTOR,
        "An agent that was not heard of for so long is silent. Agents say hello every five minutes.",
        shown="900",
    )
    collector_forget_after_seconds: float = _row(
        "collector.forget-after-seconds",
        604_800.0,
        values.seconds(60, 999_999_999),
        COLLECTOR,
        "An agent that was not heard of for so long is gone for good and no longer silent.",
        shown="604800 (7 days)",
    )
    collector_access_log: bool = _row(
        "collector.access-log", False, values.BOOLEAN, COLLECTOR, "Log each request to the collector."
    )

    node_name: str = _asked(
        "node.name",
        _host_name,
        values.NAME,
        NODE,
        "What events call this node.",
        shown="NODE_NAME if set, else the host's name",
        fallback="NODE_NAME",
    )
    cluster_name: str | None = _row(
        "cluster.name", None, values.optional(values.NAME), NODE, "What events call the cluster that it belongs to."
    )

    state_directory: Path = _row(
        "state-directory",
        Path("/var/lib/kmsg-exporter"),
        values.PATH,
        DIRECTORIES,
        "What must survive a restart: events that are not sent yet, the node's history.",
        shown="STATE_DIRECTORY if set, else /var/lib/kmsg-exporter",
        fallback="STATE_DIRECTORY",
    )
    runtime_directory: Path = _row(
        "runtime-directory",
        Path("/run/kmsg-exporter"),
        values.PATH,
        DIRECTORIES,
        "The agent's local socket, which only its own user can open, and what it gave out last in this boot.",
        shown="RUNTIME_DIRECTORY if set, else /run/kmsg-exporter",
        fallback="RUNTIME_DIRECTORY",
    )

    path_procfs: Path = _row("path.procfs", Path("/proc"), values.PATH, PATHS, "Where procfs is mounted.")
    path_sysfs: Path = _row("path.sysfs", Path("/sys"), values.PATH, PATHS, "Where sysfs is mounted.")
    path_tracefs: Path = _row(
        "path.tracefs", Path("/sys/kernel/tracing"), values.PATH, PATHS, "Where tracefs is mounted."
    )
    path_dev: Path = _row("path.dev", Path("/dev"), values.PATH, PATHS, "Where the device files are.")
    path_etc: Path = _row(
        "path.etc",
        Path("/etc"),
        values.PATH,
        PATHS,
        "Where the host's /etc is: its machine-id, the rules of its log daemons.",
    )

    log_level: LogLevel = _row(
        "log.level", "info", values.choice(get_args(LogLevel)), LOGGING, "Log this and what is worse, on stderr."
    )
    log_format: LogFormat = _asked(
        "log.format",
        _log_format,
        values.choice(get_args(LogFormat)),
        LOGGING,
        "How a line of the log looks.",
        shown="terminal when stderr is one, else logfmt",
    )


OPTIONS: Final[tuple[Option, ...]] = tuple(row.metadata["option"] for row in fields(Config))


def options(command: str) -> tuple[Option, ...]:
    """The options that a command takes as flags, in the order of its --help; of an unknown command the common ones."""
    groups, single = _GROUPS.get(command, _COMMON), _SINGLE.get(command, ())
    taken = tuple(option for group in groups for option in OPTIONS if option.group == group)
    return (*taken, *(option for option in OPTIONS if option.name in single))
