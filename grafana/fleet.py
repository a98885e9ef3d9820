"""The dashboard "Fleet": who clears, where, since when; competing readers; nodes that nobody watches."""

from __future__ import annotations

from board import EVENTS, FLEET, NODE, SELECTED, Row, dashboard
from panels import WHEN, Json, chart, logs, now, over_time, stat, steps, table, words
from queries import (
    CONSUMERS,
    EMPTIED,
    EMPTIED_IN_RANGE,
    NODES,
    NOT_ATTACHED,
    STATE_ONLY,
    UP,
    WHO,
    clears_by,
    count,
    first_seen,
    last_seen,
    lost,
    why,
)

NODE_LINK: Json = {
    "links": [
        {
            "title": "This node",
            "url": f"/d/{NODE}?var-node=${{__value.text}}&${{datasource:queryparam}}&${{__url_time_range}}",
        }
    ]
}
YES_OR_NO = words({0: ("no", "text"), 1: ("yes", "red")})
WENT_EMPTY = f"sum by ($node_label) (increase({EMPTIED}[$__range])) > 0"
COMPETING = (
    f"sum by ($node_label, comm, exe, interface) ({CONSUMERS}) > 0"
    f" and on ($node_label) sum by ($node_label) ({CONSUMERS}) > 1"
)
UNWATCHED = " or ".join(
    (
        why(f"sum by ($node_label) ({UP} == 0) + 1", "Prometheus can't scrape it"),
        why(f"sum by ($node_label) ({STATE_ONLY})", "nothing is traced: clears are seen, not by whom"),
        why(f"sum by ($node_label, probe) ({NOT_ATTACHED}) + 1", "the probe $1 is not attached", "probe", "(.+)"),
        why(f"sum by ($node_label) ({lost('1h')}) > 0", "trace records were lost in the last hour"),
    )
)


def _overview() -> Row:
    none_is_good, some_is_bad = steps("green", {1: "red"}), steps("green", {1: "orange"})
    return Row(
        "Overview",
        [
            stat(
                "Nodes", "Nodes with an agent that answers.", now(f"count({NODES})"), thresholds=steps("blue"), none="0"
            ),
            stat(
                "Down",
                "Targets that Prometheus can't scrape: nothing is known of their logs.",
                now(f"count({UP} == 0) or vector(0)"),
                thresholds=none_is_good,
            ),
            stat(
                "Blind",
                "Nodes whose agent does not see all who use the log, see below.",
                now(f"count(count by ($node_label) ({NOT_ATTACHED} or {STATE_ONLY})) or vector(0)"),
                thresholds=some_is_bad,
            ),
            stat(
                "Clears",
                "Clears of the kernel log in this time range, known clearers included.",
                now(f"sum(increase(kmsg_clears_total{{{SELECTED}}}[$__range])) or vector(0)"),
                thresholds=steps("blue"),
            ),
            stat(
                "Unexpected",
                "Clears in this time range that no rule of --expected fits.",
                now(
                    f'sum(increase(kmsg_clears_by_origin_total{{{SELECTED}, expected="false"}}[$__range])) or vector(0)'
                ),
                thresholds=some_is_bad,
            ),
            stat(
                "Unattributed",
                "Clears in this time range that are seen on the log and that no traced call explains.",
                now(f"sum(increase(kmsg_unattributed_clears_total{{{SELECTED}}}[$__range]))"),
                thresholds=some_is_bad,
                none="0",
            ),
            stat(
                "Empty now",
                "Nodes on which dmesg shows nothing at this moment.",
                now(f"sum(kmsg_empty{{{SELECTED}}})"),
                thresholds=some_is_bad,
                none="0",
            ),
            stat(
                "Competing",
                "Nodes on which two or more readers take kernel log records from each other.",
                now(f"count(sum by ($node_label) ({CONSUMERS}) > 1) or vector(0)"),
                thresholds=some_is_bad,
            ),
        ],
    )


