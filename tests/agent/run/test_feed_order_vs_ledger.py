"""A lost video is named whichever it was, and a right run never, however its site behaves."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from agent.drivers.base import SiteAnswer
from agent.drivers.web.driver import PlaywrightDriver
from agent.platforms import load_platform
from agent.platforms.base import Feed
from agent.platforms.instagram import ROOT
from agent.run.feed_order_vs_ledger import compare_feed
from store.privacy.forget import forget
from store.privacy.forget_plan import Request
from store.runs.data_folder import DataFolder
from store.runs.ledger import Ledger, LedgerWriter, read
from store.runs.ledger_lines import Step
from store.runs.ledger_site_lines import SiteCheck, describe_check
from tests.agent.platforms.running import watch
from tests.agent.platforms.test_feed import shown
from tests.slow_cases import drills_but
from tests.store.samples import started, step

NOW = datetime(2026, 11, 22, tzinfo=UTC)
VIDEOS = 100
PLATFORMS = ("tiktok", "youtube", "instagram")
Item = dict[str, Any]


@dataclass
class Site:
    """A site's page as it behaves: what it fetches ahead, in which order, and what it counts."""

    platform: str
    rng: random.Random
    steady: bool = False
    """Whether each item is new and has an id."""
    apart: int = 0
    """Places between two showings of a video, at least."""
    lost: int = -1
    """A video that is not shown again, so that no later step tells of it."""
    served: int = 0
    ready: list[Item] = field(default_factory=list)
    viewed: list[str] = field(default_factory=list)

    def item(self) -> Item:
        self.served += 1
        number, drawn = self.served, 1.0 if self.steady else self.rng.random()
        if drawn < 0.03:
            number = self.rng.randint(1, max(1, self.served - self.apart))
            number = self.served if number == self.lost else number
        kind = "live" if self.platform == "tiktok" and 0.03 < drawn < 0.06 else "video"
        ad = kind == "video" and 0.06 < drawn < 0.09
        id_ = f"7{number:012}" if self.platform == "tiktok" else f"code-{number:06}"
        return {"id": "" if kind == "live" else id_, "kind": kind, "ad": ad}

    def answers(self, inline: bool) -> Iterator[SiteAnswer]:
        """Ask for more, and answer: perhaps twice, or after what was asked for next."""
        pages = [[self.item() for _ in range(self.rng.randint(4, 12))]]
        odd = "" if self.steady else self.rng.choice(["", "", "twice", "disorder"])
        if odd == "disorder":
            pages.append([self.item() for _ in range(8)])
        self.ready += [item for page in pages for item in page]
        told = [self.answer(page, inline) for page in pages]
        yield from reversed(told) if odd == "disorder" else told * (2 if odd == "twice" else 1)

    def answer(self, items: list[Item], inline: bool) -> SiteAnswer:
        name = "inline:script" if inline else f"https://site/?vv_count_fyp={len(self.viewed)}"
        if self.platform == "tiktok":
            live = {"liveRoomInfo": {"title": "live"}, "containerType": 2}
            listed = [
                {"id": "", **live} if one["kind"] == "live" else _tiktok(one) for one in items
            ]
            return SiteAnswer(name, {"itemList": listed})
        if self.platform == "youtube":
            ends = [{"videoId": one["id"], "adClientParams": {"isAd": one["ad"]}} for one in items]
            return SiteAnswer(
                name, {"entries": [{"command": {"reelWatchEndpoint": end}} for end in ends]}
            )
        media = [{"code": one["id"], "pk": "1", "product_type": "clips"} for one in items]
        sent = {"data": {"seen_reels": json.dumps([{"id": one} for one in self.viewed])}}
        form = {
            "fb_api_req_friendly_name": "PolarisClipsTabDesktopPaginationQuery",
            "variables": json.dumps(sent),
        }
        edges = [{"node": {"media": one}} for one in media]
        asked = None if inline else urlencode(form)
        return SiteAnswer(name, {"data": {ROOT: {"edges": edges}}}, request=asked)


