"""Turns a judgement into what the hands do: how long to watch, and whether to like.

Refuses to know the page and the model. A missing judgement is reacted to as a swipe, since
something must be done, but stays missing in the record.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from agent.config import RunConfig
from store.runs.records import Exclusion, Judgement, Phase


@dataclass(frozen=True)
class ReactionPlan:
    """What to do with one video."""

    action: Literal["stay", "swipe"]
    dwell_s: float
    like: bool = False


def plan(
    config: RunConfig, phase: Phase, judgement: Judgement, excluded: Exclusion | None
) -> ReactionPlan:
    """Decide the reaction.

    The judgement decides in the treatment arm, outside a passive baseline. A passive step is
    watched for a constant, short time, whatever the judge says.
    """
    dwell = config.dwell
    if excluded is not None:
        return ReactionPlan("swipe", dwell.swipe_s)
    passive = config.windows.baseline == "passive" and phase == "before"
    if config.arm == "passive" or passive:
        return ReactionPlan("swipe", dwell.passive_s)
    if judgement.answer == "yes":
        return ReactionPlan("stay", dwell.stay_s, like=config.like)
    return ReactionPlan("swipe", dwell.swipe_s)
