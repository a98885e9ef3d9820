"""What goes wrong is said in one go: what, why, and what to do. No command shows a traceback."""

from __future__ import annotations

import errno
import os
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from fake_node import FakeNode, emptied

from kmsg_exporter import cli
from kmsg_exporter.commands import here
from kmsg_exporter.commands.output import emit
from kmsg_exporter.config import Config
from kmsg_exporter.errors import NotHere, OutputError

PROGRAM = (sys.executable, "-m", "kmsg_exporter")
Said = Callable[..., tuple[int, str]]


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    """The exit code of a command, and its one error without the program's name."""

    def run(*words: object, **environ: str) -> tuple[int, str]:
        code = cli.main([str(word) for word in words], environ)
        error = capsys.readouterr().err
        assert error.startswith("kmsg-exporter: ")
        assert error.endswith("\n")
        return code, error.removeprefix("kmsg-exporter: ").removesuffix("\n")

    return run


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (
            [],
            f"no command is given: name one of {', '.join(cli._COMMANDS)}: see kmsg-exporter --help",
        ),
        (
            ["histor"],
            "'histor' is no command; did you mean history?: "
            f"name one of {', '.join(cli._COMMANDS)}: see kmsg-exporter --help",
        ),
        (["history", "--sinc=2h"], "unknown flag --sinc; did you mean --since?"),
        (["why", "--nope"], "unknown flag --nope; did you mean --since?"),
        (["watch", "--nope"], "unknown flag --nope; did you mean --once?"),
        (["recover", "--since=2h"], "flag --since: this command does not take it: see --help"),
        (["history", "now"], "'now' is one argument too many: see --help"),
        (
            ["recover", "--level"],
            "flag -l/--level: expected one argument: LIST: see kmsg-exporter recover --help",
        ),
        (
            ["recover", "--color=no"],
            "flag -L/--color: 'no' must be one of auto, always, never",
        ),
    ],
)
def test_a_wrong_command_line(said: Said, words: list[str], error: str) -> None:
    assert said(*words) == (2, error)


def test_a_file_of_options_that_is_not_there(said: Said, tmp_path: Path) -> None:
    assert said("doctor", f"--config.file={tmp_path}/no.yaml") == (
        2,
        f"flag --config.file: '{tmp_path}/no.yaml' can't be read: No such file or directory: "
        "name a file that is there, or leave it out",
    )
    assert said("doctor", f"--config.file={tmp_path}")[1].endswith(
        "can't be read: Is a directory: name a file that is there, or leave it out"
    )


@pytest.mark.parametrize("command", ["run", "doctor", "why", "recover", "cleanup"])
def test_without_procfs(said: Said, tmp_path: Path, command: str) -> None:
    assert said(command, f"--path.procfs={tmp_path}/no") == (
        1,
        f"there is no procfs at {tmp_path}/no (No such file or directory): mount it (mount -t proc proc {tmp_path}/no)"
        ", or name where it is by --path.procfs",
    )


def test_without_the_log_files_that_are_named(said: Said, tmp_path: Path) -> None:
    assert said("why", f"--path.log={tmp_path}/no") == (
        1,
        f"the log files at {tmp_path}/no can't be read (No such file or directory): name where they are by --path.log, "
        "as a user who may read them",
    )


def test_on_another_system() -> None:
    with pytest.raises(NotHere) as refused:
        here.require_node(Config(), platform="darwin")
    assert str(refused.value) == "this is darwin, and only Linux has this kernel log: run it on a Linux node"


