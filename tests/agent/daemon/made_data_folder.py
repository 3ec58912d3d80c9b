"""A data folder as a daemon leaves it, and controls that do no more than write the journal."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from agent.daemon.journal.events import (
    ActionRequested,
    AnyEvent,
    BreakerChanged,
    ChildEnded,
    ChildStarted,
    DaemonStarted,
    FileAccepted,
    Journal,
    MachineNotice,
    OccurrenceSkipped,
    PauseChanged,
    WallReported,
)
from agent.daemon.web.server import serve
from agent.daemon.web.status import JOURNAL, LOCK
from agent.errors import UnknownName
from store.frames.frame_store import FrameStore
from store.jsonl.locks import NamedLock
from store.runs.data_folder import DataFolder
from store.runs.ledger import LedgerWriter
from store.runs.ledger_lines import Judgement, PersonaRecord, Usage, Video, Windows
from tests.store.samples import finished, frame, jpeg, started, step

ENTRIES = ("dawn", "dusk", "two-arms")
TRAITS = (
    "I grew up around horses, and I still brush one every Sunday.",
    "I bake my own bread.",
    "I sing in a choir.",
)


class World:
    """What a daemon that has just been started has: a lock, a journal and a file with entries."""

    def __init__(self, data: DataFolder, now: datetime, entries: Sequence[str] = ENTRIES) -> None:
        self.data, self.now, self.entries = data, now, entries
        self.journal = Journal(data.daemon_dir / JOURNAL)
        self.lock = NamedLock(data.daemon_dir / LOCK)
        self.lock.acquire()
        self.open_runs: list[LedgerWriter] = []
        self.write(DaemonStarted(at=now, pid=os.getpid(), file="/somewhere/watch.toml"))
        self.write(FileAccepted(at=now, sha256="a" * 64, entries=tuple(entries)))

    def write(self, event: AnyEvent) -> None:
        """Write one event."""
        self.journal.write(event)

    def upcoming(self, count: int) -> list[tuple[datetime, str]]:
        """The next starts: every entry in turn, 25 minutes apart."""
        names = [self.entries[place % len(self.entries)] for place in range(count)]
        return [
            (self.now + timedelta(minutes=25 * (place + 1)), name)
            for place, name in enumerate(names)
        ]

    def begin(self, entry: str) -> None:
        """Write that a child was started: this process stands for it."""
        log = f"daemon/logs/{entry}/1.log"
        self.write(ChildStarted(at=self.now, entry=entry, due=self.now, pid=os.getpid(), log=log))

    def end(self, entry: str, outcome: Any, reason: str = "", minutes: float = 60) -> None:
        """Write that a child was started and how it ended."""
        due = self.now - timedelta(minutes=minutes)
        log = f"daemon/logs/{entry}/0.log"
        self.write(ChildStarted(at=due, entry=entry, due=due, pid=1, log=log))
        ended = due + timedelta(minutes=4)
        self.write(ChildEnded(at=ended, entry=entry, due=due, outcome=outcome, reason=reason))

    def trouble(self, secret: str = "") -> None:
        """A wall, a breaker, something about the machine, failures."""
        account = "p12-treatment-1"
        self.write(
            WallReported(
                at=self.now, platform="tiktok", account=account, open=True, wall="ChallengeShown"
            )
        )
        reason = f"BrowserLost: the browser went away, three times. {secret}"
        self.write(
            BreakerChanged(
                at=self.now, platform="youtube", open=True, failures=3, reason=reason.strip()
            )
        )
        self.write(MachineNotice(at=self.now, trouble="disk", detail=f"812 MiB are free. {secret}"))
        self.end("dusk", "fault", f"PageStuck: the page shows no playing video. {secret}".strip())
        due = self.now - timedelta(minutes=95)
        self.write(
            OccurrenceSkipped(at=self.now, entry="dawn", due=due, reason="the one before still ran")
        )

    def close(self) -> None:
        """Let everything go."""
        for run in self.open_runs:
            run.close()
        self.journal.close()
        self.lock.release()

    def keep(
        self, run_id: str, answers: str, pictures: Sequence[bytes] = (), **changes: Any
    ) -> LedgerWriter:
        """Write a run: one step a letter, y, n or - for a missing answer; it stays open."""
        windows = changes.setdefault("windows", Windows(before=10, adapt=0, after=10))
        changes.setdefault("persona", _persona("p12"))
        writer = LedgerWriter(self.data.ledger_path(run_id), fsync=False)
        writer.append(started(run_id, **({"at": self.now} | changes)))
        frames = FrameStore(self.data.frames_dir)
        for position, letter in enumerate(answers):
            picture = pictures[position % len(pictures)] if pictures else jpeg("blue", position)
            frames.put(picture, sync=False)
            answer = {"y": "yes", "n": "no"}.get(letter)
            judged = Judgement(
                answer=answer,
                missing=None if answer else "timed_out",
                p_yes={"yes": 0.81, "no": 0.23}.get(answer or ""),
                usage=Usage(calls=1, cost_usd=0.001),
            )
            caption = f"A foal takes its first steps {position} #horses"
            writer.append(
                step(
                    position,
                    frame(picture),
                    answer=answer,
                    judgement=judged,
                    phase=windows.phase(position),
                    at=self.now,
                    video=Video(id=f"{run_id}-{position}", caption=caption),
                )
            )
        self.open_runs.append(writer)
        return writer

    def study(self, name: str, complete: dict[str, Sequence[str]]) -> None:
        """Write a study's complete runs: for each arm the answers of each persona."""
        for arm, all_answers in complete.items():
            for number, answers in enumerate(all_answers, 1):
                windows = Windows(before=len(answers) // 2, adapt=0, after=len(answers) // 2)
                run = self.keep(
                    f"{name}-{arm}-{number}",
                    answers,
                    arm=arm,
                    windows=windows,
                    persona=_persona(f"p{number:02d}"),
                    config={"study": name, "cell": f"playground/simple/m/1/p{number:02d}/{arm}"},
                )
                run.append(finished(len(answers)))


def _persona(persona: str) -> PersonaRecord:
    return PersonaRecord(id=persona, traits=TRAITS, source="feedsway", licence="MIT")


class Steered:
    """Controls of a daemon that has nothing to run: each call is in the journal when it returns."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def pause(self, entry: str | None) -> None:
        self._known(entry)
        self._world.write(PauseChanged(at=datetime.now(UTC), entry=entry, paused=True))

    async def resume(self, entry: str | None) -> None:
        self._known(entry)
        self._world.write(PauseChanged(at=datetime.now(UTC), entry=entry, paused=False))

    async def run_now(self, entry: str) -> None:
        self._known(entry)
        self._world.write(ActionRequested(at=datetime.now(UTC), entry=entry, what="run_now"))
        self._world.begin(entry)

    async def retry(self, entry: str) -> None:
        self._known(entry)
        now = datetime.now(UTC)
        self._world.write(ActionRequested(at=now, entry=entry, what="retry"))
        self._world.write(BreakerChanged(at=now, platform="youtube", open=False))

    async def looked(self, platform: str, account: str) -> None:
        now = datetime.now(UTC)
        self._world.write(WallReported(at=now, platform=platform, account=account, open=False))

    def _known(self, entry: str | None) -> None:
        if entry is not None and entry not in self._world.entries:
            fix = "Type: python -m agent status"
            raise UnknownName("entry", entry, self._world.entries, fix)


@contextmanager
def served(world: World, secrets: Collection[str] = ()) -> Iterator[str]:
    """Serve the world's page from a thread; yields the link."""
    ready, told = threading.Event(), []
    stop: list[Any] = []

    async def main() -> None:
        over = asyncio.Event()
        stop.extend([asyncio.get_running_loop(), over])
        async with serve(world.data, Steered(world), world.upcoming, 0, secrets) as link:
            told.append(link)
            ready.set()
            await over.wait()

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    assert ready.wait(30)
    try:
        yield told[0]
    finally:
        stop[0].call_soon_threadsafe(stop[1].set)
        thread.join(30)
        assert not thread.is_alive()
