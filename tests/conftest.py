"""For all tests."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest

from kit.forked import Nursery, nursing


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """Starts programs of ours without their second of imports."""
    with nursing() as found:
        yield found


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What a hostile request put into a log may be no valid text: a report that holds it could not be sent to
    the process that collects them, and would end the run.
    """
    report = yield
    report.sections = [
        (name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections
    ]
    return report