def test_without_tracefs(said: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    where = [f"--path.tracefs={tmp_path}/no", f"--state-directory={tmp_path}", f"--runtime-directory={tmp_path}/run"]
    remedy = f"tracefs not found at {tmp_path}/no: mount it (mount -t tracefs nodev {tmp_path}/no)"
    assert said("cleanup", *where) == (1, remedy)
    assert said("run", "--backend=kprobe", *where) == (1, remedy)


@pytest.mark.parametrize("command", ["run", "cleanup"])
def test_without_privileges(
    said: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, node: FakeNode, command: str
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    (node.proc / "self").mkdir(exist_ok=True)
    (node.proc / "self" / "status").write_text("CapEff:\t0000000000000000\n")
    assert said(command, f"--path.procfs={node.proc}", f"--state-directory={tmp_path}") == (
        1,
        "needs root: the kernel shows tracefs and the state of its log to root only.\n"
        "Start it with sudo, as a systemd service or as a pod with runAsUser 0; `kmsg-exporter doctor` says more.",
    )


def test_a_history_of_another_user(said: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", refused)
    assert said("history", f"--state-directory={tmp_path}") == (
        1,
        f"the agent's history {tmp_path}/spool.sqlite3 is for its own user only: try again as root",
    )


def test_a_port_in_use(said: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = other.getsockname()[1]
        where = [f"--state-directory={tmp_path}", f"--collector.listen-address=127.0.0.1:{port}"]
        assert said("collector", *where) == (
            1,
            f"the collector can't listen on 127.0.0.1:{port}: Address already in use: another collector may have it, "
            "stop that one or choose another address",
        )


def test_without_its_library_the_collector_says_what_to_install(
    said: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "kmsg_exporter.collector.server", raising=False)
    assert said("collector", f"--collector.directory={tmp_path}") == (
        1,
        "the collector needs uvicorn, which is not installed: pip install 'kmsg-exporter[collector]'",
    )


def test_a_directory_that_is_none(said: Said, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert said("collector", "--collector.listen-address=127.0.0.1:0", f"--collector.directory={tmp_path}/file/c") == (
        1,
        f"can't open the collector's store {tmp_path}/file/c/events.sqlite3: {tmp_path}/file/c: Not a directory: "
        "name a directory that this user can write, by --collector.directory",
    )


def test_a_backup_of_nothing_and_to_nowhere(said: Said, tmp_path: Path) -> None:
    directory = f"--collector.directory={tmp_path}"
    assert said("collector", f"--backup={tmp_path}/copy", directory) == (
        1,
        f"there is no collector's store at {tmp_path}/events.sqlite3: name the directory that the collector has by "
        "--collector.directory",
    )
    with closing(sqlite3.connect(tmp_path / "events.sqlite3")):
        (tmp_path / "events.sqlite3").touch()
    code, error = said("collector", f"--backup={tmp_path}/no/copy", directory)
    assert code == 1
    assert error.endswith("No such file or directory: choose a place that is there and can be written")


@pytest.mark.parametrize(
    "words",
    [["history"], ["watch", "--once", "--interval=0.2"], ["watch", "--interval=0.2"], ["--help"], ["why", "--help"]],
)
def test_a_full_disk_behind_the_output(node: FakeNode, words: list[str]) -> None:
    node.history(emptied(60, 0, 2))
    where = [f"--state-directory={node.state}", f"--runtime-directory={node.state}/run"]
    if words[0] == "watch":
        where.append(f"--path.tracefs={node.state}/none")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*PROGRAM, *words, *([] if "--help" in words else where)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr) == (
        1,
        "kmsg-exporter: the output can't be written: No space left on device: make room where it goes, or send it "
        "elsewhere\n",
    )


def test_output_that_nobody_reads_is_no_error(node: FakeNode) -> None:
    node.history(emptied(60, 0, 2))
    words = [*PROGRAM, "history", f"--state-directory={node.state}"]
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(words, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")
    closed = subprocess.run(
        ["/bin/sh", "-c", 'exec "$@" >&-', "sh", *words], capture_output=True, text=True, check=False
    )
    assert (closed.returncode, closed.stdout, closed.stderr) == (0, "", "")


def test_a_device_that_fails_under_the_output(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Failing:
        def write(self, _: str) -> None:
            raise OSError(errno.EIO, "Input/output error")

        def fileno(self) -> int:
            return scratch

    scratch = os.open(tmp_path / "out", os.O_WRONLY | os.O_CREAT)
    monkeypatch.setattr(sys, "stdout", Failing())
    with pytest.raises(OutputError, match=r"^the output can't be written: Input/output error: make room"):
        emit(["x"])
    os.close(scratch)


@pytest.mark.parametrize("command", ["doctor", "why", "recover", "history", "cleanup", "collector"])
def test_ctrl_c_is_no_traceback(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "configure", interrupted)
    assert cli.main([command], {}) == 130
    assert capsys.readouterr().err == ""
