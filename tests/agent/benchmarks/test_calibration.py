"""The estimates are right on the playground, where the truth is planted: a fast calibration.

Rates are held by exact binomial tests at 0.001, so that a right program does not fail by chance.
The full one is ``make calibrate``.
"""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from agent.benchmarks import browser_runs
from agent.benchmarks.browser_runs import RunsFolder
from agent.benchmarks.simulated_studies import (
    SimulatedFeeds,
    SimulationSetting,
    make_ideal_likes,
    simulate_run,
    simulate_studies,
)
from agent.cli import cli
from agent.cli.calibrate_run import check_simulated
from agent.playground.catalogue import Catalogue, load_catalogue
from agent.playground.recommend import AD_SHARE, BATCH, LIVE_SHARE, Shelf, simulate_visitor
from agent.run_config import Arm
from agent.study.matrix import read_draws
from analysis.data.before_after_windows import compared
from analysis.data.exposures import RunInfo, table
from analysis.simulation import calibration
from analysis.simulation.designs import Outcomes
from personas.library import all_personas
from store.runs.ledger_lines import Windows

CATALOGUE = load_catalogue()
SHELF = Shelf(CATALOGUE)
PERSONAS = [persona for persona in all_personas() if persona.themes]
LIKES = make_ideal_likes(PERSONAS, CATALOGUE)


def quiet(done: int, total: int) -> None:
    assert 0 < done <= total


def some(
    setting: SimulationSetting, count: int, personas: int, *arms: Arm
) -> list[dict[Arm, SimulatedFeeds]]:
    rng = np.random.default_rng(5)
    members = np.argsort(rng.random((count, len(LIKES))), axis=1)[:, :personas]
    return list(simulate_studies(setting, members, arms, rng, quiet))


@pytest.mark.drill
def test_a_fast_calibration_holds() -> None:
    checks = check_simulated(150, seed=3, personas=6)
    assert len(checks) == 8 + 4 + 4 + 4 + 3 + 3 + 12 + 24
    assert [check for check in checks if check.verdict == "FAILS"] == []
    sways = {check.name: check.value for check in checks if check.name.startswith("sway, ")}
    assert sways["sway, listener"] > 30
    assert abs(sways["sway, gain 0"]) < 3.3 * 1.4
    assert sways["sway, contrarian"] < -5


@pytest.mark.drill
def test_a_wrong_instrument_is_found_out() -> None:
    """The same checks fail where the feed listens behind the back of a null, or errors are lost."""
    setting = SimulationSetting(SHELF, LIKES)
    rng = np.random.default_rng(1)
    (lot,) = some(setting, 40, 6, "treatment", "passive")
    cells = [calibration.drawn(lot[arm], setting.windows) for arm in ("treatment", "passive")]
    told = calibration.judged(cells[0], cells[1], rng)
    assert not calibration.passed(calibration.false_positives(told))
    shifted = {
        name: Outcomes(
            found.estimate, found.low, found.high, found.p, found.p_greater, found.truth + 10
        )
        for name, found in told.items()
    }
    assert not calibration.passed(calibration.coverage(shifted, "listener"))
    assert not calibration.passed(calibration.ordered({"a": rng.normal(size=9), "b": np.ones(9)}))


def test_the_planted_chances_are_those_of_the_answers() -> None:
    for feed in ("listener", "contrarian"):
        setting = SimulationSetting(SHELF, LIKES, feed)
        lots = some(setting, 30, 6, "treatment")
        answers = np.concatenate([lot["treatment"].answers.ravel() for lot in lots]).astype(float)
        chances = np.concatenate([lot["treatment"].chances.ravel() for lot in lots])
        off = answers - chances
        assert abs(off.mean()) < 4.5 * math.sqrt((chances * (1 - chances)).mean() / len(off) * 6)
        assert np.corrcoef(answers, chances)[0, 1] > 0.1


