"""Decides what a control's hands do: as an earlier run did (the yoke).

A yoked account engages as much as its source did and when it did, but blind to content.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np

from agent.errors import BadConfig
from agent.run.dwell_policy import ReactionPlan
from store.runs.ledger import Ledger
from store.runs.ledger_lines import Step, Windows

CHUNK = 12
"""Steps shuffled together where the platform does not tell its batches: a feed's median batch."""


class YokedSchedule:
    """The reaction at each eligible step from ``first`` on, and nothing beyond the plans."""

    def __init__(self, plans: Sequence[ReactionPlan], first: int = 0) -> None:
        self._plans = tuple(plans)
        self._first = first

    def plan_at(self, eligible: int) -> ReactionPlan:
        """Return what follows so many eligible steps; ``IndexError`` outside the block."""
        place = eligible - self._first
        if not 0 <= place < len(self._plans):
            raise IndexError(f"eligible step {eligible} has no planned reaction")
        return self._plans[place]


def schedule_yoke(source: Ledger, windows: Windows, rng: np.random.Generator) -> YokedSchedule:
    """Return one reaction per eligible step of the active block of a complete treatment run.

    ``rng`` shuffles within each batch. Raises ``BadConfig`` for any other source, and for one that
    had other windows.
    """
    started = source.started
    if started.arm != "treatment" or source.status != "complete":
        raise BadConfig(
            f"Run {started.run_id} is a {source.status} {started.arm} run, and a yoke needs a "
            "complete treatment. Type: python -m store runs"
        )
    if started.windows != windows:
        old = started.windows
        raise BadConfig(
            f"A yoke reacts where its source did, and run {started.run_id} has other windows. "
            f"Type: --before {old.before} --adapt {old.adapt} --after {old.after} "
            f"--baseline {old.baseline}"
        )
    passive = windows.baseline == "passive"
    active = [
        step for step in source.steps if step.eligible and not (passive and step.phase == "before")
    ]
    plans: list[ReactionPlan] = []
    for _, batch in groupby(enumerate(active), key=lambda place: _batch(*place)):
        steps = [step for _, step in batch]
        plans += [_replayed(steps[place]) for place in rng.permutation(len(steps))]
    return YokedSchedule(plans, first=windows.before if passive else 0)


def _batch(place: int, step: Step) -> tuple[str, int]:
    if step.video.batch is not None:
        return "batch", step.video.batch
    return "chunk", place // CHUNK


def _replayed(step: Step) -> ReactionPlan:
    """What was delivered; what was asked for where an interruption left that unknown."""
    reaction = step.reaction
    dwell_s = reaction.dwell_asked_s if reaction.dwell_s is None else reaction.dwell_s
    return ReactionPlan(reaction.action, dwell_s, like=bool(reaction.liked))
