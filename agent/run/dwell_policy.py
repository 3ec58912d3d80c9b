"""Decides what the hands do with a video: how long it is watched, and whether it is liked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from agent.run_config import RunConfig
from store.runs.ledger_lines import Exclusion, Judgement, Phase


@dataclass(frozen=True)
class ReactionPlan:
    """What to do with one video."""

    action: Literal["stay", "swipe"]
    dwell_s: float
    like: bool = False


def plan_reaction(
    config: RunConfig, phase: Phase, judgement: Judgement, excluded: Exclusion | None
) -> ReactionPlan:
    """Decide the reaction; a missing judgement is reacted to as a swipe, and stays missing."""
    dwell = config.dwell
    if excluded is not None:
        return ReactionPlan("swipe", dwell.swipe_s)
    passive = config.windows.baseline == "passive" and phase == "before"
    if config.arm == "passive" or passive:
        return ReactionPlan("swipe", dwell.passive_s)
    if judgement.answer == "yes":
        return ReactionPlan("stay", dwell.stay_s, like=config.like)
    return ReactionPlan("swipe", dwell.swipe_s)
