"""The daemon's work: starts what is due, watches over it, takes up again what did not end.

All that it knows is the watch file, the journal and the ledgers, so that one that was killed goes
on.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from agent.daemon.config.jobs import Job
from agent.daemon.config.reload import LoadedFile
from agent.daemon.journal.events import (
    ChildEnded,
    ChildStarted,
    DaemonStarted,
    OccurrenceSkipped,
    Outcome,
)
from agent.daemon.journal.state import Key, Occurrence
from agent.daemon.journal.writer import JournalWriter
from agent.daemon.machine_clock import OF_THE_MACHINE, Clock, ClockJumps
from agent.daemon.process import exit_reason
from agent.daemon.process.child import END_S, Child, find_leftovers, prune_logs, sweep
from agent.daemon.process.exit_reason import ExitReason
from agent.daemon.process.indexer import IndexerProcess
from agent.daemon.process.retry_policy import RetryPolicy
from agent.daemon.process.webhooks import HookSender
from agent.daemon.redact_secrets import SecretRedactor
from agent.daemon.schedule import admission, next_due
from agent.daemon.schedule.due_queue import DueQueue
from agent.daemon.schedule.past_runs import PastRuns
from store.errors import StoreError
from store.runs.data_folder import DataFolder

LOOK_S = 1.0
MACHINE_S = 5.0
"""Seconds from one look at disk and memory to the next."""
ORPHANS_S = 15.0
"""What a killed daemon's children may take to end by themselves."""
log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True)
class DaemonSetup:
    """What a daemon works on."""

    file: Path
    data: DataFolder
    clock: Clock
    browser: str | None = None
    secrets: frozenset[str] = frozenset()
    """Values that nobody is shown, such as keys of the environment."""


