"""Every wall of every site, on its skin: named, pictured, never taken for a video."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.errors import (
    AgeAsked,
    ChallengeShown,
    LoginRequired,
    PresenceAsked,
    RateLimited,
    SiteFailed,
    WallShown,
)
from tests.agent.platforms.running import check, watch

WALLS: list[tuple[str, str, type[WallShown]]] = [
    ("tiktok", "login", LoginRequired),
    ("tiktok", "modal", LoginRequired),
    ("tiktok", "captcha", ChallengeShown),
    ("tiktok", "frame", ChallengeShown),
    ("tiktok", "error", SiteFailed),
    ("youtube", "login", LoginRequired),
    ("youtube", "captcha", ChallengeShown),
    ("youtube", "bot", ChallengeShown),
    ("youtube", "age", AgeAsked),
    ("youtube", "inactivity", PresenceAsked),
    ("youtube", "error", SiteFailed),
    ("instagram", "login", LoginRequired),
    ("instagram", "home", LoginRequired),
    ("instagram", "form", LoginRequired),
    ("instagram", "challenge", ChallengeShown),
    ("instagram", "scraping", ChallengeShown),
    ("instagram", "suspended", ChallengeShown),
    ("instagram", "age", AgeAsked),
    ("instagram", "later", RateLimited),
    ("instagram", "error", SiteFailed),
]
CONSENT = [
    pytest.param("tiktok", "consent", marks=pytest.mark.drill),
    ("tiktok", "notice"),
    pytest.param("youtube", "lightbox", marks=pytest.mark.drill),
    pytest.param("instagram", "consent", marks=pytest.mark.drill),
]


QUICK = {("tiktok", "frame")}
EACH = [
    wall if wall[:2] in QUICK else pytest.param(*wall, marks=pytest.mark.drill) for wall in WALLS
]


@pytest.mark.parametrize(("platform", "wall", "fault"), EACH)
def test_a_wall_ends_the_run_with_its_name(
    tmp_path: Path, platform: str, wall: str, fault: type[WallShown]
) -> None:
    told = watch(tmp_path, platform, 6, f"wall={wall}@2")
    assert type(told.fault) is fault
    assert 2 <= len(told.ledger.seen) <= 3  # the last one is open: its end is asked of the site
    check(told, platform)
    last = told.ledger.faults[-1]
    assert (last.fault, last.recovered) == (fault.__name__, False)
    assert Path(last.details["picture"]).read_bytes().startswith(b"\x89PNG")
    assert told.ledger.status == "interrupted"


@pytest.mark.parametrize(("platform", "wall"), CONSENT)
def test_consent_is_declined_and_nothing_is_lost(tmp_path: Path, platform: str, wall: str) -> None:
    told = watch(tmp_path, platform, 6, f"wall={wall}@2")
    assert told.fault is None
    check(told, platform)
    assert sum(step.eligible for step in told.steps) == 6


@pytest.mark.drill
@pytest.mark.parametrize(
    ("switch", "fault"),
    [("status=429", RateLimited), ("empty=1", RateLimited), ("status=503", SiteFailed)],
)
@pytest.mark.parametrize("platform", ["tiktok", "youtube", "instagram"])
def test_a_refused_response_names_the_wall_once_the_feed_ends(
    tmp_path: Path, platform: str, switch: str, fault: type[WallShown]
) -> None:
    told = watch(tmp_path, platform, 60, f"{switch}&from=1")
    assert type(told.fault) is fault
    assert told.steps
    check(told, platform)
