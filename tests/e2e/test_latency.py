"""A model that thinks for long does not make a video watched for longer.

The player is held while the model thinks, so delivered dwell depends on the answer only.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from statistics import mean, median

import pytest

from agent.drivers.web.browser import find_browser
from agent.run.start_or_resume import RunFolder, SilentWatcher, execute_run
from agent.run_config import Dwell, HandPace, RunConfig, SiteConfig
from personas.library import find as find_persona
from store.runs.data_folder import DataFolder
from store.runs.ledger import read
from store.runs.ledger_lines import Step, Windows
from tests.store.samples import delivered

pytestmark = [pytest.mark.drill, pytest.mark.timing]
DWELL = Dwell(stay_s=1.6, swipe_s=0.8)


async def sit(
    data: Path, latency_s: float, videos: int, pace: HandPace | None = None
) -> list[Step]:
    """Watch at normal speed; return the steps that count."""
    model = f"scripted/coin?p=0.5&seed=4&latency={latency_s:g}"
    config = RunConfig(
        persona=find_persona("p12"),
        model=model,
        dwell=DWELL,
        site=SiteConfig(speed=1, feed="random"),
        pace=pace,
        windows=Windows(before=videos, after=0),
    )
    place = RunFolder(DataFolder(data), find_browser(None), encoder=None)
    run_id = await execute_run(config, place, SilentWatcher(), lambda: datetime.now(UTC))
    return [s for s in read(place.data.find_run(run_id)).steps if s.eligible]


async def watched(data: Path, latency_s: float, videos: int) -> dict[str, float]:
    """Return the mean dwell by answer."""
    steps = await sit(data, latency_s, videos)
    assert len(steps) == videos
    assert all(s.judgement.latency_s >= latency_s for s in steps)
    assert all((s.reaction.held_s or 0) >= latency_s for s in steps)
    told = {
        answer: [delivered(s) for s in steps if s.judgement.answer == answer]
        for answer in ("yes", "no")
    }
    assert min(map(len, told.values())) >= 1
    return {answer: mean(dwells) for answer, dwells in told.items()}


def compare(data: Path, latencies_s: tuple[float, ...], videos: int, most: float) -> None:
    DataFolder(data).prepare()

    async def together() -> list[dict[str, float]]:
        return await asyncio.gather(*(watched(data, each, videos) for each in latencies_s))

    at_once, *later = asyncio.run(together())
    for told in later:
        for answer, dwell in told.items():
            assert dwell == pytest.approx(at_once[answer], rel=most), (latencies_s, told, at_once)
    assert at_once["yes"] > 1.5 * at_once["no"]


def test_dwell_does_not_depend_on_how_long_the_model_thinks(tmp_path: Path) -> None:
    compare(tmp_path, (0, 1), videos=6, most=0.1)


@pytest.mark.parametrize("latency_s", [0, 2])
def test_the_floor_between_actions_is_no_part_of_the_dwell(
    tmp_path: Path, latency_s: float
) -> None:
    """A floor of 3 s would make a swipe of 0.8 s one of 2 s or more with a fast model."""
    DataFolder(tmp_path).prepare()
    steps = asyncio.run(sit(tmp_path, latency_s, 5, HandPace(floor_s=3.0, jitter=0.0)))
    assert len(steps) == 5
    more = [delivered(s) - max(s.reaction.dwell_asked_s, s.reaction.exposure_s) for s in steps]
    assert median(more) < 0.5, more
    later = steps[1:]  # the feed is opened before the first one
    assert all((s.reaction.held_s or 0) + delivered(s) > 2.5 for s in later)


@pytest.mark.timeout(600)
def test_dwell_does_not_depend_on_how_long_the_model_thinks_in_full(tmp_path: Path) -> None:
    compare(tmp_path, (0, 2, 10), videos=30, most=0.05)
