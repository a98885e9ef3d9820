"""The guests themselves: each kernel boots with what the tests need, and boot.py tells the truth about how it went."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
KERNELS = {"5.10": "5.10.", "6.1": "6.1.", "6.12": "6.12.", "6.1-arm64": "6.1."}
INVENTORY = """
uname -r -m
python3 -c 'import prometheus_client, requests, tenacity, starlette, uvicorn, jinja2, yaml, pytest; print("imported")'
dmesg --version
fuser --version 2>&1 | head -n 1
ls /sys/kernel/tracing/kprobe_events /sys/kernel/tracing/events/printk/console/format
stat -f -c %T /sys/fs/cgroup
cat /sys/kernel/security/lockdown
"""


@pytest.fixture(scope="session", autouse=True)
def _machine_is_ready() -> None:
    subprocess.run([HERE / "setup.sh"], check=True)


def boot(kernel: str, *options: str, script: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(HERE / "boot.py"), kernel, *options, "--", "sh", "-c", script]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("kernel", KERNELS)
def test_guest_has_the_kernel_asked_for_and_what_tests_need(kernel: str) -> None:
    finished = boot(kernel, script=INVENTORY)

    release, *rest = finished.stdout.splitlines()
    assert release.startswith(KERNELS[kernel])
    assert release.endswith("aarch64" if kernel.endswith("arm64") else "x86_64")
    assert rest == [
        "imported",
        "dmesg from util-linux 2.38.1",
        "fuser (PSmisc) 23.6",
        "/sys/kernel/tracing/events/printk/console/format",
        "/sys/kernel/tracing/kprobe_events",
        "cgroup2fs",
        "[none] integrity confidentiality",
    ]
    assert (finished.returncode, finished.stderr) == (0, "")


def test_tracefs_is_empty_under_confidentiality_lockdown() -> None:
    finished = boot("6.1", "--append", "lockdown=confidentiality", script="ls -A /sys/kernel/tracing; dmesg | wc -l")

    assert int(finished.stdout) > 0
    assert finished.returncode == 0


def test_output_status_and_files_come_back(tmp_path: Path) -> None:
    script = """printf out; printf err >&2; test -t 1 && printf terminal; sleep 1000 &
        mkdir /out/sub; head -c 70001 /dev/zero > /out/sub/zeros; ln -s zeros /out/sub/link; exit 7"""
    finished = boot("6.1", "--out", str(tmp_path / "out"), script=script)

    assert finished.stdout == "outerr"
    assert finished.returncode == 7
    assert (tmp_path / "out/sub/zeros").read_bytes() == bytes(70001)
    assert (tmp_path / "out/sub/link").readlink() == Path("zeros")


def test_copied_files_are_there_and_python_is_compiled_for_its_place(tmp_path: Path) -> None:
    package = tmp_path / "package"
    package.mkdir()
    (package / "module.py").write_text("def where():\n    return where.__code__.co_filename, __spec__.cached\n")
    (package / "link").symlink_to("module.py")
    (tmp_path / "one").write_text("1")
    copies = [
        "--copy",
        f"{package}:/lib/site/package",
        "--copy",
        f"{tmp_path / 'one'}:/srv/one",
        "--copy",
        str(package),
    ]
    script = """cd /usr/lib/site && python3 -c 'from package.module import where; print(*where())'
        ls /lib/site/package/__pycache__; readlink /package/link; cat /srv/one"""
    finished = boot("6.1", *copies, script=script)

    cached = "/usr/lib/site/package/__pycache__/module.cpython-311.pyc"
    assert finished.stdout.splitlines() == [
        f"/usr/lib/site/package/module.py {cached}",
        "module.cpython-311.pyc",
        "module.py",
        "1",
    ]


def test_a_panic_is_status_125_with_the_end_of_the_console() -> None:
    finished = boot("6.1", script="echo c > /proc/sysrq-trigger")

    assert finished.stderr.startswith("boot.py: guest 6.1: its command never got to the end")
    assert "sysrq_handle_crash" in finished.stderr
    assert finished.returncode == 125


def test_a_guest_that_takes_too_long_is_ended() -> None:
    finished = boot("6.1", "--timeout", "1", script="sleep 1000")

    assert "no end within 1 s" in finished.stderr
    assert finished.returncode == 125


def test_a_source_that_is_not_there_is_named() -> None:
    finished = boot("6.1", "--copy", "/no/such:/there", script="true")

    assert finished.stderr == "boot.py: nothing to copy at /no/such: no such file or directory\n"
    assert finished.returncode == 125
