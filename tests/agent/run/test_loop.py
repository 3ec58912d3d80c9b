"""What a step's record says of a video that plays on while the model thinks."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PIL import Image

from agent.drivers.base import ActiveVideo, Arrival, Box, Capture, PageEvent, SiteAnswer
from agent.errors import BrowserLost, FeedEmpty, PaceReached, RateLimited, RunFault
from agent.platforms import load_platform
from agent.platforms.base import Feed
from agent.run.loop import MAX_FAULTS_IN_A_ROW, RunLoop
from agent.run.loop_dependencies import RunTools
from agent.run.progress import RunProgress
from agent.run.recorder import LedgerRecorder
from agent.run.start_or_resume import SilentWatcher
from agent.run_config import RunConfig, SiteConfig
from personas.library import find
from store.frames.frame_store import FrameStore
from store.runs.ledger import LedgerWriter
from store.runs.ledger_lines import Judgement, Reaction, Step, Windows
from store.runs.ledger_site_lines import FeedBatch
from tests.store.sealed_lines import unseal_lines

THOUGHT_S = 0.2
SPEED = 16.0


class OneVideo:
    """A feed of one video, which can be held or can not."""

    browser = "none"
    viewport = (360, 640)

    def __init__(self, held: bool) -> None:
        self._held = held

    async def start(self) -> None: ...

    async def open(self, url: str) -> ActiveVideo:
        return ActiveVideo(
            key="a",
            id="a",
            id_source="page",
            url=url,
            box=Box(0, 0, 360, 640),
            time_s=0.5,
            duration_s=6.0,
            exposure_s=0.5,
            shown=True,
            has_video=True,
            ad=False,
            live=False,
            fields={},
            moved=1,
            animation_ms=0.0,
            held=self._held,
        )

    async def capture(self, shown: ActiveVideo, picture: int = 0) -> Capture:
        buffer = io.BytesIO()
        Image.radial_gradient("L").save(buffer, "JPEG")
        return Capture(buffer.getvalue(), shown.time_s, 0)

    async def watch(self, shown: ActiveVideo, seconds: float, *, then_hold: bool = False) -> float:
        return seconds

    async def picture(self) -> bytes:
        return b""

    async def count(self, selectors: Sequence[str]) -> list[int]:
        return []

    async def until_clear(self) -> None: ...

    async def like(self) -> bool:
        return False

    async def next(self, shown: ActiveVideo) -> Arrival:
        raise FeedEmpty("there was one video")

    def events(self) -> list[PageEvent]:
        return []

    async def close(self) -> None: ...


class Thinker:
    """Takes its time."""

    async def judge(self, frames: tuple[bytes, ...], caption: str | None) -> Judgement:
        await asyncio.sleep(THOUGHT_S)
        return Judgement(answer="no")


def reaction(tmp_path: Path, *, held: bool) -> Reaction:
    site = SiteConfig(speed=SPEED)
    config = RunConfig(persona=find("p12"), windows=Windows(before=1, after=0), site=site)
    path = tmp_path / "ledger.jsonl"

    def now() -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    with LedgerWriter(path) as writer:
        recorder = LedgerRecorder(writer, FrameStore(tmp_path), None, now)
        feed = Feed(load_platform("playground"))
        tools = RunTools(OneVideo(held), feed, Thinker(), recorder, SilentWatcher(), now)
        asyncio.run(RunLoop(config, tools, RunProgress(), "http://127.0.0.1/").run())
    lines = unseal_lines(path)
    assert [json.loads(line)["kind"] for line in lines] == ["step_opened", "fault", "step"]
    return Step.model_validate_json(lines[-1]).reaction


def test_a_held_video_is_exposed_until_it_was_held(tmp_path: Path) -> None:
    told = reaction(tmp_path, held=True)
    assert told.exposure_s == 0.5
    assert (told.held_s or 0) >= THOUGHT_S


def test_a_video_that_plays_on_is_exposed_until_the_reaction(tmp_path: Path) -> None:
    told = reaction(tmp_path, held=False)
    assert told.exposure_s >= 0.5 + THOUGHT_S * SPEED
    assert told.held_s == 0


class Tired:
    """Hands that have done enough for today."""

    async def before_action(self) -> None:
        raise PaceReached("it is late")

    def erred(self) -> None: ...


@pytest.mark.parametrize(
    ("pacer", "fault"), [(Tired(), PaceReached), (None, RateLimited)], ids=["own", "site's"]
)
def test_a_refused_response_names_only_what_it_explains(
    tmp_path: Path, pacer: Tired | None, fault: type[RunFault]
) -> None:
    config = RunConfig(persona=find("p12"), windows=Windows(before=2, after=0), site=SiteConfig())
    feed = Feed(load_platform("playground"))
    feed.take(SiteAnswer("http://127.0.0.1/api/feed", None, 429))
    with LedgerWriter(tmp_path / "ledger.jsonl") as writer:
        recorder = LedgerRecorder(
            writer, FrameStore(tmp_path), None, lambda: datetime(2026, 1, 1, tzinfo=UTC)
        )
        tools = RunTools(
            OneVideo(held=True),
            feed,
            Thinker(),
            recorder,
            SilentWatcher(),
            lambda: datetime(2026, 1, 1, tzinfo=UTC),
            pacer=pacer,
        )
        with pytest.raises(fault):
            asyncio.run(RunLoop(config, tools, RunProgress(), "http://127.0.0.1/").run())


class ManyVideos(OneVideo):
    """A feed that asks for a batch while each video is judged, and another while it is watched."""

    def __init__(self, feed: Feed) -> None:
        super().__init__(held=True)
        self._feed = feed
        self._asked = 0

    def ask(self) -> None:
        """Have a batch come; its number says how many came before."""
        body = {"batch": self._asked, "items": [{"id": f"of {self._asked}"}]}
        self._feed.take(SiteAnswer("/api/feed", body))
        self._asked += 1

    async def judge(self, frames: tuple[bytes, ...], caption: str | None) -> Judgement:
        self.ask()
        return Judgement(answer="no")

    async def watch(self, shown: ActiveVideo, seconds: float, *, then_hold: bool = False) -> float:
        self.ask()
        return seconds

    async def next(self, shown: ActiveVideo) -> Arrival:
        another = replace(shown, key=f"{shown.key}+", id=f"{shown.key}+")
        return Arrival("key:ArrowDown", 1, 0.8, another)


def test_what_is_asked_for_before_a_reaction_does_not_know_it(tmp_path: Path) -> None:
    config = RunConfig(persona=find("p12"), windows=Windows(before=3, after=0), site=SiteConfig())

    def now() -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    feed = Feed(load_platform("playground"))
    told: list[FeedBatch] = []
    feed.record_batches(told.append)
    with LedgerWriter(tmp_path / "ledger.jsonl") as writer:
        recorder = LedgerRecorder(writer, FrameStore(tmp_path), None, now)
        videos = ManyVideos(feed)
        tools = RunTools(videos, feed, videos, recorder, SilentWatcher(), now)
        asyncio.run(RunLoop(config, tools, RunProgress(), "http://127.0.0.1/").run())
    assert [batch.requested_at for batch in told] == [0, 0, 0, 1, 1, 2]


class Stumbling(OneVideo):
    """A feed that goes on, with a browser that is lost so often before each video."""

    def __init__(self, faults: int) -> None:
        super().__init__(held=True)
        self._faults = faults
        self._left = faults

    async def capture(self, shown: ActiveVideo, picture: int = 0) -> Capture:
        if self._left:
            self._left -= 1
            raise BrowserLost("the browser went away")
        return await super().capture(shown)

    async def next(self, shown: ActiveVideo) -> Arrival:
        self._left = self._faults
        return Arrival("key:ArrowDown", 1, 0.8, replace(shown, key="b", id="b"))


@pytest.mark.parametrize("faults", [MAX_FAULTS_IN_A_ROW - 1, MAX_FAULTS_IN_A_ROW])
def test_only_faults_in_a_row_end_a_run(tmp_path: Path, faults: int) -> None:
    """A video between two faults begins the count anew; so many without one are the end."""
    config = RunConfig(persona=find("p12"), windows=Windows(before=2, after=0), site=SiteConfig())

    def now() -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    with LedgerWriter(tmp_path / "ledger.jsonl") as writer:
        recorder = LedgerRecorder(writer, FrameStore(tmp_path), None, now)
        tools = RunTools(
            Stumbling(faults),
            Feed(load_platform("playground")),
            Thinker(),
            recorder,
            SilentWatcher(),
            now,
        )
        loop = RunLoop(config, tools, RunProgress(), "http://127.0.0.1/")
        if faults < MAX_FAULTS_IN_A_ROW:
            asyncio.run(loop.run())
        else:
            with pytest.raises(BrowserLost):
                asyncio.run(loop.run())
    lines = [
        json.loads(line)["kind"]
        for line in (tmp_path / "ledger.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    if faults < MAX_FAULTS_IN_A_ROW:
        assert (lines.count("step"), lines.count("fault")) == (2, 2 * faults)
    else:
        assert (lines.count("step"), lines.count("fault")) == (0, faults - 1)
