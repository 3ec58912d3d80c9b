"""A feed that moves by itself is seen to have moved, and no answer goes to the wrong video."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter

import numpy as np
import pytest

from agent.drivers.base import SiteAnswer
from agent.drivers.web.driver import PlaywrightDriver
from analysis.data.run_columns import read_run
from analysis.estimators.one_run import summarise
from tests.agent.drivers.web.test_live_pages import SPEED, on_skin
from tests.agent.platforms.running import SLOW, check, watch

MOVES_AFTER_S = 0.7


@pytest.mark.parametrize("skin", ["tiktok", pytest.param("youtube", marks=pytest.mark.drill)])
def test_a_dwell_ends_when_the_feed_moves_on(tmp_path: Path, skin: str) -> None:
    async def scenario(driver: PlaywrightDriver, url: str, _: list[SiteAnswer]) -> None:
        first = await driver.open(url)
        began = perf_counter()
        played = await driver.watch(first, 5 * SPEED, then_hold=True)
        assert perf_counter() - began < 4, "it waited for a video that was gone"
        assert played < 2 * SPEED
        assert not await driver.like(), "another video would have been liked"
        arrival = await driver.next(first)
        assert (arrival.action, arrival.attempts) == ("page", 0)
        assert arrival.shown.key != first.key
        assert abs(arrival.left_dwell_s - played) < 0.5 * SPEED

    on_skin(tmp_path, skin, f"autoscroll={MOVES_AFTER_S * 1000:.0f}@0", scenario)


@pytest.mark.drill
def test_a_photo_post_is_seen_until_the_feed_moves_on(tmp_path: Path) -> None:
    async def scenario(driver: PlaywrightDriver, url: str, _: list[SiteAnswer]) -> None:
        post = (await driver.next(await driver.open(url))).shown
        assert post.pictures == 1
        played = await driver.watch(post, 5 * SPEED, then_hold=True)
        assert 0.3 * SPEED < played < 2 * SPEED
        arrival = await driver.next(post)
        assert arrival.action == "page"
        assert abs(arrival.left_dwell_s - played) < 0.2 * SPEED

    on_skin(tmp_path, "tiktok", f"photos=1&autoscroll={MOVES_AFTER_S * 1000:.0f}@1", scenario)


@pytest.mark.drill
@pytest.mark.parametrize("platform", ["tiktok", "youtube", "instagram"])
def test_a_run_on_a_feed_that_scrolls_is_right_and_says_so(tmp_path: Path, platform: str) -> None:
    told = watch(tmp_path, platform, 6, "autoscroll=2500", dwell=SLOW)
    assert told.fault is None
    check(told, platform)
    moves = [step.move for step in told.steps if step.move is not None]
    itself = [move for move in moves if move.action == "page"]
    assert len(itself) >= 4
    assert {move.moved for move in moves} == {1}
    (line,) = told.ledger.checks
    assert not line.disputes_run
    cautions = summarise(read_run(told.ledger.path), np.random.default_rng(0)).cautions
    assert any("moved on by itself" in caution for caution in cautions)
