"""The small texts of tracefs: buffer statistics, probes and how often they were hit, a probe's flags."""

from __future__ import annotations

from pathlib import Path

from target import Target

from kmsg_exporter.probes.fileflags import offset_in
from kmsg_exporter.tracefs import dynevent
from kmsg_exporter.tracefs.files import Tracefs
from kmsg_exporter.tracefs.instance import parse_stats


class _OneText(Tracefs):
    """Every file holds the same."""

    def __init__(self, text: str) -> None:
        super().__init__(Path("/nowhere"))
        self._text = text

    def exists(self, path: str) -> bool:  # noqa: ARG002
        return True

    def read(self, path: str) -> str:  # noqa: ARG002
        return self._text


def one(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    stats = parse_stats(text)
    assert min(stats.entries, stats.overrun, stats.commit_overrun, stats.dropped) >= 0
    assert stats.lost == stats.overrun + stats.commit_overrun + stats.dropped
    tracefs = _OneText(text)
    defined = dynevent.defined(tracefs, "kmsg")
    assert all(f":kmsg/{name}" in line and line in text for name, line in defined.items())
    assert all(offset is None or offset >= 0 for offset in map(offset_in, defined.values()))
    profiles = dynevent.profiles(tracefs)
    assert all(name in text and min(found.hits, found.missed) >= 0 for name, found in profiles.items())


TARGET = Target(
    one,
    seeds=(
        b"entries: 129\noverrun: 0\ncommit overrun: 3\nbytes: 5984\noldest event ts:  2723.1\ndropped events: 7\n",
        b"p:kmsg/open devkmsg_open flags=+64(%si):u32 comm=$comm\nr256:kmsg/read devkmsg_read ret=$retval:s64\n",
        b"  ke_syslog_enter                                          3               0\n",
    ),
    words=(b"entries: ", b"dropped events: ", b": -7\n", b":kmsg/", b" flags=+", b"("),
)
