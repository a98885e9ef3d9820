#!/usr/bin/env python3
"""Guests: boot a Debian kernel in an emulator, run one command in it, bring its output, status and files back."""

from __future__ import annotations

import argparse
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO, NoReturn

import initrd
from initrd import Copy

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HERE = Path(__file__).parent
NEVER_FINISHED = 125


class GuestError(Exception):
    """The guest could not be started, or went away before its command had ended."""


@dataclass(frozen=True)
class Machine:
    """How one architecture is emulated, and what its three serial ports are called inside."""

    qemu: tuple[str, ...]
    console: str
    output: str
    result: str


@dataclass(frozen=True)
class Kernel:
    """A kernel that setup.sh fetches."""

    name: str
    arch: str
    machine: Machine


@dataclass(frozen=True)
class Finished:
    """A command that ended: its exit status, and the guest's uptime in seconds before and after it."""

    status: int
    begin_seconds: float
    end_seconds: float


_AMD64 = Machine(
    qemu=(
        *("qemu-system-x86_64", "-machine", "q35", "-cpu", "max"),
        *("-serial", "chardev:console", "-serial", "chardev:output", "-serial", "chardev:result"),
    ),
    console="ttyS0",
    output="ttyS1",
    result="ttyS2",
)
_ARM64 = Machine(
    qemu=(
        *("qemu-system-aarch64", "-machine", "virt", "-cpu", "max,pauth-impdef=on", "-serial", "chardev:console"),
        *("-device", "pci-serial,chardev=output", "-device", "pci-serial,chardev=result"),
    ),
    console="ttyAMA0",
    output="ttyS0",
    result="ttyS1",
)
KERNELS = {
    kernel.name: kernel
    for kernel in (
        Kernel("5.10", "amd64", _AMD64),
        Kernel("6.1", "amd64", _AMD64),
        Kernel("6.12", "amd64", _AMD64),
        Kernel("6.1-arm64", "arm64", _ARM64),
    )
}


def default_home() -> Path:
    """Where setup.sh keeps the kernels and roots: $KMSG_GUEST_HOME or a directory in the user's cache."""
    home = os.environ.get("KMSG_GUEST_HOME")
    return Path(home) if home else Path.home() / ".cache" / "kmsg-exporter" / "guest"


def boot(
    name: str,
    command: Sequence[str],
    *,
    append: str = "",
    memory: str = "1G",
    smp: str = "2",
    timeout_seconds: float = 600,
    copies: Sequence[Copy] = (),
    out: Path | None = None,
    output: BinaryIO | None = None,
    console: Path | None = None,
    interactive: bool = False,
    home: Path | None = None,
) -> Finished:
    """Run `command` as root in a guest of its own and return when that has powered off.

    What the command prints goes to `output` (standard output if None) while it runs; what it leaves in /out goes to the
    directory `out`; the kernel's console to the file `console`. `append` is added to the kernel's command line.
    Raises GuestError, with the end of the console, when the command did not come to its end within `timeout_seconds`.
    """
    kernel = KERNELS[name]
    home = home or default_home()
    image, root = home / f"kernel-{name}", home / f"root-{kernel.arch}.cpio"
    for path in (image, root):
        if not path.exists():
            raise GuestError(f"no {path}: run {HERE / 'setup.sh'} {name}")
    with tempfile.TemporaryDirectory(prefix="guest-") as directory:
        work = Path(directory)
        try:
            initrd.stage(work / "staged", command, copies)
        except FileNotFoundError as exc:
            raise GuestError(f"nothing to copy at {exc.filename}: no such file or directory") from exc
        initrd.write(work / "initrd", root, work / "staged")
        console = console or work / "console"
        arguments = [
            *("setpriv", "--pdeathsig", "KILL", *kernel.machine.qemu),  # no emulator outlives this process
            # one thread for all CPUs: with one each, a kernel that patches its own code now and then locks up for good
            *("-accel", "tcg,thread=single", "-smp", smp, "-m", memory),
            *("-display", "none", "-monitor", "none", "-nic", "none", "-no-reboot", "-nodefaults"),
            *("-chardev", f"file,id=console,path={console}", "-chardev", "stdio,id=output,signal=off"),
            *("-chardev", f"file,id=result,path={work / 'result'}"),
            *("-kernel", str(image), "-initrd", str(work / "initrd")),
            *("-append", " ".join(_kernel_arguments(kernel.machine, append, interactive=interactive))),
        ]
        with (work / "errors").open("wb") as errors:
            ended = _run(arguments, errors, output or sys.stdout.buffer, timeout_seconds, interactive=interactive)
        finished = _read_result(work / "result", out)
        if finished is None:
            raise GuestError(_post_mortem(name, ended, work / "errors", console))
        return finished


