"""Memory of a long run is bounded where the browser is opened anew from time to time."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.benchmarks.memory import measure_memory
from agent.drivers.web import browser as browsers


@pytest.mark.drill
@pytest.mark.timeout(900)
def test_memory_is_bounded_and_nothing_is_left_behind(tmp_path: Path) -> None:
    told = measure_memory(tmp_path, browsers.find_browser(), 1000, 200, lambda line: None)
    assert told.videos[-1] >= 950
    assert told.growth(told.python_mib) < 60
    assert told.growth(told.browser_mib) < 100
    assert max(told.processes) <= told.processes[0] + 3
