"""A plugin of pytest: counts the lines of each test for that test, and notes how each one ends."""

from __future__ import annotations

import json
import os
from collections.abc import Generator
from pathlib import Path

import coverage
import pytest

ENDS = "MUTANTS_ENDS"
"""Environment: the file to which each test's end is appended."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Count what runs from here on for this test."""
    measured = coverage.Coverage.current()
    if measured is not None:
        measured.switch_context(item.nodeid)
    return (yield)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note the end of a test, or of its setup: in the one process that hears of all."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        end = (report.nodeid, report.duration, report.failed)
        with Path(os.environ[ENDS]).open("a", encoding="utf-8") as file:
            file.write(json.dumps(end) + "\n")
