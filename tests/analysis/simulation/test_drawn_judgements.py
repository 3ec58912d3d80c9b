"""What drawn questions cost, and two judges against the truth that the dear one would find."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from analysis.simulation.calibration import checks_text, passed
from analysis.simulation.drawn_judgements import (
    CHEAP_JUDGES,
    PLAN,
    USUAL,
    draw_share,
    drawn_checks,
    judge_drawn_others,
    judge_two_judges,
)
from analysis.simulation.scenarios import draw_matrices
from tests.analysis.made_results import plausible

STUDIES = 400


def test_half_of_the_others_questions_cost_little_and_never_find_too_much() -> None:
    rng = np.random.default_rng(1)
    null = draw_matrices(PLAN, replace(USUAL, effect=0.0), STUDIES, rng)
    half = judge_drawn_others(null, 0.5, rng)
    for p in (half.p, half.p_greater):
        assert plausible(int((p <= 0.05).sum()), STUDIES, 0.0, 0.05)
    cells = draw_matrices(PLAN, USUAL, STUDIES, rng)
    half = judge_drawn_others(cells, 0.5, rng)
    assert plausible(round(half.power("greater") * STUDIES), STUDIES, 0.85, 0.91)
    assert plausible(round(half.coverage() * STUDIES), STUDIES, 0.93, 0.98)
    assert abs(half.bias) < 1.2


def test_own_videos_are_all_kept() -> None:
    rng = np.random.default_rng(1)
    cells = draw_matrices(PLAN, USUAL, 5, rng)
    kept = draw_share(cells, 0.5, rng, own=False)
    own = np.eye(PLAN.personas, dtype=bool)
    assert (kept.yes[:, own] == cells.yes[:, own]).all()
    assert (kept.yes <= kept.n).all()
    share = kept.n[:, ~own].sum() / np.broadcast_to(cells.n, cells.yes.shape)[:, ~own].sum()
    assert share == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("name", ["errs alike", "lenient in own feeds (10 pp)"])
def test_two_judges_cover_what_the_dear_one_would_find(name: str) -> None:
    rng = np.random.default_rng(2)
    cells = draw_matrices(PLAN, USUAL, STUDIES, rng)
    told = judge_two_judges(cells, CHEAP_JUDGES[name], rng)
    both = told["both judges"]
    assert plausible(round(both.coverage() * STUDIES), STUDIES, 0.95, 0.985)
    assert abs(told["cheap judge alone"].bias) > 1.5, "its own errors are in its sway"
    widths = {name: np.mean(one.high - one.low) for name, one in told.items()}
    assert widths["dear everywhere"] < widths["both judges"] < widths["sample alone"] - 1
    assert abs(both.bias) < 2


@pytest.mark.drill
def test_every_kind_of_cheap_judge() -> None:
    checks = drawn_checks(1000, np.random.default_rng(3))
    assert len(checks) == 28
    assert passed(checks), checks_text(checks)