def _tiktok(item: Item) -> dict[str, Any]:
    return {"id": item["id"], "author": {"uniqueId": "made.up"}, "isAd": item["ad"]}


@dataclass
class Hands:
    """A run's ledger path without a browser: real adapters, real batches, real lines."""

    site: Site
    path: Path
    writer: LedgerWriter
    feed: Feed
    position: int = 0
    shown: set[str] = field(default_factory=set)

    def open(self, site: Site, feed: Feed) -> None:
        self.site, self.feed = site, feed
        feed.record_batches(self.writer.append)
        feed.open_page(self.position)
        self.fetch(inline=True)

    def fetch(self, *, inline: bool = False) -> None:
        for answer in self.site.answers(inline):
            self.feed.take(answer)

    def next(self, *, lose: bool = False, nameless: bool = False) -> None:
        """Show the next item; one that is lost is seen by the site alone."""
        item = self.site.ready.pop(0)
        self.site.viewed.append(item["id"] or f"card {self.position}")
        if len(self.site.ready) <= 4:
            self.fetch()
        if not lose:
            self.record(item["id"] if not nameless else "", live=item["kind"] == "live")

    def record(self, id_: str, **about: Any) -> None:
        active = shown(id_ or None, key=f"item:{self.position}", ad=None, duration_s=None)
        video = self.feed.describe(replace(active, live=about.get("live", False)))
        ad, live = video.ad or about.get("ad"), video.live
        excluded = "ad" if ad else "live" if live else None
        again = "run" if video.id in self.shown else None
        self.shown.add(video.id)
        self.writer.append(step(self.position, video=video, excluded=excluded, repeat=again))
        self.feed.position = self.position
        self.position += 1


def _begin(folder: Path, platform: str, seed: int, *, steady: bool = False) -> Hands:
    path = DataFolder(folder).ledger_path("r1")
    writer = LedgerWriter(path, fsync=False)
    writer.append(started("r1", platform=platform))
    site, feed = (
        Site(platform, random.Random(seed), steady),
        Feed(load_platform(platform), watch=False),
    )
    hands = Hands(site, path, writer, feed)
    hands.open(site, feed)
    return hands


def _check(hands: Hands) -> SiteCheck:
    hands.writer.close()
    found = compare_feed(read(hands.path), NOW)
    assert found is not None
    return found


@pytest.mark.parametrize("runs", drills_but([6], [6, 50]))
def test_one_lost_video_in_a_hundred_is_told_in_each_run(tmp_path: Path, runs: int) -> None:
    named = 0
    for seed in range(runs):
        hands = _begin(tmp_path / str(seed), PLATFORMS[seed % 3], seed)
        hands.site.apart = 30
        lost = random.Random(f"lost {seed}").randint(1, VIDEOS - 2)
        while hands.site.ready[0]["kind"] == "live":  # something is recorded before it
            hands.next()
        for number in range(VIDEOS):
            if number == lost:
                hands.site.lost = hands.site.served - len(hands.site.ready) + 1
            hands.next(lose=number == lost)
        check = _check(hands)
        assert check.disputes_run, f"seed {seed}, {hands.site.platform}, video {lost} was lost"
        named += bool(check.lost_after)
        assert "no step tells of, after" in describe_check(check)
    assert named == runs


LISTED_TWICE = (124, 285)
"""Two responses in disorder list the same video, and the page is left after it."""


