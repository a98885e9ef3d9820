"""The night that docs/commands.md tells of: an OOM kill, a clear by cron's script, and a line that no file has."""

from __future__ import annotations

from fake_node import FakeNode, emptied

from kmsg_exporter.model import LogRecord

OOM = "Memory cgroup out of memory: Killed process 123 (payments) total-vm:44216kB, anon-rss:32432kB"


def play(node: FakeNode) -> None:
    node.kmsg.next_seq = 1204  # what was before is overwritten
    node.print(6, 61.042113, 'audit: type=1400 audit(1795424461.042:31): apparmor="STATUS" operation="profile_load"')
    node.print(30, 62.5, "systemd[1]: Reached target multi-user.target - Multi-User System.")
    node.print(4, 2375.1, "payments invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0")
    seq = node.print(3, 2375.290812, OOM)
    node.kmsg.clear()
    node.history(
        emptied(60.5, 0, 1203, LogRecord("usb 1-1: device descriptor read/64, error -110", 1203, 59_120_004, 3, 0)),
        emptied(2381.587, 1204, seq, LogRecord(OOM, seq, 2_375_290_812, 3, 0)),
    )
    node.processes.add(300, comm="systemd-journal", exe="/usr/lib/systemd/systemd-journald")
    node.processes.add(400, comm="rsyslogd", exe="/usr/sbin/rsyslogd")
    node.reads_proc_kmsg(400)
    (node.log / "syslog").write_text("2026-11-23T09:00:02+00:00 node-7 kernel: [   62.500000] systemd[1]: Reached\n")
    node.journal({"MESSAGE": "systemd[1]: Reached", "_SOURCE_MONOTONIC_TIMESTAMP": "62500000"})
