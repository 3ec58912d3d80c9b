"""What could be added to the persona matrix and the borrowed base, compared on the same studies.

Graded scores in place of yes and no, batches weighted by what their correlation leaves of them,
and other ways to take a passive before window out. Every refinement judges the very studies that
the plain design judges, so that a difference in power has a much smaller simulation error than
the powers have.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from analysis.estimators import persona_matrix
from analysis.simulation import designs
from analysis.simulation.design_comparison import (
    DEFAULT,
    SPREAD,
    USUAL,
    Seed,
    SimulatedSetting,
    Tell,
)
from analysis.simulation.design_comparison import SCENES as DESIGN_SCENES
from analysis.simulation.designs import PERMUTATIONS, Outcomes
from analysis.simulation.graded_answers import FADING, NOISY, SURE, UNSURE, graded
from analysis.simulation.scenarios import SimulatedAnswers, StudyPlan, draw_matrices
from analysis.statistics.estimate import NAN
from analysis.statistics.intraclass import intraclass_correlation

Floats = NDArray[np.float64]
Judge = Callable[[SimulatedAnswers, np.random.Generator], Outcomes]

_STUDIES_AT_ONCE = 250
(HARD_MIX,) = [scene for scene in DESIGN_SCENES if scene.name == "hard mix"]

RAGGED = (6, 15, 8, 14, 10, 12, 7, 13, 15)
"""Sizes of a feed's batches from the 5th to the 95th percentile of real ones."""


class RaggedPlan(StudyPlan):
    """The study's plan where a feed sends batches of different sizes."""

    def layout(self) -> Floats:
        """Videos by window and batch, all of them requested after the change."""
        position = np.arange(self.videos)
        counted = np.stack([position < self.before, position >= self.before + self.adapt])
        starts = np.cumsum((0, *RAGGED[:-1]))
        return np.add.reduceat(counted.astype(np.float64), starts, axis=1)


SCENES = (
    SimulatedSetting("usual"),
    SimulatedSetting("batch correlation 0.2", replace(USUAL, icc=0.2)),
    SimulatedSetting(
        "the same, batches of 6 to 15",
        replace(USUAL, icc=0.2),
        RaggedPlan(**vars(DEFAULT)),
    ),
    SimulatedSetting("base rates from 5 to 50 %", replace(USUAL, base=SPREAD)),
    SimulatedSetting("accounts differ by 16 pp", replace(USUAL, account_sd=0.16)),
    HARD_MIX,
)
LARGE = SimulatedSetting("sway of 45 pp", replace(USUAL, effect=0.45))  # shows bias, not power


@dataclass(frozen=True)
class Refinement:
    """A way to judge, which answers it takes, and what it is held against."""

    name: str
    judge: Judge
    answers: str = "yes/no"
    against: str = ""


def _plain(drawn: SimulatedAnswers, rng: np.random.Generator) -> Outcomes:
    return designs.judge_matrix(drawn, rng)


def _adjusted(drawn: SimulatedAnswers, rng: np.random.Generator) -> Outcomes:
    return designs.judge_matrix(drawn, rng, adjust=True)


def _borrowed(drawn: SimulatedAnswers, _: np.random.Generator) -> Outcomes:
    return designs.judge_borrowed(drawn)


def judge_joint(drawn: SimulatedAnswers, rng: np.random.Generator) -> Outcomes:
    """The adjusted matrix with b and D fitted together, in every permutation anew."""
    before, after = drawn.shares
    size = after.shape[-1]
    runs_of = rng.permuted(np.tile(np.arange(size), (PERMUTATIONS, 1)), axis=1)
    early, late = persona_matrix.centred(before), persona_matrix.centred(after)
    arranged = _joint(
        early,
        late,
        persona_matrix.rearranged(early, runs_of),
        persona_matrix.rearranged(late, runs_of),
    )
    return _tested(drawn, joint_sway(after, before), _without_each(joint_sway, drawn), arranged)


def joint_sway(after: Floats, before: Floats) -> Floats:
    """D of ``Z1 = D C + b Z0`` by least squares, C the centred matrix of own cells."""
    early, late = persona_matrix.centred(before), persona_matrix.centred(after)
    own = [persona_matrix.own_minus_others(cells)[..., None] for cells in (early, late)]
    return _joint(early, late, *own)[..., 0]


