"""A ledger is held against the site's own counts, and every kind of difference is named."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from agent.run.site_counts_vs_ledger import (
    ALLOWED_S,
    SiteRecord,
    WatchedPlace,
    check_run,
    compare_steps,
)
from store.runs.ledger_lines import Reaction, Step, Video
from store.runs.ledger_site_lines import SiteCheck, describe_check
from tests.store.samples import step

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def watched(position: int, video: str, dwell_s: float | None, liked: bool | None = False) -> Step:
    reaction = Reaction(
        action="stay", liked=liked, dwell_asked_s=8.0, dwell_s=dwell_s, exposure_s=0.1, held_s=0.1
    )
    return step(position, video=Video(id=video), reaction=reaction)


def place(index: int, video: str, watched_s: float, liked: bool = False) -> WatchedPlace:
    return WatchedPlace(index, video, watched_s, liked, "key")


def check(steps: list[Step], *places: WatchedPlace) -> SiteCheck:
    return compare_steps(steps, SiteRecord(places), NOW)


STEPS = [watched(0, "a", 8.0, True), watched(1, "b", 0.8), watched(2, "c", 8.2)]
PLACES = (place(5, "a", 8.05, True), place(6, "b", 0.8), place(7, "c", 8.2))


def test_what_agrees_is_said_to_agree_also_after_an_earlier_run() -> None:
    left_on = WatchedPlace(8, "d", 0.2, False, None)
    found = check(STEPS, place(3, "a", 4.0), place(4, "x", 2.0), *PLACES, left_on)
    assert found.agrees
    assert (found.compared, found.furthest_s, found.position) == (3, 0.05, 3)


def test_a_dwell_that_differs_is_named() -> None:
    found = check(STEPS, PLACES[0], place(6, "b", 5.9), PLACES[2])
    assert (found.dwells, found.furthest_s, found.agrees) == ((1,), 5.1, False)
    assert describe_check(found) == "dwell of videos 1"
    both = check(STEPS, PLACES[0], place(6, "b", 5.9), place(7, "c", 1.0))
    assert describe_check(both) == "dwell of videos 1, 2"


def test_a_dwell_that_differs_by_what_is_allowed_agrees() -> None:
    assert check([watched(0, "a", ALLOWED_S)], place(0, "a", 0.0)).agrees
    assert not check([watched(0, "a", ALLOWED_S + 0.01)], place(0, "a", 0.0)).agrees


class SlowSite:
    """Hears at the second time only how the last video ended."""

    def __init__(self) -> None:
        self.asked = 0

    async def record(self) -> SiteRecord:
        self.asked += 1
        open_ = WatchedPlace(7, "c", 5.0, False, None)
        return SiteRecord((*PLACES[:2], PLACES[2] if self.asked > 1 else open_))


def test_the_end_of_the_last_video_is_waited_for() -> None:
    site = SlowSite()
    found = asyncio.run(check_run(site, STEPS, lambda: NOW))
    assert (site.asked, found.agrees) == (2, True)


def test_a_video_was_left_where_the_visitor_is_elsewhere() -> None:
    record = SiteRecord((PLACES[0], WatchedPlace(6, "b", 0.1, False, None)))
    assert (record.was_left("a"), record.was_left("b"), record.was_left("x")) == (
        True,
        False,
        False,
    )


def test_a_like_that_differs_is_named_either_way() -> None:
    found = check(STEPS, place(5, "a", 8.0), place(6, "b", 0.8, liked=True), PLACES[2])
    assert found.likes == (0, 1)


def test_a_video_that_was_passed_over_is_named() -> None:
    found = check([STEPS[0], STEPS[2]], *PLACES)
    assert (found.unrecorded, found.compared) == ((6,), 2)


def test_a_video_that_the_site_never_heard_of_is_named() -> None:
    found = check(STEPS, PLACES[0], PLACES[2])
    assert (found.unreported, found.compared) == ((1,), 2)


def test_a_live_card_without_an_id_has_its_place() -> None:
    card = step(1, video=Video(id="item:1", live=True), reaction=STEPS[1].reaction)
    found = check([STEPS[0], card, STEPS[2]], *PLACES)
    assert (found.agrees, found.compared) == (True, 3)


def test_what_is_not_known_is_not_compared() -> None:
    found = check([watched(0, "a", None, None)], PLACES[0])
    assert (found.agrees, found.furthest_s) == (True, None)


def test_two_steps_in_one_place_are_added_up() -> None:
    found = check([watched(0, "a", 3.0, True), watched(1, "a", 5.05, False), *STEPS[1:]], *PLACES)
    assert (found.agrees, found.compared, found.furthest_s) == (True, 4, 0.0)


def test_a_repeat_has_a_place_of_its_own() -> None:
    found = check(
        [watched(0, "a", 3.0), watched(1, "a", 5.0)], place(0, "a", 3.0), place(1, "a", 5.0)
    )
    assert (found.agrees, found.compared, found.furthest_s) == (True, 2, 0.0)


def test_what_was_forgotten_is_found_by_its_place() -> None:
    gone = [STEPS[0], watched(1, "forgotten-1", 0.8), STEPS[2]]
    assert check(gone, *PLACES).agrees
    assert check([gone[1], *STEPS[2:]], *PLACES[1:]).agrees
    assert check(gone, PLACES[0], place(6, "b", 5.9), PLACES[2]).dwells == (1,)
    assert check(gone, PLACES[0], PLACES[2]).unreported == (0,)