class Supervisor:
    """Everything but the page and the signals."""

    def __init__(self, place: DaemonSetup) -> None:
        self.place = place
        self.book = JournalWriter(place.data.daemon_dir / "journal.jsonl", place.clock)
        self.retry_policy = RetryPolicy(self.book)
        self.loaded_file = LoadedFile(place.file, self.book)
        self._dues = DueQueue()
        self._evidence = PastRuns(place.data)
        self._jumps = ClockJumps(place.clock)
        self._indexer = IndexerProcess(place.data, place.clock)
        self._children: dict[Key, tuple[Job, Child]] = {}
        self._ended_for: dict[Key, tuple[Outcome, str]] = {}
        self._alarms = AsyncIOScheduler(timezone="UTC")
        self._looked_at_machine = float("-inf")

    def upcoming(self, count: int) -> list[tuple[datetime, str]]:
        return next_due.upcoming(self.loaded_file.watch, self.book.now(), count)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until told to stop; what runs then is ended in order."""
        at, file = self.book.now(), str(self.place.file)
        self.book.note(DaemonStarted(at=at, pid=os.getpid(), file=file))
        self.book.heed_damage()
        await self._settle_past(stop)
        self._alarms.start()
        try:
            while not stop.is_set():
                self.book.wake.clear()
                await self._look_or_wait()
                await _either(stop, self.book.wake, LOOK_S)
        finally:
            self._alarms.shutdown(wait=False)
            await self._end_all()

    async def _look_or_wait(self) -> None:
        """Look; where the machine refuses it now, say so, and leave it to the next look."""
        try:
            await self.look()
        except (OSError, StoreError) as error:
            self.book.notice("files", f"nothing can be started now: {error}")
        else:
            self.book.notice("files", None)

    async def look(self) -> None:
        if self.loaded_file.look():
            self._take_up()
        self._look_at_machine()
        for event in self._dues.collect(self.loaded_file.watch, self.book.state, self.book.now()):
            self.book.note(event)
        for key, (job, _) in list(self._children.items()):
            if (why := self._held(job)) is not None:
                self._end(key, "interrupted", why)
        if self.book.write():
            for one in self._dues.candidates(self.book.state):
                if not await self._consider(one):
                    break  # what is due later would take the room that this one waits for
        if "memory" not in self.book.state.troubles:
            problem = self._indexer.look(self.loaded_file.watch.limits.index)
            if problem is not None:
                self.book.notice("index", problem or None)

    def _take_up(self) -> None:
        """Call the file's hooks from now on, and look at the very moments when it has dues."""
        self._alarms.remove_all_jobs()
        watch = self.loaded_file.watch
        self.book.tell = HookSender(
            watch.hooks, self.book.note, SecretRedactor(self.place.secrets)
        ).tell
        for entry in watch.entries:
            trigger = next_due.make_trigger(watch, entry)
            self._alarms.add_job(self._ring, trigger, id=entry.name, misfire_grace_time=None)

    async def _ring(self) -> None:
        self.book.wake.set()

    def _look_at_machine(self) -> None:
        jump = self._jumps.look()
        if jump is not None:
            self.book.passing("clock", f"the clock was set by {jump:+.0f} s")
            if jump < 0:
                self._dues.set_back(self.book.now())
        steady = self.place.clock.steady()
        if steady - self._looked_at_machine >= MACHINE_S:
            self._looked_at_machine = steady
            short = admission.find_shortages(self.place.data, self.loaded_file.watch.limits)
            self.book.notice("disk", short.get("disk"))
            self.book.notice("memory", short.get("memory"))

    # What was there before, and the end

    async def _settle_past(self, stop: asyncio.Event) -> None:
        """Write down the end of what a killed daemon had started, once it is gone."""
        root = self.place.data.root
        late = self.place.clock.steady() + ORPHANS_S
        while await self._insist(_left, root) and not stop.is_set():
            if self.place.clock.steady() >= late:
                break
            await _either(stop, self.book.wake, 0.5)
        if killed := await self._insist(sweep, root, (), 0.1):
            self.book.passing("orphan", f"ended: {', '.join(killed)}")
        for entry, due in list(self.book.state.running):
            at, why = self.book.now(), "the daemon was killed"
            self.book.note(
                ChildEnded(at=at, entry=entry, due=due, outcome="interrupted", reason=why)
            )

    async def _end_all(self) -> None:
        for key in self._children:
            self._end(key, "interrupted", "the daemon was ended")
        await self._indexer.end()
        await self.book.finish()
        await sweep(self.place.data.root, (), 0.5)

    # Starting

    def _held(self, job: Job) -> str | None:
        return admission.find_hold(
            job, self.loaded_file.watch, self.book.state, self._evidence, self.book.now()
        )

    async def _consider(self, one: Occurrence) -> bool:
        """Start or resume an occurrence if nothing holds it back; whether room was not what did."""
        job = self.loaded_file.jobs.get(one.entry)
        if job is None:
            self._skip(one, "its entry is no longer in the watch file")
        elif not self._must_wait(job, one):
            if not admission.has_room(job, self.loaded_file.watch, self._running()):
                return False
            await self._go_on(job, one)
        return True

    def _running(self) -> list[Job]:
        return [job for job, _ in self._children.values()]

    def _must_wait(self, job: Job, one: Occurrence) -> bool:
        if self.retry_policy.waits(one.key) or self._held(job) is not None:
            return True
        state, now = self.book.state, self.book.now()
        if admission.find_bar(job, self.loaded_file.watch, state, self._running(), now) is not None:
            return True
        return admission.find_user(job, self.place.data) is not None

    async def _go_on(self, job: Job, one: Occurrence) -> None:
        if self._evidence.complete(job, one.due):
            self._complete(one)
        elif self._evidence.changed(job, one.due):
            self._skip(one, "its entry has changed since it began")
        else:
            await self._start(job, one)

    def _skip(self, one: Occurrence, reason: str) -> None:
        self.book.note(
            OccurrenceSkipped(at=self.book.now(), entry=one.entry, due=one.due, reason=reason)
        )

    def _complete(self, one: Occurrence) -> None:
        if one.attempts == 0:
            self._skip(one, "the study is complete")
            return
        at, why = self.book.now(), "its ledgers say so"
        self.book.note(
            ChildEnded(at=at, entry=one.entry, due=one.due, outcome="complete", reason=why)
        )

    async def _start(self, job: Job, one: Occurrence) -> None:
        data, name = self.place.data, job.occurrence_name(one.due)
        path = data.daemon_dir / "logs" / one.entry / f"{name.partition('@')[2]}.log"
        command = job.command(one, data.root, self.place.browser)
        child = Child(command, path, data.root, name)
        try:
            pid = await child.start()
        except OSError as error:
            self.retry_policy.wait(one.key, self.loaded_file.watch.limits.retry)
            log.warning("%s cannot be started: %s", name, error)
            return
        self._children[one.key] = job, child
        started = ChildStarted(
            at=self.book.now(),
            entry=one.entry,
            due=one.due,
            pid=pid,
            attempt=one.attempts + 1,
            log=str(path.relative_to(data.root)),
            study=job.declared.name if job.declared else None,
        )
        self.book.note(started)
        if not self.book.write():  # what is not in the journal may not run
            self._end(one.key, "interrupted", "the journal cannot be written")
        self._watch_over(job, child, one.key)

    # Ending

    def _watch_over(self, job: Job, child: Child, key: Key) -> None:
        """See to a child's end; where that fails, its entry does not hang on it."""

        def let_go(_: object) -> None:
            if self._children.pop(key, None) is not None:
                self._ended_for.pop(key, None)
                unseen = ExitReason(
                    "killed", reason="the daemon could not see how; its log says why"
                )
                self.retry_policy.draw(job, key, unseen, self.loaded_file.watch.limits)

        self.book.spawn(self._attend(job, child, key)).add_done_callback(let_go)

    def _end(self, key: Key, outcome: Outcome, reason: str) -> None:
        if key not in self._ended_for:
            self._ended_for[key] = outcome, reason
            self.book.spawn(self._children[key][1].end())

    async def _attend(self, job: Job, child: Child, key: Key) -> None:
        waiting = asyncio.ensure_future(child.wait())
        done, _ = await asyncio.wait([waiting], timeout=job.entry.deadline)
        if not done:
            self._end(key, "deadline", f"it took longer than {job.entry.deadline} s")
        code = await waiting
        if killed := await self._insist(child.sweep, END_S):
            self.book.passing("orphan", f"ended: {', '.join(killed)}")
        ending = await self._insist(self._find_ending, job, child, key, code)
        del self._children[key]
        self._ended_for.pop(key, None)
        self.retry_policy.draw(job, key, ending, self.loaded_file.watch.limits)
        self._indexer.ask()
        prune_logs(self.place.data, self.book.now())

    async def _find_ending(self, job: Job, child: Child, key: Key, code: int) -> ExitReason:
        runs = self._evidence.find_runs(job, key[1])
        told = self._ended_for.get(key)
        short = admission.find_shortages(self.place.data, self.loaded_file.watch.limits).get("disk")
        if told is None and code and short is not None:
            self.book.notice("disk", short)
            told = "interrupted", short
        ending = exit_reason.explain_exit(code, told, child.log, self._evidence, runs)
        if ending.outcome == "refused" and (user := admission.find_user(job, self.place.data)):
            ending = ExitReason("busy", code, user)
        return ending

    async def _insist(self, ask: Callable[..., Awaitable[T]], *about: Any) -> T:
        """Ask until the machine has the files that the answer takes; what ended is not guessed."""
        while True:
            try:
                return await ask(*about)
            except OSError as error:
                if error.errno not in OF_THE_MACHINE:
                    raise
                self.book.notice("files", f"nothing can be looked up now: {error}")
            await asyncio.sleep(LOOK_S)

    def close(self) -> None:
        self.book.close()


async def _left(data: Path) -> bool:
    return bool(find_leftovers(data))


async def _either(stop: asyncio.Event, wake: asyncio.Event, limit_s: float) -> None:
    waits = [asyncio.ensure_future(event.wait()) for event in (stop, wake)]
    await asyncio.wait(waits, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
