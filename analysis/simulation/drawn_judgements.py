"""Simulated studies in which a share of the questions is drawn, or two judges share the work.

What each saving costs: a draw of the others' questions, and a dear judge, or a person, who answers
a sample of the questions beside a cheap judge that errs: alike everywhere, otherwise in own feeds,
or otherwise for each persona.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from analysis.estimators.persona_matrix import own_minus_others, residuals, without_each
from analysis.estimators.two_judges import JointCounts
from analysis.simulation.calibration import CalibrationCheck, coverage, false_positives, rate
from analysis.simulation.designs import (
    Design,
    Outcomes,
    from_jackknife,
    judge_headlined,
    judge_in_parts,
    judge_matrix,
)
from analysis.simulation.scenarios import SimulatedAnswers, StudyPlan, World, draw_matrices
from analysis.statistics.estimate import Floats, Ints, Mask

PLAN = StudyPlan(personas=10, before=24, adapt=24, after=52, baseline="passive")
USUAL = World(overlap=-1 / 9)
"""+10 pp over 20 %, own gain taken from the others'."""
SAMPLE, OWN_PART = 300, 0.4
"""Questions that the dear judge is asked, and the part of them that is about own feeds."""


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
    persona_sd: float = 0.0
    """Spread over personas of how often it invents a yes in their own feeds after the change."""


CHEAP_JUDGES = {
    "errs alike": JudgeErrors(0.85, 0.1, 0.85, 0.1),
    "lenient in own feeds (3 pp)": JudgeErrors(0.85, 0.1, 0.85, 0.14),
    "lenient in own feeds (10 pp)": JudgeErrors(0.85, 0.1, 0.85, 0.24),
    "blind to half the yes in own feeds": JudgeErrors(0.85, 0.1, 0.425, 0.1),
    "errs otherwise for each persona": JudgeErrors(0.85, 0.2, 0.85, 0.2, persona_sd=0.1),
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


def headlined_of_drawn(share: float) -> Design:
    """The design that is headlined where each persona is asked about a share of the others'."""

    def simulate(plan: StudyPlan, world: World, studies: int, rng: np.random.Generator) -> Outcomes:
        def judge(cells: SimulatedAnswers) -> Outcomes:
            asked = draw_share(cells, share, rng, own=False) if share < 1 else cells
            return judge_headlined(asked, rng)

        return judge_in_parts(plan, world, studies, rng, judge)

    return simulate


def draw_cheap_answers(
    cells: SimulatedAnswers, errors: JudgeErrors, rng: np.random.Generator, sample: int = SAMPLE
) -> JointCounts:
    """What both judges answer: the dear one as in ``cells``, of which it is asked a sample."""
    n: Ints = np.broadcast_to(cells.n, cells.yes.shape).astype(np.int64)
    drawn = _draw_sample(n, sample, rng)
    yes: Ints = cells.yes.astype(np.int64)
    second = rng.hypergeometric(yes, n - yes, drawn)
    finds, invents = _rates(errors, n.shape[0], n.shape[1], rng)
    both, first_alone = rng.binomial(second, finds), rng.binomial(drawn - second, invents)
    rest = rng.binomial(yes - second, finds)
    rest += rng.binomial(n - drawn - (yes - second), invents)
    first = both + first_alone
    none = np.zeros_like(first)
    whole = (_by_window(n), _by_window(first + rest))
    parts = (drawn, first, first, second, both, none, none)
    blocks = np.zeros((1, n.shape[1]), dtype=np.int64)
    return JointCounts(blocks, *whole, *(_by_window(part)[1] for part in parts))


def _draw_sample(n: Ints, sample: int, rng: np.random.Generator) -> Ints:
    """Questions about after windows, of own and of others' feeds: as many in every study."""
    drawn = np.zeros_like(n)
    own = np.eye(n.shape[1], dtype=bool)
    part = round(OWN_PART * sample)
    for where, count in ((own, part), (~own, sample - part)):
        there = n[:, where, 1]
        flat = there.reshape(len(n), -1)
        drawn[:, where, 1] = rng.multivariate_hypergeometric(flat[0], count, size=len(n)).reshape(
            there.shape
        )
    return drawn


def _by_window(cells: Ints) -> Floats:
    """Sums over batches, window first, with an axis for the one replicate."""
    sums: Floats = np.moveaxis(cells.sum(-1), -1, 0).astype(np.float64)
    return sums[..., None, :, :]


def _rates(
    errors: JudgeErrors, studies: int, size: int, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Chances of a cheap yes, by study, persona, run, window and batch: ``(S, K, K, 2, 1)``."""
    moved: Mask = np.eye(size, dtype=bool)[..., None, None] & np.array([[False], [True]])
    finds = np.where(moved, errors.own_finds, errors.finds)
    own = errors.own_invents + errors.persona_sd * rng.standard_normal((studies, size, 1, 1, 1))
    return finds, np.where(moved, np.clip(own, 0.0, 1.0), errors.invents)


def judge_two_judges(
    cells: SimulatedAnswers, errors: JudgeErrors, rng: np.random.Generator, sample: int = SAMPLE
) -> dict[str, Outcomes]:
    """Judge what the dear judge would find everywhere, from each that may be known of it.

    Intervals are the jackknife's and p-values Student's t.
    """
    counts = draw_cheap_answers(cells, errors, rng, sample)
    truth = float(own_minus_others(cells.expected[1]).mean())
    found = {}
    for name, part in (("sample alone", 0.0), ("both judges", 1.0)):
        value, *left_out = (
            one.sway(part * one.tuning, passive=True) for one in (counts, *counts.without_each())
        )
        found[name] = replace(from_jackknife(value, np.stack(left_out)), truth=truth)
    cheap = np.squeeze(100 * counts.whole_yes / counts.whole, axis=-3)
    for name, (before, after) in (("cheap judge alone", cheap), ("dear everywhere", cells.shares)):
        value = own_minus_others(residuals(after, before))
        found[name] = replace(from_jackknife(value, without_each(after, before)), truth=truth)
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
