"""For every test: what is skipped has not been tested, so a run with a skip has failed; and no test is timed.

Properties are tried with the same examples each time, so that a run says of the same tree the same. With KMSG_EXAMPLES
they are others, and so many.
"""

from __future__ import annotations

import os
from contextlib import suppress

import pytest


def pytest_configure() -> None:
    with suppress(ImportError):  # guests have no hypothesis, and no test that needs it
        from hypothesis import HealthCheck, settings

        examples = os.environ.get("KMSG_EXAMPLES")
        settings.register_profile(
            "untimed",
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
            derandomize=not examples,
            max_examples=int(examples or settings.default.max_examples),
            print_blob=bool(examples),
        )
        settings.load_profile("untimed")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and reporter.stats.get("skipped"):
        reporter.write_line("skipped tests: this run has failed", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
