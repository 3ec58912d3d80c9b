"""The persona matrix that re-judgements give.

One judge at a time. Every cell of the matrix comes from the same blind re-judging, the diagonal
included; the acting answers are only compared with it, never mixed in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.data.exposures import GRADES, NONE
from analysis.errors import NotOffered
from analysis.estimators.persona_matrix import (
    LEAST_PERSONAS,
    SpecificSway,
    rearranged_at_random,
    residuals,
    specific_sway,
)
from analysis.estimators.persona_matrix_cells import (
    MatrixCells,
    RejudgedColumns,
    count_cells,
    graded_cells,
)
from analysis.estimators.rejudged_replies import RejudgedReplies
from analysis.estimators.shrunk_baseline import BorrowedBase, borrowed_base
from analysis.statistics.estimate import NAN, Floats, Ints
from analysis.statistics.null_models import DRAWS
from store.terminal.printing import count_of

DRAWN = "A borrowed base takes every video judged as every persona, and a share was drawn."


@dataclass(frozen=True, eq=False)
class PersonaMatrix:
    """The persona matrix of treatment runs, and what follows from it.

    ``before``, ``after``: shares in %, means over replicates; ``M[i, j]`` is what persona i finds
    in run j. Between draws they are nan unless somebody asked.
    ``graded``, ``graded_by``: the specific sway of the graded answers, in points of 100: a
    sensitivity. ``None`` where the judge gives none; else the second names them (``score`` or
    ``p_yes``).
    """

    personas: tuple[str, ...]  # in the order of the rows and columns
    cells: tuple[MatrixCells, ...]  # one per replicate
    blocks: Ints  # draw that each persona comes from, by replicate; shape ``(R, K)``
    before: Floats
    after: Floats
    sway: SpecificSway
    drawn: Floats  # the statistic under random assignments of runs to personas, in pp, sorted
    borrowed: BorrowedBase | None  # borrowed, refused: the borrowed base, or why it is not offered
    refused: str
    graded: SpecificSway | None
    graded_by: str
    gain: SpecificSway | None
    """The same of after less passive before windows, cell by cell; ``None`` without these."""
    worst: tuple[SpecificSway, ...]
    """The same with every missing answer to one side; empty where none is missing."""

    @property
    def bounds(self) -> tuple[float, float]:
        """Lowest and highest D in pp, as it is and with all missing answers to either side."""
        values = [one.estimate.value for one in (self.sway, *self.worst)]
        return min(values), max(values)


def persona_matrix(told: RejudgedReplies, rng: np.random.Generator) -> PersonaMatrix:
    """Count, estimate and test the persona matrix.

    Raises ``NotOffered``: too few personas, unequal questions, an empty cell, or cells of several
    sittings.
    """
    personas, replicates = layout(told)
    _check_reached(told, personas)
    _check_sittings(told, replicates)
    _check_draws(told, replicates)
    drawn = min(told.others) < 1
    grades, graded_by = _grades(told)
    rows = [_square(told, personas, runs, grades) for runs in replicates]
    blocks = np.array([[told.runs[run].block for run in runs.values()] for runs in replicates])
    cells = [
        count_cells(asked, len(personas), codes, drawn=drawn)
        for asked, codes in zip(rows, blocks, strict=True)
    ]
    passive = all(
        told.runs[run].windows.baseline == "passive" for runs in replicates for run in runs.values()
    )
    after = np.array([cell.after for cell in cells])
    before = np.array([cell.before for cell in cells])
    given = before if passive else None
    sway = specific_sway(after, rng, given, blocks=blocks)
    base, refused = None, DRAWN
    if not drawn:
        base, refused = _borrow(cells, blocks, sway, passive)
    return PersonaMatrix(
        personas=personas,
        cells=tuple(cells),
        blocks=blocks,
        before=_mean(before),
        after=_mean(after),
        sway=sway,
        drawn=np.sort(rearranged_at_random(residuals(after, given, blocks), blocks, rng, DRAWS)),
        borrowed=base,
        refused=refused,
        graded=_graded(rows, blocks, passive, rng) if graded_by else None,
        graded_by=graded_by,
        gain=specific_sway(after - before, rng.spawn(1)[0], blocks=blocks) if passive else None,
        worst=_worst(cells, blocks, passive, rng),
    )


def _grades(told: RejudgedReplies) -> tuple[Floats, str]:
    """The graded answers of 0 to 100 that the plain questions have throughout, and their name."""
    judged = told.plain & (told.answer != NONE)
    for name, scale in GRADES.items():
        values: Floats = scale * getattr(told, name)
        if judged.any() and not np.isnan(values[judged]).any():
            return values, name
    return np.full(len(told.run), NAN), ""


def _graded(
    rows: Sequence[RejudgedColumns], blocks: Ints, passive: bool, rng: np.random.Generator
) -> SpecificSway:
    """The specific sway of mean graded answers.

    It draws from a generator of its own, so that the primary's figures do not depend on it.
    """
    size = blocks.shape[-1]
    before, after = np.stack([graded_cells(asked, size) for asked in rows], axis=1)
    own = rng.spawn(1)[0]
    given = before if passive else None
    return specific_sway(after, own, given, blocks=blocks, unit="points")


def _worst(
    cells: Sequence[MatrixCells], blocks: Ints, passive: bool, rng: np.random.Generator
) -> tuple[SpecificSway, ...]:
    """The specific sway with every missing answer to one side, and each with its own test.

    In the after windows every missing answer is a yes in own cells and a no in the others', or the
    other way round; before windows that are adjusted for are taken to both sides, too. Of the
    unadjusted statistic these are its bounds (Horowitz and Manski, JASA 2000), and no completion
    of the answers has a greater one-sided p-value than the worst, but for the noise of drawn
    exchanges: every one picks cells that were moved the other way than the own ones, or these.
    """
    if all((one.asked == one.judged).all() for one in cells):
        return ()
    before, after = (
        [np.stack([one.extreme(window, own_yes) for one in cells]) for own_yes in (False, True)]
        for window in (0, 1)
    )
    own = rng.spawn(1)[0]
    return tuple(
        specific_sway(late, own, early, blocks=blocks)
        for late in after
        for early in (before if passive else [None])
    )


def layout(told: RejudgedReplies) -> tuple[tuple[str, ...], list[dict[str, int]]]:
    """Personas that have a re-judged treatment run in every replicate, and these by persona."""
    found: dict[int, dict[str, int]] = {}
    reached = told.run[told.after]  # a run that ended before its after window has nothing to tell
    for index in sorted(set(told.members) & set(reached.tolist())):
        run = told.runs[index]
        if run.arm == "treatment":
            found.setdefault(run.replicate, {})[run.persona] = index
    if not found:
        raise NotOffered(
            "A persona matrix needs treatment runs. Type: python -m agent study --help"
        )
    common = set.intersection(*(set(members) for members in found.values()))
    personas = tuple(sorted(common))
    return personas, [
        {persona: members[persona] for persona in personas} for members in found.values()
    ]


def _check_reached(told: RejudgedReplies, personas: Sequence[str]) -> None:
    """Name the runs for whose sake there are too few personas, where there would be enough."""
    treated = [index for index in told.members if told.runs[index].arm == "treatment"]
    named = {told.runs[index].persona for index in treated}
    if len(personas) >= LEAST_PERSONAS or len(named) < LEAST_PERSONAS:
        return
    reached = set(told.run[told.after].tolist())
    short = [told.runs[index].run_id for index in treated if index not in reached]
    if short:
        raise NotOffered(
            f"{count_of(len(short), 'treatment run')}, such as {short[0]}, without a video judged "
            "again that was chosen after the change: too few personas are left for a matrix. "
            "Go on with what was broken off, judge again what was not, or plan a longer adapt "
            "phase. Type: python -m agent study --help"
        )


def _check_sittings(told: RejudgedReplies, replicates: Sequence[Mapping[str, int]]) -> None:
    used = {run for runs in replicates for run in runs.values()}
    split = [told.runs[run].run_id for run in told.split if run in used]
    if split:
        raise NotOffered(
            f"The cells of {count_of(len(split), 'run')}, such as {split[0]}, were judged in "
            "several sittings, between which the judge may have moved: judge them in one. "
            "Type: python -m agent rejudge STUDY --everyone --seed 2"
        )


def _check_draws(told: RejudgedReplies, replicates: Sequence[Mapping[str, int]]) -> None:
    """Refuse cells that are not drawn as declared, so that own and others' would differ."""
    used = {run for runs in replicates for run in runs.values()}
    if told.samples:
        raise NotOffered(
            "A sample of questions has no matrix of its own: it puts right that of a judge who was "
            "asked everything. Type: python -m agent rejudge STUDY --everyone"
        )
    if len(told.others) > 1:
        raise NotOffered(
            "The runs were judged with different shares of the others' questions: judge them with "
            "one. Type: python -m agent rejudge STUDY --everyone --others 0.5 --seed 2"
        )
    if any(run in used for run in told.unasked):
        raise NotOffered(
            "Not every question that was drawn has been put. Type: the same rejudge command again"
        )


