"""/proc/kallsyms: the addresses of the functions asked for."""

from __future__ import annotations

from target import Target
from vanishing import PROC, VanishingFiles

from kmsg_exporter.probes.function import read_kallsyms

_NAMES = frozenset({"kmsg_read", "kmsg_open", "__x64_sys_syslog"})


def one(data: bytes) -> None:
    with VanishingFiles({"kallsyms": data}, {}, {}, lasts=1 << 30, gone_with=0, most=1 << 30):
        found = read_kallsyms(_NAMES, proc=PROC)
    assert found.keys() <= _NAMES
    assert all(0 < address < 1 << 64 for address in found.values())


TARGET = Target(
    one,
    seeds=(
        b"ffffffff81000000 T do_syslog\nffffffff81001000 T __x64_sys_syslog\nffffffffc0203000 t kmsg_read\t[m]\n",
        b"0000000000000000 T kmsg_open\n",
    ),
    words=(b" T kmsg_open", b" t kmsg_read\t[m]", b"ffffffff81000000", b"\n"),
)
