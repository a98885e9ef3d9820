"""What journald, syslog-ng and node-problem-detector make of the kernel's lines, by their files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kmsg_exporter.model import Reader
from kmsg_exporter.why import console, daemons, holders, journald
from kmsg_exporter.why.files import Files
from kmsg_exporter.why.finding import Finding, Roots

SHIPPED = Path(__file__).parent / "etc"
RUNS = {"systemd-journal": 300, "rsyslogd": 400}


def files(folder: Path, **texts: str) -> Roots:
    for name, text in texts.items():
        path = folder / name.replace("__", "/").replace("_conf", ".conf").replace(".conf_d", ".conf.d")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Roots(etc=folder / "etc", log=folder / "log", root=folder)


def told(findings: list[Finding]) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(one.verdict, one.what, one.evidence) for one in findings]


def test_journald_as_debian_ships_it_keeps_the_kernels_lines_where_there_is_a_place(tmp_path: Path) -> None:
    roots = Roots(etc=SHIPPED / "debian", log=tmp_path, root=tmp_path)
    assert [one.what for one in journald.journald(roots, RUNS)] == [
        "the journal is in memory only: what it had is gone after a boot"
    ]
    (tmp_path / "journal").mkdir()
    assert told(journald.journald(roots, RUNS)) == [("note", "journald reads and keeps the kernel's lines", ())]
    assert journald.journald(roots, {}) == []


def test_the_last_drop_in_has_the_last_word(tmp_path: Path) -> None:
    roots = files(
        tmp_path,
        etc__systemd__journald_conf="[Journal]\nStorage=persistent\n#ReadKMsg=no\n",
        usr__lib__systemd__journald_conf_d__50_conf="[Journal]\nReadKMsg=yes\nStorage=none\n",
        etc__systemd__journald_conf_d__10_conf="[Journal]\nReadKMsg=no\nMaxLevelStore=warning\n",
    )
    settings = journald.journald_settings(Files(roots))
    assert {name: str(place) for name, (_, place) in settings.items()} == {
        "ReadKMsg": "/usr/lib/systemd/journald.conf.d/50.conf:2: ReadKMsg=yes",
        "Storage": "/usr/lib/systemd/journald.conf.d/50.conf:3: Storage=none",
        "MaxLevelStore": "/etc/systemd/journald.conf.d/10.conf:3: MaxLevelStore=warning",
    }
    assert [(one.verdict, one.what) for one in journald.journald(roots, RUNS)] == [
        ("cause", "journald keeps nothing: it only passes on"),
        ("cause", "journald stores only lines of level warn and worse"),
    ]


def test_a_drop_in_of_etc_hides_one_of_the_same_name(tmp_path: Path) -> None:
    roots = files(
        tmp_path,
        usr__lib__systemd__journald_conf_d__a_conf="ReadKMsg=yes\n",
        etc__systemd__journald_conf_d__a_conf="ReadKMsg=no\nRateLimitBurst=10\nStorage=volatile\n",
    )
    assert told(journald.journald(roots, RUNS)) == [
        (
            "cause",
            "journald does not read the kernel's log",
            ("/etc/systemd/journald.conf.d/a.conf:1: ReadKMsg=no",),
        ),
        (
            "note",
            "the journal is in memory only: what it had is gone after a boot",
            ("/etc/systemd/journald.conf.d/a.conf:3: Storage=volatile",),
        ),
        (
            "note",
            "journald limits how much a service may log; the kernel's own lines are not limited",
            ("/etc/systemd/journald.conf.d/a.conf:2: RateLimitBurst=10",),
        ),
    ]


def test_rsyslog_is_told_with_the_rules_that_write_the_kernels_lines() -> None:
    found, _ = daemons.of_rsyslog(Roots(etc=SHIPPED / "rhel"), RUNS)
    assert [(one.verdict, one.what) for one in found] == [
        ("note", "rsyslog writes the kernel's errors to /var/log/messages")
    ]
    assert found[0].evidence[1:] == (
        "/etc/rsyslog.conf:43: *.info;mail.none;authpriv.none;cron.none /var/log/messages",
    )
    found, _ = daemons.of_rsyslog(Roots(etc=SHIPPED / "ubuntu"), {})
    assert (
        found[0].what == "rsyslog (which does not run) writes the kernel's errors to /var/log/syslog, /var/log/kern.log"
    )


def test_rsyslog_without_a_kernel_input_is_a_cause_where_it_runs(tmp_path: Path) -> None:
    roots = files(tmp_path, etc__rsyslog_conf='module(load="imuxsock")\n*.* /var/log/syslog\n')
    for running, verdict in (({"rsyslogd": 1}, "cause"), ({}, "note")):
        found, _ = daemons.of_rsyslog(roots, running)
        assert [one.verdict for one in found] == [verdict]
        assert "gets no kernel lines: it loads none of imklog, imkmsg and imjournal" in found[0].what


def test_rsyslog_whose_rules_end_the_kernels_lines_is_a_cause(tmp_path: Path) -> None:
    roots = files(tmp_path, etc__rsyslog_conf='module(load="imklog")\nkern.* stop\n*.* /var/log/syslog\n')
    found, _ = daemons.of_rsyslog(roots, RUNS)
    assert told(found) == [
        (
            "cause",
            "rsyslog writes the kernel's errors to no file",
            ('/etc/rsyslog.conf:1: module(load="imklog")', "/etc/rsyslog.conf:2: kern.* stop"),
        )
    ]


def test_syslog_ng_is_told_by_its_sources(tmp_path: Path) -> None:
    conf = 'source s_src {\n  system();\n  internal();\n};\n# file("/proc/kmsg")\nsource k { file("/proc/kmsg"); };\n'
    roots = files(tmp_path, **{"etc__syslog-ng__syslog-ng_conf": conf})
    assert told(daemons.syslog_ng(roots, {"syslog-ng": 9})) == [
        (
            "note",
            "syslog-ng reads the kernel's lines; where it writes them is not followed here",
            (
                "/etc/syslog-ng/syslog-ng.conf:2: system();",
                '/etc/syslog-ng/syslog-ng.conf:6: source k { file("/proc/kmsg"); };',
            ),
        )
    ]
    roots = files(tmp_path, **{"etc__syslog-ng__syslog-ng_conf": "source s { internal(); };\n"})
    assert "reads no kernel lines" in daemons.syslog_ng(roots, {})[0].what
    assert daemons.syslog_ng(Roots(etc=tmp_path / "none"), {}) == []


def test_syslog_ng_may_have_the_kernels_lines_from_the_journal(tmp_path: Path) -> None:
    roots = files(tmp_path, **{"etc__syslog-ng__syslog-ng_conf": "source s { systemd-journal(); };\n"})
    assert told(daemons.syslog_ng(roots, {"syslog-ng": 9})) == [
        (
            "note",
            "syslog-ng reads the kernel's lines; where it writes them is not followed here",
            ("/etc/syslog-ng/syslog-ng.conf:1: source s { systemd-journal(); };",),
        )
    ]


def refuse(path: Path) -> None:
    """Even to root."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(path)


