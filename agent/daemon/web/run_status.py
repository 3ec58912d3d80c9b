"""Which runs are going on now, and what each has just seen.

A run goes on where a living process holds its unfinished ledger, whoever started it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from pydantic import Field

from agent.daemon.journal.events import ChildStarted, name_occurrence
from agent.daemon.journal.run_tally import MISSING, YES, RunTally
from agent.daemon.web.study_status import count_drawn
from agent.run_config import FrozenValue
from store.jsonl.locks import signature
from store.runs.data_folder import DataFolder
from store.runs.ledger import LOCK
from store.runs.ledger_lines import Phase, Step, Windows


class YesShare(FrozenValue):
    """How many of the answers were yes."""

    yes: int
    answered: int


class LastVideo(FrozenValue):
    """The last video of a run."""

    position: int
    at: datetime
    frame: str | None
    caption: str | None
    answer: str | None
    missing: str | None
    p_yes: float | None
    excluded: str | None


class LiveRun(FrozenValue):
    """A run that goes on, or a child without one (``run_id`` is ``None``)."""

    entry: str | None
    run_id: str | None = None
    persona: str = ""
    trait: str = ""
    platform: str = ""
    strategy: str = ""
    model: str = ""
    arm: str = ""
    account: str = ""
    study: str | None = None
    started: datetime
    windows: Windows | None = None
    ending: bool = False
    """Of a child without a run: its run is done, else it has not begun yet."""
    eligible: int = 0
    shares: dict[Phase, YesShare] = Field(default_factory=dict)
    last: LastVideo | None = None


def list_running(
    data: DataFolder, runs: Sequence[RunTally], children: Iterable[ChildStarted]
) -> tuple[LiveRun, ...]:
    """Return what goes on, by start, also children that the daemon started and that have no run."""
    by_pid = {child.pid: child for child in children}
    found: list[LiveRun] = []
    busy: set[int] = set()
    for run in runs:
        if run.finished:
            continue
        signed = signature(data.run_dir(run.run_id) / LOCK)
        if signed is None:
            continue
        child = _started_by(signed[0], by_pid)
        if child is not None:
            busy.add(child.pid)
        found.append(_running(run, child.entry if child else None))
    idle = [child for child in by_pid.values() if child.pid not in busy]
    done = {
        (run.head.config.study, run.head.config.cell) for run in runs if run.finished and run.head
    }
    found += [
        LiveRun(entry=one.entry, started=one.at, ending=_is_done(data, one, done)) for one in idle
    ]
    return tuple(sorted(found, key=lambda one: (one.started, one.run_id or "")))


def _is_done(
    data: DataFolder, child: ChildStarted, done: Collection[tuple[str | None, ...]]
) -> bool:
    """Whether all that a child was started for is among the complete studies and cells."""
    if child.study is None:
        return (None, name_occurrence(child.entry, child.due)) in done
    drawn = count_drawn(data.study_dir(child.study) / "draws.json")
    return 0 < drawn <= sum(study == child.study for study, _ in done)


def _started_by(pid: int, children: dict[int, ChildStarted]) -> ChildStarted | None:
    """Return the daemon's child that a run is, or that started it."""
    import psutil

    if pid in children or not children:
        return children.get(pid)
    try:
        parents = psutil.Process(pid).parents()
    except psutil.Error:
        return None
    return next((children[one.pid] for one in parents if one.pid in children), None)


def _running(run: RunTally, entry: str | None) -> LiveRun:
    head = run.begun
    return LiveRun(
        entry=entry,
        run_id=run.run_id,
        persona=head.persona.id,
        trait=next(iter(head.persona.traits), ""),
        platform=head.platform,
        strategy=head.strategy,
        model=head.model,
        arm=head.arm,
        account=head.account,
        study=head.config.study,
        started=head.at,
        windows=head.windows,
        eligible=run.eligible,
        shares={phase: compute_share(answers) for phase, answers in run.answers.items()},
        last=_shown(run.last) if run.last else None,
    )


def compute_share(answers: Iterable[int]) -> YesShare:
    """Return the share of yes; a missing answer is none."""
    known = [answer for answer in answers if answer != MISSING]
    return YesShare(yes=known.count(YES), answered=len(known))


def _shown(step: Step) -> LastVideo:
    judged = step.judgement
    return LastVideo(
        position=step.position,
        at=step.at,
        frame=step.frames[0].sha256 if step.frames else None,
        caption=step.video.caption,
        answer=judged.answer,
        missing=judged.missing,
        p_yes=judged.p_yes,
        excluded=step.excluded,
    )
