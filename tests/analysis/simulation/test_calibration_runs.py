"""What calibration says of recorded runs, on the example study."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from analysis.errors import NotOffered
from analysis.estimators.persona_matrix import own_minus_others
from analysis.examples.study import write_example
from analysis.simulation.calibration import checks_text, passed
from analysis.simulation.calibration_runs import (
    CalibrationRuns,
    against,
    agreements,
    detections,
    seen,
)
from analysis.statistics.null_models import DRAWS
from store.runs.ledger import Ledger, read
from tests.analysis import made_results


@pytest.fixture(scope="module")
def treated(tmp_path_factory: pytest.TempPathFactory) -> list[Ledger]:
    data = write_example(tmp_path_factory.mktemp("data"))
    runs = [read(run.path) for run in data.runs() if run.status == "complete"]
    found = [run for run in runs if run.started.arm == "treatment"]
    assert len(found) >= 5
    return sorted(found, key=lambda run: run.started.persona.id)


@pytest.fixture(scope="module")
def listener(treated: list[Ledger]) -> CalibrationRuns:
    return seen("listener", treated, np.random.default_rng(1))


def test_every_design_says_what_it_finds(listener: CalibrationRuns) -> None:
    told = {design.design: design for design in listener.designs}
    assert list(told) == [
        "I_avg",
        "persona matrix",
        "adjusted matrix",
        "placebo",
        "graded matrix",
        "borrowed base",
    ]
    assert told["graded matrix"].estimate.unit == "points"
    assert listener.matrix is not None
    figure = listener.figures["specific sway"]
    assert figure == pytest.approx(float(own_minus_others(listener.matrix.after)))
    assert told["persona matrix"].estimate.value == pytest.approx(figure)
    assert told["adjusted matrix"].p == listener.matrix.sway.test.p < 0.01
    assert told["I_avg"].estimate.unit == "%"
    assert not told["I_avg"].estimate.bounded
    assert listener.figures["sway"] == pytest.approx(float(np.mean(listener.sway)))


def test_no_change_has_a_p_value_of_nothing(tmp_path: Path) -> None:
    """Beyond every drawn value, the p-value ends at what the draws can tell."""
    runs = [
        made_results.paper_run(tmp_path, 2, 48, run_id=f"r{at}", persona=f"q{at}")
        for at in range(4)
    ]
    (told, *_) = seen("listener", runs, np.random.default_rng(1)).designs
    assert told.design == "I_avg"
    assert told.p == pytest.approx(2 / (1 + DRAWS))


def test_the_p_value_of_one_test_is_printed_as_one(listener: CalibrationRuns) -> None:
    told = checks_text(detections(listener))
    assert "p = 0.00" in told
    assert "nan" not in told
    assert "0 to 0.01" in told


def test_the_listener_is_found_and_a_random_feed_is_doubted(listener: CalibrationRuns) -> None:
    (found,) = detections(listener)
    assert (found.verdict, found.high) == ("holds", 0.01)
    as_random = CalibrationRuns("random", {}, (), listener.sway, (), listener.matrix)
    (doubted,) = detections(as_random)
    assert doubted.value == found.value
    assert doubted.verdict == ("FAILS" if found.value <= 0.001 else "within error")
    assert (
        detections(CalibrationRuns("contrarian", {}, (), listener.sway, (), listener.matrix)) == []
    )


def test_figures_are_ranked_among_simulated_ones(listener: CalibrationRuns) -> None:
    rng = np.random.default_rng(2)
    like = {name: value + 5 * rng.normal(size=1999) for name, value in listener.figures.items()}
    checks = agreements(listener, like)
    assert len(checks) == 4
    assert passed(checks)
    unlike = {name: values + 60 for name, values in like.items()}
    assert all(check.verdict == "FAILS" for check in agreements(listener, unlike))


def test_feeds_are_paired_by_persona(listener: CalibrationRuns) -> None:
    control = CalibrationRuns(
        "random", {}, tuple(reversed(listener.personas)), listener.sway[::-1] - 3, (), None
    )
    told = against(listener, control)
    assert told.estimate.value == pytest.approx(3)
    assert told.runs == 2 * len(listener.personas)
    with pytest.raises(NotOffered, match="Type: python -m agent calibrate"):
        against(listener, CalibrationRuns("random", {}, ("nobody",), np.zeros(1), (), None))
