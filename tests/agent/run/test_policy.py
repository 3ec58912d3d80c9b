"""What the hands do follows from arm, phase and judgement alone."""

from __future__ import annotations

from typing import Any

import pytest

from agent.config import RunConfig
from agent.run.policy import plan
from personas.persona import Persona
from store.runs.records import Judgement, Windows

ME = Persona(id="me", traits=("I sail.", "I cook.", "I read."), themes=("travel",))
YES, NO = Judgement(answer="yes"), Judgement(answer="no")
MISSING = Judgement(answer=None, missing="refused")


def config(**changes: Any) -> RunConfig:
    return RunConfig(persona=ME, **changes)


@pytest.mark.parametrize(
    ("judgement", "action", "dwell_s"),
    [(YES, "stay", 8.0), (NO, "swipe", 0.8), (MISSING, "swipe", 0.8)],
)
def test_the_judgement_decides_in_the_treatment(
    judgement: Judgement, action: str, dwell_s: float
) -> None:
    decided = plan(config(), "before", judgement, None)
    assert (decided.action, decided.dwell_s, decided.like) == (action, dwell_s, False)


def test_what_is_excluded_is_never_stayed_for() -> None:
    assert plan(config(like=True), "after", YES, "ad").action == "swipe"


def test_likes_are_opt_in() -> None:
    assert plan(config(like=True), "after", YES, None).like


@pytest.mark.parametrize("judgement", [YES, NO, MISSING])
def test_passive_is_blind_to_the_answer(judgement: Judgement) -> None:
    constant = plan(config(arm="passive"), "after", YES, None)
    assert plan(config(arm="passive"), "after", judgement, None) == constant
    before = config(windows=Windows(baseline="passive"))
    assert plan(before, "before", judgement, None) == constant
    assert plan(before, "after", YES, None).action == "stay"


def test_the_hash_tells_what_matters_apart_and_nothing_else() -> None:
    assert config().digest() == config().digest()
    assert config(seed=2).digest() != config().digest()
    relabelled = ME.model_copy(update={"themes": ("music",)})
    assert RunConfig(persona=relabelled).digest() == config().digest()


def test_the_planted_truth_stays_out_of_the_ledger() -> None:
    assert "themes" not in config().resolved()["persona"]
    assert "travel" not in str(config().resolved())