def _clears() -> Row:
    return Row(
        "Who clears, where, since when",
        [
            chart(
                "Clears by script",
                "Each bar counts since the bar before. The script is the nearest ancestor that is no bare shell.",
                [
                    over_time(
                        f"{count('kmsg_clears_by_origin_total', 'origin', 'comm')} > 0",
                        "{{origin}} ({{comm}})",
                    )
                ],
                bars=True,
                none="Nobody cleared a log in this time range",
            ),
            chart(
                "Logs that went empty",
                "How often dmesg went from something to nothing; each bar counts since the bar before.",
                [over_time(count("kmsg_emptied_total"), "went empty")],
                bars=True,
            ),
            table(
                "Who clears",
                "Each program that cleared a log in this time range, by the script that ran it. First and last are"
                " when Prometheus saw it, to a step of this dashboard. Expected is what --expected declares.",
                [
                    now(clears_by(WHO), table=True),
                    now(f"count by ({WHO}) ({clears_by(f'$node_label, {WHO}')})", table=True),
                    now(first_seen(WHO), table=True),
                    now(last_seen(WHO), table=True),
                ],
                {
                    "origin": "Script",
                    "comm": "Program",
                    "exe": "Executable",
                    "expected": "Expected",
                    "#A": "Clears",
                    "#B": "Nodes",
                    "#C": "First",
                    "#D": "Last",
                },
                looks={"First": WHEN, "Last": WHEN},
                height=6,
                sort="Clears",
                none="Nobody cleared a log in this time range",
            ),
            table(
                "Where",
                "Nodes whose log went empty in this time range. Hidden records are still in the kernel's ring.",
                [
                    now(WENT_EMPTY, table=True),
                    now(f"max by ($node_label) ({EMPTIED_IN_RANGE}) * 1000", table=True),
                    now(
                        f"max by ($node_label) (kmsg_hidden_records{{{SELECTED}}})"
                        f" and on ($node_label) ({EMPTIED_IN_RANGE})",
                        table=True,
                    ),
                    now(
                        f"max by ($node_label) (kmsg_empty{{{SELECTED}}}) and on ($node_label) ({EMPTIED_IN_RANGE})",
                        table=True,
                    ),
                ],
                {
                    "node": "Node",
                    "instance": "Node",
                    "#A": "Went empty",
                    "#B": "Last emptied",
                    "#C": "Hidden records",
                    "#D": "Empty now",
                },
                looks={"Node": NODE_LINK, "Last emptied": WHEN, "Empty now": {"mappings": YES_OR_NO}},
                height=6,
                sort="Went empty",
                none="No log went empty in this time range",
            ),
        ],
    )


def _readers() -> Row:
    return Row(
        "Who reads",
        [
            table(
                "Competing readers",
                "Programs that consume the log by /proc/kmsg or by the action read of syslog(2) on a node where another"
                " does too: each record reaches only one of them.",
                [now(COMPETING, table=True)],
                {
                    "node": "Node",
                    "instance": "Node",
                    "comm": "Program",
                    "exe": "Executable",
                    "interface": "Interface",
                    "Value": "Readers",
                },
                looks={"Node": NODE_LINK},
                none="No node has two readers that compete",
                width=12,
            ),
            chart(
                "Readers by program",
                "Processes on all nodes that hold the log open for reading.",
                [over_time(f"sum by (comm, interface) (kmsg_readers{{{SELECTED}}})", "{{comm}} ({{interface}})")],
                stacked=True,
                none="No process holds a log open, as far as can be seen",
            ),
        ],
    )


def _agents() -> Row:
    return Row(
        "Nodes that nobody watches",
        [
            table(
                "Blind nodes",
                "Nodes on which a clear may go unseen or without a name, and why. `kmsg-exporter doctor` says more.",
                [now(UNWATCHED, table=True)],
                {"node": "Node", "instance": "Node", "why": "Why"},
                hidden=("Value", "probe"),
                looks={"Node": NODE_LINK},
                none="Every node is watched",
                width=12,
            ),
            chart(
                "Nodes by backend",
                "How accesses are traced; state means that nothing is traced.",
                [over_time(f"count by (backend) (kmsg_exporter_backend_info{{{SELECTED}}})", "{{backend}}")],
                stacked=True,
            ),
            chart(
                "Events that wait",
                "Events on the nodes' disks that the collector does not have yet.",
                [over_time(f"sum(kmsg_exporter_push_queue_events{{{SELECTED}}})", "waiting")],
                none="No agent has somewhere to push to",
            ),
            chart(
                "Failed requests to the collector",
                "By reason, each bar since the bar before. A failed request is tried again; the event waits on disk.",
                [
                    over_time(
                        f"{count('kmsg_exporter_push_failures_total', 'reason')} > 0",
                        "{{reason}}",
                    )
                ],
                bars=True,
                none="No request failed",
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


def fleet() -> Json:
    """The whole dashboard."""
    return dashboard(
        FLEET,
        "Kernel log: fleet",
        "Who clears the kernel log, on which nodes and since when; readers that compete; nodes that nobody watches.",
        [_overview(), _clears(), _readers(), _agents(), _events()],
        many_nodes=True,
        hours=24,
        refresh="5m",
    )
