"""The schedule of a yoked run: an earlier run's delivered dwells, shuffled within batches.

A yoked account engages as much as its source did and when it did, but blind to content. Refuses to
know what the videos were.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np

from agent.errors import BadConfig
from agent.reactions import Plan
from store.ledger import Ledger
from store.records import Step

CHUNK = 12
"""Steps shuffled together where the platform does not tell its batches: a feed's median batch."""


def schedule(source: Ledger, rng: np.random.Generator) -> tuple[Plan, ...]:
    """Return one reaction per eligible step of the active block, in order.

    Parameters
    ----------
    source
        A complete treatment run. Its passive baseline, if it has one, is left out.
    rng
        Shuffles within each batch.

    Raises
    ------
    BadConfig
        The source is not a complete treatment run.
    """
    started = source.started
    if started.arm != "treatment" or source.status != "complete":
        raise BadConfig(
            f"Run {started.run_id} is a {source.status} {started.arm} run, and a yoke needs a "
            "complete treatment. Type: python -m store runs"
        )
    passive = started.windows.baseline == "passive"
    active = [
        step for step in source.steps if step.eligible and not (passive and step.phase == "before")
    ]
    plans: list[Plan] = []
    for _, batch in groupby(enumerate(active), key=lambda place: _batch(*place)):
        steps = [step for _, step in batch]
        plans += [_replayed(steps[place]) for place in rng.permutation(len(steps))]
    return tuple(plans)


def _batch(place: int, step: Step) -> tuple[str, int]:
    if step.video.batch is not None:
        return "batch", step.video.batch
    return "chunk", place // CHUNK


def _replayed(step: Step) -> Plan:
    """What was delivered; what was asked for where an interruption left that unknown."""
    reaction = step.reaction
    dwell_s = reaction.dwell_asked_s if reaction.dwell_s is None else reaction.dwell_s
    return Plan(reaction.action, dwell_s, like=bool(reaction.liked))


class Schedule:
    """Hands out the planned reactions, and the loop's own one to a run that outlives them."""

    def __init__(self, plans: Sequence[Plan], done: int = 0) -> None:
        self._plans = plans
        self._next = done

    def take(self, otherwise: Plan) -> Plan:
        """Return the reaction for the next eligible step of the active block."""
        place, self._next = self._next, self._next + 1
        return self._plans[place] if place < len(self._plans) else otherwise
