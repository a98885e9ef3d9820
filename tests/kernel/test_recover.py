"""`recover` prints after a clear what dmesg printed before it, to the byte; `history` says who it was."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from support import Agent, all_records, environment, eventually, printk, visible_records

pytestmark = [pytest.mark.guest, pytest.mark.backends("kprobe"), pytest.mark.kernels("5.10", "6.1", "6.12")]
LINES = (
    "<3>recover: an error",
    "<30>recover[1]: a daemon's line, info",
    "<4>recover: a tab\tand \x1b[31m and \\x41 and a backslash \\",
    "<6>recover: grüße, \u200b, \u2028",
    "<5>recover: segfault at 0",
    "<2>recover",
)
STAMP = re.compile(rb"(?m)^(?:\x1b\[32m)?\[(\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4})\] ")


def dmesg(*options: str, locale: str = "C.UTF-8") -> bytes:
    return subprocess.run(
        ["dmesg", *options], check=True, capture_output=True, env=environment() | {"LC_ALL": locale}
    ).stdout


def recover(*options: str, locale: str = "C.UTF-8", state: str = "/nonexistent") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "kmsg_exporter", "recover", f"--state-directory={state}", *options],
        check=True,
        capture_output=True,
        env=environment() | {"LC_ALL": locale},
    )


def newest() -> int:
    return int(all_records()[-1].split(",")[1])


def write(text: bytes) -> None:
    fd = os.open("/dev/kmsg", os.O_WRONLY)
    try:
        os.write(fd, text)
    finally:
        os.close(fd)


def fill() -> None:
    for line in LINES:
        printk(line)
    write(b"<6>recover: no UTF-8 \xff\xfe\n")
    write(b"<6>recover: two\nlines\n")
    Path("/proc/sysrq-trigger").write_text("h")  # the kernel itself prints its help


def cleared(*forms: tuple[str, ...], locale: str = "C.UTF-8") -> list[bytes]:
    """What dmesg printed in each form of what a clear has then hidden; again when somebody printed in between."""
    while True:
        fill()
        end = newest()
        before = [dmesg(*form, locale=locale) for form in forms]
        dmesg("-C")
        if newest() == end and not visible_records():
            return before


def recovered(*forms: tuple[str, ...], locale: str) -> list[bytes]:
    """The same by recover: one process forks for each, for a start of Python is long in an emulated machine."""
    code = """
import os, subprocess, sys
from kmsg_exporter import cli
for form in sys.argv[1:]:
    child = os.fork()
    if not child:
        with open("/run/recovered", "wb") as out:
            os.dup2(out.fileno(), 1)
        code = cli.main(["recover", "--state-directory=/nonexistent", *form.split()], {})
        sys.stdout.flush()
        os._exit(code)
    assert os.waitpid(child, 0)[1] == 0, form
    with open("/run/recovered", "rb") as found:
        text = found.read()
    sys.stdout.buffer.write(b"%d\\n" % len(text) + text)
"""
    out = subprocess.run(
        [sys.executable, "-c", code, *(" ".join(form) for form in forms)],
        check=True,
        stdout=subprocess.PIPE,
        env=environment() | {"LC_ALL": locale},
    ).stdout
    found = []
    while out:
        length, _, rest = out.partition(b"\n")
        found.append(rest[: int(length)])
        out = rest[int(length) :]
    return found


FORMS = (
    (),
    ("--decode",),
    ("--color=always",),
    ("--level=err,warn",),
    ("--facility=kern,daemon",),
    ("--raw", "--facility=kern"),
    ("--json", "--facility=kern"),
    ("--json", "--decode"),
)


@pytest.mark.parametrize("locale", ["C.UTF-8", "C"])
def test_what_dmesg_printed_before_the_clear_is_printed_after_it(locale: str) -> None:
    """dmesg of util-linux 2.38 garbles the number of what programs printed, so numbers are the kernel's only."""
    before = cleared(*FORMS, locale=locale)
    found = recovered(*FORMS, locale=locale)
    assert len(found) == len(FORMS)
    for form, shown, last in zip(FORMS, found, before, strict=True):
        if "--json" in form:  # earlier clears hide records too
            ours, dmesgs = (json.loads(text.decode(errors="replace"))["dmesg"] for text in (shown, last))
            assert ours[-len(dmesgs) :] == dmesgs, form
            assert shown.endswith(last.partition(b"{\n         ")[2]), form
        else:
            assert b"HELP" in last or "--level=err,warn" in form
            assert b"recover" in last or "--raw" in form
            assert shown.endswith(last), form


