"""Real runs of a calibration: what each design says of them, and whether they are as simulated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.data.before_after_windows import counts_by_run
from analysis.data.exposures import from_ledgers
from analysis.errors import NotOffered
from analysis.estimators import persona_matrix as matrix
from analysis.estimators.contrasts import sways
from analysis.estimators.persona_matrix import LEAST_PERSONAS
from analysis.estimators.rejudged_matrix import PersonaMatrix, persona_matrix
from analysis.estimators.rejudged_replies import by_judge, replies
from analysis.simulation.calibration import DOUBT, CalibrationCheck, Verdict, agreement, own
from analysis.simulation.scenarios import SimulatedAnswers
from analysis.statistics.estimate import NAN, Estimate, Floats
from analysis.statistics.intervals import t_interval
from analysis.statistics.null_models import null_of_i
from store.runs.ledger import Ledger
from store.runs.rejudgements import judgement_files, read_judgements


@dataclass(frozen=True)
class DesignVerdict:
    """What one design says of real runs; ``p`` is two-sided, and the words say by which test."""

    feed: str
    design: str
    runs: int
    estimate: Estimate
    p: float
    test: str


@dataclass(frozen=True, eq=False)
class CalibrationRuns:
    """Real runs of one feed, one a persona."""

    feed: str
    figures: dict[str, float]
    """Shares and sways as means over runs, in %; the specific sway where it was judged again."""
    personas: tuple[str, ...]  # personas, sway: of each run
    sway: Floats
    designs: tuple[DesignVerdict, ...]
    matrix: PersonaMatrix | None


def simulated_figures(cells: SimulatedAnswers) -> dict[str, Floats]:
    """The same figures of simulated studies, one entry a study."""
    before, after = own(cells).shares.mean(-1)
    told = {"yes before": before, "yes after": after, "sway": after - before}
    if cells.yes.shape[1] >= LEAST_PERSONAS:
        told["specific sway"] = matrix.own_minus_others(cells.shares[1])
    return told


def seen(feed: str, ledgers: Sequence[Ledger], rng: np.random.Generator) -> CalibrationRuns:
    views = from_ledgers(ledgers)
    counts = counts_by_run(views)
    shares = 100 * np.array([unit.share for unit in counts])
    before, after = shares.mean(0)
    figures = {"yes before": before, "yes after": after, "sway": after - before}
    null = null_of_i([[unit] for unit in counts], rng)
    change = float(np.nanmean([unit.change for unit in counts]))
    beyond = null.draws * min(null.percentile, 100 - null.percentile) / 100
    p = min(1.0, 2 * (1 + beyond) / (1 + null.draws))  # never 0, as in ``permutation.compare``
    average = Estimate(change, unit="%", clusters=len(counts), reason="it has a null instead")
    designs = [DesignVerdict(feed, "I_avg", len(counts), average, p, "percentile in its null")]
    files = by_judge(
        {
            index: [read_judgements(path) for path in judgement_files(ledger.path.parent)]
            for index, ledger in enumerate(ledgers)
        }
    )
    cells = None
    for judge in files.values():
        if len(judge) == len(ledgers) >= LEAST_PERSONAS:
            cells = persona_matrix(replies(views, judge), rng)
            figures["specific sway"] = float(matrix.own_minus_others(cells.after, cells.blocks[0]))
            designs += _from_matrix(feed, cells, rng)
    return CalibrationRuns(
        feed,
        {name: float(value) for name, value in figures.items()},
        tuple(run.persona for run in views.runs),
        sways(counts),
        tuple(designs),
        cells,
    )


def _from_matrix(feed: str, cells: PersonaMatrix, rng: np.random.Generator) -> list[DesignVerdict]:
    runs = len(cells.personas)
    test = "permutation"
    plain = matrix.specific_sway(cells.after, rng, blocks=cells.blocks[0])
    told = [DesignVerdict(feed, "persona matrix", runs, plain.estimate, plain.test.p, test)]
    if cells.sway.adjusted:
        both = cells.sway
        told.append(DesignVerdict(feed, "adjusted matrix", runs, both.estimate, both.test.p, test))
        told.append(DesignVerdict(feed, "placebo", runs, both.placebo, both.placebo_test.p, test))
    if cells.graded is not None:
        found = cells.graded
        told.append(DesignVerdict(feed, "graded matrix", runs, found.estimate, found.test.p, test))
    base = Estimate(NAN, reason=cells.refused)
    if cells.borrowed is not None:
        base = cells.borrowed.estimate
    told.append(DesignVerdict(feed, "borrowed base", runs, base, base.p, "Student's t"))
    return told


def against(treated: CalibrationRuns, control: CalibrationRuns) -> DesignVerdict:
    """One feed minus another, paired by persona; ``NotOffered`` where nobody watched both."""
    late = dict(zip(control.personas, control.sway, strict=True))
    pairs = [
        sway - late[persona]
        for persona, sway in zip(treated.personas, treated.sway, strict=True)
        if persona in late
    ]
    if not pairs:
        raise NotOffered(
            "No persona watched both feeds. Type: python -m agent calibrate --browser-runs 24"
        )
    estimate = t_interval(np.array(pairs))
    name = f"paired with the {control.feed} feed"
    return DesignVerdict(treated.feed, name, 2 * len(pairs), estimate, estimate.p, "Student's t")


def agreements(told: CalibrationRuns, simulated: Mapping[str, Floats]) -> list[CalibrationCheck]:
    return [
        agreement(
            f"browser, {told.feed}, {name}",
            told.figures[name],
            values,
            "pp" if "sway" in name else "%",
        )
        for name, values in simulated.items()
        if name in told.figures
    ]


def detections(told: CalibrationRuns) -> list[CalibrationCheck]:
    """The adjusted matrix finds the listener (p < 0.01), and nothing in a feed that is random.

    The second is wrong once in twenty even of a right program, and is doubted below 0.001 only.
    """
    if told.matrix is None or told.feed not in ("listener", "random"):
        return []
    p = told.matrix.sway.test.p
    verdict: Verdict
    if told.feed == "listener":
        low, high, verdict = 0.0, 0.01, "holds" if p < 0.01 else "FAILS"
    else:
        low, high = 0.05, 1.0
        verdict = "holds" if p > 0.05 else "within error" if p > DOUBT else "FAILS"
    return [
        CalibrationCheck(f"browser, {told.feed}, matrix test", p, NAN, low, high, NAN, verdict, "p")
    ]
