"""Records are printed as dmesg prints them: dmesg itself says how, over any bytes."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kmsg_exporter.why import dmesg
from kmsg_exporter.why.dmesg import Form
from kmsg_exporter.why.kmsg import Record

UTF8 = {"LC_ALL": "C.UTF-8"}
PLAIN = {"LC_ALL": "C"}
# dmesg --file reads lines of syslog(2), where a record ends before the next `<`
TEXTS = st.one_of(
    st.binary(min_size=1, max_size=40),
    st.text(min_size=1, max_size=20).map(lambda text: text.encode(errors="replace")),
    st.sampled_from(
        (
            b"usb 1-1: new device",
            b"a: b: c",
            b"two\nlines: of\n one record",
            b"trap: segfault at 0 ip",
            "ü: \u200b\u2028é".encode(),
            b"end\xc3",
            b"a:\tb",
            b"x: ",
            b"\\x41 \x7f \x1b[31m",
        )
    ),
)


def fits(text: bytes) -> bool:
    return b"\n<" not in text and not text.startswith((b"[", b"<", b"\n", b"\0")) and text[-1:] not in (b"\n", b"\0")


RECORDS = st.lists(
    st.builds(
        Record,
        TEXTS.filter(fits),
        st.integers(0, 10**13),
        st.integers(0, 8 * 12 - 1),
    ),
    min_size=1,
    max_size=4,
)


def real_dmesg(records: Sequence[Record], *options: str, environment: dict[str, str]) -> bytes:
    """What dmesg prints of these records; it can't seek in a pipe, so they stand in a file in memory."""
    fd = os.memfd_create("records")
    try:
        lines = []
        for record in records:
            seconds, usec = divmod(record.usec or 0, 1_000_000)
            lines.append(b"<%d>[%5d.%06d] %s" % (record.priority or 0, seconds, usec, record.text))
        os.write(fd, b"\n".join(lines))
        return subprocess.run(
            ["dmesg", f"--file=/proc/self/fd/{fd}", *options],
            check=True,
            capture_output=True,
            pass_fds=(fd,),
            env=os.environ | environment,
        ).stdout
    finally:
        os.close(fd)


def ours(records: Sequence[Record], form: Form) -> bytes:
    return b"".join(dmesg.render(records, form))


@pytest.fixture(scope="module")
def printable(tmp_path_factory: pytest.TempPathFactory) -> dmesg.Printable:
    found = dmesg.printable_in(started_with(tmp_path_factory.mktemp("proc"), b"LC_ALL=C.UTF-8"))
    assert found is not None
    return found


def started_with(proc: Path, *variables: bytes) -> Path:
    """A /proc in which this process was started with these variables."""
    (proc / "self").mkdir()
    (proc / "self" / "environ").write_bytes(b"".join(variable + b"\0" for variable in variables))
    return proc


@settings(max_examples=60)
@given(records=RECORDS)
@pytest.mark.parametrize(
    ("options", "form"),
    [
        ((), Form()),
        (("--decode",), Form(decode=True)),
        (("--color=always",), Form(colour=True)),
        (("--color=always", "--decode"), Form(colour=True, decode=True)),
    ],
)
def test_any_record_in_a_utf8_locale(
    printable: dmesg.Printable, records: list[Record], options: tuple[str, ...], form: Form
) -> None:
    form = Form(decode=form.decode, colour=form.colour, printable=printable)
    assert ours(records, form) == real_dmesg(records, *options, environment=UTF8)


@settings(max_examples=60)
@given(records=RECORDS)
def test_any_record_in_the_plain_locale(records: list[Record]) -> None:
    assert ours(records, Form(colour=True)) == real_dmesg(records, "--color=always", environment=PLAIN)


@settings(max_examples=60)
@given(records=RECORDS)
def test_any_record_as_json_with_words(records: list[Record]) -> None:
    one = records[:1]  # of more it would print the whole file for each: it looks for a NUL
    assert ours(one, Form(json=True, decode=True)) == real_dmesg(one, "--json", "-x", environment=UTF8)


