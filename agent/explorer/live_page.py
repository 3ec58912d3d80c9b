"""The live page: what each run of the data folder sees now, whoever started it."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from agent.daemon.journal.run_tally import RunTally
from agent.daemon.journal.tail import Ledgers
from agent.daemon.web.address import find_served
from agent.daemon.web.run_status import LiveRun, list_running
from agent.explorer.film_strips import list_marks
from agent.explorer.workbench import Workbench
from store.jsonl.locks import signature
from store.runs import ledger
from store.runs.data_folder import DataFolder
from store.runs.ledger import LOCK
from store.runs.ledger_lines import ObservedVideo

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

_FRESH_S = 0.5
"""Several pages that ask at once get one answer."""


def make(_: Workbench, __: Mapping[str, Any], ___: QueryParams) -> None:
    """Return nothing: the page asks for its runs again and again."""


class LiveRuns:
    """Follows the ledgers of runs that go on, and of no other."""

    def __init__(self, data: DataFolder) -> None:
        self._data = data
        self._ledgers = Ledgers(data)
        self._configs: dict[str, Mapping[str, Any]] = {}
        self._lock = threading.Lock()
        self._looked, self._last = -_FRESH_S, dict[str, Any]()

    def routes(self) -> list[Route]:
        """Return what the page asks for."""
        return [Route("/api/live", self._answer)]

    def _answer(self, _: Request) -> Response:
        return JSONResponse(self.look(), headers={"Cache-Control": "no-store"})

    def look(self) -> dict[str, Any]:
        """Return what goes on now, by start, and the link of the daemon's page if it runs."""
        with self._lock:
            if time.monotonic() - self._looked >= _FRESH_S:
                self._last = self._look(datetime.now(UTC))
                self._looked = time.monotonic()
            return self._last

    def _look(self, now: datetime) -> dict[str, Any]:
        busy = {
            path.parent.name for path in self._data.runs_dir.glob(f"*/{LOCK}") if _is_held(path)
        }
        tallies = {tally.run_id: tally for tally in self._ledgers.now(busy)}
        running = list_running(self._data, list(tallies.values()), ())
        page = find_served(self._data.daemon_dir)
        return {
            "runs": [self._tell(run, tallies[run.run_id], now) for run in running if run.run_id],
            "daemon": page.link if page else None,
        }

    def _tell(self, run: LiveRun, tally: RunTally, now: datetime) -> dict[str, Any]:
        video = tally.opened or tally.last
        fault = tally.fault
        if fault is not None and video is not None and fault.at < video.at:
            fault = None
        since = video.at if video else run.started
        windows = run.windows
        return {
            "run": tally.run_id,
            "persona": run.persona,
            "trait": run.trait,
            "platform": run.platform,
            "judge": f"{run.strategy}, {run.model}",
            "arm": run.arm,
            "study": run.study,
            "marks": list_marks(run.platform, self._config(tally), run.model),
            "windows": windows.model_dump(exclude={"baseline"}) if windows else {},
            "eligible": run.eligible,
            "shares": {phase: [one.yes, one.answered] for phase, one in run.shares.items()},
            "ago_s": max(0.0, round((now - since).total_seconds(), 1)),
            "video": _tell_video(video, acting=tally.opened is not None) if video else None,
            "fault": fault and {"name": fault.fault, "told": fault.message},
        }

    def _config(self, tally: RunTally) -> Mapping[str, Any]:
        """Return a run's configuration, which is read once; nothing of a damaged one."""
        if tally.run_id not in self._configs:
            found = ledger.summarise(tally.path)
            self._configs[tally.run_id] = found.started.config if found and found.started else {}
        return self._configs[tally.run_id]


def _is_held(lock: Path) -> bool:
    """Whether a living process holds a lock; those of finished runs are empty files."""
    try:
        return lock.stat().st_size > 0 and signature(lock) is not None
    except OSError:
        return False


def _tell_video(video: ObservedVideo, *, acting: bool) -> dict[str, Any]:
    said = video.judgement
    return {
        "position": video.position,
        "phase": video.phase,
        "frame": video.frames[0].sha256 if video.frames else None,
        "caption": video.video.caption or "",
        "answer": said.answer or "none",
        "missing": (said.missing or "").replace("_", " "),
        "p_yes": said.p_yes,
        "excluded": video.excluded,
        "reason": said.reason or "",
        "acting": acting,
    }
