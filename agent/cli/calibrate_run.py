"""What ``python -m agent calibrate`` puts together: the playground's studies and their judging.

Studies are made in ``agent.benchmarks``, simulated or in browsers, and judged in
``analysis.simulation``; only here do the two meet.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from agent.benchmarks import browser_runs
from agent.benchmarks.browser_runs import MODEL, RunsFolder
from agent.benchmarks.simulated_studies import (
    Feed,
    Ints,
    Likes,
    SimulationSetting,
    make_ideal_likes,
    simulate_studies,
)
from agent.benchmarks.viewer_inputs import Tell
from agent.errors import RunFault
from agent.playground.catalogue import load_catalogue
from agent.playground.recommend import Shelf
from agent.study.cell_process import CellLost
from agent.study.conductor import Conductor, Study
from agent.study.matrix import StudyCell
from agent.study.process_locks import held_study
from analysis.estimators.persona_matrix import LEAST_PERSONAS
from analysis.simulation import (
    calibration,
    calibration_runs,
    drawn_judgements,
    wandering_feeds,
)
from analysis.simulation.calibration import CalibrationCheck
from analysis.simulation.calibration_runs import CalibrationRuns, DesignVerdict
from analysis.simulation.designs import Outcomes
from analysis.simulation.sequential_looks import looks_checks
from analysis.statistics.estimate import Floats
from personas.library import all_personas
from personas.persona import Persona
from store.runs.ledger import Ledger
from store.terminal.printing import counting, echo

PERSONAS = 10
"""Personas of a simulated study, each with a treatment and a passive run of 100 videos."""
SETS = 1999
"""Simulated sets of runs that the browser runs are ranked among."""


# Simulated studies


def check_simulated(count: int, seed: int, personas: int = PERSONAS) -> list[CalibrationCheck]:
    """Check false positives, coverage and the order of the feeds.

    Of so many studies of the listener, and of the listener at gain 0, which is the random feed; a
    tenth of the contrarian. Personas are drawn for each study from those with planted themes.
    """
    known = [persona for persona in all_personas() if persona.themes]
    catalogue = load_catalogue()
    shelf, likes = Shelf(catalogue), make_ideal_likes(known, catalogue)
    scenes = {
        "listener": (count, SimulationSetting(shelf, likes, "listener")),
        "gain 0": (count, SimulationSetting(shelf, likes, "listener", gain=0.0)),
        "contrarian": (max(20, count // 10), SimulationSetting(shelf, likes, "contrarian")),
    }
    outcomes, sways = {}, {}
    for number, (name, (size, setting)) in enumerate(scenes.items()):
        rng = np.random.default_rng([seed, number])
        members = np.argsort(rng.random((size, len(known))), axis=1)[:, :personas]
        outcomes[name], sways[name] = judge_studies(setting, members, rng, name)
    rng = np.random.default_rng([seed, len(scenes)])
    return [
        *calibration.false_positives(outcomes["gain 0"]),
        *calibration.false_positives(calibration.judged_in_two_draws(count, rng)),
        *calibration.coverage(outcomes["gain 0"], "gain 0"),
        *calibration.coverage(outcomes["listener"], "listener"),
        *calibration.ordered(sways),
        *wandering_feeds.one_run_checks(2 * count, rng),
        *wandering_feeds.null_checks(max(20, count // 5), rng),
        *looks_checks(count, rng),
        *drawn_judgements.drawn_checks(count, rng),
    ]


def judge_studies(
    setting: SimulationSetting, members: Ints, rng: np.random.Generator, name: str
) -> tuple[dict[str, Outcomes], Floats]:
    """Simulate studies with a passive control arm; give their outcomes and mean sways."""
    lots, sways = [], []
    with counting(f"simulating, {name}") as tell:
        for arms in simulate_studies(setting, members, ("treatment", "passive"), rng, tell):
            treated = calibration.drawn(arms["treatment"], setting.windows)
            control = calibration.drawn(arms["passive"], setting.windows)
            lots.append(calibration.judged(treated, control, rng))
            sways.append(calibration.mean_sways(treated))
    return calibration.together(lots), np.concatenate(sways)


# Runs in a browser


@dataclass(frozen=True)
class Browsers:
    """What the browser runs show."""

    runs: int
    sets: int
    viewer: str
    checks: list[CalibrationCheck]
    designs: list[DesignVerdict]


def check_browser_runs(total: int, where: RunsFolder) -> Browsers:
    """Run what is not complete yet, judge it, and hold it against simulated sets.

    Raises
    ------
    RunFault
        A run could not be completed; the same call goes on with it.
    """
    sizes = browser_runs.share_runs(total)
    order = browser_runs.order_personas(all_personas(), where.seed)
    groups = {
        feed: sorted(order[:count], key=lambda persona: persona.id) for feed, count in sizes.items()
    }
    runs = {feed: _run(feed, personas, where) for feed, personas in groups.items()}
    eyes = _Eyes.open(order[: max(sizes.values())])
    found: dict[Feed, CalibrationRuns] = {}
    checks: list[CalibrationCheck] = []
    for number, (feed, personas) in enumerate(groups.items()):
        rng = np.random.default_rng([where.seed, 100 + number])
        found[feed] = calibration_runs.seen(feed, runs[feed], rng)
        setting = SimulationSetting(eyes.shelf, eyes.of(personas), feed)
        checks += calibration_runs.agreements(found[feed], _figures(setting, rng))
        checks += calibration_runs.detections(found[feed])
    designs = [line for runs_of_feed in found.values() for line in runs_of_feed.designs]
    designs.append(calibration_runs.against(found["listener"], found["random"]))
    return Browsers(total, SETS, eyes.describe(groups, runs), checks, designs)


def _run(feed: Feed, personas: Sequence[Persona], where: RunsFolder) -> list[Ledger]:
    """Conduct one feed's study, and judge its frames again as every persona."""
    from agent.evaluation.rejudge import rejudge
    from agent.evaluation.rejudged_sitting import RejudgePlan

    with held_study(where.folder(feed)):
        study = browser_runs.declare_study(feed, personas, where)
        with counting(f"browser runs, {feed}") as tell:
            left = asyncio.run(Conductor(study, _Onlooker(study, tell)).conduct())
    if left.failed:
        logs = study.folder / "logs"
        raise RunFault(f"{len(left.failed)} runs could not be completed; their logs are in {logs}")
    ledgers = browser_runs.read_complete_runs(study)
    if len(ledgers) >= LEAST_PERSONAS:
        asking = RejudgePlan(MODEL, everyone=True)
        with counting(f"judging again, {feed}") as tell:
            asyncio.run(rejudge(ledgers, asking, study.data, datetime.now(UTC), tell))
    return ledgers


