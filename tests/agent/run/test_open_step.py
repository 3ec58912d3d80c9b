"""What was judged is kept before it is acted on, and closed with what was delivered."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

import pytest
from PIL import Image

from agent.drivers.base import ActiveVideo, Arrival, Box, Capture, PageEvent
from agent.errors import BrowserLost, PlatformFault
from agent.platforms import load_platform
from agent.platforms.base import Feed
from agent.run.loop import RunLoop
from agent.run.loop_dependencies import Pacer, RunTools
from agent.run.progress import RunProgress
from agent.run.recorder import LedgerRecorder
from agent.run.site_counts_vs_ledger import SiteRecord, WatchedPlace
from agent.run.start_or_resume import SilentWatcher
from agent.run_config import Frames, HandPace, RunConfig, SiteConfig
from personas.library import find
from store.frames.frame_store import FrameStore
from store.runs.ledger import Ledger, LedgerWriter, read
from store.runs.ledger_lines import Judgement, Usage, Windows
from tests.store.samples import started

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BETWEEN_S = 0.15


class Feeds:
    """A feed whose page notes what is done to it, and breaks where it is told to."""

    browser = "none"
    viewport = (360, 640)

    def __init__(self, breaks: Sequence[str] = (), again: bool = False) -> None:
        self.done: list[str] = []
        self.asked_s: list[float] = []
        self._breaks = list(breaks)
        self._again = again
        self._at = 0

    def _do(self, what: str) -> None:
        self.done.append(what)
        if what in self._breaks:
            self._breaks.remove(what)
            if not self._again:
                self._at += 1
            raise BrowserLost(f"the browser went at {what}")

    def _shown(self) -> ActiveVideo:
        name = f"v{self._at}"
        return ActiveVideo(
            key=name,
            id=name,
            id_source="page",
            url="http://x/",
            box=Box(0, 0, 360, 640),
            time_s=0.2,
            duration_s=6.0,
            exposure_s=0.2,
            shown=True,
            has_video=True,
            ad=False,
            live=False,
            fields={},
            moved=1,
            animation_ms=0.0,
        )

    async def start(self) -> None: ...

    async def open(self, url: str) -> ActiveVideo:
        self._do("open")
        return self._shown()

    async def capture(self, shown: ActiveVideo, picture: int = 0) -> Capture:
        buffer = io.BytesIO()
        Image.radial_gradient("L").resize((90, 160)).save(buffer, "JPEG")
        return Capture(buffer.getvalue(), shown.time_s, 0)

    async def watch(self, shown: ActiveVideo, seconds: float, *, then_hold: bool = False) -> float:
        await asyncio.sleep(BETWEEN_S)
        self.asked_s.append(seconds)
        self._do(f"watch {shown.key}{' and hold' if then_hold else ''}")
        return max(seconds, shown.exposure_s)

    async def picture(self) -> bytes:
        return b""

    async def count(self, selectors: Sequence[str]) -> list[int]:
        return []

    async def until_clear(self) -> None: ...

    async def like(self) -> bool:
        self._do("like")
        return True

    async def next(self, shown: ActiveVideo) -> Arrival:
        self._do(f"leave {shown.key}")
        self._at += 1
        return Arrival("key:ArrowDown", 1, 8.0, self._shown())

    def events(self) -> list[PageEvent]:
        return []

    async def close(self) -> None: ...


class Yes:
    async def judge(self, frames: tuple[bytes, ...], caption: str | None) -> Judgement:
        return Judgement(answer="yes", usage=Usage(calls=1, input_tokens=9, cost_usd=0.25))


class Told:
    """A site that has counted this of the visitor."""

    def __init__(self, *places: WatchedPlace) -> None:
        self._places = places

    async def record(self) -> SiteRecord:
        return SiteRecord(self._places)


def sit(
    tmp_path: Path,
    page: Feeds,
    videos: int = 2,
    *,
    witness: Told | None = None,
    pacer: Pacer | None = None,
    frames: Frames | None = None,
) -> Ledger:
    config = RunConfig(
        persona=find("p12"),
        windows=Windows(before=videos, after=0),
        site=SiteConfig(),
        like=True,
        frames=frames or Frames(),
        pace=HandPace(floor_s=0),
    )
    path = tmp_path / "ledger.jsonl"
    with LedgerWriter(path, fsync=False) as writer:
        if path.stat().st_size == 0:
            writer.append(started("r1"))
        former = read(path)
        progress = RunProgress(open_step=former.open_step)
        for step in former.steps:
            progress.count(step)
        tools = RunTools(
            page,
            Feed(load_platform("playground")),
            Yes(),
            LedgerRecorder(writer, FrameStore(tmp_path / "frames"), None, lambda: NOW),
            SilentWatcher(),
            lambda: NOW,
            witness=witness,
            pacer=pacer,
        )
        asyncio.run(RunLoop(config, tools, progress, "http://x/").run())
    return read(path)


def test_a_video_that_was_interrupted_in_its_dwell_stays_with_what_is_known(tmp_path: Path) -> None:
    ledger = sit(tmp_path, Feeds(["watch v0 and hold"]))
    first, second = ledger.steps
    assert (first.video.id, second.video.id) == ("v0", "v1")
    assert first.judgement.answer == "yes"
    assert (first.reaction.dwell_s, first.reaction.held_s) == (None, None)
    assert (first.reaction.liked, first.reaction.unknown) == (True, "interrupted")
    assert first.reaction.interruptions == 1
    assert second.reaction.unknown is None


def test_whether_a_like_came_through_is_not_known_where_it_broke(tmp_path: Path) -> None:
    (first, _) = sit(tmp_path, Feeds(["like"])).steps
    assert (first.reaction.liked, first.reaction.unknown) == (None, "interrupted")


def test_the_site_tells_what_an_interrupted_video_got(tmp_path: Path) -> None:
    told = Told(WatchedPlace(0, "v0", 4.5, True, None), WatchedPlace(1, "v1", 0.3, False, None))
    (first, _) = sit(tmp_path, Feeds(["watch v0 and hold"]), witness=told).steps
    assert (first.reaction.dwell_s, first.reaction.liked) == (4.5, True)
    assert (first.reaction.unknown, first.reaction.interruptions) == (None, 1)


def test_a_video_that_the_site_knows_to_be_left_is_closed_before_the_page_opens(
    tmp_path: Path,
) -> None:
    page = Feeds(["leave v0"])
    told = Told(WatchedPlace(0, "v0", 8.1, True, "key"), WatchedPlace(1, "v1", 0.0, False, None))
    first, second = sit(tmp_path, page, witness=told).steps
    assert (first.reaction.dwell_s, first.reaction.unknown) == (8.1, None)
    assert (second.position, second.video.id) == (1, "v1")


def test_a_video_that_is_shown_again_is_watched_for_what_is_left(tmp_path: Path) -> None:
    page = Feeds(["watch v0 and hold"], again=True)
    ledger = sit(tmp_path, page, witness=Told(WatchedPlace(0, "v0", 4.5, True, None)))
    assert [step.video.id for step in ledger.steps] == ["v0", "v1"]
    assert page.asked_s == [3.5, 3.5, 8.0]  # the site has counted 4.5 s of it, both times
    assert page.done.count("like") == 2  # one a video: the site has the first one's already
    assert ledger.steps[0].reaction.dwell_s == 4.5 + 8.0  # before, and as this page counts
    assert ledger.steps[0].move is not None


def test_a_killed_runs_open_step_is_closed_on_resume_with_its_cost(tmp_path: Path) -> None:
    class Dies(Feeds):
        async def like(self) -> bool:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sit(tmp_path, Dies())
    open_step = read(tmp_path / "ledger.jsonl").open_step
    assert open_step is not None
    assert (open_step.judgement.answer, open_step.intention.like) == ("yes", True)
    page = Feeds()
    page._at = 1  # the feed has moved on
    ledger = sit(tmp_path, page)
    assert [step.video.id for step in ledger.steps] == ["v0", "v1"]
    assert ledger.steps[0].judgement == open_step.judgement
    assert [step.judgement.usage.cost_usd for step in ledger.steps] == [0.25, 0.25]
    assert ledger.steps[0].reaction.dwell_s is None


def test_the_last_video_is_held_and_left(tmp_path: Path) -> None:
    page = Feeds()
    ledger = sit(tmp_path, page, videos=1)
    assert page.done == ["open", "like", "watch v0 and hold", "leave v0"]
    assert ledger.steps[0].move is not None


def test_a_last_video_that_cannot_be_left_does_not_spoil_the_run(tmp_path: Path) -> None:
    ledger = sit(tmp_path, Feeds(["leave v0"]), videos=1)
    assert [fault.recovered for fault in ledger.faults] == [True]
    assert (ledger.steps[0].move, ledger.steps[0].reaction.dwell_s) == (None, 8.0)


class Slow:
    """Hands that wait."""

    def __init__(self, page: Feeds) -> None:
        self._page = page

    async def before_action(self) -> None:
        self._page.done.append("wait")
        await asyncio.sleep(0.3)

    def erred(self) -> None: ...


def test_the_floor_between_actions_is_waited_out_while_the_player_is_held(tmp_path: Path) -> None:
    page = Feeds()
    (step,) = sit(tmp_path, page, videos=1, pacer=Slow(page)).steps
    assert page.done == ["wait", "open", "like", "watch v0 and hold", "wait", "leave v0"]
    assert (step.reaction.held_s or 0) >= 0.3


def test_the_time_between_frames_is_not_held(tmp_path: Path) -> None:
    began = perf_counter()
    (step,) = sit(tmp_path, Feeds(), videos=1, frames=Frames(count=3, span_s=2.0)).steps
    most = perf_counter() - began - 3 * BETWEEN_S  # two between frames, one of the dwell
    assert len(step.frames) == 3
    assert 0 < (step.reaction.held_s or 0) <= most


def test_a_site_that_does_not_tell_is_a_fault(tmp_path: Path) -> None:
    class Silence(Told):
        async def record(self) -> SiteRecord:
            raise PlatformFault("the playground did not tell")

    with pytest.raises(PlatformFault):
        sit(tmp_path, Feeds(), witness=Silence())


class Comes(Feeds):
    """A feed that shows its first video once more after the second."""

    def _shown(self) -> ActiveVideo:
        name = f"v{self._at % 2}"
        return replace(super()._shown(), key=name, id=name)


@pytest.mark.parametrize(
    ("heard", "dwell_s"), [((), 8.0), ((WatchedPlace(2, "v0", 2.1, True, None),), 2.1 + 8.0)]
)
def test_an_open_repeat_has_nothing_of_the_first_showing(
    tmp_path: Path, heard: tuple[WatchedPlace, ...], dwell_s: float
) -> None:
    first = (WatchedPlace(0, "v0", 8.1, True, "key"), WatchedPlace(1, "v1", 8.0, True, "key"))

    class Dies(Comes):
        async def watch(
            self, shown: ActiveVideo, seconds: float, *, then_hold: bool = False
        ) -> float:
            if self._at == 2:
                raise KeyboardInterrupt
            return await super().watch(shown, seconds, then_hold=then_hold)

    with pytest.raises(KeyboardInterrupt):
        sit(tmp_path, Dies(), 3, witness=Told(*first))
    page = Comes()
    page._at = 2
    ledger = sit(tmp_path, page, 3, witness=Told(*first, *heard))
    assert [step.video.id for step in ledger.steps] == ["v0", "v1", "v0"]
    repeat = ledger.steps[2].reaction
    assert (repeat.dwell_s, repeat.liked, repeat.unknown) == (dwell_s, True, None)