def _joint(early: Floats, late: Floats, own_early: Floats, own_late: Floats) -> Floats:
    """D for each assignment, whose D of the before and after matrices are given."""
    # the square of C is K - 1, and its product with Z is K - 1 times the D of Z
    scale = early.shape[-1] - 1
    cross = (early * late).sum((-2, -1))[..., None] - scale * own_early * own_late
    square = (early**2).sum((-2, -1))[..., None] - scale * own_early**2
    slope = np.divide(cross, square, out=np.zeros_like(cross), where=square > 0)
    sway: Floats = own_late - slope * own_early
    return sway


def judge_difference(drawn: SimulatedAnswers, rng: np.random.Generator) -> Outcomes:
    """The matrix of after less before: b taken to be 1."""
    before, after = drawn.shares
    told = designs.judge_cells(after - before, rng)
    return replace(told, truth=_own(drawn))


def judge_covariance(drawn: SimulatedAnswers, _: np.random.Generator) -> Outcomes:
    """The borrowed base with its weight from a regression of the others' after on before cells."""
    before, after = drawn.shares
    told = designs.from_jackknife(
        covariance_sway(after, before), _without_each(covariance_sway, drawn)
    )
    return replace(told, truth=designs.judge_borrowed(drawn).truth)


def covariance_sway(after: Floats, before: Floats) -> Floats:
    """Own after share less ``B + b (Y - B)``, b the slope within the rows of the others' cells."""
    size = after.shape[-1]
    others = 1 - np.eye(size)
    means = [(cells * others).sum(-1) / (size - 1) for cells in (before, after)]
    early, late = (
        (cells - mean[..., None]) * others
        for cells, mean in zip((before, after), means, strict=True)
    )
    slope = persona_matrix.slope(early, late)[..., None]
    own = [np.diagonal(cells, axis1=-2, axis2=-1) for cells in (before, after)]
    sway: Floats = (own[1] - means[0] - slope * (own[0] - means[0])).mean(-1)
    return sway


def _without_each(sway: Callable[[Floats, Floats], Floats], drawn: SimulatedAnswers) -> Floats:
    before, after = drawn.shares
    found = []
    for persona in range(after.shape[-1]):
        kept = np.delete(np.arange(after.shape[-1]), persona)
        part = (..., *np.ix_(kept, kept))
        found.append(sway(after[part], before[part]))
    return np.stack(found)


def _tested(drawn: SimulatedAnswers, value: Floats, left_out: Floats, arranged: Floats) -> Outcomes:
    told = designs.tested(designs.from_jackknife(value, left_out), arranged)
    return replace(told, truth=_own(drawn))


def _own(drawn: SimulatedAnswers) -> float:
    return float(persona_matrix.own_minus_others(drawn.expected[1]).mean())


def weighted(drawn: SimulatedAnswers) -> SimulatedAnswers:
    """Each batch weighted by ``n / (1 + (n - 1) rho)``, rho pooled over a study's cells.

    The weights of least variance for a window's share where any two answers of a batch correlate
    by rho. They take the place of n, so that a share is the weighted one.
    """
    n = np.broadcast_to(drawn.n, drawn.yes.shape)
    rows = (len(n), -1, n.shape[-1])
    found = [
        intraclass_correlation(size, yes)
        for size, yes in zip(n.reshape(rows), drawn.yes.reshape(rows), strict=True)
    ]
    rho = np.clip(np.nan_to_num(found), 0, 0.99).reshape(-1, *[1] * (n.ndim - 1))
    weight = n / np.maximum(1, 1 + (n - 1) * rho)
    mean = np.divide(drawn.yes, n, out=np.zeros(n.shape), where=n > 0)
    return replace(drawn, n=weight, yes=weight * mean)


def graded_before(answers: SimulatedAnswers, scores: SimulatedAnswers) -> SimulatedAnswers:
    """Scores in the before windows, yes and no in the after windows."""
    late = np.array([[0.0], [1.0]])
    expected = np.stack([scores.expected[0], answers.expected[1]])
    return replace(answers, yes=np.where(late, answers.yes, scores.yes), expected=expected)


