"""Opens what a run watches: the site, the driver on it, and the feed's metadata."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from agent.drivers import DRIVERS
from agent.drivers.base import Driver
from agent.drivers.replay import ReplayDriver
from agent.drivers.web import browser as browsers
from agent.errors import BadConfig, BadRecording, NotSignedIn
from agent.platforms import load_platform
from agent.platforms.base import Feed, Platform
from agent.recordings.recording_file import read_recording
from agent.run.browser_profiles import BrowserProfile
from agent.run.playground_process import VISITOR, PlaygroundSite
from agent.run.site_counts_vs_ledger import Witness
from agent.run_config import RunConfig
from store.frames.frame_store import FrameStore
from store.jsonl.mirrors import follow
from store.runs.data_folder import DataFolder
from store.runs.ledger import read

if TYPE_CHECKING:
    from agent.drivers.web.driver import PlaywrightDriver


@dataclass(frozen=True)
class RunBrowser:
    """Where a run is kept and which browser it may open; a replay opens none."""

    data: DataFolder
    browser: browsers.BrowserBinary | None
    headed: bool = False
    recorded: bool = False
    """Whether the driver also keeps what the site says and shows, for a recording."""


@dataclass(frozen=True)
class OpenedFeed:
    """What the loop watches."""

    driver: Driver
    feed: Feed
    url: str
    platform: Platform
    """The site's; of a recording, the recorded one's."""
    signed_in: bool | None = None
    """Whether the account has a session; ``None`` where the platform knows none."""
    witness: Witness | None = None
    """The site's own record, where it tells one that names what the driver sees."""


async def open_feed(
    config: RunConfig, run_browser: RunBrowser, run_id: str, position: int, stack: AsyncExitStack
) -> OpenedFeed:
    """Open the run's platform until ``stack`` closes; a replay starts at ``position``."""
    platform = load_described(config)
    feed = Feed(platform, watch=not run_browser.recorded)
    if config.recording is not None:
        return await _play_back(config.recording, config, run_browser, position, stack)
    if config.of is not None:
        source = read(run_browser.data.find_run(config.of))
        feed.replay((step for step in source.steps if step.frames), position)
        frames = FrameStore(run_browser.data.frames_dir)
        return OpenedFeed(
            ReplayDriver(source, frames, position), feed, f"run {config.of}", platform
        )
    url, site = platform.url, None
    cookies: tuple[dict[str, Any], ...] = ()
    on_screen = DRIVERS[config.driver].on_screen
    ours = platform.live and not on_screen  # a plain window is the user's own
    profile = _profile(config, run_browser.data, platform, stack) if ours else None
    if config.site is not None:
        site = await _start_site(config, run_browser.data, run_id, stack)
        url = site.url
        origin = "/".join(url.split("/")[:3])
        visitor = {"name": "visitor", "value": config.account or VISITOR, "url": origin}
        cookies = (visitor,)
    if on_screen:
        driver: Driver = _desktop(config, run_browser, url)
        stack.push_async_callback(driver.close)
        await driver.start()
        return OpenedFeed(driver, Feed(platform, watch=False), url, platform)
    browser = _browser(config, run_browser, platform, feed, cookies=cookies, profile=profile)
    stack.push_async_callback(browser.close)
    await browser.start()
    return OpenedFeed(browser, feed, url, platform, await _session(browser, config, platform), site)


def load_described(config: RunConfig) -> Platform:
    """Return the run's platform, by the very adapter file that its configuration names."""
    mark = config.adapter
    platform = load_platform(config.platform, mark.file if mark is not None else None)
    if mark is not None and mark.own and platform.adapter != mark:
        raise BadConfig("The adapter file has just changed. Type: the same command again")
    return platform


def _profile(
    config: RunConfig, data: DataFolder, platform: Platform, stack: AsyncExitStack
) -> Path | None:
    """Hold the account's profile; a guest has none, and is forgotten with the browser."""
    if config.account is not None:
        return stack.enter_context(BrowserProfile(data, platform.name, config.account)).path
    if config.site is None and platform.session is not None and platform.session.needed:
        name = platform.name
        raise BadConfig(
            f"{name} is watched with an account. Type: python -m agent login {name} --account NAME"
        )
    return None


