"""Simulated studies in which a share of the questions is drawn, or two judges share the work.

What each saving costs: a draw of the others' questions, and a dear judge on a sample of the videos
beside a cheap one that errs, alike everywhere or otherwise in own feeds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from analysis.estimators.persona_matrix import own_minus_others, residuals, without_each
from analysis.estimators.two_judges import JointCounts
from analysis.simulation.calibration import CalibrationCheck, coverage, false_positives, rate
from analysis.simulation.designs import Outcomes, from_jackknife, judge_cells, judge_matrix
from analysis.simulation.scenarios import SimulatedAnswers, StudyPlan, World, draw_matrices
from analysis.statistics.estimate import Floats, Mask

PLAN = StudyPlan(personas=10, before=24, adapt=24, after=52, baseline="passive")
USUAL = World(overlap=-1 / 9)
"""+10 pp over 20 %, own gain taken from the others'."""
SAMPLE = 0.2
"""Share of the videos that the dear judge is asked about."""


@dataclass(frozen=True)
class JudgeErrors:
    """How a cheap judge answers, given what the dear one answers about the same video.

    ``finds``, ``invents``: chance of its yes where the dear judge says yes, and where no.
    ``own_finds``, ``own_invents``: the same in own feeds after the change.
    """

    finds: float
    invents: float
    own_finds: float
    own_invents: float


CHEAP_JUDGES = {
    "errs alike": JudgeErrors(0.85, 0.1, 0.85, 0.1),
    "lenient in own feeds (3 pp)": JudgeErrors(0.85, 0.1, 0.85, 0.14),
    "lenient in own feeds (10 pp)": JudgeErrors(0.85, 0.1, 0.85, 0.24),
    "blind to half the yes in own feeds": JudgeErrors(0.85, 0.1, 0.425, 0.1),
    "answers by a coin": JudgeErrors(0.3, 0.3, 0.3, 0.3),
}


def draw_share(
    cells: SimulatedAnswers, share: float, rng: np.random.Generator, *, own: bool
) -> SimulatedAnswers:
    """The answers about a drawn share of each batch; of own feeds all are kept unless ``own``."""
    n = np.broadcast_to(cells.n, cells.yes.shape)
    drawn = np.floor(share * n + rng.random(n.shape))
    if not own:
        drawn = np.where(np.eye(n.shape[1], dtype=bool)[..., None, None], n, drawn)
    yes = rng.hypergeometric(cells.yes.astype(int), (n - cells.yes).astype(int), drawn.astype(int))
    return SimulatedAnswers(drawn, yes.astype(np.float64), cells.expected)


def judge_drawn_others(
    cells: SimulatedAnswers, share: float, rng: np.random.Generator, *, adjust: bool = True
) -> Outcomes:
    """The specific sway where each persona is asked about a share of the others' videos."""
    return judge_matrix(draw_share(cells, share, rng, own=False), rng, adjust=adjust)


def draw_cheap_answers(
    cells: SimulatedAnswers, errors: JudgeErrors, rng: np.random.Generator
) -> JointCounts:
    """What both judges answer: the dear one as in ``cells``, of which it is asked a sample."""
    n = np.broadcast_to(cells.n, cells.yes.shape)
    # every persona is asked about the same videos of a run
    drawn = np.floor(SAMPLE * n + rng.random((n.shape[0], 1, *n.shape[2:]))).astype(int)
    yes = cells.yes.astype(int)
    second = rng.hypergeometric(yes, n.astype(int) - yes, drawn)
    finds, invents = _rates(errors, n.shape[1])
    both, first_alone = rng.binomial(second, finds), rng.binomial(drawn - second, invents)
    left = n.astype(int) - drawn
    rest = rng.binomial(yes - second, finds) + rng.binomial(left - (yes - second), invents)
    first = both + first_alone
    none = np.zeros_like(first)
    fields = (n, first + rest, drawn, first, first, second, both, none, none)
    return JointCounts(*(np.moveaxis(field.sum(-1), -1, 0).astype(np.float64) for field in fields))


def _rates(errors: JudgeErrors, size: int) -> tuple[Floats, Floats]:
    """Chances of a cheap yes, by persona, run, window and batch: ``(K, K, 2, 1)`` each."""
    moved: Mask = np.eye(size, dtype=bool)[..., None, None] & np.array([[False], [True]])
    finds = np.where(moved, errors.own_finds, errors.finds)
    return finds, np.where(moved, errors.own_invents, errors.invents)


def judge_two_judges(
    cells: SimulatedAnswers, errors: JudgeErrors, rng: np.random.Generator
) -> dict[str, Outcomes]:
    """Judge what the dear judge would find everywhere, from each that may be known of it.

    Intervals are the jackknife's and p-values Student's t, but for those named as exchanged.
    """
    counts = draw_cheap_answers(cells, errors, rng)
    truth = float(own_minus_others(cells.expected[1]).mean())
    known = {
        "cheap judge alone": 100 * counts.whole_yes / counts.whole,
        "sample alone": counts.shares(0 * counts.tuning),
        "both judges": counts.shares(counts.tuning),
        "dear judge everywhere": cells.shares,
    }
    found = {}
    for name, (before, after) in known.items():
        value = own_minus_others(residuals(after, before))
        found[name] = replace(from_jackknife(value, without_each(after, before)), truth=truth)
    before, after = known["both judges"]
    exchanged = judge_cells(after, rng, before)
    found["both judges, exchanged"] = replace(exchanged, truth=truth)
    return found


def drawn_checks(count: int, rng: np.random.Generator) -> list[CalibrationCheck]:
    """Check level and coverage of drawn questions and of two judges, in so many studies.

    With half of the others' questions the test may find too little, and never too much.
    """
    checks = []
    for effect, feed in ((0.0, "no sway"), (0.1, "+10 pp")):
        cells = draw_matrices(PLAN, replace(USUAL, effect=effect), count, rng)
        half = judge_drawn_others(cells, 0.5, rng)
        told = {
            f"two judges, cheap one {name}": judge_two_judges(cells, errors, rng)
            for name, errors in CHEAP_JUDGES.items()
        }
        both = {name: found["both judges"] for name, found in told.items()}
        checks += coverage({"half of the others": half, **both}, feed)
        if not effect:
            name = "false positives, half of the others"
            checks.append(rate(f"{name}, one-sided", half.p_greater <= 0.05, 0, 0.07))
            checks.append(rate(f"{name}, two-sided", half.p <= 0.05, 0, 0.07))
            checks += false_positives(both)
    return checks
