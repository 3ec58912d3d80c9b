"""A batch has an identity of its own: kills, late answers and repeats change nothing about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest

from agent.drivers.base import SiteAnswer
from agent.platforms import load_platform
from agent.platforms.base import Feed
from agent.playground.catalogue import load_catalogue
from agent.playground.recommend import AHEAD, Settings, Shelf
from agent.playground.skins.shapes import feed_payload
from agent.playground.visitors import BatchPart, Visitor, WatchReport
from store.runs.ledger_lines import Judgement, Reaction, Step, Video
from store.runs.ledger_site_lines import FeedBatch
from tests.agent.platforms.test_feed import shown

TOTAL = 48
AT = datetime(2026, 11, 21, tzinfo=UTC)


def step(position: int, video: Video) -> Step:
    return Step(
        position=position,
        at=AT,
        phase="after",
        video=video,
        frames=(),
        move=None,
        timings_ms={},
        judgement=Judgement(answer="yes"),
        reaction=Reaction(action="stay", dwell_asked_s=8, dwell_s=8, exposure_s=0, held_s=0),
    )


@dataclass
class Run:
    """What a ledger keeps."""

    steps: list[Step] = field(default_factory=list)
    batches: list[FeedBatch] = field(default_factory=list)


def sit(visitor: Visitor, run: Run, until: int) -> None:
    """Watch as the loop and the page do: the page asks ahead as it moves on."""
    feed = Feed(load_platform("playground"))
    feed.resume(run.batches, run.steps)
    feed.record_batches(run.batches.append)
    feed.open_page(len(run.steps))
    cards: list[dict[str, Any]] = []
    catalogue = load_catalogue()

    def ask(after: int | None) -> None:
        page = visitor.page(after)
        assert isinstance(page, BatchPart)
        body = feed_payload(catalogue, visitor, page)
        cards.extend(body["items"])
        feed.take(SiteAnswer("/api/feed", body))

    ask(None)
    for active in range(until - len(run.steps)):
        if len(cards) - 1 - active <= AHEAD:
            ask(cards[-1]["index"] + 1)
        feed.position = len(run.steps)
        card = cards[active]
        run.steps.append(step(len(run.steps), feed.describe(shown(card["id"]))))
        watched = WatchReport(
            index=card["index"],
            view=f"{len(run.steps)}",
            watched_s=2.0,
            duration_s=6.0,
            loops=0,
            ended_by="key",
        )
        assert visitor.watch(watched)
    visitor.close()


def columns(run: Run) -> list[tuple[str, int | None, int | None]]:
    return [(one.video.id, one.video.batch, one.video.batch_requested_at) for one in run.steps]


def watch(folder: Path, stops: Sequence[int]) -> Run:
    folder.mkdir()
    run = Run()
    for stop in (*stops, TOTAL):
        shelf = Shelf(load_catalogue())
        sit(Visitor(folder / "v.jsonl", "v", shelf, Settings("listener", 1.0, 3)), run, stop)
    return run


def test_a_killed_run_equals_the_whole_one_wherever_it_was_killed(tmp_path: Path) -> None:
    whole = watch(tmp_path / "whole", ())
    assert [batch for _, batch, _ in columns(whole)] == [place // 12 for place in range(TOTAL)]
    assert {asked for *_, asked in columns(whole)} == {0, 6, 18, 30}
    killed = 0
    for moment in range(1, TOTAL):
        run = watch(tmp_path / f"at-{moment}", (moment,))
        assert columns(run) == columns(whole), moment
        killed += 1
    assert killed == TOTAL - 1
    assert columns(watch(tmp_path / "often", (7, 8, 9, 23, 24, 41))) == columns(whole)


def test_a_request_is_stamped_when_it_is_made_however_late_its_answer() -> None:
    feed = Feed(load_platform("playground"))
    feed.open_page(0)
    feed.position = 3
    asked = perf_counter()
    for position in (4, 5, 6):
        feed.position = position
    feed.take(SiteAnswer("/api/feed", {"batch": 0, "items": [{"id": "a"}]}, requested_s=asked))
    assert feed.describe(shown("a")).batch_requested_at == 3


def test_a_repeat_comes_with_the_batch_that_brings_it_again() -> None:
    feed = Feed(load_platform("playground"))
    said = []
    for number in range(3):
        feed.position = 10 * number
        items = [{"id": "again"}, {"id": f"v{number}"}]
        feed.take(SiteAnswer("/api/feed", {"batch": number, "items": items}))
    for video in ("again", "v0", "again", "v1", "v2", "again"):
        described = feed.describe(shown(video))
        said.append((video, described.batch, described.batch_requested_at))
    assert said == [
        ("again", 0, 0),
        ("v0", 0, 0),
        ("again", 1, 10),
        ("v1", 1, 10),
        ("v2", 2, 20),
        ("again", 2, 20),
    ]


def test_a_live_page_that_is_opened_again_asks_anew() -> None:
    """What the former page had ready and never showed is the new request's, if it comes again."""
    feed = Feed(load_platform("tiktok"))
    address = "/api/recommend/item_list/"
    ids = ["7000000000000000001", "7000000000000000002"]
    body = {"itemList": [{"id": id_, "desc": "x", "author": {"uniqueId": "u"}} for id_ in ids]}
    feed.open_page(0)
    feed.take(SiteAnswer(address, body))
    feed.position = 0
    assert feed.describe(shown(ids[0])).batch == 0
    feed.open_page(9)
    feed.take(SiteAnswer(address, body))
    again = feed.describe(shown(ids[1]))
    assert (again.batch, again.batch_requested_at) == (1, 8)


@pytest.mark.parametrize("position", [0, 1, 3])
def test_a_replay_hands_out_the_recorded_batches_again(position: int) -> None:
    """A repeat has the batch of each of its showings, also where the replay was interrupted."""
    recorded = [("a", 0, 0), ("b", 0, 0), ("a", 1, 1), ("c", 1, 1), ("a", 2, 3)]
    steps = [
        step(at, Video(id=id_, batch=number, batch_requested_at=asked))
        for at, (id_, number, asked) in enumerate(recorded)
    ]
    feed = Feed(load_platform("replay"))
    feed.resume((), steps[:position])
    feed.replay(steps, position)
    feed.open_page(position)
    told = [feed.describe(shown(id_)) for id_, *_ in recorded[position:]]
    assert [(v.id, v.batch, v.batch_requested_at) for v in told] == recorded[position:]