def test_json_numbers_the_priority_as_syslog_does() -> None:
    records = [Record(b"by the kernel", 1_500_000, 6), Record(b"by a daemon", 2_000_000, 30)]
    assert ours(records, Form(json=True)) == (
        b'{\n   "dmesg": [\n      {\n         "pri": 6,\n         "time":     1.500000,\n'
        b'         "msg": "by the kernel"\n      },{\n         "pri": 30,\n         "time":     2.000000,\n'
        b'         "msg": "by a daemon"\n      }\n   ]\n}\n'
    )
    kernels = records[:1]
    assert ours(kernels, Form(json=True)) == real_dmesg(kernels, "--json", environment=UTF8)


def test_local_times_are_those_of_the_printk_clock_after_the_boot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    booted = 1_763_885_400_900_000
    assert ours([Record(b"hello", 1_200_000, 6)], Form(boot_unix_usec=booted)) == b"[Sun Nov 23 08:10:02 2025] hello\n"


def test_local_times_are_dmesgs_within_the_second_that_older_ones_lose() -> None:
    """util-linux 2.38 adds whole seconds of the boot and of the record; 2.41 adds first, as we do."""
    records = [Record(b"x", 5_000_000 + 99_700 * number, 6) for number in range(40)]
    texts = (ours(records, Form(boot_unix_usec=dmesg.boot_unix_usec())), real_dmesg(records, "-T", environment=UTF8))
    moments = [
        [time.mktime(time.strptime(line[1:25].decode())) for line in text.splitlines() if line.endswith(b"] x")]
        for text in texts
    ]
    assert len(moments[0]) == len(moments[1]) == 40
    assert {exact - whole for exact, whole in zip(*moments, strict=True)} <= {-1.0, 0.0, 1.0}


def test_raw_has_the_priority_as_it_was_given() -> None:
    records = [Record(b"line\nand another", 1, 300), Record(b"", 2, 6), Record(b"without more", None, None)]
    assert ours(records, Form(raw=True)) == (
        b"<300>[    0.000001] line\n                    and another\n\nwithout more\n"
    )


def test_an_unknown_facility_has_no_words() -> None:
    assert ours([Record(b"odd", 0, 300)], Form(decode=True)) == b"[    0.000000] odd\n"
    assert b"pri" not in ours([Record(b"odd", 0, 300)], Form(json=True))


def test_who_printed_it_stands_after_the_time_where_the_kernel_says() -> None:
    record = Record(b"booted", 1_000_000, 6, 0, b"T1")
    assert ours([record], Form(caller_columns=8)) == b"[    1.000000] [      T1] booted\n"
    assert b'"caller": "T1"' in ours([record], Form(json=True))


def test_nothing_is_no_document() -> None:
    assert ours([], Form(json=True)) == b""
    assert ours([Record(b"", 1, 6)], Form(json=True)) == b""


@pytest.mark.parametrize(
    ("variables", "is_utf8"),
    [
        ((b"LC_ALL=C.UTF-8",), True),
        ((b"LANG=C.UTF-8",), True),
        ((b"LC_ALL=C", b"LANG=C.UTF-8"), False),
        ((b"LC_ALL=", b"LC_CTYPE=C.UTF-8", b"LANG=C"), True),
        ((b"PATH=/bin",), False),
        ((b"LANG=xx_XX.UTF-8",), False),
    ],
)
def test_the_locale_is_the_one_that_the_process_was_started_with(
    tmp_path: Path, variables: tuple[bytes, ...], is_utf8: bool
) -> None:
    assert (dmesg.printable_in(started_with(tmp_path, *variables)) is not None) == is_utf8


def test_the_callers_columns_are_the_greatest_pids(tmp_path: Path) -> None:
    assert dmesg.caller_columns(tmp_path) == 11
    (tmp_path / "sys" / "kernel").mkdir(parents=True)
    (tmp_path / "sys" / "kernel" / "pid_max").write_text("4194304\n")
    assert dmesg.caller_columns(tmp_path) == 8
