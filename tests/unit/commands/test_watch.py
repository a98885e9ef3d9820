"""`watch` as it is run: pipes, signals, terminals that can do nothing, and without its library. Nothing is traced."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kmsg_exporter import cli

PATIENCE = 60.0
COMMAND = (sys.executable, "-m", "kmsg_exporter", "watch")


def flags(folder: Path) -> list[str]:
    return [
        f"--path.tracefs={folder / 'none'}",
        f"--state-directory={folder / 'state'}",
        f"--runtime-directory={folder / 'run'}",
    ]


@contextmanager
def watching(folder: Path, *more: str, **options: object) -> Iterator[subprocess.Popen[bytes]]:
    (folder / "tmp").mkdir()
    environ = {**os.environ, "TMPDIR": str(folder / "tmp"), "TERM": "dumb"}
    with subprocess.Popen(
        [*COMMAND, *flags(folder), *more],
        stderr=subprocess.PIPE,
        env=environ,
        **{"stdout": subprocess.PIPE, **options},  # type: ignore[call-overload]
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_once_it_waits_an_interval_and_prints_all_there_is(tmp_path: Path) -> None:
    with watching(tmp_path, "--once", "--interval=0.2") as process:
        out, err = process.communicate(timeout=PATIENCE)
    lines = out.decode().splitlines()
    assert (process.returncode, err) == (0, b"")
    assert lines[0].split(maxsplit=1)[1] == "note    watching through this command's own tracing (state)"
    assert lines[1].split()[1] == "log"
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_pipe_gets_lines_until_its_reader_is_gone(tmp_path: Path) -> None:
    with watching(tmp_path, "--interval=0.2") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        read = [process.stdout.readline().decode().split()[1] for _ in range(8)]
        assert read.count("log") > 1
        process.stdout.close()
        assert process.wait(PATIENCE) == 0
        assert process.stderr.read() == b""
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_and_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    with watching(tmp_path, "--interval=3600") as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        process.send_signal(number)
        _, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (0, b"")
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_terminal_that_can_do_nothing_gets_lines(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    with watching(tmp_path, "--once", "--interval=0.2", stdin=theirs, stdout=theirs) as process:
        assert process.wait(PATIENCE) == 0
    os.close(theirs)
    assert b"\x1b" not in os.read(ours, 65536)
    os.close(ours)


def test_an_output_that_is_closed_is_read_by_nobody(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    words = ["/bin/sh", "-c", 'exec "$@" >&-', "sh", *COMMAND, *flags(tmp_path)]
    done = subprocess.run(words, stdin=theirs, stderr=subprocess.PIPE, timeout=PATIENCE, check=False)
    os.close(theirs)
    os.close(ours)
    assert (done.returncode, done.stderr) == (0, b"")


def test_without_its_library_the_screen_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "urwid", None)
    monkeypatch.delitem(sys.modules, "kmsg_exporter.watching.screen", raising=False)
    monkeypatch.delattr("kmsg_exporter.watching.screen", raising=False)
    from kmsg_exporter.commands import watch

    monkeypatch.setattr(watch, "_is_screen", lambda _: True)
    assert cli.main(["watch", *flags(tmp_path)], {}) == 1
    assert capsys.readouterr().err == (
        "kmsg-exporter: the screen needs urwid, which is not installed: pip install 'kmsg-exporter[watch]'; "
        "without it there are lines: kmsg-exporter watch --once, or kmsg-exporter watch | cat\n"
    )


def test_lines_need_no_library(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['urwid'] = sys.modules['wcwidth'] = None; "
        "from kmsg_exporter import cli; sys.exit(cli.main(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "watch", "--once", "--interval=0.2", *flags(tmp_path)],
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("flag", "error"),
    [
        ("--interval=0", "flag --interval: '0' is not a number of seconds from 0.2 to 3600"),
        ("--interval=1e9", "flag --interval: '1e9' is not a number of seconds from 0.2 to 3600"),
        ("--interval=nan", "flag --interval: 'nan' is not a number of seconds from 0.2 to 3600"),
    ],
)
def test_a_wrong_interval_is_refused(capsys: pytest.CaptureFixture[str], flag: str, error: str) -> None:
    assert cli.main(["watch", flag], {}) == 2
    assert capsys.readouterr().err == f"kmsg-exporter: {error}\n"


def test_a_wrong_order_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["watch", "--sort=size"], {}) == 2
    assert "--sort" in capsys.readouterr().err
