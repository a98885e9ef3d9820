"""What each part of an event means: the words beside what the code gives, for docs/event.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Word:
    """One name, the unit of its value ("": it has none), when it is there, and what it says."""

    name: str
    unit: str
    when: str
    about: str


ALWAYS: Final = "always"
_NAMED: Final = "somebody is named"
_COUNTED: Final = "the log was read by `/dev/kmsg`"

RECORD: Final = (
    Word("timeUnixNano", "ns since 1970", ALWAYS, "When it happened, by the node's wall clock in that moment."),
    Word("observedTimeUnixNano", "ns since 1970", ALWAYS, "When the agent stored it."),
    Word("severityNumber", "", ALWAYS, "13."),
    Word("severityText", "", ALWAYS, "WARN."),
    Word("eventName", "", ALWAYS, "The event's name."),
    Word("body", "", ALWAYS, "One sentence for a person: who, where, run by whom, how much is hidden."),
    Word("attributes", "", ALWAYS, "The next table."),
)

ATTRIBUTES: Final = (
    Word("event.name", "", ALWAYS, "The name again: some back ends drop the field."),
    Word("log.record.uid", "", ALWAYS, "A UUIDv7, the same over every retry: what comes twice has it twice."),
    Word("kmsg.sequence", "events", ALWAYS, "One up for each event of this agent: a gap is a loss that can be seen."),
    Word("kmsg.boot_id", "", ALWAYS, "The kernel's name for this boot."),
    Word("kmsg.boottime_nano", "ns since the boot", ALWAYS, "The same moment on CLOCK_BOOTTIME, which never steps."),
    Word("kmsg.action", "", _NAMED, "What was called: `clear`, `read_clear`; `unknown` with the backend `function`."),
    Word("kmsg.interface", "", _NAMED, "`syslog`: by syslog(2). There is no other way."),
    Word(
        "kmsg.since_unix_nano",
        "ns since 1970",
        "the moment is only known to lie between this and `timeUnixNano`",
        "Where that time begins.",
    ),
    Word("process.pid", "", _NAMED, "Its pid, as the node counts."),
    Word("process.parent_pid", "", "the parent is known", "Its parent's pid."),
    Word("process.executable.path", "", "the executable is known", "What it ran. Nothing is guessed."),
    Word(
        "process.command_args",
        "",
        "`--push.command-args` is on, and it still ran",
        "Its arguments: they may hold secrets.",
    ),
    Word("process.owner", "", "the user is known and has a name", "Its user's name on the node."),
    Word("process.user.id", "", "it still ran", "Its user."),
    Word("kmsg.process.comm", "", _NAMED, "What it calls itself, as the kernel has it."),
    Word("kmsg.process.origin", "", "there is one", "The script or daemon behind it."),
    Word("kmsg.process.ancestors", "", "they are known", "Who ran it, the nearest first: `pid comm exe`."),
    Word("kmsg.process.derived", "", "true", "The executable was worked out, not read: its process is gone."),
    Word("kmsg.process.container.id", "", "it ran in a container", "By its cgroup."),
    Word("kmsg.process.pod.uid", "", "it ran in a pod", "By its cgroup."),
    Word("kmsg.attribution.source", "", ALWAYS, "Where it was found, see [metrics.md](metrics.md); `none`: nobody is."),
    Word("kmsg.expected", "", ALWAYS, "It fits a rule of `--expected`."),
    Word("kmsg.hidden.records", "records", _COUNTED, "How many this emptying hid."),
    Word("kmsg.hidden.first_seq", "", _COUNTED, "The number of the first of them, as in `/dev/kmsg`."),
    Word("kmsg.hidden.last_seq", "", _COUNTED, "The number of the last."),
    Word("kmsg.hidden.by_level", "records", _COUNTED, "How many of each level, `emerg` to `debug`."),
    Word("kmsg.coalesced", "emptyings", ALWAYS, "How many it stands for."),
    Word("kmsg.actors", "", "it stands for several", "Who made them, ten at most."),
    Word(
        "kmsg.hidden.sample",
        "",
        "there are lines, and `--push.sample` is not 0",
        "Hidden lines in the log's order, with the level if known; errors and OOM kills win when not all fit.",
    ),
    Word(
        "kmsg.hidden.sample_omitted", "records", "lines were left out", "How many hidden records are not in the sample."
    ),
)

RESOURCE: Final = (
    Word("service.name", "", ALWAYS, "`kmsg-exporter`, or what `OTEL_SERVICE_NAME` says."),
    Word("service.version", "", ALWAYS, "The agent's version."),
    Word("service.instance.id", "", ALWAYS, "This agent on this node; it lives in the state directory."),
    Word("host.name", "", ALWAYS, "What `--node.name` says, else the host's name."),
    Word("host.id", "", "the node has a machine-id", "`machine-id` below `--path.etc`."),
    Word("os.type", "", ALWAYS, "`linux`."),
    Word("k8s.node.name", "", "`NODE_NAME` is in the environment", "The node's name; the chart sets it."),
    Word("k8s.cluster.name", "", "`--cluster.name` is given", "The cluster's name."),
)

SCOPE: Final = (
    Word("kmsg.sequence", "events", "a hello", "The last number that an event got, 0 before the first."),
    Word("kmsg.boot_id", "", "a hello", "The kernel's name for this boot."),
)
