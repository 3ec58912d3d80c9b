"""Walks over a skin's feed without a browser: its real responses, and what its page would show."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from agent.drivers.base import ActiveVideo, Box, SiteAnswer
from agent.platforms import load_platform
from agent.platforms.base import Feed, Platform
from agent.platforms.canary import CapabilityVerdict, WalkedVideo, describe_walked, judge_walk
from agent.playground.catalogue import CatalogueItem, load_catalogue
from agent.playground.recommend import Shelf, simulate_visitor
from agent.playground.skins import shapes
from agent.playground.skins.pages import _renamed
from agent.playground.skins.shapes import ServedItem, skin_id

BATCH = 12
FIRST = {"tiktok": "script#x", "youtube": "window.ytInitialReelWatchSequenceResponse"}
NEXT = {
    "tiktok": "https://www.tiktok.com/api/recommend/item_list/",
    "youtube": "https://www.youtube.com/youtubei/v1/reel/reel_watch_sequence",
    "instagram": "https://www.instagram.com/graphql/query",
}
ABOUT_ONE = "https://www.youtube.com/youtubei/v1/reel/reel_item_watch"
SHELF = Shelf(load_catalogue())


@dataclass(frozen=True)
class SilentChange:
    """What a site has changed, in the words of the skins' switches."""

    rename: str = ""
    later: bool = False
    strip: str = ""

    @property
    def switches(self) -> str:
        named = {"rename": self.rename, "strip": self.strip, "later": "1" if self.later else ""}
        return "&".join(f"{name}={value}" for name, value in named.items() if value)


NOTHING = SilentChange()


def simulate(
    skin: str,
    seed: int,
    videos: int,
    change: SilentChange = NOTHING,
    platform: Platform | None = None,
) -> Iterator[tuple[Feed, ActiveVideo, CatalogueItem]]:
    """Yield a feed that has taken all responses so far, and the video that the page shows."""
    feed = Feed(platform or load_platform(skin))
    items = simulate_visitor("random", 1.0, lambda _: 0.0, 2 * videos, seed, SHELF)
    shows = [item for item in items if skin != "instagram" or item.kind != "live"][:videos]
    for place, item in enumerate(shows):
        if place % BATCH == 0:
            served = [ServedItem(one, place + n) for n, one in enumerate(shows[place:][:BATCH])]
            feed.take(_batch(skin, served, change, inline=place == 0))
        if skin == "youtube":
            body = shapes.youtube_item(item, legacy=False)
            told = body | {"playerResponse": shapes.youtube_player(item)}
            feed.take(SiteAnswer(ABOUT_ONE, _renamed(told, change.rename)))
        yield feed, _shown(skin, item, place, change), item
        feed.position = place  # as the loop does: from here on the site can learn of it


def _batch(
    skin: str, served: list[ServedItem], change: SilentChange, *, inline: bool
) -> SiteAnswer:
    shape: Any = {
        "tiktok": shapes.tiktok_inline if inline else shapes.tiktok_feed,
        "youtube": shapes.youtube_feed,
        "instagram": shapes.instagram_inline if inline else shapes.instagram_feed,
    }[skin]
    rename = "" if inline and change.later else change.rename
    url = f"inline:{FIRST.get(skin, 'script')}" if inline else NEXT[skin]
    return SiteAnswer(url, _renamed(shape(served), rename))


def _shown(skin: str, item: CatalogueItem, place: int, change: SilentChange) -> ActiveVideo:
    nameless = skin == "tiktok" and (item.kind == "live" or change.strip == "id")
    id_ = None if nameless else skin_id(skin, item)
    says_ad = "isAd" not in change.rename  # the skin's page draws its badge by that field
    return ActiveVideo(
        key=id_ or f"item:{place}",
        id=id_,
        id_source="page" if skin == "tiktok" else "url",
        url="https://site/",
        box=Box(0, 0, 360, 640),
        time_s=0.1,
        duration_s=item.seconds,
        exposure_s=0.1,
        shown=True,
        has_video=True,
        ad=item.kind == "ad" and says_ad if skin == "youtube" else None,
        live=None if skin == "instagram" else item.kind == "live",
        fields={} if skin == "instagram" else {"caption": "words", "author": "someone"},
        moved=1 if place else None,
        animation_ms=0.0,
    )


def walk(
    skin: str, seed: int, change: SilentChange = NOTHING, platform: Platform | None = None
) -> list[CapabilityVerdict]:
    """Return the verdicts of a probe of 24 videos, as far as no page is needed for them."""
    site = platform or load_platform(skin)
    walked: list[WalkedVideo] = []
    for feed, shown, _ in simulate(skin, seed, 24, change, site):
        feed.watches = False
        walked.append(describe_walked(shown, feed.describe(shown), change.strip != "likes"))
    return judge_walk(walked, site.expects)
