"""A recorded run as a feed: the same frames in the same order, with no browser.

What is replayed is what was shown, so a new judge meets exactly the old videos. Nothing is played,
so every delivered dwell is zero. Refuses to know the judge.
"""

from __future__ import annotations

from collections.abc import Sequence

from agent.drivers.base import ActiveVideo, Arrival, Box, Capture, PageEvent
from agent.errors import FeedEmpty
from store.frames.frame_store import FrameStore
from store.runs.ledger import Ledger
from store.runs.records import Step


class ReplayDriver:
    """Shows a ledger's steps, one by one.

    Parameters
    ----------
    source
        The recorded run.
    frames
        Where its frames lie.
    start
        Position to start at: those before were replayed by an interrupted run.
    """

    browser = "none: a recorded run"

    def __init__(self, source: Ledger, frames: FrameStore, start: int = 0) -> None:
        self.viewport = source.started.viewport
        self._steps = [step for step in source.steps if step.frames]  # some were forgotten
        self._frames = frames
        self._at = start
        self._moment = 0

    async def start(self) -> None:
        """Have nothing to start."""

    async def open(self, url: str) -> ActiveVideo:
        """Show the first step."""
        if self._at >= len(self._steps):
            raise FeedEmpty(f"{url} has no more videos")
        return _shown(self._steps[self._at])

    async def capture(self, shown: ActiveVideo) -> Capture:
        """Return the kept frame of this moment, the same one however often it is taken."""
        frames = self._steps[self._at].frames
        frame = frames[self._moment % len(frames)]
        return Capture(self._frames.read(frame.sha256), frame.time_s, 0)

    async def watch(self, shown: ActiveVideo, seconds: float, *, then_hold: bool = False) -> float:
        """Play nothing; a player that is held again shows the next moment."""
        self._moment += then_hold
        return 0.0

    async def like(self) -> bool:
        """Like nothing."""
        return False

    async def next(self, shown: ActiveVideo) -> Arrival:
        """Go on to the next step."""
        if self._at + 1 >= len(self._steps):
            raise FeedEmpty("the recorded run has no more videos")
        self._at += 1
        self._moment = 0
        return Arrival("replay", 1, 0.0, _shown(self._steps[self._at]))

    async def picture(self) -> bytes:
        """Show nothing."""
        return b""

    async def count(self, selectors: Sequence[str]) -> list[int]:
        """Have no page."""
        return [0 for _ in selectors]

    async def until_clear(self) -> None:
        """Meet no wall."""

    def events(self) -> list[PageEvent]:
        """Report nothing."""
        return []

    async def close(self) -> None:
        """Hold nothing."""


def _shown(step: Step) -> ActiveVideo:
    video, frame = step.video, step.frames[0]
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
        has_video=True,
        ad=video.ad,
        live=video.live,
        fields={},
        moved=1,
        animation_ms=0.0,
    )
