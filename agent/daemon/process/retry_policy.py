"""What follows from the end of a child: walls, breakers, and whether and when it is tried again."""

from __future__ import annotations

from agent.daemon.config.jobs import Job
from agent.daemon.config.watch_file import WatchLimits
from agent.daemon.journal.events import BreakerChanged, ChildEnded, OccurrenceSkipped, WallReported
from agent.daemon.journal.state import FAILURES, Key
from agent.daemon.journal.writer import JournalWriter
from agent.daemon.process.exit_reason import ExitReason
from agent.daemon.redact_secrets import SecretRedactor

PACED_S = 1800.0
"""Wait where a run's own pace has ended it."""
LONGEST_FOUND = 300
SITE_FAILURES = ("fault", "deadline")
"""Outcomes that a site may be to blame for."""


class RetryPolicy:
    """Draws what follows from ends, and remembers what must wait."""

    def __init__(self, book: JournalWriter) -> None:
        self._book = book
        self._not_before: dict[Key, float] = {}

    def waits(self, key: Key) -> bool:
        return self._book.clock.steady() < self._not_before.get(key, float("-inf"))

    def wait(self, key: Key, seconds: float) -> None:
        self._not_before[key] = self._book.clock.steady() + seconds

    def forget_waits(self, entry: str) -> None:
        for key in [key for key in self._not_before if key[0] == entry]:
            del self._not_before[key]

    def draw(self, job: Job, key: Key, ending: ExitReason, limits: WatchLimits) -> None:
        """Note how a child ended, and all that follows."""
        entry, due = key
        now = self._book.now()
        ended = ChildEnded(
            at=now,
            entry=entry,
            due=due,
            outcome=ending.outcome,
            code=ending.code,
            reason=ending.reason,
        )
        self._book.note(ended, tell=ending.outcome == "complete" and job.declared is not None)
        for met in ending.walls:
            wall = WallReported(
                at=now,
                platform=met.platform,
                account=met.account,
                open=True,
                wall=met.wall,
                run_id=met.run_id,
                found=SecretRedactor().text(met.found)[:LONGEST_FOUND],
            )
            self._book.note(wall, tell=True)
        for platform in job.platforms:
            self._count(platform, ending, limits.failures)
        self._not_before.pop(key, None)
        occurrence = self._book.state.open.get(key)
        if occurrence is None:
            return
        if occurrence.failures >= job.entry.attempts:
            why = f"given up after {occurrence.failures} failures: {ending.reason}"
            self._book.note(OccurrenceSkipped(at=now, entry=entry, due=due, reason=why))
        elif ending.outcome in FAILURES:
            self.wait(key, limits.retry * 2.0 ** (occurrence.failures - 1))
        elif ending.outcome == "busy":
            self.wait(key, limits.retry)
        elif ending.later:
            self.wait(key, PACED_S)

    def _count(self, platform: str, ending: ExitReason, most: int) -> None:
        """Count faults in a row; too many open the platform's breaker, success closes it."""
        state, now = self._book.state, self._book.now()
        before, was_open = state.failures.get(platform, 0), platform in state.breakers
        if ending.outcome in SITE_FAILURES and ending.site_to_blame:
            count = before + 1
            event = BreakerChanged(
                at=now,
                platform=platform,
                failures=count,
                reason=ending.reason,
                open=was_open or count >= most,
            )
            self._book.note(event, tell=event.open and not was_open)
        elif ending.outcome == "complete" and (before or was_open):
            self._book.note(BreakerChanged(at=now, platform=platform, open=False))
