"""why, recover and history as a person calls them: flags, exit codes, what is said where."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_node import BOOT_UNIX, SHIPPED, FakeNode, emptied

from kmsg_exporter import cli
from kmsg_exporter.model import LogRecord
from kmsg_exporter.why import log

sys.path.insert(0, str(Path(__file__).parent))
from night import play

OOM = "Out of memory: Killed process 7 (shop) total-vm:1kB"


def run(*words: str) -> int:
    return cli.main(words, {})


def look(node: FakeNode, *flags: str) -> list[str]:
    return ["why", *node.flags(), f"--path.etc={node.etc}", f"--path.log={node.log}", *flags]


def recover(node: FakeNode, *flags: str) -> list[str]:
    return ["recover", *node.flags(), *flags]


def test_recover_prints_only_what_is_hidden(node: FakeNode, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    node.print(6, 1, "hidden")
    node.kmsg.clear()
    node.print(6, 2, "visible")
    assert run(*recover(node)) == 0
    assert capfdbinary.readouterr() == (b"[    1.000000] hidden\n", b"")


def test_recover_says_that_nothing_is_hidden(node: FakeNode, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    node.print(6, 2, "visible")
    assert run(*recover(node)) == 0
    said = b"recover: no record is hidden by a clear; dmesg shows all 1 that the ring has\n"
    assert capfdbinary.readouterr() == (b"", said)


def test_recover_says_that_none_of_what_is_hidden_was_asked_for(
    node: FakeNode, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    node.print(6, 1, "hidden")
    node.kmsg.clear()
    assert run(*recover(node, "--level=err+")) == 0
    said = b"recover: records that a clear hides: 1, and none is of the level and facility asked for\n"
    assert capfdbinary.readouterr() == (b"", said)


def test_recover_tells_what_the_history_has_from_what_is_shown_of_it(
    node: FakeNode, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    node.kmsg.next_seq = 9
    node.print(3, 9, "hidden")
    node.kmsg.clear()
    node.history(emptied(5, 0, 8, LogRecord("bad", 3, 3_000_000, 3, 0), LogRecord("well", 4, 4_000_000, 6, 0)))
    account = b"recover: 9 older records were overwritten since the boot: they are lost for good, but for 2 in the "
    for flag, ending in (
        ("--level=err+", b"agent's history, of which 1 is shown\n"),
        ("--level=emerg+", b"agent's history, of which 0 are shown\n"),
        ("--facility=kern", b"agent's history\n"),
    ):
        assert run(*recover(node, flag)) == 0
        assert capfdbinary.readouterr().err.endswith(account + ending)


def test_recover_filters_as_dmesg_does(node: FakeNode, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    for priority in (3, 4, 6, 30, 27):
        node.print(priority, 1, f"p{priority}")
    node.kmsg.clear()
    for flags, expected in (
        (["--level=err"], "p3 p27"),
        (["-l", "err,info"], "p3 p6 p30 p27"),
        (["--level=warn+"], "p3 p4 p27"),
        (["--level=+info"], "p6 p30"),
        (["--level=3"], "p3 p27"),
        (["--facility=daemon"], "p30 p27"),
        (["-f", "kern", "-l", "err"], "p3"),
    ):
        assert run(*recover(node, *flags)) == 0
        assert re.findall(r"p\d+", capfdbinary.readouterr().out.decode()) == expected.split(), flags


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--level=loud"], "flag --level: 'loud' is not a list of emerg, alert, crit, err, warn, notice, info, debug"),
        (["--facility=none"], "flag --facility: 'none' is not a list of kern, user, "),
        (["--raw", "-T"], "flag --ctime: not with --raw: dmesg has no such form"),
        (["--raw", "-x"], "flag --decode: not with --raw: dmesg has no such form"),
    ],
)
def test_a_wrong_value_says_what_is_right(
    node: FakeNode, capsys: pytest.CaptureFixture[str], flags: list[str], said: str
) -> None:
    assert run(*recover(node, *flags)) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("more", ["-T", "--raw", "--color=always"])
def test_json_is_the_same_with_what_dmesg_leaves_unheeded_beside_it(
    node: FakeNode, capfdbinary: pytest.CaptureFixture[bytes], more: str
) -> None:
    node.print(3, 1, "sda: broken")
    node.kmsg.clear()
    assert run(*recover(node, "--json", more)) == 0
    assert capfdbinary.readouterr().out == (
        b'{\n   "dmesg": [\n      {\n         "pri": 3,\n         "time":     1.000000,\n'
        b'         "msg": "sda: broken"\n      }\n   ]\n}\n'
    )


def test_recover_without_the_device_says_why_and_has_the_history(
    node: FakeNode, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    (node.dev / "kmsg").unlink()
    node.history(emptied(5, 0, 3, LogRecord("kept", 3, 4_000_000, 3, 0)))
    assert run(*recover(node, "--raw")) == 1
    out, err = capfdbinary.readouterr()
    assert out == (
        b"-- from the agent's history, no longer in the ring --\n"
        b"<3>[    4.000000] kept\n-- end of the agent's history --\n"
    )
    assert err.decode() == (
        f"recover: the hidden records can't be read: {node.dev}/kmsg: there is no such device here. Only /dev/kmsg "
        "gives back what a clear hides: syslog(2) starts after the clear, or takes lines away from the system's "
        "logger. On the node's host, as root, it works\n"
    )


def a_link(node: FakeNode) -> None:
    (node.dev / "kmsg").unlink()
    (node.dev / "kmsg").symlink_to("/dev/zero")


def a_pipe(node: FakeNode) -> None:
    (node.dev / "kmsg").unlink()
    os.mkfifo(node.dev / "kmsg")


def a_file(node: FakeNode) -> None:
    (node.dev / "kmsg").unlink()
    (node.dev / "kmsg").write_bytes(b"")


@pytest.mark.parametrize(
    ("made", "kind"), [(a_link, "a link to /dev/zero"), (a_pipe, "a named pipe"), (a_file, "a file")]
)
def test_what_only_has_the_devices_name_is_told_from_it(
    node: FakeNode,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    made: Callable[[FakeNode], None],
    kind: str,
) -> None:
    made(node)
    why_not = f"{node.dev}/kmsg: not the kernel log's device but {kind}, as containers have it"
    assert run(*recover(node)) == 1
    assert f"recover: the hidden records can't be read: {why_not}. Only /dev/kmsg" in capsys.readouterr().err
    monkeypatch.setattr(log, "read_all", lambda _: b"<6>[    1.000000] a\n")
    assert run(*look(node)) == 0
    assert why_not in capsys.readouterr().out


def test_recover_into_a_closed_pipe_is_quiet(node: FakeNode, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(5000):
        node.print(6, 1, "x" * 100)
    node.kmsg.clear()
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as closed:
        monkeypatch.setattr(sys, "stdout", closed)
        assert run(*recover(node)) == 0


def test_history_without_an_agent_says_how_to_have_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("history", f"--state-directory={tmp_path}") == 1
    assert capsys.readouterr().err == (
        f"kmsg-exporter: there is no history: no {tmp_path}/spool.sqlite3; the agent keeps it from its first start on "
        "(kmsg-exporter run, or systemctl start kmsg-exporter). If it runs elsewhere, name its --state-directory\n"
    )


def test_history_filters(node: FakeNode, capsys: pytest.CaptureFixture[str]) -> None:
    node.history(emptied(60, 0, 2), emptied(120, 3, 4, actor=None), emptied(180, 5, 5))
    state = f"--state-directory={node.state}"

    def sequences(*flags: str) -> list[int]:
        assert run("history", "--json", state, *flags) == 0
        return [json.loads(line)["sequence"] for line in capsys.readouterr().out.splitlines()]

    assert sequences() == [3, 2, 1]
    assert sequences("--limit=2") == [3, 2]
    assert sequences("--comm=dm*") == [3, 1]
    assert sequences("--exe=/usr/bin/*") == [3, 1]
    assert sequences("--exe=/sbin/*") == []
    assert sequences("--since=2026-11-23T09:01:30Z") == [3, 2]
    assert sequences("--since=2026-11-23T09:01:30Z", "--until=2026-11-23T09:02:30Z") == [2]
    assert run("history", state, "--comm=nobody") == 0
    assert capsys.readouterr().out == "no emptying of this node's log is kept that fits\n"
    assert run("history", state, "--since=soon") == 2
    assert "flag --since: 'soon' is not a time like 2026-11-23" in capsys.readouterr().err
    assert run("history", state, "--since=1h", "--until=2h") == 2
    assert capsys.readouterr().err == (
        "kmsg-exporter: flag --since: '1h' is later than --until='2h': nothing is in between\n"
    )
    assert run("history", state, "--limit=0") == 2
    assert "flag --limit: '0' is not a number above 0" in capsys.readouterr().err


def test_history_makes_hostile_names_visible(node: FakeNode, capsys: pytest.CaptureFixture[str]) -> None:
    from dataclasses import replace

    from fake_node import CRON

    node.history(emptied(60, 0, 2, actor=replace(CRON, comm="a\x1b[31m", origin="b\n")))
    assert run("history", f"--state-directory={node.state}") == 0
    out = capsys.readouterr().out
    assert "a\\x1b[31m[132]" in out
    assert "\x1b" not in out


def why_json(node: FakeNode, capsys: pytest.CaptureFixture[str], *flags: str) -> tuple[int, list[dict[str, Any]]]:
    code = run(*look(node, "--json", *flags))
    document = json.loads(capsys.readouterr().out)
    assert document["exit_code"] == code
    return code, document["findings"]


def test_why_finds_nothing_wrong_on_a_sound_node(node: FakeNode, capsys: pytest.CaptureFixture[str]) -> None:
    node.print(6, 1, "Linux version 6.1")
    assert run(*look(node)) == 0
    assert capsys.readouterr().out.startswith("Nothing wrong was found: ")


def test_why_leaves_out_troubles_before_since(node: FakeNode, capsys: pytest.CaptureFixture[str]) -> None:
    node.print(3, 1, OOM)
    assert why_json(node, capsys)[0] == 3
    assert why_json(node, capsys, "--since=2026-11-23T09:30:00Z")[0] == 0


def test_a_line_that_is_where_people_look_is_a_note(node: FakeNode, capsys: pytest.CaptureFixture[str]) -> None:
    node.print(3, 1, OOM)
    (node.log / "kern.log").write_text(f"2026-11-23T09:00:01+00:00 n kernel: [    1.000000] {OOM}\n")
    code, found = why_json(node, capsys)
    assert code == 0
    assert "an OOM kill (7 (shop), 2026-11-23 09:00:01) is in /var/log/kern.log" in [one["what"] for one in found]


def test_a_line_of_the_journal_only_is_a_cause_where_files_are_kept(
    node: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    node.print(3, 1, OOM)
    node.journal({"MESSAGE": OOM, "_SOURCE_MONOTONIC_TIMESTAMP": "1000000"})
    code, found = why_json(node, capsys)
    assert (code, found[0]["what"]) == (
        3,
        "an OOM kill (7 (shop), 2026-11-23 09:00:01) is in the journal and in no log file",
    )
    node.etc = node.folder / "nothing"
    code, found = why_json(node, capsys)
    assert code == 0


def test_a_rule_that_sends_the_line_elsewhere_is_shown(node: FakeNode, capsys: pytest.CaptureFixture[str]) -> None:
    node.etc = node.folder / "etc"
    node.etc.mkdir()
    (node.etc / "rsyslog.conf").write_text(
        'module(load="imklog")\nkern.* /var/log/odd.log\n& stop\n*.* /var/log/syslog\n'
    )
    node.print(3, 1, OOM)
    (node.log / "odd.log").write_text(f"2026-11-23T09:00:01+00:00 n kernel: [    1.000000] {OOM}\n")
    (node.log / "syslog").write_text("2026-11-23T09:00:01+00:00 n systemd[1]: Started.\n")
    code, found = why_json(node, capsys)
    assert code == 3
    assert found[0]["what"] == (
        "an OOM kill (7 (shop), 2026-11-23 09:00:01) is in none of the usual files but in /var/log/odd.log"
    )
    assert found[0]["evidence"][1:] == [
        "it is at /var/log/odd.log:1",
        "rsyslog's rule for it: /etc/rsyslog.conf:2: kern.* /var/log/odd.log",
        "rsyslog's rules end for it here: /etc/rsyslog.conf:3: & stop",
    ]


def refuse(path: Path) -> None:
    """Even to root."""
    path.symlink_to(path)


def test_a_line_is_not_said_to_be_nowhere_where_not_all_could_be_read(
    node: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    node.print(3, 1, OOM)
    refuse(node.log / "messages")
    code, found = why_json(node, capsys)
    (kill,) = [one for one in found if "OOM" in one["what"]]
    assert (code, kill["verdict"], kill["what"]) == (
        0,
        "unseen",
        "an OOM kill (7 (shop), 2026-11-23 09:00:01) was not found in what could be read",
    )
    assert kill["evidence"][-1] == "looked in: nothing"
    assert "not looked through: /var/log/messages: Too many levels of symbolic links" in [one["what"] for one in found]
    run(*look(node))
    printed = capsys.readouterr().out
    assert printed.startswith("Nothing wrong was found in what could be looked at.\n")
    assert "no journal" not in printed


def test_a_line_that_the_journal_would_have_shown_to_root_is_not_nowhere(
    node: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    node.print(3, 1, OOM)
    (node.log / "syslog").write_text("2026-11-23T09:00:01+00:00 n systemd[1]: Started.\n")
    node.journal(said="Hint: You are currently not seeing messages from other users and the system.")
    code, found = why_json(node, capsys)
    (kill,) = [one for one in found if "OOM" in one["what"]]
    assert (code, kill["verdict"], kill["evidence"][-1]) == (0, "unseen", "looked in: /var/log/syslog")
    (unseen,) = [one for one in found if "journal: " in one["what"]]
    assert unseen["remedy"] == "run it as root"


@pytest.mark.parametrize(
    ("place", "what"),
    [
        ("the journal", " is in the journal and in no log file that could be read"),
        ("odd.log", " is in /var/log/odd.log; in what could be read of the usual files it is not"),
    ],
)
def test_a_line_that_is_elsewhere_is_no_cause_where_the_usual_files_can_not_be_read(
    node: FakeNode, capsys: pytest.CaptureFixture[str], place: str, what: str
) -> None:
    node.print(3, 1, OOM)
    node.etc = node.folder / "etc"
    node.etc.mkdir()
    (node.etc / "rsyslog.conf").write_text('module(load="imklog")\nkern.* /var/log/odd.log\n')
    refuse(node.log / "messages")
    line = {"MESSAGE": OOM, "_SOURCE_MONOTONIC_TIMESTAMP": "1000000"}
    node.journal(*([line] if place == "the journal" else []))
    (node.log / "odd.log").write_text(f"[    1.000000] {OOM}\n" if place == "odd.log" else "")
    code, found = why_json(node, capsys)
    (kill,) = [one for one in found if "OOM" in one["what"]]
    assert (code, kill["verdict"], kill["what"].partition(")")[2].partition(")")[2]) == (0, "note", what)


def test_many_troubles_fit_a_screen(node: FakeNode, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(1, 11):
        node.print(3, number, f"Out of memory: Killed process {number} (shop) total-vm:1kB")
    node.kmsg.clear()
    node.history(emptied(60, 0, 9))
    node.journal()
    node.processes.add(300, comm="systemd-journal", exe="/usr/lib/systemd/systemd-journald")
    run(*look(node))
    printed = capsys.readouterr().out
    assert len(printed.splitlines()) <= 50
    assert printed.count("dmesg does not show it: a clear hides it") == 3
    assert printed.count("An OOM kill (") == 10
    assert printed.endswith("\nNot all of the evidence has room here: --all shows it.\n")
    run(*look(node, "--all"))
    printed = capsys.readouterr().out
    assert printed.count("dmesg does not show it: a clear hides it") == 10
    assert "--all" not in printed
    _, found = why_json(node, capsys)
    assert len([one for one in found if "OOM" in one["what"] and len(one["evidence"]) >= 4]) == 10


def test_a_small_terminal_is_one_screen_too(
    node: FakeNode, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "get_terminal_size", lambda: os.terminal_size((80, 24)))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    play(node)
    run(*look(node))
    lines = capsys.readouterr().out.splitlines()
    assert sum(1 + max(0, len(line) - 1) // 80 for line in lines) <= 23
    assert lines[-1] == "Not all of the evidence has room here: --all shows it."
    assert [line for line in lines if "run by cleanup.sh <- cron" in line] != []


def test_a_clear_is_told_in_a_pod_though_something_was_printed_after_it(
    node: FakeNode, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (node.dev / "kmsg").unlink()
    monkeypatch.setattr(log, "read_all", lambda _: b"<6>[   90.000000] after it\n")
    node.history(emptied(60, 0, 9))
    code, found = why_json(node, capsys)
    assert (code, found[0]["what"]) == (3, "the log was cleared in this boot: dmesg shows only the 1 record after it")
    assert " run by cleanup.sh <- cron hid 10 records (history: 1)" in found[0]["evidence"][0]


def test_in_a_pod_journald_is_the_nodes_and_so_are_its_files(
    node: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    """The journal's folder is on the node, and none is in the image; the same for rsyslog's configuration."""
    node.processes.file("/var/log/journal/x", b"")
    node.processes.file("/etc/rsyslog.conf", b'module(load="imklog")\n*.* /var/log/syslog\n')
    node.processes.add(300, comm="systemd-journal", exe="/usr/lib/systemd/systemd-journald")
    node.processes.add(400, comm="rsyslogd", exe="/usr/sbin/rsyslogd")
    node.print(6, 1, "Linux version 6.1")
    run("why", *node.flags())
    printed = capsys.readouterr().out
    assert "- journald reads and keeps the kernel's lines.\n" in printed
    assert "- rsyslog writes the kernel's errors to /var/log/syslog.\n" in printed


def test_of_many_troubles_the_newest_are_told(node: FakeNode, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(1, 15):
        node.print(3, number, f"Out of memory: Killed process {number} (shop) total-vm:1kB")
    _, found = why_json(node, capsys)
    kills = [one["what"] for one in found if "OOM" in one["what"]]
    assert (len(kills), kills[0][:26]) == (10, "an OOM kill (14 (shop), 20")
    assert "and 4 older troubles are in the ring" in [one["what"] for one in found]


def test_the_agent_does_not_carry_what_only_these_commands_need() -> None:
    code = (
        "import sys; from kmsg_exporter.cli import parser; parser(); "
        "print(*(name for name in sys.modules if name.startswith('kmsg_exporter.why.')))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert set(loaded) <= {"kmsg_exporter.why.names", "kmsg_exporter.why.moment"}


def test_the_fakes_times_are_what_they_say() -> None:
    from kmsg_exporter.why import moment

    assert moment.utc(BOOT_UNIX) == "2026-11-23T09:00:00Z"
    assert (SHIPPED / "debian" / "rsyslog.conf").exists()