LOOP = "Too many levels of symbolic links"


def test_what_of_rsyslogs_configuration_can_not_be_read_is_no_cause(tmp_path: Path) -> None:
    refuse(tmp_path / "etc" / "rsyslog.conf")
    roots = files(tmp_path)
    unseen = ("unseen", "rsyslog's configuration could be read only in part", (f"/etc/rsyslog.conf: {LOOP}",))
    assert told(daemons.of_rsyslog(roots, RUNS)[0]) == [unseen]
    assert daemons.of_rsyslog(roots, {}) == ([], None)
    (tmp_path / "etc" / "rsyslog.conf").unlink()
    files(tmp_path, etc__rsyslog_conf="$IncludeConfig /etc/rsyslog.d/*.conf\n")
    refuse(tmp_path / "etc" / "rsyslog.d")
    assert [(one.verdict, one.evidence) for one in daemons.of_rsyslog(roots, RUNS)[0]] == [
        ("unseen", (f"/etc/rsyslog.d: {LOOP}",))
    ]
    files(tmp_path, etc__rsyslog_conf='module(load="imklog")\ninclude(file="/etc/rsyslog.d/*.conf")\nkern.* stop\n')
    assert [(one.verdict, one.what) for one in daemons.of_rsyslog(roots, RUNS)[0]] == [
        ("unseen", "rsyslog's configuration could be read only in part"),
        ("note", "rsyslog writes the kernel's errors to no file, as far as its configuration could be read"),
    ]


def test_what_of_journalds_configuration_can_not_be_read_may_have_the_last_word(tmp_path: Path) -> None:
    roots = files(tmp_path, etc__systemd__journald_conf="[Journal]\nReadKMsg=no\n", log__journal__x="")
    refuse(tmp_path / "etc" / "systemd" / "journald.conf.d" / "a.conf")
    assert told(journald.journald(roots, RUNS)) == [
        ("note", "journald does not read the kernel's log", ("/etc/systemd/journald.conf:2: ReadKMsg=no",)),
        (
            "unseen",
            "journald's configuration could be read only in part",
            (f"/etc/systemd/journald.conf.d/a.conf: {LOOP}",),
        ),
    ]
    (tmp_path / "etc" / "systemd" / "journald.conf").unlink()
    assert [one.verdict for one in journald.journald(roots, RUNS)] == ["unseen"]


