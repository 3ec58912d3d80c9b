"""A recorded run as a feed: the same frames in order, with no browser."""

from __future__ import annotations

from collections.abc import Sequence

from agent.drivers.base import ActiveVideo, Arrival, Box, Capture, PageEvent
from agent.errors import FeedEmpty
from store.frames.frame_store import FrameStore
from store.runs.ledger import Ledger
from store.runs.ledger_lines import Step


class ReplayDriver:
    """Shows a ledger's steps from one position on; nothing is played, so dwells are zero."""

    browser = "none: a recorded run"

    def __init__(self, source: Ledger, frames: FrameStore, start: int = 0) -> None:
        self.viewport = source.started.viewport
        self._steps = [step for step in source.steps if step.frames]  # some were forgotten
        self._frames = frames
        self._at = start
        self._moment = 0

    async def start(self) -> None: ...

    async def open(self, url: str) -> ActiveVideo:
        if self._at >= len(self._steps):
            raise FeedEmpty(f"{url} has no more videos")
        return _shown(self._steps[self._at])

    async def capture(self, shown: ActiveVideo, picture: int = 0) -> Capture:
        """Return the kept frame of this moment, the same one however often it is taken."""
        frames = self._steps[self._at].frames
        frame = frames[(self._moment + picture) % len(frames)]
        return Capture(self._frames.read(frame.sha256), frame.time_s, 0)

    async def watch(self, shown: ActiveVideo, seconds: float, *, then_hold: bool = False) -> float:
        """Play nothing; a player that is held again shows the next moment."""
        self._moment += then_hold
        return 0.0

    async def like(self) -> bool:
        return False

    async def next(self, shown: ActiveVideo) -> Arrival:
        if self._at + 1 >= len(self._steps):
            raise FeedEmpty("the recorded run has no more videos")
        self._at += 1
        self._moment = 0
        return Arrival("replay", 1, 0.0, _shown(self._steps[self._at]))

    async def picture(self) -> bytes:
        return b""

    async def count(self, selectors: Sequence[str]) -> list[int]:
        return [0 for _ in selectors]

    async def until_clear(self) -> None: ...

    def events(self) -> list[PageEvent]:
        return []

    async def close(self) -> None: ...


def _shown(step: Step) -> ActiveVideo:
    video, frame = step.video, step.frames[0]
    pictures = len(step.frames) if video.photos else 0
    return ActiveVideo(
        key=video.id,
        id=video.id,
        id_source=None,
        url=video.url or "",
        box=Box(0, 0, frame.width, frame.height),
        time_s=frame.time_s,
        duration_s=video.duration_s,
        exposure_s=0.0,
        shown=step.excluded != "not_shown",
        has_video=not pictures,
        pictures=pictures,
        ad=video.ad,
        live=video.live,
        fields={},
        moved=1,
        animation_ms=0.0,
    )