class _Onlooker:
    """Shows how far a study is: in videos at a terminal, in runs elsewhere."""

    def __init__(self, study: Study, tell: Tell) -> None:
        self._study = study
        self._total = len(study.cells) * study.declared.windows.total
        self._tell = tell
        self._done = -1

    def stood(self, done: int, videos: int, running: Sequence[str]) -> None:
        del running
        self._tell(min(videos, self._total), self._total)
        if done != self._done and not sys.stderr.isatty():
            name, cells = self._study.declared.name, len(self._study.cells)
            echo(f"{name}: {done} of {cells} runs", err=True)
        self._done = done

    def ended(self, cell: StudyCell, code: int) -> None:
        if code:
            echo(f"{cell.key} ended with exit code {code}", err=True)

    def lost(self, cell: StudyCell, why: CellLost, *, again: bool) -> None:
        """Its runs are on this machine."""

    def rests(self, until: datetime) -> None:
        """Nothing rests on the playground."""


def _figures(setting: SimulationSetting, rng: np.random.Generator) -> dict[str, Floats]:
    """The browser runs' figures in simulated sets of runs of the same personas."""
    members = np.tile(np.arange(len(setting.likes)), (SETS, 1))
    parts = []
    with counting(f"simulating, {setting.feed}, as in the browser") as tell:
        for arms in simulate_studies(setting, members, ("treatment",), rng, tell):
            cells = calibration.drawn(arms["treatment"], setting.windows)
            parts.append(calibration_runs.simulated_figures(cells))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


@dataclass(frozen=True)
class _Eyes:
    """What the browser runs' viewer says of every video, asked outside any run."""

    personas: tuple[Persona, ...]
    shelf: Shelf
    likes: Likes

    @classmethod
    def open(cls, personas: Sequence[Persona]) -> _Eyes:
        """Ask about a frame of every video that is no variation of another."""
        from agent.benchmarks.viewer_inputs import take_exhibits
        from agent.models import load as load_model
        from agent.playground.clips import ClipStore, default_cache

        catalogue = load_catalogue()
        items = [item for item in catalogue.items if item.kind == "video" and not item.edition]
        with counting("looking") as tell:
            exhibits = take_exhibits(items, ClipStore(default_cache()), tell)
        with counting("judging every video") as tell:
            likes = asyncio.run(
                browser_runs.ask_opinions(load_model(MODEL), personas, catalogue, exhibits, tell)
            )
        return cls(tuple(personas), Shelf(catalogue), likes)

    def of(self, personas: Sequence[Persona]) -> Likes:
        return self.likes[[self.personas.index(persona) for persona in personas]]

    def describe(self, groups: dict[Feed, list[Persona]], runs: dict[Feed, list[Ledger]]) -> str:
        """How often the viewer is right about planted themes, and the same in a run."""
        catalogue = self.shelf.catalogue
        videos = self.shelf.theme_of >= 0
        fits, says = make_ideal_likes(self.personas, catalogue)[:, videos], self.likes[:, videos]
        alike = [
            browser_runs.count_alike_answers(runs[feed], self.of(personas), catalogue)
            for feed, personas in groups.items()
        ]
        same, asked = np.sum(alike, axis=0)
        return (
            f"{MODEL} says yes to {100 * says[fits].mean():.1f} % of what fits and no to "
            f"{100 * (~says[~fits]).mean():.1f} % of what does not; in the runs "
            f"{100 * same / asked:.1f} % of its answers are as in the simulation"
        )
