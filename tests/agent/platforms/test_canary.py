"""The canary names what a site has silently changed, and is silent about one that has not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from agent.doctor.platform import SiteProbe, probe_site
from agent.drivers.web import browser as browsers
from agent.errors import LayoutChanged
from agent.platforms import load_platform
from agent.platforms.canary import (
    CHANCE,
    CapabilityVerdict,
    Expectations,
    ShareBand,
    WalkedVideo,
    is_too_few,
    is_too_many,
    judge_walk,
)
from agent.run.environment import RunBrowser
from agent.run.pacing import PaceLimits, SlowHands
from agent.run_config import HandPace, RunConfig, SiteConfig
from personas.library import find
from store.runs.canary_log import read_canary
from store.runs.data_folder import DataFolder
from tests.agent.platforms.running import watch
from tests.agent.platforms.simulated_walks import NOTHING, SilentChange, simulate, walk
from tests.e2e.commands import feedsway

ROOT = "xdt_api__v1__clips__home__connection_v2:xdt_api__v1__clips__home__connection_v3"
SKINS = ("tiktok", "youtube", "instagram")
PLAIN = [(skin, NOTHING, frozenset[str]()) for skin in SKINS]
CHANGES = [
    (skin, change, frozenset(fails.split()))
    for skin, change, fails in (
        ("tiktok", SilentChange(strip="id"), "id"),
        ("tiktok", SilentChange("isAd:isPromoted"), "ad"),
        ("tiktok", SilentChange("diggCount:hearts"), "counts"),
        ("tiktok", SilentChange("playCount:plays"), "counts"),
        ("tiktok", SilentChange("uniqueId:handle"), "author"),
        ("tiktok", SilentChange("desc:description"), "caption"),
        ("tiktok", SilentChange(strip="likes"), "like"),
        ("youtube", SilentChange("overlay:panel"), "author counts"),
        ("youtube", SilentChange("isAd:isPromoted"), "ad"),
        ("youtube", SilentChange("entries:list"), "order"),
        ("youtube", SilentChange("entries:list", later=True), "order"),
        ("youtube", SilentChange("likeButtonViewModel:heartModel"), "counts"),
        ("youtube", SilentChange(strip="likes"), "like"),
        ("instagram", SilentChange(ROOT), "order"),
        ("instagram", SilentChange(ROOT, later=True), "order"),
        ("instagram", SilentChange("code:shortcode"), "order"),
        ("instagram", SilentChange("like_count:hearts"), "counts"),
        ("instagram", SilentChange("user:owner"), "author"),
        ("instagram", SilentChange("caption:words"), "caption"),
    )
]
IN_RUNS = [case for case in CHANGES if case[1].strip != "likes"]


def failing(verdicts: list[CapabilityVerdict]) -> frozenset[str]:
    return frozenset(one.capability for one in verdicts if one.verdict == "fails")


@pytest.mark.parametrize(("skin", "change", "fails"), CHANGES)
def test_a_probe_names_each_silent_change(
    skin: str, change: SilentChange, fails: frozenset[str]
) -> None:
    assert failing(walk(skin, 7, change)) == fails


@pytest.mark.parametrize(("skin", "change", "fails"), IN_RUNS)
def test_a_run_names_each_silent_change_within_24_videos(
    skin: str, change: SilentChange, fails: frozenset[str]
) -> None:
    noted: list[LayoutChanged] = []
    since, described = 12 if change.later else 0, 0
    try:
        for feed, shown, _ in simulate(skin, 7, since + 24, change):
            feed.watch.on_change = noted.append
            described += 1
            feed.describe(shown)
    except LayoutChanged as ended:
        noted.append(ended)
    assert {one.details["capability"] for one in noted} == fails
    assert noted
    assert described - since <= 24


def test_a_run_goes_on_once_it_has_told_what_only_the_page_still_says() -> None:
    noted: list[LayoutChanged] = []
    verdicts: list[CapabilityVerdict] = []
    for feed, shown, _ in simulate("tiktok", 7, 60, SilentChange("desc:description")):
        feed.watch.on_change, feed.watch.on_canary = noted.append, verdicts.extend
        assert feed.describe(shown).sources.get("caption") in ("page", None)
    assert [one.details["capability"] for one in noted] == ["caption"]
    assert failing(verdicts) == {"caption"}


def test_a_site_as_usual_raises_no_alarm_in_200_probes() -> None:
    found = [failing(walk(SKINS[seed % 3], seed)) for seed in range(200)]
    assert len(found) == 200
    assert frozenset().union(*found) == frozenset()


@pytest.mark.drill
@pytest.mark.parametrize("skin", SKINS)
def test_a_site_as_usual_raises_no_alarm_in_200_runs(skin: str) -> None:
    described = 0
    for seed in range(200):
        for feed, shown, _ in simulate(skin, seed, 100):
            feed.describe(shown)
            described += 1
    assert described == 20_000


def test_no_advertisement_in_24_is_no_alarm_and_a_feed_of_them_is() -> None:
    site = load_platform("tiktok").expects
    assert not is_too_few(0, 24, site.shares["ad"].least)
    assert not is_too_many(5, 24, site.shares["ad"].most)
    assert is_too_many(18, 24, site.shares["ad"].most)
    assert not is_too_many(149, 4695, site.shares["ad"].most)


def test_chance_alone_alarms_in_fewer_cases_than_said() -> None:
    rng = np.random.default_rng(1)
    for share in (0.95, 0.8, 0.4):
        given = rng.binomial(24, share, 20_000)
        alarms = sum(is_too_few(int(count), 24, share) for count in given)
        assert alarms <= 20_000 * CHANCE * 5
        assert is_too_few(0, 24, share)


def walked(**fields: object) -> WalkedVideo:
    given: Mapping[str, object] = {
        "given": frozenset({"ad", "author"}),
        "has_id": True,
        "listed": True,
        "ad": False,
        "live": None,
        "plays": True,
        "moved": 1,
    }
    return WalkedVideo(**{**given, **fields})  # type: ignore[arg-type]


def test_too_few_videos_tell_nothing_and_the_verdict_says_why() -> None:
    expects = Expectations({"author": 0.95, "ad": 0.95}, {"ad": ShareBand(0.0, 0.25)})
    verdicts = {one.capability: one for one in judge_walk([walked()] * 2, expects)}
    assert verdicts["author"].verdict == "could not tell"
    assert "too few to tell" in verdicts["author"].why
    assert verdicts["caption"].why == "the adapter expects none"
    assert judge_walk([], expects)[0].verdict == "could not tell"


def test_half_of_the_videos_without_a_field_are_a_failure_and_one_is_not() -> None:
    expects = Expectations({"author": 0.95})
    bare = walked(given=frozenset({"ad"}))
    half = judge_walk([walked(), bare] * 12, expects)
    one = judge_walk([walked()] * 23 + [bare], expects)
    assert failing(half) == {"author"}
    assert failing(one) == frozenset()


def test_players_that_stand_still_and_jumps_are_failures() -> None:
    still = judge_walk([walked(plays=False)] * 24, Expectations())
    jumping = judge_walk([walked(moved=2)] * 24, Expectations())
    assert failing(still) == {"codec"}
    assert failing(jumping) == {"move"}


# In a real browser


def probe(root: Path, skin: str, change: SilentChange, videos: int = 24) -> SiteProbe:
    data = DataFolder(root)
    data.prepare()
    platform = load_platform(skin)
    site = SiteConfig.model_validate({"skin": skin, "switches": change.switches})
    config = RunConfig(
        persona=find("p01"), platform=skin, site=site, seed=7, adapter=platform.adapter
    )
    hands = SlowHands(
        HandPace(floor_s=0),
        PaceLimits(),
        0,
        np.random.default_rng(1),
        lambda: datetime.now().astimezone(),
    )
    sight = RunBrowser(data, browsers.find_browser())
    return asyncio.run(probe_site(config, sight, videos, hands, lambda _: None))


@pytest.mark.parametrize(
    ("change", "fails"), [(NOTHING, set()), (SilentChange(strip="likes"), {"like"})]
)
def test_a_short_probe_in_a_browser_tells_what_is_gone_at_once(
    tmp_path: Path, change: SilentChange, fails: set[str]
) -> None:
    found = probe(tmp_path, "tiktok", change, videos=6)
    assert found.faults == []
    assert failing(found.verdicts({})) == fails
    assert len(found.walk) == 6


def test_the_command_names_what_fails_with_exit_code_1_and_dates_it(tmp_path: Path) -> None:
    words = ("doctor", "--platform", "youtube", "--skin", "rename=overlay:panel", "--videos", "9")
    done = feedsway(*words, "--data", str(tmp_path), "--json")
    assert done.returncode == 1, done.stderr
    result = json.loads(done.stdout)
    told = {name: one["verdict"] for name, one in result["verdicts"].items()}
    assert {name for name, verdict in told.items() if verdict == "fails"} == {"author", "counts"}
    assert (told["id"], told["session"]) == ("holds", "could not tell")
    assert result["faults"] == []
    assert "| counts | fails | responses give likes of 0 of " in result["report"]
    (record,) = read_canary(DataFolder(tmp_path), "youtube")
    assert (record.kind, record.skin, record.videos, record.verdicts) == ("probe", True, 9, told)
    assert record.adapter_version == 1


@pytest.mark.drill
@pytest.mark.parametrize(("skin", "change", "fails"), [*PLAIN, *CHANGES])
def test_a_browser_s_probe_names_each_silent_change(
    tmp_path: Path, skin: str, change: SilentChange, fails: frozenset[str]
) -> None:
    found = probe(tmp_path, skin, change)
    assert found.faults == []
    assert failing(found.verdicts({})) == fails
    assert len(found.walk) == 24


@pytest.mark.drill
@pytest.mark.parametrize(("skin", "change", "fails"), [*IN_RUNS, *PLAIN])
def test_a_browser_s_run_names_each_silent_change(
    tmp_path: Path, skin: str, change: SilentChange, fails: frozenset[str]
) -> None:
    told = watch(tmp_path, skin, 40, change.switches)
    since = 12 if change.later else 0
    changes = [one for one in told.ledger.faults if one.fault == "LayoutChanged"]
    assert {one.details["capability"] for one in changes} <= fails
    assert bool(changes) == bool(fails)
    assert all(one.position - since <= 26 for one in changes)
    record = read_canary(told.data, skin)[-1]
    assert record.skin
    assert {name for name, verdict in record.verdicts.items() if verdict == "fails"} <= fails