def test_what_every_clear_of_this_boot_hid_is_printed_in_order() -> None:
    dmesg("-C")
    first = newest()
    printk("recover: between two clears")
    dmesg("-C")
    records = all_records()
    lines = recover().stdout.decode().splitlines()
    assert any(line.endswith("] recover: between two clears") for line in lines)
    assert int(records[0].split(",")[1]) <= first
    heads = [record.partition("\n")[0].split(",", 3) for record in records]
    expected = [
        f"{int(usec) // 1_000_000:5d}.{int(usec) % 1_000_000:06d}"
        for _, _, usec, rest in heads
        if not rest.endswith(";")
    ]
    assert [found[1] for line in lines if (found := re.match(r"\[([ \d]{5}\d*\.\d{6})\] ", line))] == expected


def test_local_times_are_dmesgs_to_the_second() -> None:
    """dmesg of util-linux 2.38 adds whole seconds of the boot and of the record; since 2.41 it is exact, as we are."""
    import time

    (before,) = cleared(("-T",))
    found = recover("-T").stdout
    stamps = [[time.mktime(time.strptime(one.decode())) for one in STAMP.findall(text)] for text in (before, found)]
    count = len(stamps[0])
    assert count >= len(LINES)
    assert STAMP.sub(b"", found).endswith(STAMP.sub(b"", before))
    assert max(abs(one - other) for one, other in zip(stamps[0], stamps[1][-count:], strict=True)) <= 1


def test_it_is_complete_and_in_order_while_others_print() -> None:
    (before,) = cleared(("--facility=kern,user",))
    stop = threading.Event()

    def chatter() -> None:
        for _ in range(1000):  # of both not what a ring has room for: 4,096 where it is smallest
            printk("<14>recover: chatter")
            if stop.wait(0.002):
                return

    printers = [threading.Thread(target=chatter) for _ in range(2)]
    for printer in printers:
        printer.start()
    try:
        found = recover("--facility=kern,user").stdout
    finally:
        stop.set()
        for printer in printers:
            printer.join()
    assert b"chatter" not in found
    assert found.endswith(before)


def test_what_was_overwritten_is_said_and_comes_from_the_history(tmp_path: Path, backend: str) -> None:
    from support import running

    with running(tmp_path, backend) as agent:
        printk("<3>recover: soon overwritten")
        dmesg("-C")
        event = eventually(lambda: [one for one in agent.events() if "soon overwritten" in str(one)])[0]
        last = event["kmsg.hidden.last_seq"]
        number = 0
        while int(all_records()[0].split(",")[1]) <= last:
            for _ in range(200):
                number += 1
                printk(f"<6>recover: line {number} " + "x" * 800)
        history(agent)
        found = recover(state=f"{agent.directory}/state")
    oldest = int(all_records()[0].split(",")[1])
    assert b"lost for good, but for " in found.stderr
    assert int(re.search(rb"(\d+) older records were overwritten", found.stderr)[1]) <= oldest  # type: ignore[index]
    head, _, rest = found.stdout.partition(b"-- end of the agent's history --\n")
    assert head.startswith(b"-- from the agent's history, no longer in the ring --\n")
    assert head.splitlines()[-1].endswith(b"recover: soon overwritten")
    assert b"soon overwritten" not in rest


def history(agent: Agent) -> None:
    """Asked while the agent runs."""
    shown = subprocess.run(
        [sys.executable, "-m", "kmsg_exporter", "history", "--json", f"--state-directory={agent.directory}/state"],
        check=True,
        capture_output=True,
        text=True,
        env=environment(),
    ).stdout
    told = [json.loads(line)["attributes"]["log.record.uid"] for line in shown.splitlines()]
    assert told == [event["log.record.uid"] for event in reversed(agent.events())]
    assert json.loads(shown.splitlines()[0])["attributes"]["kmsg.process.comm"] == "dmesg"


def test_without_the_device_it_says_what_is_impossible_and_why(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "kmsg_exporter", "recover", f"--path.dev={tmp_path}", f"--state-directory={tmp_path}"],
        check=False,
        capture_output=True,
        text=True,
        env=environment(),
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert f"recover: the hidden records can't be read: {tmp_path}/kmsg: there is no such device here" in done.stderr
    assert "Only /dev/kmsg gives back what a clear hides" in done.stderr