JUDGES = {"sure": SURE, "unsure": UNSURE, "noisy": NOISY, "fading": FADING}
"""By the answers that a refinement takes."""
_DESIGNS = (
    ("persona matrix", _plain),
    ("adjusted matrix", _adjusted),
    ("borrowed base", _borrowed),
)

REFINEMENTS = (
    *(Refinement(name, judge) for name, judge in _DESIGNS),
    *(
        Refinement(f"{name}, {answers} judge", judge, answers, name)
        for name, judge in _DESIGNS
        for answers in JUDGES
    ),
    *(
        Refinement(
            f"adjusted for a graded before, {answers} judge",
            _adjusted,
            f"{answers} before",
            "adjusted matrix",
        )
        for answers in ("sure", "unsure", "noisy")
    ),
    *(Refinement(f"{name}, batch weights", judge, "weighted", name) for name, judge in _DESIGNS),
    Refinement("adjusted matrix, b and D fitted jointly", judge_joint, against="adjusted matrix"),
    Refinement("adjusted matrix, b = 1", judge_difference, against="adjusted matrix"),
    Refinement("borrowed base, regression", judge_covariance, against="borrowed base"),
)


@dataclass(frozen=True)
class RefinementResult:
    """One refinement in one world; ``gain`` is its power less the plain design's.

    ``power`` and ``false`` are one-sided at 0.05. The gain's error is of the paired difference;
    ``bias`` and ``truth`` are in points of its own scale.
    """

    scene: str
    name: str
    power: float
    false: float
    coverage: float
    bias: float
    bias_error: float
    truth: float
    gain: float = NAN
    gain_error: float = NAN


@dataclass(frozen=True)
class Refinements:
    """Everything, and how many studies each figure rests on."""

    studies: int
    cells: tuple[RefinementResult, ...]


def table(studies: int, seed: int, tell: Tell) -> Refinements:
    """Judge every refinement in every world."""
    cells: list[RefinementResult] = []
    scenes = (*SCENES, LARGE)
    for number, scene in enumerate(scenes):
        cells += compared(scene, studies, (seed, 100 + number))
        tell(number + 1, len(scenes))
    return Refinements(studies, tuple(cells))


def compared(
    scene: SimulatedSetting, studies: int, seed: Seed, chosen: Sequence[Refinement] = REFINEMENTS
) -> list[RefinementResult]:
    """Judge the same studies by each, with the sway and without."""
    found = outcomes(scene, studies, (*seed, 1), chosen)
    quiet = replace(scene, world=replace(scene.world, effect=0.0))
    none = outcomes(quiet, studies, (*seed, 0), chosen)
    rows = []
    for way in chosen:
        told = found[way.name]
        hits = told.p_greater <= 0.05
        more = hits.astype(float) - (found[way.against].p_greater <= 0.05 if way.against else NAN)
        rows.append(
            RefinementResult(
                scene.name,
                way.name,
                power=float(hits.mean()),
                false=none[way.name].power("greater"),
                coverage=told.coverage(),
                bias=told.bias,
                bias_error=float(told.estimate.std(ddof=1)) / math.sqrt(studies),
                truth=told.truth,
                gain=float(more.mean()),
                gain_error=float(more.std(ddof=1)) / math.sqrt(studies),
            )
        )
    return rows


def outcomes(
    scene: SimulatedSetting, studies: int, seed: Seed, chosen: Sequence[Refinement] = REFINEMENTS
) -> dict[str, Outcomes]:
    """What each refinement says of the same studies."""
    rng = np.random.default_rng(seed)
    lots = []
    for start in range(0, studies, _STUDIES_AT_ONCE):
        size = min(_STUDIES_AT_ONCE, studies - start)
        drawn = draw_matrices(scene.plan, scene.world, size, rng)
        taken = {way.answers for way in chosen}
        seen = {"yes/no": drawn, "weighted": weighted(drawn) if "weighted" in taken else drawn}
        for name, grader in JUDGES.items():
            if taken & {name, f"{name} before"}:
                seen[name] = graded(drawn, grader, scene.world.icc, rng)
                seen[f"{name} before"] = graded_before(drawn, seen[name])
        lots.append({way.name: way.judge(seen[way.answers], rng) for way in chosen})
    return {way.name: designs.joined([lot[way.name] for lot in lots]) for way in chosen}
