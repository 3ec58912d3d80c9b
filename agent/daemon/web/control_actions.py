"""What a person may ask of the running daemon, done (``controls``).

Refuses to know who asks.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from agent.daemon.journal.events import ActionRequested, BreakerChanged, PauseChanged
from agent.daemon.supervisor import Supervisor
from agent.errors import BadConfig, UnknownName

STATUS = "Type: python -m agent status"


class SupervisorControls:
    """Steers one supervisor, in its event loop."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._at = supervisor
        self._book = supervisor.book

    async def pause(self, entry: str | None) -> None:
        """Start nothing more of an entry, or of any, and interrupt what runs of it."""
        self._hold(entry, paused=True)

    async def resume(self, entry: str | None) -> None:
        """Take it up again; what was interrupted goes on where it stopped."""
        self._hold(entry, paused=False)

    async def run_now(self, entry: str) -> None:
        """Make it due now, whatever its schedule says."""
        self._known(entry)
        if any(name == entry for name, _ in self._book.state.open):
            raise BadConfig(f"{entry} is not over: it runs, or waits to go on. {STATUS}")
        self._ask(entry, "run_now")

    async def retry(self, entry: str) -> None:
        """Try its last occurrence again, and close the breakers of its platforms."""
        self._known(entry)
        tried = self._book.state.tried.get(entry)
        outcome = tried.ended.outcome if tried and tried.ended else None
        if tried is None or outcome in (None, "complete"):
            raise BadConfig(f"Nothing of {entry} has failed that could be tried again. {STATUS}")
        for platform in self._at.taken.jobs[entry].platforms & self._book.state.breakers.keys():
            self._book.note(BreakerChanged(at=self._book.now(), platform=platform, open=False))
        self._ask(entry, "retry")
        self._at.consequences.forget_waits(entry)

    async def looked(self, platform: str, account: str) -> None:
        """A person has dealt with the wall of this account; its platform may go on."""
        wall = self._book.state.walls.get((platform, account))
        if wall is None:
            known = [f"{on}/{name}" for on, name in self._book.state.walls]
            raise UnknownName("open wall", f"{platform}/{account}", known, STATUS)
        self._book.note(wall.model_copy(update={"at": self._book.now(), "open": False}))
        self._book.wake.set()

    def _hold(self, entry: str | None, *, paused: bool) -> None:
        if entry is not None:
            self._known(entry)
        self._book.note(PauseChanged(at=self._book.now(), entry=entry, paused=paused))
        self._book.wake.set()

    def _ask(self, entry: str, what: Literal["run_now", "retry"]) -> None:
        at = self._book.now().replace(microsecond=0)
        while what == "run_now" and at in self._book.state.dealt.get(entry, ()):
            at += timedelta(seconds=1)
        self._book.note(ActionRequested(at=at, entry=entry, what=what))
        self._book.wake.set()

    def _known(self, entry: str) -> None:
        if entry not in self._at.taken.jobs:
            raise UnknownName("entry", entry, self._at.taken.jobs, STATUS)
