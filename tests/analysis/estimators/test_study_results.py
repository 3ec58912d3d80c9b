import math
from typing import Any

import numpy as np
import pytest

from analysis.data.exposures import RunInfo, Views
from analysis.errors import NothingToCompare
from analysis.estimators.study_results import study
from analysis.terminal.study_text import study_text
from store.runs.ledger_lines import Windows
from tests.analysis import made_results


def rng() -> np.random.Generator:
    return np.random.default_rng(6)


def simulated(
    sway: float, personas: int = 8, models: int = 1, control: bool = True, **changes: Any
) -> Views:
    """Answers at a base of 0.3, with a sway in the treatment arm's second half."""
    generator = rng()
    infos, answers = [], []
    for model in range(models):
        for persona in range(personas):
            for arm in ("treatment", "yoked") if control else ("treatment",):
                rate = np.full(200, 0.3)
                rate[100:] += sway if arm == "treatment" and model == 0 else 0
                answers.append((generator.random(200) < rate).astype(int))
                infos.append(
                    RunInfo(
                        f"{model}-{persona}-{arm}",
                        f"p{persona}",
                        model=f"m{model}",
                        arm=arm,
                        windows=Windows(before=100, after=100, **changes),
                    )
                )
    return made_results.views(answers, 100, infos)


def test_treatment_control_and_i_avg() -> None:
    (result,) = study(simulated(0.3), rng())
    assert [arm.arm for arm in result.arms] == ["treatment", "yoked"]
    (contrast,) = result.contrasts
    assert contrast.estimate.low < 30 < contrast.estimate.high
    assert contrast.permutation.p < 0.01
    assert result.p == contrast.estimate.p
    assert result.p_holm == result.p
    assert {group.arm for group in result.averages} == {"treatment", "yoked"}
    assert result.offers[0].design == "paired with control"
    assert result.attrition_p == 1


def test_the_primary_test_is_the_declared_one() -> None:
    (result,) = study(simulated(0.3), rng(), "permutation")
    assert result.p == result.contrasts[0].permutation.p


def test_holm_goes_across_models() -> None:
    first, second = study(simulated(0.3, models=2), rng())
    assert first.model == "m0"
    assert first.p_holm == pytest.approx(2 * first.p)
    assert second.p_holm == pytest.approx(max(second.p, 2 * first.p))
    assert "after Holm's correction" in study_text([first, second])


def test_without_a_control_the_matrix_fits_best() -> None:
    (active,) = study(simulated(0.3, control=False), rng())
    assert active.contrasts == ()
    assert math.isnan(active.attrition_p)
    assert active.offers[0].design == "persona matrix"
    assert not {offer.design: offer for offer in active.offers}["adjusted matrix"].offered
    (passive,) = study(simulated(0.3, control=False, baseline="passive"), rng())
    assert passive.offers[0].design == "adjusted matrix"
    (few,) = study(simulated(0.3, personas=3, control=False), rng())
    assert not any(offer.offered for offer in few.offers)
    assert "3 personas, and 5 are needed" in study_text([few])


def test_missing_answers_bound_each_arm() -> None:
    views = simulated(0.3)
    views.answer[::10] = -1
    (result,) = study(views, rng())
    treated = result.arms[0]
    assert treated.unanswered == 160
    assert treated.bounds[0] < treated.sway.value < treated.bounds[1]
    assert "without an answer" in study_text([result])


def test_nothing_to_analyse() -> None:
    with pytest.raises(NothingToCompare):
        study(made_results.views([], 0, []), rng())
