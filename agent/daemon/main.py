"""The daemon as a process: its lock, log and signals; the supervisor, its controls and the page."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext
from datetime import datetime, timedelta
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Literal

from agent.daemon.journal.damage import mend_journal
from agent.daemon.journal.events import (
    ActionRequested,
    BreakerChanged,
    DaemonStopped,
    PauseChanged,
)
from agent.daemon.supervisor import DaemonSetup, Supervisor
from agent.daemon.web.status import JOURNAL, LOCK
from agent.errors import BadConfig, UnknownName
from store.jsonl.locks import LockHeld, NamedLock
from store.runs.data_folder import DataFolder
from store.terminal.printing import PlainFormatter

LOG_BYTES, LOGS = 2_000_000, 5
NEED_MIB = 1
STATUS = "Type: python -m agent status"


async def run_daemon(place: DaemonSetup, say: Callable[[str], None], *, page: bool = True) -> None:
    """Run until SIGTERM or Ctrl-C, with the data folder to itself.

    ``say`` is told what a person wants to know at once. Raises ``BadConfig`` where another daemon
    has the folder, and ``BadWatch`` where the watch file cannot be followed.
    """
    place.data.prepare(NEED_MIB)
    with _alone(place.data), _Log(place.data.daemon_dir / "logs" / "daemon.log"):
        await _work(place, say, page=page)


def mend(data: DataFolder, at: datetime) -> Path | None:
    """Set a damaged journal aside (``mend_journal``); raises ``BadConfig`` while a daemon runs."""
    with _alone(data):
        return mend_journal(data.daemon_dir / JOURNAL, at)


@contextmanager
def _alone(data: DataFolder) -> Iterator[None]:
    lock = NamedLock(data.daemon_dir / LOCK)
    try:
        lock.acquire()
    except LockHeld as error:
        raise BadConfig(
            f"A daemon works on {data.root} already: {error}. "
            "End that first, or type: --data ANOTHER"
        ) from None
    try:
        yield
    finally:
        lock.release()


async def _work(place: DaemonSetup, say: Callable[[str], None], *, page: bool) -> None:
    supervisor = Supervisor(place)
    stop, reason = asyncio.Event(), ["its work was over"]
    _stop_on_signals(stop, reason)
    try:
        async with _page(place, supervisor) if page else nullcontext() as link:
            names = ", ".join(supervisor.loaded_file.jobs)
            say(f"Watching over {names} of {place.file}; Ctrl-C ends it.")
            if link is not None:
                say(f"The page: {link}")
            await supervisor.run(stop)
        book = supervisor.book
        book.note(DaemonStopped(at=book.now(), reason=reason[0]))
    finally:
        supervisor.close()


def _page(place: DaemonSetup, supervisor: Supervisor) -> AbstractAsyncContextManager[str]:
    from agent.daemon.web.server import serve  # a web server: heavy

    steering, port = SupervisorControls(supervisor), supervisor.loaded_file.watch.page.port
    return serve(place.data, steering, supervisor.upcoming, port, place.secrets)


def _stop_on_signals(stop: asyncio.Event, reason: list[str]) -> None:
    loop = asyncio.get_running_loop()

    def told(number: signal.Signals) -> None:
        reason[0] = number.name
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told, number)


class _Log:
    """The daemon's own log, rotated, for as long as the context lasts."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._handler = _Patient(path, maxBytes=LOG_BYTES, backupCount=LOGS, encoding="utf-8")
        self._handler.setFormatter(PlainFormatter("%(asctime)s %(levelname)s %(message)s"))

    def __enter__(self) -> None:
        logger = logging.getLogger("agent.daemon")
        logger.addHandler(self._handler)
        logger.setLevel(logging.INFO)

    def __exit__(self, *_: object) -> None:
        logging.getLogger("agent.daemon").removeHandler(self._handler)
        self._handler.close()


class _Patient(RotatingFileHandler):
    """A log that a full disk cannot bring its writer down with."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        """Lose the line; the journal holds what must not be lost."""


class SupervisorControls:
    """Steers one supervisor, in its event loop (``Controls``)."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._at = supervisor
        self._book = supervisor.book

    async def pause(self, entry: str | None) -> None:
        self._hold(entry, paused=True)

    async def resume(self, entry: str | None) -> None:
        self._hold(entry, paused=False)

    async def run_now(self, entry: str) -> None:
        self._known(entry)
        if any(name == entry for name, _ in self._book.state.open):
            raise BadConfig(f"{entry} is not over: it runs, or waits to go on. {STATUS}")
        self._ask(entry, "run_now")

    async def retry(self, entry: str) -> None:
        self._known(entry)
        tried = self._book.state.tried.get(entry)
        outcome = tried.ended.outcome if tried and tried.ended else None
        if tried is None or outcome in (None, "complete"):
            raise BadConfig(f"Nothing of {entry} has failed that could be tried again. {STATUS}")
        for platform in (
            self._at.loaded_file.jobs[entry].platforms & self._book.state.breakers.keys()
        ):
            self._book.note(BreakerChanged(at=self._book.now(), platform=platform, open=False))
        self._ask(entry, "retry")
        self._at.retry_policy.forget_waits(entry)

    async def looked(self, platform: str, account: str) -> None:
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
        if entry not in self._at.loaded_file.jobs:
            raise UnknownName("entry", entry, self._at.loaded_file.jobs, STATUS)
