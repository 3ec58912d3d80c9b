"""What is said of graded scores, batch weights and other adjustments, against fresh studies.

A right program fails each comparison less than once in a thousand times: rates by exact tests,
gains and biases by 3.5 of their own simulation errors.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from analysis.cli.main import main
from analysis.simulation.design_comparison import DEFAULT, USUAL, SimulatedSetting
from analysis.simulation.graded_answers import FADING, NOISY, SURE, UNSURE, Grader, graded
from analysis.simulation.refinements import (
    JUDGES,
    LARGE,
    REFINEMENTS,
    SCENES,
    RefinementResult,
    compared,
    joint_sway,
    weighted,
)
from analysis.simulation.scenarios import SimulatedAnswers, StudyPlan, World, draw_matrices
from tests.analysis.made import plausible

DOCUMENT = Path(__file__).parents[3] / "docs" / "measurement-appendix.md"
STUDIES = 500
BY_SCENE = {scene.name: scene for scene in (*SCENES, LARGE)}


def judged(scene: str, *names: str, seed: int = 5) -> dict[str, RefinementResult]:
    ways = [way for way in REFINEMENTS if way.name in names]
    assert len(ways) == len(names)
    rows = compared(BY_SCENE[scene], STUDIES, (seed,), ways)
    return {row.name: row for row in rows}


@pytest.mark.parametrize("grader", [SURE, UNSURE, NOISY, FADING])
@pytest.mark.parametrize("icc", [0.0, 0.2])
def test_scores_have_the_mean_that_is_expected_of_them(grader: Grader, icc: float) -> None:
    world = World(effect=0.3, icc=icc, account_sd=0.1)
    rng = np.random.default_rng(1)
    drawn = draw_matrices(StudyPlan(personas=6, before=24, after=24), world, 500, rng)
    told = graded(drawn, grader, icc, rng)
    off = (told.shares - told.expected).reshape(2, 500, -1).mean(-1)
    # cells of one study have their accounts in common with nothing else
    assert (np.abs(off.mean(1)) < 3.5 * off.std(1) / np.sqrt(500) + 0.02).all()


def test_scores_are_on_the_side_of_their_answers() -> None:
    rng = np.random.default_rng(2)
    drawn = draw_matrices(StudyPlan(personas=4, before=1, after=1), World(), 300, rng)
    assert drawn.n.max() == 1
    for grader in (SURE, UNSURE, NOISY):
        scores = graded(drawn, grader, 0.1, rng).yes[..., drawn.n > 0]
        assert ((scores > 0.5) == (drawn.yes[..., drawn.n > 0] == 1)).all()
    assert drawn.rates is not None
    with pytest.raises(ValueError, match="rates"):
        graded(replace(drawn, rates=None), SURE, 0.1, rng)


def test_batches_weigh_what_their_correlation_leaves_of_them() -> None:
    n = np.array([[12.0, 12, 0, 0], [0, 0, 12, 4]])
    rng = np.random.default_rng(3)
    rates = rng.beta(2, 8, (40, 5, 5, 1, 4))
    yes = rng.binomial(n.astype(int), rates).astype(float)
    told = weighted(SimulatedAnswers(n, yes, np.zeros((2, 40, 5, 5))))
    ratio = told.n[:, 0, 0, 1, 3] / told.n[:, 0, 0, 1, 2]
    # 4 / (1 + 3 rho) over 12 / (1 + 11 rho), rho about 1 / 11
    assert ratio.mean() == pytest.approx(4 / (1 + 3 / 11) / (12 / 2), rel=0.1)
    assert np.allclose(told.shares[0], SimulatedAnswers(n, yes, yes).shares[0])  # equal batches


def test_the_joint_fit_is_least_squares() -> None:
    rng = np.random.default_rng(4)
    before, after = rng.normal(size=(2, 6, 6))
    rows, columns = (
        np.kron(*pair) for pair in [(np.eye(6), np.ones((6, 1))), (np.ones((6, 1)), np.eye(6))]
    )
    design = np.column_stack([np.eye(6).ravel(), before.ravel(), rows, columns])
    fitted = np.linalg.lstsq(design, after.ravel(), rcond=None)[0]
    # a diagonal that is higher by 1 makes D 1
    assert joint_sway(after, before) == pytest.approx(fitted[0])


@pytest.mark.parametrize("judge", JUDGES)
def test_graded_matrices_keep_their_level_and_cover(judge: str) -> None:
    names = [f"{matrix} matrix, {judge} judge" for matrix in ("persona", "adjusted")]
    plain = ["persona matrix", "adjusted matrix"]
    for name, told in judged("hard mix", *plain, *names).items():
        assert plausible(round(told.false * STUDIES), STUDIES, 0.03, 0.07), name
        assert plausible(round(told.coverage * STUDIES), STUDIES, 0.93, 0.98), name
        assert abs(told.bias) < 0.3 + 3.5 * told.bias_error, name


@pytest.mark.drill
def test_graded_scores_gain_where_they_tell_more_than_the_answer() -> None:
    told = judged(
        "accounts differ by 16 pp",
        "adjusted matrix",
        "adjusted matrix, unsure judge",
        "adjusted matrix, noisy judge",
    )
    assert told["adjusted matrix, unsure judge"].gain > 0.05
    noisy = told["adjusted matrix, noisy judge"]
    assert noisy.gain < 0.01 + 3.5 * noisy.gain_error


def test_a_borrowed_base_of_graded_scores_takes_fading_for_a_sway() -> None:
    told = judged("usual", "borrowed base", "borrowed base, fading judge")
    assert told["borrowed base, fading judge"].false > 0.2
    assert plausible(round(told["borrowed base"].false * STUDIES), STUDIES, 0.03, 0.07)


def test_batch_weights_and_other_adjustments_add_little() -> None:
    names = (
        "persona matrix, batch weights",
        "adjusted matrix, batch weights",
        "adjusted matrix, b and D fitted jointly",
    )
    told = judged("usual", "persona matrix", "adjusted matrix", "adjusted matrix, b = 1", *names)
    for name in names:
        assert abs(told[name].gain) < 0.02 + 3.5 * told[name].gain_error
    assert told["adjusted matrix, b = 1"].gain < -0.1


def test_the_joint_fit_mends_what_the_adjustment_takes_of_a_large_sway() -> None:
    name = "adjusted matrix, b and D fitted jointly"
    told = judged(LARGE.name, "adjusted matrix", name)
    assert told["adjusted matrix"].bias < 0
    assert abs(told[name].bias) < 3.5 * told[name].bias_error


@pytest.mark.drill
def test_the_document_shows_what_the_command_gives() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    names = ("adjusted matrix", "adjusted matrix, unsure judge", "adjusted matrix, sure judge")
    for at, scene in enumerate(SCENES):
        if scene.name not in ("usual", "hard mix"):
            continue
        told = judged(scene.name, *names, seed=6)
        for start, digits in (("**Power of ref", "power"), ("**False positives of ref", "false")):
            rows = _rows(text, start)
            for name in names:
                shown = float(rows[name][at].split()[0])
                error = np.sqrt(max(shown * (1 - shown), 0.01) / STUDIES)
                assert abs(getattr(told[name], digits) - shown) < 0.01 + 3.5 * error


def _rows(text: str, start: str) -> dict[str, list[str]]:
    part = text.partition(start)[2].partition("\n**")[0]
    lines = [re.split(r"\s*\|\s*", line.strip("| \n")) for line in part.splitlines()]
    return {line[0]: line[1:] for line in lines if len(line) > 3}


def test_the_same_videos_whatever_is_added() -> None:
    assert DEFAULT.videos == SCENES[2].plan.videos == int(SCENES[2].plan.layout().sum()) + 24
    assert SimulatedSetting("usual").world == USUAL


def test_the_command() -> None:
    told = CliRunner().invoke(main, ["designs", "--refinements", "--studies", "4", "--json"])
    assert told.exit_code == 0, told.output
    cells = json.loads(told.stdout)["cells"]
    assert len(cells) == len(REFINEMENTS) * (len(SCENES) + 1)
    shown = CliRunner().invoke(main, ["designs", "--refinements", "--studies", "4"])
    assert shown.output.count("| adjusted matrix, sure judge") == 4