@pytest.mark.parametrize(
    "seeds", drills_but([range(18), LISTED_TWICE], [range(18), range(200), LISTED_TWICE])
)
def test_no_right_run_is_suspected(tmp_path: Path, seeds: Sequence[int]) -> None:
    seen = {"renew": 0, "resume": 0, "pool": 0, "nameless": 0}
    for seed in seeds:
        hands = _begin(tmp_path / str(seed), PLATFORMS[seed % 3], seed)
        rng = random.Random(f"right {seed}")
        while hands.position < VIDEOS:
            event = rng.random()
            if event < 0.01:  # the browser is opened anew
                hands.open(replace(hands.site, ready=[], viewed=[]), hands.feed)
                seen["renew"] += 1
            elif event < 0.02:  # a run that was killed goes on
                _resume(hands)
                seen["resume"] += 1
            elif event < 0.04 and hands.site.platform == "instagram":  # an ad of its pool
                hands.record(f"promo-{hands.position}", ad=True)
                hands.site.viewed.append(f"promo-{hands.position}")
                seen["pool"] += 1
            else:
                nameless = event > 0.99
                seen["nameless"] += nameless
                hands.next(nameless=nameless)
        check = _check(hands)
        assert check.agrees, f"seed {seed}, {hands.site.platform}: {describe_check(check)}"
        assert check.compared > VIDEOS / 2
    assert len(seeds) == len(LISTED_TWICE) or min(seen.values()) > len(seeds) / 20


def _resume(hands: Hands) -> None:
    former = read(hands.path)
    feed = Feed(load_platform(hands.site.platform), watch=False)
    feed.resume(former.batches, former.seen)
    hands.open(replace(hands.site, ready=[], viewed=[]), feed)


@pytest.mark.parametrize("platform", ["tiktok", "instagram"])
def test_the_site_s_own_count_tells_of_lost_videos_too(tmp_path: Path, platform: str) -> None:
    hands = _begin(tmp_path, platform, 1, steady=True)
    for number in range(VIDEOS):
        hands.next(lose=number % 20 == 19)
    check = _check(hands)
    assert check.site_count is not None
    assert check.miscounted in (4, 5)
    assert f"{check.miscounted} videos more by its own count" in describe_check(check)


@pytest.mark.parametrize(("more", "disputed"), [(9, True), (-9, False)])
def test_a_site_may_count_less_than_was_shown_and_never_more(more: int, disputed: bool) -> None:
    check = SiteCheck(at=NOW, position=9, compared=9, furthest_s=None, miscounted=more)
    assert (check.agrees, check.disputes_run) == (False, disputed)


def test_what_is_forgotten_is_no_lost_video_and_leaves_no_mark(tmp_path: Path) -> None:
    hands = _begin(tmp_path, "tiktok", 3, steady=True)
    for _ in range(20):
        hands.next()
    before = _check(hands)
    steps: list[Step] = list(read(hands.path).steps)
    digests = read(hands.path).batches[0].order
    forget(DataFolder(tmp_path), Request(asked="video", value=steps[2].video.id, at=NOW))
    ledger = read(hands.path)
    after = compare_feed(ledger, NOW)
    assert after is not None
    assert (before.agrees, after.agrees, after.compared) == (True, True, before.compared)
    assert digests[2] not in ledger.batches[0].order
    assert digests[3] in ledger.batches[0].order


def test_a_ledger_whose_batches_list_nothing_is_not_compared(tmp_path: Path) -> None:
    hands = _begin(tmp_path, "tiktok", 3)
    hands.next()
    hands.writer.close()
    ledger: Ledger = read(hands.path)
    assert compare_feed(replace(ledger, batches=()), NOW) is None


class Loses(PlaywrightDriver):
    """Loses one video: it moves on twice, and tells of the second arrival alone."""

    moves = 0

    async def next(self, shown: Any) -> Any:
        arrival = await super().next(shown)
        Loses.moves += 1
        return await super().next(arrival.shown) if Loses.moves == 5 else arrival


@pytest.mark.drill
@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_browser_that_loses_a_video_is_told_of(
    tmp_path: Path, platform: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = watch(tmp_path / "right", platform, 30)
    (check,) = right.ledger.checks
    assert check.agrees, describe_check(check)
    assert (check.site_count is None) == (platform == "youtube")
    Loses.moves = 0
    monkeypatch.setattr("agent.drivers.web.driver.PlaywrightDriver", Loses)
    (check,) = watch(tmp_path / "wrong", platform, 30).ledger.checks
    assert check.disputes_run
    assert check.lost_after == (4,)