def test_a_simulated_run_is_what_the_playground_serves() -> None:
    setting = SimulationSetting(SHELF, LIKES, "random")
    run = simulate_run(setting, 3, "passive", seed=9)
    served = simulate_visitor("random", 1.0, lambda _: 2.0, 200, 9, SHELF)
    assert [served[place].number for place in run.position] == run.item.tolist()
    assert len(run.item) == 100
    assert all(served[place].kind == "video" for place in run.position)
    skipped = set(range(int(run.position[-1]))) - set(run.position.tolist())
    assert all(served[place].kind != "video" for place in skipped)
    assert len(skipped) < 100 * 5 * (AD_SHARE + LIVE_SHARE)
    assert (run.batch == run.position // BATCH).all()
    assert run.chance == pytest.approx(1 / 16)


def test_repeats_count_in_the_simulation_as_in_a_run() -> None:
    """With three videos a theme a listener soon repeats; its sway and its chances stay."""
    few = [item for item in CATALOGUE.items if item.kind == "video" and not item.edition]
    short = Catalogue(tuple(replace(item, number=n) for n, item in enumerate(few[:: 30 // 3])))
    shelf = Shelf(short)
    windows = Windows(before=50, after=50)
    setting = SimulationSetting(shelf, make_ideal_likes(PERSONAS, short), windows=windows)
    lots = some(setting, 40, 6, "treatment")
    own = np.concatenate([np.diagonal(lot["treatment"].answers, axis1=1, axis2=2) for lot in lots])
    run = simulate_run(setting, 3, "treatment", seed=9)
    assert len(run.item) == 100 > len(set(run.item.tolist()))
    assert own[:, 50:].mean() - own[:, :50].mean() > 0.3


def test_arms_and_windows_react_as_the_run_loop_does() -> None:
    """A passive before window teaches nothing about taste, and nor does a passive arm."""
    lots = some(SimulationSetting(SHELF, LIKES), 20, 5, "treatment", "passive")
    own = {
        arm: np.concatenate([np.diagonal(lot[arm].answers, axis1=1, axis2=2) for lot in lots])
        for arm in ("treatment", "passive")
    }
    assert own["treatment"][:, 48:].mean() > own["treatment"][:, :24].mean() + 0.3
    assert abs(own["passive"][:, 48:].mean() - own["passive"][:, :24].mean()) < 0.05
    active = SimulationSetting(SHELF, LIKES, windows=Windows(before=50, after=50))
    (lot,) = some(active, 20, 5, "treatment")
    early = np.diagonal(lot["treatment"].answers, axis1=1, axis2=2)[:, :50].mean()
    assert early > own["treatment"][:, :24].mean() + 0.1


def test_windows_and_batches_are_counted_as_the_analysis_counts_ledgers() -> None:
    windows = Windows(before=20, adapt=0, after=30, baseline="passive")
    setting = SimulationSetting(SHELF, LIKES, windows=windows)
    (lot,) = some(setting, 1, 5, "treatment")
    feeds = lot["treatment"]
    cells = calibration.own(calibration.drawn(feeds, windows))
    rows = [
        (
            run,
            int(feeds.position[0, run, at]),
            int(feeds.batch[0, run, at]),
            int(feeds.requested_at[0, run, at]),
            0 if at < 20 else 2,
            int(feeds.answers[0, run, run, at]),
            0,
            0,
            np.nan,
            np.nan,
            1.0,
            6.0,
            0.1,
            f"v{at}",
            0,
        )
        for run in range(5)
        for at in range(50)
    ]
    infos = [RunInfo(f"r{i}", f"p{i:02d}", windows=windows) for i in range(5)]
    views = table(infos, rows)
    for run in range(5):
        alone = views.one(run)
        kept = compared(alone)
        assert kept.too_early.any()
        assert cells.n[0, run].sum(-1).tolist() == [kept.before.sum(), kept.after.sum()]
        for window, mask in enumerate((kept.before, kept.after)):
            assert cells.yes[0, run, window].sum() == alone.answer[mask].sum()
            counted = np.bincount(alone.batch[mask], minlength=cells.n.shape[-1])
            assert cells.n[0, run, window].tolist() == counted.tolist()


def test_real_runs_are_ranked_among_simulated_ones() -> None:
    rng = np.random.default_rng(4)
    simulated_values = rng.normal(size=1999)
    assert calibration.agreement("x", 0.5, simulated_values).verdict == "holds"
    far = calibration.agreement("x", 9.0, simulated_values)
    assert (far.verdict, far.p) == ("FAILS", 1 / 2000)


def test_browser_runs_are_shared_out_and_can_be_extended(tmp_path: Path) -> None:
    assert browser_runs.share_runs(28) == {"listener": 10, "random": 10, "contrarian": 8}
    assert browser_runs.share_runs(3) == {"listener": 1, "random": 1, "contrarian": 1}
    where = RunsFolder(tmp_path)
    order = browser_runs.order_personas(PERSONAS, 1)
    few = browser_runs.declare_study("listener", order[:2], where)
    more = browser_runs.declare_study("listener", order[:4], where)
    again = browser_runs.declare_study("listener", order[:2], where)
    assert [cell.persona for cell in few.cells] == [persona.id for persona in order[:2]]
    assert {cell.key: cell.account for cell in few.cells}.items() <= {
        cell.key: cell.account for cell in more.cells
    }.items()
    assert again.cells == few.cells
    assert len(read_draws(more.folder / "draws.json")) == 4
    other = browser_runs.declare_study("random", order[:2], where)
    assert other.data.profiles_dir != few.data.profiles_dir  # an account belongs to one feed
    assert browser_runs.read_complete_runs(few) == []


@pytest.mark.drill
def test_the_command_tells_programs_what_it_tells_people() -> None:
    arguments = ["calibrate", "--studies", "20", "--browser-runs", "0", "--json"]
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["studies"] == 20
    assert told["browser"] is None
    assert {check["verdict"] for check in told["checks"]} <= {"holds", "within error"}