async def _session(driver: PlaywrightDriver, config: RunConfig, platform: Platform) -> bool | None:
    if platform.session is None:
        return None
    signed_in = await driver.signed_in(platform.session.cookies)
    if platform.session.needed and config.account is not None and not signed_in:
        raise NotSignedIn(platform.name, config.account)
    return signed_in


async def _start_site(
    config: RunConfig, data: DataFolder, run_id: str, stack: AsyncExitStack
) -> PlaygroundSite:
    assert config.site is not None
    state = data.run_dir(run_id) / "playground"
    if config.account is not None:  # what the recommender knows of it is one run's at a time, too
        state = stack.enter_context(BrowserProfile(data, "playground", config.account)).path
    follow(state)
    site = PlaygroundSite(config.site, config.seed, state, config.account or VISITOR)
    stack.push_async_callback(site.stop)
    await site.start()
    await site.greet()
    return site


def _desktop(config: RunConfig, run_browser: RunBrowser, url: str) -> Driver:
    """Open the playground in a plain window; on a live site the window is the user's own."""
    from agent.drivers.desktop import player_calibration as calibration
    from agent.drivers.desktop.driver import DesktopDriver  # takes screens: heavy
    from agent.drivers.desktop.window import PlainOptions, PlainWindow

    shown = calibration.read_calibration(run_browser.data.root)
    if config.site is None:
        return DesktopDriver(None, calibrated=shown)
    assert run_browser.browser is not None
    visitor = urlencode({"visitor": config.account or VISITOR})
    plain = PlainOptions(
        run_browser.browser, f"{url}{'&' if '?' in url else '?'}{visitor}", config.viewport
    )
    return DesktopDriver(PlainWindow(plain), config.speed, calibrated=shown)


def _browser(
    config: RunConfig,
    run_browser: RunBrowser,
    platform: Platform,
    feed: Feed,
    *,
    cookies: tuple[dict[str, Any], ...],
    profile: Path | None,
) -> PlaywrightDriver:
    from agent.drivers.web.driver import PlaywrightDriver  # opens browsers: heavy
    from agent.drivers.web.recording_driver import RecordingDriver

    window = replace(_window(config, run_browser, platform), cookies=cookies, profile=profile)
    make = RecordingDriver if run_browser.recorded else PlaywrightDriver
    return make(window, platform.hooks, feed.take)


def _window(
    config: RunConfig, run_browser: RunBrowser, platform: Platform
) -> browsers.BrowserWindow:
    assert run_browser.browser is not None
    return browsers.BrowserWindow(
        binary=run_browser.browser,
        headed=run_browser.headed,
        viewport=config.viewport,
        locale=config.locale,
        speed=config.speed,
        json_from=platform.json_from,
        hosts=platform.hosts,
    )


async def _play_back(
    path: Path, config: RunConfig, run_browser: RunBrowser, position: int, stack: AsyncExitStack
) -> OpenedFeed:
    """Open a recording from a position on, under its site's addresses and by its adapter."""
    from agent.drivers.web.playback_driver import PlaybackDriver  # opens browsers: heavy
    from agent.drivers.web.recorded_site import RecordedSite

    recording = read_recording(path)
    header = recording.header
    mark = config.adapter
    platform = load_platform(header.platform, mark.file if mark is not None else None)
    if not platform.live:
        raise BadRecording(str(path), f"it says that it is of {header.platform}, which is no site")
    feed = Feed(platform)
    window = _window(config, run_browser, platform)
    window = replace(
        window,
        binary=replace(window.binary, offline=True),
        viewport=header.viewport,
        locale=header.locale,
    )
    site = RecordedSite(recording, position)
    driver = PlaybackDriver(site, window, platform.hooks, feed.take)
    stack.push_async_callback(driver.close)
    await driver.start()
    return OpenedFeed(driver, feed, header.url, platform)