def _kernel_arguments(machine: Machine, append: str, *, interactive: bool) -> Iterator[str]:
    yield f"console={machine.console}"
    yield "loglevel=1"  # the ring has everything, the (slow) console next to nothing
    yield "panic=-1"
    yield "mitigations=off"  # page-table isolation and retpolines mean nothing here and cost time
    yield "rcupdate.rcu_expedited=1"
    yield f"GUEST_OUTPUT={machine.output}"
    yield f"GUEST_RESULT={machine.result}"
    if interactive:
        size = shutil.get_terminal_size()
        yield "GUEST_INTERACTIVE=1"
        yield f"GUEST_TERM={os.environ.get('TERM', 'dumb')}"
        yield f'GUEST_STTY="sane rows {size.lines} cols {size.columns}"'
    else:
        yield 'GUEST_STTY="raw -echo"'
    yield append


def _run(
    arguments: Sequence[str], errors: BinaryIO, output: BinaryIO, timeout_seconds: float, *, interactive: bool
) -> str:
    """Run the emulator, passing on what it prints; say how it ended."""
    deadline = time.monotonic() + timeout_seconds
    try:
        if interactive:
            process = subprocess.Popen(arguments, stderr=errors)
        else:
            process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors)
    except FileNotFoundError as exc:
        raise GuestError(f"{exc.filename} is not installed: run {HERE / 'setup.sh'}") from exc
    with process:
        try:
            if process.stdout is not None:
                _pass_on(process.stdout, output, deadline)
            status = process.wait(max(0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            return f"no end within {timeout_seconds:g} s"
        finally:
            process.kill()
    return f"the emulator ended with status {status}"


def _pass_on(source: IO[bytes], output: BinaryIO, deadline: float) -> None:
    with selectors.DefaultSelector() as selector:
        selector.register(source, selectors.EVENT_READ)
        while selector.select(max(0, deadline - time.monotonic())):
            chunk = os.read(source.fileno(), 1 << 16)
            if not chunk:
                return
            output.write(chunk)
            output.flush()


def _read_result(path: Path, out: Path | None) -> Finished | None:
    """Read what init wrote: `begin UPTIME`, `end STATUS UPTIME`, then a tar.gz of /out; None if there is no end."""
    begin, _, rest = (path.read_bytes() if path.exists() else b"").partition(b"\n")
    end, newline, archive = rest.partition(b"\n")
    if not newline:
        return None
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        unpacked = subprocess.run(["tar", "-xz", "--no-same-owner", "-C", out], input=archive, check=False)
        if unpacked.returncode != 0:
            raise GuestError(f"what the guest left in /out did not arrive whole: tar ended with {unpacked.returncode}")
    _, status, uptime = end.split()
    return Finished(int(status), float(begin.split()[1]), float(uptime))


def _post_mortem(name: str, ended: str, errors: Path, console: Path) -> str:
    said = errors.read_text(errors="replace")
    tail = console.read_text(errors="replace").replace("\r", "").splitlines()[-60:] if console.exists() else []
    return "\n".join([f"guest {name}: its command never got to the end: {ended}", *said.splitlines(), *tail])


def _stop(signum: int, _frame: object) -> NoReturn:
    sys.exit(128 + signum)


def main(argv: Sequence[str]) -> int:
    """Run the command line and return the exit status: the command's own, or 125 if that never got to its end."""
    usage = "%(prog)s KERNEL [OPTIONS] -- COMMAND..."
    parser = argparse.ArgumentParser(prog="boot.py", description=__doc__, usage=usage)
    parser.add_argument("kernel", choices=KERNELS)
    parser.add_argument("--append", default="", metavar="ARGS", help="added to the kernel's command line")
    parser.add_argument("--memory", default="1G")
    parser.add_argument("--smp", default="2", metavar="CPUS", help="as QEMU takes it: 2, or 2,maxcpus=4")
    parser.add_argument("--timeout", type=float, default=600, metavar="SECONDS")
    parser.add_argument("--copy", type=Copy.parse, default=[], action="append", metavar="DIR:/DEST")
    parser.add_argument("--out", type=Path, metavar="DIR", help="where files left in the guest's /out go")
    parser.add_argument("--console", type=Path, metavar="FILE", help="keep the kernel's console")
    parser.add_argument("-i", "--interactive", action="store_true", help="this terminal is the command's terminal")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, _stop)
    try:
        finished = boot(
            options.kernel,
            options.command,
            append=options.append,
            memory=options.memory,
            smp=options.smp,
            timeout_seconds=options.timeout,
            copies=options.copy,
            out=options.out,
            console=options.console,
            interactive=options.interactive,
        )
    except GuestError as exc:
        print(f"boot.py: {exc}", file=sys.stderr)
        return NEVER_FINISHED
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return finished.status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
