"""The table of designs: what is in it, what it shows, and that the document shows the same."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from analysis.cli.main import main
from analysis.simulation import designs
from analysis.simulation.design_comparison import (
    BREAKS,
    DEFAULT,
    PAPER,
    RIVALS,
    SCENES,
    USUAL,
    SimulatedSetting,
    broken_by,
    compared,
)
from analysis.simulation.scenarios import StudyPlan, World, draw_matrices, draw_runs
from tests.analysis.made_results import plausible

DOCUMENT = Path(__file__).parents[3] / "docs" / "measurement-appendix.md"
STUDIES = 400
BY_NAME = {rival.name: rival for rival in RIVALS}


def test_designs_watch_as_many_videos() -> None:
    for rival in RIVALS:
        personas = rival.runs // rival.arms
        assert rival.arms * personas * DEFAULT.videos == rival.runs * 100
    assert {rival.runs for rival in RIVALS} == {10, 20}
    assert DEFAULT.videos == PAPER.videos == 100


@pytest.mark.parametrize("name", ["borrowed base", "persona matrix", "adjusted matrix"])
def test_ten_runs_find_ten_points_where_the_feed_reacts_in_time(name: str) -> None:
    """Power is 0.77 for the borrowed base and above 0.8 for both matrices."""
    told = compared(BY_NAME[name], SCENES[0], STUDIES, (1,))
    assert plausible(round(told.power * STUDIES), STUDIES, 0.75 if "base" in name else 0.8, 1)
    assert plausible(round(told.false_two * STUDIES), STUDIES, 0.03, 0.07)
    assert plausible(round(told.coverage * STUDIES), STUDIES, 0.93, 0.98)
    assert abs(told.bias) < 0.5 + 3.3 * told.bias_error


def test_i_avg_in_its_null_is_a_test_of_its_size_without_an_interval() -> None:
    few = 150  # each draws a null of its own
    told = compared(BY_NAME["I_avg in its null"], SCENES[0], few, (2,))
    assert plausible(round(told.false * few), few, 0.03, 0.07)
    assert math.isnan(told.coverage)
    assert told.bias > 10
    assert told.power < 0.8


def test_a_design_that_needs_a_passive_baseline_is_not_offered_without() -> None:
    told = compared(BY_NAME["adjusted matrix"], SimulatedSetting("active", USUAL, PAPER), 10, (1,))
    assert math.isnan(told.power)


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("profiles lean to their personas by 3 pp", True),
        ("slots suit personas by 3 pp, personas tied to them", True),
        ("the same, personas drawn for slots", False),
        ("a quarter of the runs begun again, for few yes of their own", True),
        ("runs likeable to all (10 pp)", False),
        ("after windows up to half short", False),
    ],
)
def test_what_breaks_the_matrix_and_what_does_not(name: str, broken: bool) -> None:
    (case,) = [case for case in BREAKS if case.name == name]
    told = broken_by(case, STUDIES, (3,)).false
    hits = round(told["persona matrix"] * STUDIES)
    assert plausible(hits, STUDIES, 0.03, 0.07) != broken
    assert plausible(round(told["paired, 20 runs"] * STUDIES), STUDIES, 0.03, 0.07)


def test_what_flags_them_flags_them() -> None:
    rng = np.random.default_rng(4)
    nothing = World(effect=0.0)
    assert designs.placebo(DEFAULT, World(effect=0.0, lean=0.1), 200, rng).power() > 0.5
    assert designs.drift(DEFAULT, World(effect=0.0, drift=0.1), 200, rng).power() > 0.5
    offered = designs.borrowed_base_as_offered(DEFAULT, nothing, 200, rng)
    assert 150 < len(offered.p) < 200


def test_worlds_are_drawn_as_they_are_described() -> None:
    rng = np.random.default_rng(5)
    plan = StudyPlan(personas=4, before=24, after=48)
    twins = draw_matrices(plan, World(twins=0.5, account_sd=0.0), 500, rng).expected
    gain = (twins[1] - twins[0]).mean(0)
    assert gain[0] == pytest.approx([10, 5, 0, 0], abs=0.01)
    assert gain[3] == pytest.approx([0, 0, 5, 10], abs=0.01)
    short = draw_matrices(plan, World(shortest=0.5), 3, rng)
    assert short.n[:, 1].sum(-1).tolist() == [48, 40, 32, 24]
    assert (short.yes <= short.n).all()
    for tied, own in ((True, 5), (False, 0)):
        world = World(effect=0, account_sd=0.0, hours=0.05, tied=tied)
        cells = draw_matrices(plan, world, 4000, rng).expected[0] - 20
        assert np.diagonal(cells, axis1=1, axis2=2).mean() == pytest.approx(own, abs=0.3)
        runs = draw_runs(plan, world, 4000, rng).expected[0] - 20
        assert runs.mean() == pytest.approx(own, abs=0.3)
    lost = draw_runs(plan, World(effect=0, lost=0.3), 2000, rng).shares
    assert lost[1].mean() > lost[0].mean() + 0.7


def test_the_document_shows_what_the_command_gives() -> None:
    """Power and false positives of some worlds, within the error of both simulations."""
    text = DOCUMENT.read_text(encoding="utf-8")
    power, false = (_rows(text, start) for start in ("**Power**", "**False positives**, one-sided"))
    for scene in (SCENES[0], SCENES[3], SCENES[-1]):
        for name in ("paired, 20 runs", "adjusted matrix"):
            told = compared(BY_NAME[name], scene, STUDIES, (6,))
            column = list(BY_NAME).index(name)
            for share, row in ((told.power, power), (told.false, false)):
                shown = float(row[scene.name][column])
                error = math.sqrt(max(shown * (1 - shown), 0.01) / STUDIES)
                assert abs(share - shown) < 0.01 + 3.5 * error


def _rows(text: str, start: str) -> dict[str, list[str]]:
    part = text.partition(start)[2].partition("\n**")[0]
    lines = [re.split(r"\s*\|\s*", line.strip("| \n")) for line in part.splitlines()]
    return {line[0]: line[1:] for line in lines if len(line) > 3}


def test_the_command() -> None:
    told = CliRunner().invoke(main, ["designs", "--studies", "4", "--json"])
    assert told.exit_code == 0, told.output
    found = json.loads(told.stdout)
    assert len(found["cells"]) == len(SCENES) * len(RIVALS)
    assert len(found["broken"]) == len(BREAKS)
    bad = CliRunner().invoke(main, ["designs", "--studies", "1"])
    assert bad.exit_code == 2