def test_syslog_ng_whose_configuration_can_not_be_read_may_read_the_kernels_lines(tmp_path: Path) -> None:
    roots = files(tmp_path, **{"etc__syslog-ng__syslog-ng_conf": "source s { internal(); };\n"})
    refuse(tmp_path / "etc" / "syslog-ng" / "conf.d" / "a.conf")
    assert told(daemons.syslog_ng(roots, {})) == [
        (
            "unseen",
            "syslog-ng's configuration could be read only in part",
            (f"/etc/syslog-ng/conf.d/a.conf: {LOOP}",),
        )
    ]


def test_node_problem_detectors_kernel_monitor_is_told(tmp_path: Path) -> None:
    monitor = {
        "plugin": "kmsg",
        "logPath": "/dev/kmsg",
        "lookback": "5m",
        "source": "kernel-monitor",
        "rules": [{}, {}],
    }
    place = tmp_path / "etc" / "node-problem-detector.d"
    place.mkdir(parents=True)
    (place / "kernel-monitor.json").write_text(json.dumps(monitor))
    (place / "docker-monitor.json").write_text(json.dumps(monitor | {"plugin": "journald", "logPath": "/var/log"}))
    (place / "broken.json").write_text("[")
    roots = Roots(etc=tmp_path / "etc", root=tmp_path)
    assert told(daemons.node_problem_detector(roots, {})) == [
        (
            "note",
            "node-problem-detector (which does not run) looks for its patterns and keeps no lines",
            ("/etc/node-problem-detector.d/kernel-monitor.json: plugin kmsg, /dev/kmsg, 2 rules",),
        )
    ]
    elsewhere = daemons.node_problem_detector(Roots(etc=tmp_path / "no", root=tmp_path / "no"), {"node-problem-de": 5})
    assert [one.evidence for one in elsewhere] == [("pid 5",)]


def test_two_readers_of_proc_kmsg_are_a_cause_and_others_are_not() -> None:
    rsyslogd = Reader(400, "rsyslogd", "/usr/sbin/rsyslogd", "proc_kmsg")
    journald = Reader(300, "systemd-journal", "/usr/lib/systemd/systemd-journald", "dev_kmsg")
    klogd = Reader(500, "klogd", "/sbin/klogd", "proc_kmsg")
    assert [one.verdict for one in holders.findings([rsyslogd, journald], 0)] == ["note"]
    cause, note = holders.findings([rsyslogd, klogd], 0)
    assert (cause.verdict, cause.evidence) == (
        "cause",
        ("rsyslogd[400] /usr/sbin/rsyslogd reads /proc/kmsg", "klogd[500] /sbin/klogd reads /proc/kmsg"),
    )
    assert note.what == "2 processes hold the log open for reading"
    assert [one.verdict for one in holders.findings([], 7)] == ["note", "unseen"]


@pytest.mark.parametrize(
    ("printk", "shown"),
    [
        ("4 4 1 7", "err and worse"),
        ("7 4 1 7", "info and worse"),
        ("8 4 1 7", "everything"),
        ("1 4 1 7", "emerg and worse"),
    ],
)
def test_the_console_shows_what_its_level_lets_through(tmp_path: Path, printk: str, shown: str) -> None:
    kernel = tmp_path / "sys" / "kernel"
    kernel.mkdir(parents=True)
    (kernel / "printk").write_text(f"{printk}\n")
    (kernel / "printk_devkmsg").write_text("off\n")
    (tmp_path / "cmdline").write_text("root=/dev/sda1 quiet console=ttyS0 loglevel=3 printk.devkmsg=off secret=1\n")
    level, dropped = console.findings(tmp_path)
    assert level.what == f"the console shows {shown}; dmesg and the daemons see all"
    assert level.evidence[1] == "/proc/cmdline: quiet console=ttyS0 loglevel=3 printk.devkmsg=off"
    assert (dropped.verdict, dropped.what) == ("cause", "what programs write to /dev/kmsg is dropped")


def test_a_proc_without_any_of_it_tells_nothing(tmp_path: Path) -> None:
    assert console.findings(tmp_path) == []
