"""Attaching to a fake kernel, as the agent attaches to a real one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from attaching import Attach
from fake_tracefs import FakeTracefs

from kmsg_exporter.errors import FeatureUnavailable
from kmsg_exporter.probes import plan
from kmsg_exporter.probes.plan import Attached, Where


@pytest.fixture
def own_tid() -> int:
    """The thread that looks at the log: this one, whose opens of /dev/null the fake kernel sees."""
    return threading.get_native_id()


@pytest.fixture
def attach(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_tid: int) -> Iterator[Attach]:
    """`plan.attach` on a fake kernel; what is still attached at the end of the test is closed."""
    with ExitStack() as stack:

        def run(fake: FakeTracefs, wanted: str = "auto", *, compat: bool = False, own_tid: int = own_tid) -> Attached:
            def opened(_root: Path, *, proc: Path) -> FakeTracefs:  # noqa: ARG001
                if fake.kernel.empty:
                    raise FeatureUnavailable("tracefs is empty")
                return fake

            monkeypatch.setattr(plan, "open_tracefs", opened)
            (tmp_path / "kallsyms").write_text(fake.kallsyms())
            where = Where(
                tracefs=fake.root,
                proc=tmp_path,
                dev=Path("/dev"),
                budget_bytes=8 << 20,
                own_tid=own_tid,
                machine=fake.kernel.machine,
                compat=compat,
            )
            attached = plan.attach(wanted, where)
            stack.callback(_close, attached, fake)
            return attached

        yield run


def _close(attached: Attached, fake: FakeTracefs) -> None:
    if fake.names("instances"):
        with suppress(OSError):  # closed by the test already
            attached.close()
