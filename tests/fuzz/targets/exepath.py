"""Paths given to execve, in a root folder of fuzzed links and scripts: an answer in bounded work."""

from __future__ import annotations

import posixpath

import frames
from target import Target
from vanishing import PROC, VanishingFiles

from kmsg_exporter.process.exepath import as_exe, resolve

_PATHS = ("bin", "usr", "usr/bin", "usr/bin/sh", "usr/bin/dmesg", "a", "a/b", "opt/x.sh", "tmp/l", "l", "b", "c")
_MAX_CALLS = 40 * 4096


def one(data: bytes) -> None:
    moments, filename, later, *entries = [*frames.split(data), b"", b"", b""]
    contents, links = {}, {}
    for entry in entries:
        if entry:
            path, rest = _PATHS[entry[0] % len(_PATHS)], entry[1:]
            if entry[0] < 128:
                links[path] = rest.replace(b"\0", b"")
            else:
                contents[path] = rest
    lasts = moments[0] if moments[:1] else _MAX_CALLS
    files = VanishingFiles(contents, links, {}, lasts=lasts, gone_with=len(moments), most=1 << 20)
    given = filename.replace(b"\0", b"").decode("utf-8", "replace")
    unix_ns = 0 if later else 1 << 62  # before or after all that is there was made
    with files:
        exe, derived = as_exe(given, root=PROC, unix_ns=unix_ns)
        assert exe.encode().decode() == exe
        assert derived or exe == given
        real = resolve(given, root=PROC, unix_ns=unix_ns)
        assert real is None or real == posixpath.normpath(real)


TARGET = Target(
    one,
    seeds=(
        frames.join((b"", b"/usr/bin/dmesg", b"", b"\x84ELF")),
        frames.join((b"", b"x.sh", b"opt", b"\x87#!/bin/sh -e\n", b"\x00/usr/bin", b"\x8fELF", b"\x03dash")),
        frames.join((b"", b"/l/../l/./b", b"", b"\x09../l", b"\x0a/l//a/b")),
        frames.join((b"\x02", b"/tmp/l", b"", b"\x08l", b"\x88#!tmp/l")),
    ),
    words=(b"#!", b"/", b"..", b"./", *(path.encode() for path in _PATHS)),
    mutate=frames.mutator(frames.changed),
)
