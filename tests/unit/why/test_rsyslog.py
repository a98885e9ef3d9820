"""Where rsyslog writes the kernel's lines, by configurations as distributions ship them and as people write them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmsg_exporter.why import rsyslog
from kmsg_exporter.why.expression import evaluate
from kmsg_exporter.why.finding import Roots
from kmsg_exporter.why.rsyslog import Config, Line, Route, selects

SHIPPED = Path(__file__).parent / "etc"
ERR, INFO, DEBUG = 3, 6, 7
OOM = "Out of memory: Killed process 123 (payments) total-vm:44216kB"


def shipped(name: str) -> Config:
    config = rsyslog.read(Roots(etc=SHIPPED / name))
    assert config is not None
    return config


def written(folder: Path, text: str, **included: str) -> Config:
    (folder / "rsyslog.conf").write_text(text)
    (folder / "rsyslog.d").mkdir(exist_ok=True)
    for name, more in included.items():
        (folder / "rsyslog.d" / f"{name}.conf").write_text(more)
    config = rsyslog.read(Roots(etc=folder))
    assert config is not None
    return config


def files(route: Route) -> list[str]:
    return [path for path, _ in route.files]


def test_debians_configuration_writes_kernel_lines_to_syslog_and_kern_log() -> None:
    config = shipped("debian")
    route = config.route(Line(OOM, ERR))
    assert [(path, str(place)) for path, place in route.files] == [
        ("/var/log/syslog", "/etc/rsyslog.conf:55: *.*;auth,authpriv.none -/var/log/syslog"),
        ("/var/log/kern.log", "/etc/rsyslog.conf:62: kern.* -/var/log/kern.log"),
    ]
    assert [(name, place.line) for name, place in config.inputs] == [("imklog", 12)]
    assert (route.others, route.stopped, route.unclear) == ((), None, ())


def test_ubuntus_firewall_lines_go_to_a_file_of_their_own_and_end_there() -> None:
    config = shipped("ubuntu")
    assert [name for name, _ in config.inputs] == ["imklog"]
    assert files(config.route(Line(OOM, ERR))) == ["/var/log/syslog", "/var/log/kern.log"]
    blocked = config.route(Line("[UFW BLOCK] IN=eth0 OUT=", INFO))
    assert files(blocked) == ["/var/log/ufw.log"]
    assert str(blocked.stopped) == "/etc/rsyslog.d/20-ufw.conf:7: & stop"


def test_rhels_configuration_takes_kernel_lines_from_the_journal_and_leaves_out_debug() -> None:
    config = shipped("rhel")
    assert [(name, place.line) for name, place in config.inputs] == [("imjournal", 20)]
    assert files(config.route(Line(OOM, ERR))) == ["/var/log/messages"]
    assert files(config.route(Line("noise", DEBUG))) == []


def test_emergencies_go_to_people_too() -> None:
    assert [place.line for place in shipped("debian").route(Line("dead", 0)).others] == [69]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("kern.* /var/log/a;RSYSLOG_FileFormat", ["/var/log/a"]),
        ("kern.*\t-/var/log/a", ["/var/log/a"]),
        ("kern.warn /var/log/a", ["/var/log/a"]),
        ("kern.crit /var/log/a", []),
        ("kern.=err /var/log/a", ["/var/log/a"]),
        ("kern.!err /var/log/a", []),
        ("*.*;kern.none /var/log/a", []),
        ("mail,kern.info /var/log/a", ["/var/log/a"]),
        ('kern.* action(type="omfile" file="/var/log/a" template="RSYSLOG_FileFormat")', ["/var/log/a"]),
        ("*.=debug;\\\n  *.=err;\\\n  mail.none  -/var/log/a", ["/var/log/a"]),
        ("if $syslogfacility-text == 'kern' then /var/log/a", ["/var/log/a"]),
        ("if $syslogfacility-text == 'kern' and $syslogseverity <= 2 then /var/log/a", []),
        (
            'if ($programname == "kernel") and not ($msg contains "UFW") then {\n  action(type="omfile"\n'
            '    file="/var/log/a")\n  stop\n}',
            ["/var/log/a"],
        ),
        ('if $msg contains "Killed process" then -/var/log/a', ["/var/log/a"]),
        (':msg, !contains, "UFW" /var/log/a', ["/var/log/a"]),
        (':programname, isequal, "kernel" /var/log/a', ["/var/log/a"]),
        (':msg, startswith, "nothing" /var/log/b', []),
        ("kern.3 /var/log/a", ["/var/log/a"]),
        ("kern.warning /var/log/a", ["/var/log/a"]),
        ("*.*;*.!=err /var/log/a", []),
        ("kern.!err;kern.* /var/log/a", ["/var/log/a"]),
        ('*.* action(type="omfile" file="/var/log/a")\nkern.* /var/log/b', ["/var/log/a", "/var/log/b"]),
        ('action(type="omfile" file="/var/log/a")', ["/var/log/a"]),
        ("kern.* stop\n*.* /var/log/a", []),
        ("kern.* ~\n*.* /var/log/a", []),
        ("kern.* @@loghost\n& /var/log/b\n& stop\n*.* /var/log/a", ["/var/log/b"]),
        ("mail.* /var/log/mail\n& stop\n*.* /var/log/a", ["/var/log/a"]),
        ('ruleset(name="remote") {\n *.* /var/log/b\n}\n*.* /var/log/a', ["/var/log/a"]),
        ('set $.x = "1";\ntemplate(name="x" type="string" string="%msg%")\n*.* /var/log/a', ["/var/log/a"]),
        ("*.* /var/log/a # not /var/log/b", ["/var/log/a"]),
        (
            "$RuleSet remote\n*.* /var/log/remote.log\n& stop\n$RuleSet RSYSLOG_DefaultRuleset\n*.* /var/log/a",
            ["/var/log/a"],
        ),
        ("*.* /var/log/a\n$ruleset remote\n*.* /var/log/remote.log\n", ["/var/log/a"]),
        ("!*\n*.* /var/log/a", ["/var/log/a"]),
    ],
)
def test_simple_rules_are_followed(tmp_path: Path, rule: str, expected: list[str]) -> None:
    route = written(tmp_path, f'module(load="imklog")\n{rule}\n').route(Line(OOM, ERR))
    assert files(route) == expected
    assert route.unclear == ()


@pytest.mark.parametrize(
    "rule",
    [
        "if re_match($msg, 'x') then /var/log/a",
        "if $!kubernetes!pod == 'x' then stop",
        ':msg, regex, "x.*" /var/log/a',
        ':msg, startswith, " Out of" /var/log/a',
        "if $msg startswith 'Out of' then /var/log/a",
        ':fromhost-ip, isequal, "127.0.0.1" /var/log/a',
        "*.* ?DynamicFile",
        "if $syslogfacility-text == 'mail' then /var/log/a else /var/log/b",
        "call other",
        "*.* -?DynamicFile",
        "*.* :omfile:$rotated",
        "*.* $rotated",
        "$DefaultRuleset other",
    ],
)
def test_what_can_not_be_followed_is_shown(tmp_path: Path, rule: str) -> None:
    route = written(tmp_path, f"$ModLoad imklog\n{rule}\n").route(Line(OOM, ERR))
    assert [str(place) for place in route.unclear] == [f"/etc/rsyslog.conf:2: {rule}"]


def test_blocks_for_a_program_are_shown_and_not_followed(tmp_path: Path) -> None:
    rules = "$ModLoad imklog\n!kernel\n*.* /var/log/k\n*.* stop\n!*\n*.* /var/log/a\n+host\n*.* ~\n"
    route = written(tmp_path, rules).route(Line(OOM, ERR))
    assert files(route) == ["/var/log/a"]
    assert [place.line for place in route.unclear] == [2, 3, 4, 7, 8]
    assert route.stopped is None


def test_other_targets_are_told_with_their_line(tmp_path: Path) -> None:
    route = written(tmp_path, "$ModLoad imkmsg\nkern.* @@loghost:514\n& stop\n*.* /var/log/syslog\n").route(
        Line("x", 6)
    )
    assert [str(place) for place in route.others] == ["/etc/rsyslog.conf:2: kern.* @@loghost:514"]
    assert str(route.stopped) == "/etc/rsyslog.conf:3: & stop"
    assert files(route) == []


def test_includes_are_read_in_order_where_they_stand(tmp_path: Path) -> None:
    config = written(
        tmp_path,
        "$ModLoad imklog.so\n$IncludeConfig /etc/rsyslog.d/*.conf\n*.* /var/log/last\n",
        b="kern.* /var/log/b\n",
        a='kern.* /var/log/a\ninclude(file="/etc/rsyslog.conf")\n',
    )
    assert files(config.route(Line(OOM, ERR))) == ["/var/log/a", "/var/log/b", "/var/log/last"]


def test_without_a_file_there_is_no_configuration(tmp_path: Path) -> None:
    assert rsyslog.read(Roots(etc=tmp_path)) is None


@pytest.mark.parametrize(
    ("selector", "verdict"),
    [
        ("*.info;mail.none", True),
        ("kern.notice", False),
        ("auth.*", False),
        ("*.*;*.!=info", False),
        ("kern.strange", None),
    ],
)
def test_selectors_select_by_facility_and_level(selector: str, verdict: bool | None) -> None:
    assert selects(selector, INFO) is verdict


@pytest.mark.parametrize(
    ("condition", "verdict"),
    [
        ("$msg contains 'a' or $hostname == 'x'", True),
        ("$msg contains 'b' and $hostname == 'x'", False),
        ("$msg contains 'a' and $hostname == 'x'", None),
        ("not $hostname == 'x'", None),
        ("not ($syslogseverity > 3)", True),
        ('$syslogseverity-text == "err"', True),
        ("$msg contains 'a'", True),
        ("$msg contains", None),
        ("(" * 200, None),
    ],
)
def test_conditions_are_true_false_or_not_known(condition: str, verdict: bool | None) -> None:
    assert evaluate(condition, text="a line", level=ERR) is verdict


@given(st.text(max_size=300))
def test_any_text_is_a_configuration(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.mktemp("etc")
    (folder / "rsyslog.conf").write_text(text, errors="replace")
    config = rsyslog.read(Roots(etc=folder))
    assert config is not None
    config.route(Line(OOM, ERR))
