"""Opens what a run watches: the site, the driver on it, and the feed's metadata.

Refuses to know the judge and the ledger.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from urllib.parse import urlencode

from agent.config import RunConfig
from agent.drivers import browser as browsers
from agent.drivers.base import Driver
from agent.drivers.replay import ReplayDriver
from agent.errors import BadConfig
from agent.platforms import load
from agent.platforms.base import Feed, Platform
from agent.site import PlaygroundSite
from store.data import DataFolder
from store.frames import FrameStore
from store.ledger import read


@dataclass(frozen=True)
class Sight:
    """Where a run is kept and which browser it may open; a replay opens none."""

    data: DataFolder
    browser: browsers.Found | None
    headed: bool = False


@dataclass(frozen=True)
class Opened:
    """What the loop watches."""

    driver: Driver
    feed: Feed
    url: str


async def open_feed(
    config: RunConfig, sight: Sight, run_id: str, position: int, stack: AsyncExitStack
) -> Opened:
    """Open the run's platform; what is opened is closed by ``stack``.

    Parameters
    ----------
    position
        Where an interrupted run goes on: a replay starts there.
    """
    platform = load(config.platform)
    feed = Feed(platform)
    if config.of is not None:
        source = read(sight.data.find_run(config.of))
        feed.recall(step.video for step in source.steps)
        frames = FrameStore(sight.data.frames_dir)
        return Opened(ReplayDriver(source, frames, position), feed, f"run {config.of}")
    url = await _start_site(config, sight.data, run_id, stack)
    on_desktop = config.driver == "desktop"
    driver: Driver = (
        _desktop(config, sight, platform, url)
        if on_desktop
        else _browser(config, sight, platform, feed, url)
    )
    stack.push_async_callback(driver.close)
    await driver.start()
    return Opened(driver, feed, url)


async def _start_site(
    config: RunConfig, data: DataFolder, run_id: str, stack: AsyncExitStack
) -> str:
    if config.site is None:
        raise BadConfig("This platform cannot be opened yet. Type: --platform playground")
    state = (
        data.run_dir(run_id) / "playground"
        if config.account is None
        else data.profiles_dir / "playground" / config.account
    )
    site = PlaygroundSite(config.site, config.seed, state)
    stack.push_async_callback(site.stop)
    return await site.start()


def _desktop(config: RunConfig, sight: Sight, platform: Platform, url: str) -> Driver:
    """Open the playground in a plain window; on a live site the window is the user's own."""
    from agent.drivers import desktop_calibration as calibration
    from agent.drivers.desktop import DesktopDriver  # takes screens: heavy
    from agent.drivers.desktop_window import Plain, PlainWindow

    shown = calibration.read(sight.data.root)
    if platform.live:
        return DesktopDriver(None, calibrated=shown)
    assert sight.browser is not None
    visitor = urlencode({"visitor": config.account or "visitor"})
    plain = Plain(sight.browser, f"{url}?{visitor}", config.viewport)
    return DesktopDriver(PlainWindow(plain), config.speed, calibrated=shown)


def _browser(config: RunConfig, sight: Sight, platform: Platform, feed: Feed, url: str) -> Driver:
    from agent.drivers.playwright import PlaywrightDriver, Window  # opens browsers: heavy

    assert sight.browser is not None
    visitor = {"name": "visitor", "value": config.account or "visitor", "url": url}
    window = Window(
        found=sight.browser, headed=sight.headed, viewport=config.viewport, locale=config.locale,
        speed=config.speed, cookies=() if platform.live else (visitor,),
        json_from=platform.json_from,
    )  # fmt: skip
    return PlaywrightDriver(window, platform.hooks, feed.take)