def _square(
    told: RejudgedReplies, personas: Sequence[str], runs: Mapping[str, int], grades: Floats
) -> RejudgedColumns:
    """The plain questions of one replicate, put as its own personas."""
    owner = {run: place for place, run in enumerate(runs.values())}
    order = np.array(personas)
    rows = told.plain & np.isin(told.run, list(owner)) & np.isin(told.persona, order)
    places = np.array([owner.get(run, -1) for run in range(len(told.runs))], dtype=np.int64)
    return RejudgedColumns(
        persona=np.searchsorted(order, told.persona[rows]),
        run=places[told.run[rows]],
        after=told.after[rows],
        batch=told.batch[rows],
        answer=told.answer[rows],
        grade=grades[rows],
    )


def _borrow(
    cells: Sequence[MatrixCells], blocks: Ints, sway: SpecificSway, passive: bool
) -> tuple[BorrowedBase | None, str]:
    if len(np.unique(blocks)) > 1:
        return None, "A borrowed base takes runs of one draw, and personas were added later."
    if len(cells) > 1:
        return None, "A borrowed base takes one run of each persona, and there are several."
    try:
        base = borrowed_base(
            cells[0].after,
            cells[0].before,
            cells[0].within,
            baseline="passive" if passive else "active",
            placebo_p=sway.placebo_test.p,
        )
    except NotOffered as refusal:
        return None, str(refusal).partition(" Type: ")[0]
    return base, ""


def _mean(cells: Floats) -> Floats:
    known = ~np.isnan(cells)
    total = np.where(known, cells, 0.0).sum(0)
    mean: Floats = np.divide(total, known.sum(0), out=np.full(total.shape, NAN), where=known.any(0))
    return mean
