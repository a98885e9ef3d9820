"""For every test: what is skipped has not been tested, so a run with a skip has failed."""

from __future__ import annotations

import pytest


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and reporter.stats.get("skipped"):
        reporter.write_line("skipped tests: this run has failed", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
