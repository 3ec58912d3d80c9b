"""A tab that somebody puts another one in front of: the site does not notice, the run goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.drivers.web.driver import PlaywrightDriver
from tests.agent.drivers.web.test_driver import drive
from tests.xvfb import screen


@pytest.mark.drill
@pytest.mark.timeout(200)
def test_a_tab_behind_another_one_is_watched_all_the_same(feed_url: str, tmp_path: Path) -> None:
    async def scenario(driver: PlaywrightDriver) -> None:
        shown = await driver.open(feed_url)
        page = driver._open_page()
        other = await page.context.new_page()
        await other.goto("data:text/html,in front")
        await other.bring_to_front()
        assert await page.evaluate("document.visibilityState") == "visible"
        seen = [shown.id]
        for _ in range(3):
            assert await driver.watch(shown, 4.0) >= 4.0
            await driver.capture(shown)
            shown = (await driver.next(shown)).shown
            seen.append(shown.id)
        assert seen == ["v0", "v1", "v2", "v3"]

    with screen(1280, 900, tmp_path):
        drive(scenario, headed=True)
