import math

import numpy as np
import pytest

from analysis.data.before_after_windows import WindowShare, missing_bounds
from analysis.data.exposures import RunInfo
from analysis.estimators.contrasts import (
    Attrition,
    agreement,
    attrition,
    attrition_p_value,
    contrast_bounds,
    pair_up,
    sways,
    treatment_minus_control,
)
from analysis.statistics.window_counts import WindowCounts

FULL = WindowShare(50, 50, 10, {}, 20.0, 5)


def run(
    run_id: str, persona: str, arm: str, replicate: int = 1, status: str = "complete"
) -> RunInfo:
    return RunInfo(run_id, persona, arm=arm, replicate=replicate, status=status)


def test_the_sway_of_a_run() -> None:
    at = np.array([10.0, 45.0])
    counts = WindowCounts(np.array([[20.0, 0], [0, 50.0]]), np.array([[5.0, 0], [0, 20.0]]), at)
    empty = WindowCounts(np.array([[20.0], [0.0]]), np.array([[5.0], [0.0]]), at[:1])
    assert np.allclose(sways([counts, empty]), [15, math.nan], equal_nan=True)


def test_pairs_share_persona_replicate_and_judge() -> None:
    runs = [
        run("a", "p1", "treatment"),
        run("b", "p1", "yoked"),
        run("c", "p1", "treatment", 2),
        run("d", "p2", "yoked"),
        run("e", "p1", "passive", 2),
    ]
    assert pair_up(runs, "yoked") == [(0, 1)]
    assert pair_up(runs, "passive") == [(2, 4)]


def test_treatment_minus_control_by_hand() -> None:
    runs = [
        run(f"{arm[0]}{i}", f"p{i}", arm) for i in range(3) for arm in ("treatment", "yoked")
    ] + [run("alone", "p9", "treatment")]
    sway = np.array([10.0, 2, 20, 4, 12, 6, 99])
    told = treatment_minus_control(
        runs, sway, [(FULL, FULL)] * 7, "yoked", np.random.default_rng(0)
    )
    assert told.estimate.value == pytest.approx(10)  # 8, 16, 6
    assert told.estimate.se == pytest.approx(np.std([8, 16, 6], ddof=1) / math.sqrt(3))
    assert told.permutation.p == pytest.approx(2 / 8)
    assert told.pairs == (("t0", "y0"), ("t1", "y1"), ("t2", "y2"))
    assert told.unpaired == ("alone",)
    assert told.bounds == (0, 0)


def test_a_pair_with_an_empty_window_is_named() -> None:
    runs = [run("a", "p1", "treatment"), run("b", "p1", "yoked")]
    told = treatment_minus_control(
        runs, np.array([5.0, math.nan]), [(FULL, FULL)] * 2, "yoked", np.random.default_rng(0)
    )
    assert told.unpaired == ("a", "b")
    assert math.isnan(told.estimate.value)
    assert math.isnan(told.permutation.p)


def test_missing_answers_widen_the_contrast_both_ways() -> None:
    before = WindowShare(10, 8, 2, {"refused": 2}, 25, 1)
    after = WindowShare(10, 9, 5, {"empty": 1}, 500 / 9, 1)
    treated = missing_bounds(before, after)
    assert np.allclose(treated, (10, 40))
    control = missing_bounds(FULL, before)
    assert np.allclose(control, (0, 20))
    assert np.allclose(contrast_bounds(treated, control), (-10, 40))


def test_attrition_counts_blocked_and_short_runs() -> None:
    runs = [
        run("a", "p1", "treatment"),
        run("b", "p2", "treatment", status="interrupted"),
        run("c", "p1", "yoked", status="rate limited"),
    ]
    treatment, yoked = sorted(attrition(runs), key=lambda entry: entry.arm)
    assert (treatment.started, treatment.complete, treatment.short) == (2, 1, ("b",))
    assert yoked.short == ("c",)


def test_fishers_exact_test_by_hand() -> None:
    # 0 of 3 against 3 of 3: the two most extreme of 20 tables
    one, other = Attrition("t", 3, 3, ()), Attrition("y", 3, 0, ("a", "b", "c"))
    assert attrition_p_value(one, other) == pytest.approx(2 / 20)
    assert attrition_p_value(one, one) == 1
    assert math.isnan(attrition_p_value(one, Attrition("y", 0, 0, ())))


def test_graded_answers_agree_or_not() -> None:
    generator = np.random.default_rng(1)
    binary = 20 + generator.normal(0, 5, 12)
    told = agreement(binary, binary * 0.6 + generator.normal(0, 0.5, 12))
    assert told.agree
    assert told.correlation > 0.95
    assert told.efficiency > 0.8
    assert not agreement(binary, -binary).agree
    assert agreement(binary, np.full(12, math.nan)).agree
    assert math.isnan(agreement(binary, np.full(12, math.nan)).efficiency)
