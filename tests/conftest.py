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

        slow = [HealthCheck.too_slow]
        settings.register_profile("same", deadline=None, suppress_health_check=slow, derandomize=True)
        if examples := os.environ.get("KMSG_EXAMPLES"):
            others = settings(deadline=None, suppress_health_check=slow, max_examples=int(examples), print_blob=True)
            settings.register_profile("others", others)
        settings.load_profile("others" if examples else "same")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and reporter.stats.get("skipped"):
        reporter.write_line("skipped tests: this run has failed", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
