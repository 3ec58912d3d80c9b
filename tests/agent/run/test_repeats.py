"""A repeat is an exposure; a feed that shows nothing that counts is a fault."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agent.drivers.base import ActiveVideo, Arrival
from agent.errors import BrowserLost, FeedIneligible
from agent.platforms import load_platform
from agent.platforms.base import Feed
from agent.run.dwell_policy import ReactionPlan
from agent.run.loop import RunLoop
from agent.run.loop_dependencies import RunTools
from agent.run.progress import RunProgress
from agent.run.recorder import LedgerRecorder
from agent.run.start_or_resume import SilentWatcher
from agent.run.yoked_control import YokedSchedule
from agent.run_config import RunConfig, SiteConfig
from personas.library import find
from store.frames.frame_store import FrameStore
from store.runs.ledger import LedgerWriter
from store.runs.ledger_lines import Judgement, Step, Usage, Windows
from tests.agent.run.test_loop import OneVideo
from tests.store.sealed_lines import unseal_lines


class ListedFeed(OneVideo):
    """Shows videos in a given order, over and over; names that begin with ad are ads."""

    def __init__(self, ids: Sequence[str], lost_at: int = -1) -> None:
        super().__init__(held=True)
        self._ids, self._at, self._lost_at = ids, 0, lost_at

    async def open(self, url: str) -> ActiveVideo:
        id_ = self._ids[self._at % len(self._ids)]
        shown = await super().open(url)
        ad, there = id_.startswith("ad"), id_ != "unseen"
        return replace(shown, key=id_, id=id_, ad=ad, shown=there, has_video=there)

    async def watch(self, shown: ActiveVideo, seconds: float, *, then_hold: bool = False) -> float:
        if self._at == self._lost_at:
            self._lost_at = -1
            raise BrowserLost("it went away")
        return seconds

    async def next(self, shown: ActiveVideo) -> Arrival:
        self._at += 1
        return Arrival("key:ArrowDown", 1, 1.0, await self.open(""))


@dataclass
class Listener:
    """Answers by name, and remembers what it was asked."""

    said: dict[str, Judgement]
    asked: int = 0
    order: list[Judgement] = field(default_factory=list)

    async def judge(self, frames: tuple[bytes, ...], caption: str | None) -> Judgement:
        self.asked += 1
        return self.order.pop(0)


def judged(answer: str | None) -> Judgement:
    missing = None if answer else "timed_out"
    usage = Usage(calls=1, input_tokens=9, cost_usd=0.25)
    told: dict[str, Any] = {"answer": answer, "missing": missing, "latency_s": 2.0, "usage": usage}
    return Judgement(**told)


def watch(
    tmp_path: Path,
    driver: ListedFeed,
    answers: Sequence[str | None],
    progress: RunProgress | None = None,
    **changes: Any,
) -> tuple[list[Step], Listener]:
    """Run the loop over a list; answers are given in the order of the questions."""
    schedule = changes.pop("schedule", None)
    told = {"windows": Windows(before=len(answers), after=0), "site": SiteConfig(), **changes}
    config = RunConfig(persona=find("p12"), **told)
    path = tmp_path / "ledger.jsonl"
    judge = Listener({}, order=[judged(answer) for answer in answers])

    def now() -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    with LedgerWriter(path) as writer:
        recorder = LedgerRecorder(writer, FrameStore(tmp_path), None, now)
        feed = Feed(load_platform("playground"), watch=False)
        tools = RunTools(driver, feed, judge, recorder, SilentWatcher(), now, schedule)
        try:
            asyncio.run(RunLoop(config, tools, progress or RunProgress(), "http://x/").run())
        finally:
            steps = [line for line in unseal_lines(path) if line.startswith(b'{"kind":"step",')]
    return [Step.model_validate_json(line) for line in steps], judge


def test_a_refusal_is_not_asked_again_when_its_video_comes_again(tmp_path: Path) -> None:
    refused = Judgement(answer=None, missing="refused")
    progress = RunProgress(judgements={"a": refused})
    windows = Windows(before=2, after=0)
    steps, judge = watch(tmp_path, ListedFeed(["a"]), ["yes", "yes"], progress, windows=windows)
    assert [step.judgement.missing for step in steps] == ["refused", "refused"]
    assert judge.asked == 0


def test_a_higher_limit_resumes_the_same_run() -> None:
    config = RunConfig(persona=find("p12"))
    assert config.model_copy(update={"max_excluded": 100}).digest() == config.digest()
    assert config.model_copy(update={"max_missing": 0}).digest() == config.digest()
    assert config.model_copy(update={"seed": 2}).digest() != config.digest()


def test_a_repeat_counts_with_the_judgement_that_it_has(tmp_path: Path) -> None:
    windows = Windows(before=4, after=4)
    driver = ListedFeed(["a", "b", "c"])
    steps, judge = watch(tmp_path, driver, ["yes", "no", None, "no"], windows=windows)
    assert [step.video.id for step in steps] == list("abcabcab")
    assert [step.judgement.answer for step in steps] == [
        "yes",
        "no",
        None,
        "yes",
        "no",
        "no",
        "yes",
        "no",
    ]
    assert judge.asked == 4, "a missing answer is asked again, an answer never"
    assert [step.repeat for step in steps] == [None] * 3 + ["run"] * 5
    assert all(step.eligible for step in steps)
    assert [step.phase for step in steps] == ["before"] * 4 + ["after"] * 4
    assert [s.reaction.action == "stay" for s in steps] == [
        s.judgement.answer == "yes" for s in steps
    ]
    again = [steps[3].judgement, steps[4].judgement]
    assert all(one.usage == Usage() and one.latency_s == 0 == one.attempts for one in again)
    assert sum(step.judgement.usage.cost_usd or 0 for step in steps) == 4 * 0.25


def test_a_video_of_a_former_run_of_the_account_is_a_repeat_and_is_judged(tmp_path: Path) -> None:
    """Another day's judgement is another sitting's."""
    progress = RunProgress(former=frozenset({"b"}))
    steps, judge = watch(tmp_path, ListedFeed(["a", "b", "c"]), ["no", "yes", "no"], progress)
    assert [step.repeat for step in steps] == [None, "account", None]
    assert judge.asked == 3


def test_a_resumed_run_knows_its_judgements(tmp_path: Path) -> None:
    (tmp_path / "first").mkdir()
    steps, _ = watch(tmp_path / "first", ListedFeed(["a", "b"]), ["yes", "no"])
    progress = RunProgress()
    for step in steps:
        progress.count(step)
    (tmp_path / "second").mkdir()
    windows = Windows(before=4, after=0)
    later, judge = watch(tmp_path / "second", ListedFeed(["a", "b"]), [], progress, windows=windows)
    assert [(s.position, s.judgement.answer, s.repeat) for s in later] == [
        (2, "yes", "run"),
        (3, "no", "run"),
    ]
    assert judge.asked == 0


def test_what_was_never_shown_is_no_repeat_when_it_is(tmp_path: Path) -> None:
    steps, _ = watch(tmp_path, ListedFeed(["unseen", "a"]), ["yes", "no"][:1])
    assert [(s.video.id, s.excluded, s.repeat) for s in steps] == [
        ("unseen", "not_shown", None),
        ("a", None, None),
    ]


def test_a_feed_of_nothing_that_counts_ends_the_run(tmp_path: Path) -> None:
    driver = ListedFeed(["a", "ad1", "ad2", "unseen"])
    steps, _ = watch(tmp_path, driver, ["yes", "no"], max_excluded=4)
    assert len(steps) == 5
    (tmp_path / "again").mkdir()
    with pytest.raises(FeedIneligible, match=r"7 videos in a row .* --max-excluded 14") as raised:
        watch(tmp_path / "again", ListedFeed(["ad1", "ad2"]), ["yes"], max_excluded=7)
    assert raised.value.details == {"videos": 7}


def test_a_recovered_fault_eats_no_plan_and_the_judge_never_decides(tmp_path: Path) -> None:
    plans = [ReactionPlan("swipe", 0.5 + place) for place in range(6)]
    driver = ListedFeed(["a", "ad1", "b", "c", "d"], lost_at=3)
    steps, _ = watch(
        tmp_path,
        driver,
        ["yes"] * 6,
        arm="yoked",
        schedule=YokedSchedule(plans),
        windows=Windows(before=3, after=3),
    )
    counted = [step for step in steps if step.eligible]
    assert [step.reaction.dwell_asked_s for step in counted] == [0.5, 1.5, 2.5, 3.5, 4.5, 5.5]
    assert {step.reaction.action for step in counted} == {"swipe"}


def test_a_plan_is_told_by_the_number_of_eligible_steps(tmp_path: Path) -> None:
    schedule = YokedSchedule([ReactionPlan("stay", 1.0), ReactionPlan("swipe", 2.0)], first=24)
    assert [schedule.plan_at(at).dwell_s for at in (24, 25, 24)] == [1.0, 2.0, 1.0]
    for beyond in (23, 26):
        with pytest.raises(IndexError, match="no planned reaction"):
            schedule.plan_at(beyond)
