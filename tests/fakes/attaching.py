"""What the fixture `attach` is: `plan.attach` on a fake kernel."""

from __future__ import annotations

from typing import Protocol

from fake_tracefs import FakeTracefs

from kmsg_exporter.probes.plan import Attached


class Attach(Protocol):
    def __call__(self, fake: FakeTracefs, wanted: str = ..., *, compat: bool = ..., own_tid: int = ...) -> Attached: ...
