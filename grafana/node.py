"""The dashboard "Node": the state of one node's log over time, its users, its events, the agent's health."""

from __future__ import annotations

from board import EVENTS, NODE, SELECTED, Row, dashboard
from node_health import health
from panels import WHEN, Json, chart, logs, now, over_time, stat, steps, table, timeline, words
from queries import EMPTIED, WHO, clears_by, count, each, first_seen, last_seen, lost

DMESG = words({0: ("has lines", "green"), 1: ("empty", "red")})


def _now() -> Row:
    return Row(
        "The log now",
        [
            stat(
                "dmesg",
                "Whether dmesg shows anything.",
                now(f"kmsg_empty{{{SELECTED}}}"),
                thresholds=steps("text"),
                mappings=DMESG,
            ),
            stat(
                "Last emptied",
                "When dmesg last went from something to nothing.",
                now(f"kmsg_last_emptied_timestamp_seconds{{{SELECTED}}} * 1000"),
                unit="dateTimeFromNow",
                none="never seen",
                thresholds=steps("blue"),
            ),
            stat(
                "Went empty",
                "How often it did in this time range.",
                now(f"increase({EMPTIED}[$__range])"),
                thresholds=steps("green", {1: "orange"}),
            ),
            stat(
                "Hidden records",
                "Records that a clear hides from dmesg and that are still in the ring.",
                now(f"kmsg_hidden_records{{{SELECTED}}}"),
                none="not known",
                thresholds=steps("green", {1: "orange"}),
            ),
            stat(
                "Ring",
                "Size of the kernel log's ring.",
                now(f"kmsg_buffer_bytes{{{SELECTED}}}"),
                unit="bytes",
                thresholds=steps("text"),
            ),
            stat(
                "Backend",
                "How accesses are traced on this node; state means that nothing is traced.",
                now(f"kmsg_exporter_backend_info{{{SELECTED}}}", "{{backend}}"),
                text="name",
                thresholds=steps("text"),
            ),
            stat(
                "Lost",
                "Trace records lost and calls not recorded in this time range: counts are too low by as many.",
                now(lost("$__range")),
                thresholds=steps("green", {1: "red"}),
            ),
            stat(
                "Version",
                "Of the agent.",
                now(f"kmsg_exporter_build_info{{{SELECTED}}}", "{{version}}"),
                text="name",
                thresholds=steps("text"),
            ),
        ],
    )


def _ring() -> Row:
    return Row(
        "The ring over time",
        [
            timeline(
                "dmesg over time",
                "Whether dmesg showed anything when Prometheus looked.",
                over_time(f"kmsg_empty{{{SELECTED}}}", "dmesg"),
                DMESG,
                none="No agent answered",
                height=8,
            ),
            chart(
                "Hidden records over time",
                "Records that a clear hides and that are still in the ring.",
                [over_time(f"kmsg_hidden_records{{{SELECTED}}}", "hidden")],
                none="Not known on this node: the agent can't open /dev/kmsg",
            ),
            chart(
                "Records printed",
                "Records that came into the ring, and that newer ones pushed out of it.",
                [
                    over_time(f"rate(kmsg_records_total{{{SELECTED}}}[$__rate_interval])", "printed"),
                    over_time(f"rate(kmsg_overwritten_records_total{{{SELECTED}}}[$__rate_interval])", "pushed out"),
                ],
                unit="cps",
                none="Not known on this node: the agent can't open /dev/kmsg",
            ),
            chart(
                "Writes to /dev/kmsg",
                "Write calls, by program. The kernel may drop what they wrote.",
                [over_time(f"{count('kmsg_writes_total', 'comm')} > 0", "{{comm}}")],
                bars=True,
                none="No write seen (the tracepoint backend sees none)",
            ),
        ],
    )


def _clears() -> Row:
    return Row(
        "Who clears",
        [
            chart(
                "Clears by script",
                "Each bar counts since the bar before. The script is the nearest ancestor that is no bare shell.",
                [
                    over_time(
                        f"{count('kmsg_clears_by_origin_total', 'origin', 'comm')} > 0",
                        "{{origin}} ({{comm}})",
                    ),
                    over_time(f"{count('kmsg_unattributed_clears_total')} > 0", "nobody known"),
                ],
                bars=True,
                none="Nobody cleared the log in this time range",
            ),
            chart(
                "Refused clears and console changes",
                "Clears that the kernel refused; console output switched on or off, or its level set.",
                [
                    over_time(f"{count('kmsg_clears_denied_total', 'comm')} > 0", "{{comm}}: clear refused"),
                    over_time(f"{count('kmsg_console_changes_total', 'comm', 'action')} > 0", "{{comm}}: {{action}}"),
                ],
                bars=True,
                none="Neither happened in this time range",
            ),
            table(
                "Clears",
                "Each program that cleared the log in this time range, by the script that ran it. First and last are"
                " when Prometheus saw it, to a step of this dashboard. Expected is what --expected declares.",
                [
                    now(clears_by(WHO), table=True),
                    now(first_seen(WHO), table=True),
                    now(last_seen(WHO), table=True),
                ],
                {
                    "origin": "Script",
                    "comm": "Program",
                    "exe": "Executable",
                    "expected": "Expected",
                    "#A": "Clears",
                    "#B": "First",
                    "#C": "Last",
                },
                looks={"First": WHEN, "Last": WHEN},
                sort="Clears",
                none="Nobody cleared the log in this time range",
                height=6,
            ),
        ],
    )


def _readers() -> Row:
    return Row(
        "Who reads",
        [
            chart(
                "Readers",
                "Processes that hold the log open for reading.",
                [over_time(f"sum by (comm, interface) (kmsg_readers{{{SELECTED}}})", "{{comm}} ({{interface}})")],
                stacked=True,
                none="No process holds the log open, as far as can be seen",
            ),
            chart(
                "Reads",
                "Read calls that returned something.",
                [over_time(each("kmsg_reads_total", "comm", "interface"), "{{comm}} ({{interface}})")],
                unit="cps",
                none="No read seen",
            ),
            chart(
                "Bytes read",
                "What these calls returned.",
                [over_time(each("kmsg_read_bytes_total", "comm", "interface"), "{{comm}} ({{interface}})")],
                unit="Bps",
                none="No read seen",
            ),
            chart(
                "Opens",
                "Opens of /dev/kmsg and /proc/kmsg for reading.",
                [over_time(f"{count('kmsg_opens_total', 'comm', 'interface')} > 0", "{{comm}} ({{interface}})")],
                bars=True,
                none="No open seen (the tracepoint backend sees none)",
            ),
        ],
    )


def _events() -> Row:
    panel = logs(
        "Events",
        "One line for each emptying, from a log store that the collector writes to.",
        EVENTS,
        none="No event in this time range",
    )
    return Row("Events (needs Loki)", [panel], folded=True)


def node() -> Json:
    """The whole dashboard."""
    return dashboard(
        NODE,
        "Kernel log: node",
        "One node: the state of its kernel log over time, who clears and reads it, its events, and the agent's health.",
        [_now(), _ring(), _clears(), _readers(), health(), _events()],
        many_nodes=False,
        hours=6,
        refresh="1m",
    )
