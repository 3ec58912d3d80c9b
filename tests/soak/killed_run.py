"""One run in a process of its own that kills itself, with signal 9, at a stage of one step.

``python -m tests.soak.killed_run DATA SEED FEED VIDEOS STAGE POSITION``; the stage ``never`` lets
it end.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agent.drivers.web.browser import find_browser
from agent.drivers.web.driver import PlaywrightDriver
from agent.run.recorder import LedgerRecorder
from agent.run.start_or_resume import RunFolder, SilentWatcher, execute_run
from agent.run_config import Dwell, RunConfig, SiteConfig
from personas.library import find as find_persona
from store.runs.data_folder import DataFolder
from store.runs.ledger import LedgerWriter
from store.runs.ledger_lines import RunFinished, Windows

STAGES: dict[str, tuple[type, str, str]] = {
    "before a picture": (PlaywrightDriver, "capture", "before"),
    "after a picture": (PlaywrightDriver, "capture", "after"),
    "before a frame is kept": (LedgerRecorder, "keep", "before"),
    "after a frame is kept": (LedgerRecorder, "keep", "after"),
    "before the opening": (LedgerRecorder, "open_step", "before"),
    "after the opening": (LedgerRecorder, "open_step", "after"),
    "after the like": (PlaywrightDriver, "like", "after"),
    "early in the dwell": (PlaywrightDriver, "watch", "0.02"),
    "in the dwell": (PlaywrightDriver, "watch", "0.4"),
    "after the dwell": (PlaywrightDriver, "watch", "after"),
    "in the move": (PlaywrightDriver, "next", "0.03"),
    "late in the move": (PlaywrightDriver, "next", "0.15"),
    "after the move": (PlaywrightDriver, "next", "after"),
    "before the closing": (LedgerRecorder, "step", "before"),
    "after the closing": (LedgerRecorder, "step", "after"),
    "before the end": (LedgerWriter, "append", "end"),
}
"""Where it dies: a method, and before or after it, or so many seconds into it."""
SPEED = 4.0
DWELL = Dwell(stay_s=4.0, swipe_s=0.8)
MODEL = "scripted/keywords?words=the,my"


def config(seed: int, feed: Any, videos: int) -> RunConfig:
    """What the run is: the answers follow from the captions alone."""
    return RunConfig(
        persona=find_persona("p12"),
        model=MODEL,
        like=True,
        seed=seed,
        dwell=DWELL,
        windows=Windows(before=videos // 2, after=videos - videos // 2),
        site=SiteConfig(feed=feed, speed=SPEED, motion="instant"),
    )


def die() -> None:
    """End as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)


def die_at(stage: str, position: int, earlier: int) -> None:
    """Have the process killed in the step at a position.

    Parameters
    ----------
    earlier
        Steps that the ledger holds already: a call belongs to the first one after them.
    """
    owner, name, moment = STAGES[stage]
    real: Callable[..., Any] = getattr(owner, name)
    if moment == "end":

        def append(self: Any, record: Any) -> None:
            if isinstance(record, RunFinished):
                die()
            real(self, record)

        setattr(owner, name, append)
        return
    at = earlier

    async def call(self: Any, *args: Any, **more: Any) -> Any:
        nonlocal at
        due, at = at >= position or name == "like", at + 1  # the next like, wherever it comes
        if due and moment == "before":
            die()
        if due and moment not in ("before", "after"):
            asyncio.get_running_loop().call_later(float(moment), die)
        result = await real(self, *args, **more)
        if due and moment == "after":
            die()
        return result

    setattr(owner, name, call)


def main() -> None:
    """Run as the words say."""
    folder, seed, feed, videos, stage, position = sys.argv[1:]
    data = DataFolder(Path(folder))
    data.prepare()
    if stage != "never":
        earlier = sum(run.steps for run in data.runs())
        die_at(stage, int(position), earlier)
    place = RunFolder(data, find_browser(None), encoder=None)
    run = config(int(seed), feed, int(videos))
    asyncio.run(execute_run(run, place, SilentWatcher(), lambda: datetime.now(UTC)))


if __name__ == "__main__":
    main()
