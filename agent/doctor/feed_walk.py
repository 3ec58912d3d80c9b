"""Walks so many videos of a feed slowly, and hands on each one as its adapter describes it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from agent.drivers.base import ActiveVideo
from agent.run.environment import OpenedFeed
from store.runs.ledger_lines import Video

if TYPE_CHECKING:
    from agent.run.pacing import SlowHands

OnVideo = Callable[[ActiveVideo, Video], Awaitable[None]]


async def walk_feed(
    opened: OpenedFeed, videos: int, hands: SlowHands, watch_s: float, on_video: OnVideo
) -> None:
    """Walk; raises ``RunFault`` where the feed does not go on.

    Parameters
    ----------
    videos
        After so many it ends, on the last one.
    watch_s
        Seconds of video that each one is watched.
    on_video
        Told of each video while its player is held.
    """
    driver, feed = opened.driver, opened.feed
    await hands.before_action()
    feed.open_page(0)
    shown = await driver.open(opened.url)
    for position in range(videos):
        await on_video(shown, feed.describe(shown))
        feed.position = position  # from here on the site can learn of it
        await driver.watch(shown, watch_s, then_hold=True)
        if position < videos - 1:
            await hands.before_action()
            shown = (await driver.next(shown)).shown
