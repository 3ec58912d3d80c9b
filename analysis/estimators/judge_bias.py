"""How a judge judges: how eager for yes, how steady, and how the acting answers differ.

All from re-judgements. None says whether a judge is right: nobody knows what a persona would truly
like.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.data.exposures import NONE, YES
from analysis.estimators.contrasts import worst_cases
from analysis.estimators.judge_agreement import kappa
from analysis.estimators.persona_matrix import overlap
from analysis.estimators.rejudged_replies import RejudgedReplies
from analysis.statistics.estimate import NAN, Estimate, Floats, Ints, Mask
from analysis.statistics.intervals import t_interval


@dataclass(frozen=True)
class AcquiescenceBias:
    """Whether the judge says yes to whatever is asked, from mirrored questions.

    ``plain``, ``mirrored``: yes to the question and to its mirror image, in %; they add up to 100
    for a judge with one opinion.
    """

    pairs: int  # questions that were answered both ways
    plain: float
    mirrored: float
    contrary: float  # answered differently both ways, as one opinion must be, in %
    tendency: Estimate
    """Twice yes less twice no, in pp, with Student's t over runs: above 0 the judge leans to yes,
    whatever it is asked."""


def eagerness(told: RejudgedReplies) -> AcquiescenceBias | None:
    """Compare each question with its mirror image; ``None`` where none was mirrored."""
    first = told.plain
    mirror = told.mirrored & (told.repeat == 0) & (told.paraphrase == 0)
    one, two = _pairs(told, first, mirror)
    if not len(one):
        return None
    a, b = told.answer[one], told.answer[two]
    lean = (a + b - 1).astype(np.float64)
    return AcquiescenceBias(
        pairs=len(one),
        plain=100 * float(a.mean()),
        mirrored=100 * float(b.mean()),
        contrary=100 * float((a != b).mean()),
        tendency=t_interval(100 * _by_run(lean, told.run[one])).within(-100, 100),
    )


@dataclass(frozen=True)
class RepeatAgreement:
    """How often the judge says the same again."""

    pairs: int
    equal: float  # equal answers in % of all the pairs
    agreement: Estimate  # the same as a mean over runs, with Student's t
    kappa: float  # Cohen's: 1 where it always agrees with itself, 0 where no more than by chance


def steadiness(told: RejudgedReplies, *, reworded: bool = False) -> RepeatAgreement | None:
    """Compare each question with its repeats, or with its other wordings; ``None`` without any."""
    again = told.paraphrase > 0 if reworded else told.repeat > 0
    other = told.repeat if reworded else told.paraphrase
    one, two = _pairs(told, told.plain, ~told.mirrored & again & (other == 0))
    if not len(one):
        return None
    a, b = told.answer[one], told.answer[two]
    same = (a == b).astype(np.float64)
    return RepeatAgreement(
        pairs=len(one),
        equal=100 * float(same.mean()),
        agreement=t_interval(100 * _by_run(same, told.run[one]), "%").within(0, 100),
        kappa=kappa(float(same.mean()), float(a.mean()), float(b.mean())),
    )


@dataclass(frozen=True)
class BlindSway:
    """The runs' own sway, scored again blind, beside what the acting judge said.

    ``acting``, ``blind``, ``judge``: the sway as each saw it on the same videos, and the
    difference: what the act of judging added. All with Student's t over runs.
    ``worst``: the blind sway with its own missing answers completed at their worst; empty where
    none is missing.
    """

    videos: int  # answered by both
    lenience: Estimate  # acting less blind share of yes, in pp
    acting: Estimate
    blind: Estimate
    judge: Estimate
    worst: tuple[Estimate, ...] = ()


def blind(told: RejudgedReplies) -> BlindSway | None:
    """Compare the acting answers of treatment runs with the blind ones; ``None`` without any."""
    treated = np.array([run.arm == "treatment" for run in told.runs])
    asked = told.plain & told.own & treated[told.run] & (told.acting != NONE)
    rows = asked & (told.answer != NONE)
    if not rows.any():
        return None
    run, after = told.run[rows], told.after[rows]
    acting, again = (100.0 * values[rows] for values in (told.acting, told.answer))
    seen, scored = (_sways(values, run, after) for values in (acting, again))
    return BlindSway(
        videos=int(rows.sum()),
        lenience=t_interval(_by_run(acting - again, run)).within(-100, 100),
        acting=t_interval(seen).within(-100, 100),
        blind=t_interval(scored).within(-100, 100),
        judge=t_interval(seen - scored).within(-200, 200),
        worst=() if rows.sum() == asked.sum() else _worst_blind(told, asked),
    )


def _worst_blind(told: RejudgedReplies, asked: Mask) -> tuple[Estimate, ...]:
    """The blind sway with the judge's own missing answers completed at their worst."""
    run, after = told.run[asked], told.after[asked]
    missing = told.answer[asked] == NONE
    yes = 100.0 * (told.answer[asked] == YES)
    ends = [_sways(yes + 100.0 * (missing & late), run, after) for late in (~after, after)]
    return worst_cases(list(zip(*ends, strict=True)))


def taste_overlap(told: RejudgedReplies) -> Estimate:
    """How far the personas' tastes overlap, from frames put to several personas, and repeats."""
    personas = np.unique(told.persona)
    picture = np.unique(told.frame, return_inverse=True)[1]
    keys = np.stack([told.run, told.position, picture])
    item = np.unique(keys, axis=1, return_inverse=True)[1].ravel()
    shape = (len(personas), int(item.max(initial=-1)) + 1)
    tables = []
    for repeat in (0, 1):
        rows = ~told.mirrored & (told.paraphrase == 0) & (told.repeat == repeat)
        rows &= told.answer != NONE
        answers = np.full(shape, NAN)
        answers[np.searchsorted(personas, told.persona[rows]), item[rows]] = told.answer[rows]
        tables.append(answers)
    return overlap(*tables)


def _pairs(told: RejudgedReplies, first: Mask, second: Mask) -> tuple[Ints, Ints]:
    """Rows of the second kind with the row of the first that asked the same, both answered."""
    answered = told.answer != NONE
    keys = zip(
        told.run.tolist(),
        told.persona.tolist(),
        told.position.tolist(),
        told.frame.tolist(),
        strict=True,
    )
    named = list(keys)
    at = {named[row]: row for row in np.flatnonzero(first & answered)}
    twos = [row for row in np.flatnonzero(second & answered) if named[row] in at]
    return np.array([at[named[row]] for row in twos], dtype=np.int64), np.array(twos, dtype=int)


def _by_run(values: Floats, run: Ints) -> Floats:
    codes = np.unique(run, return_inverse=True)[1]
    mean: Floats = np.bincount(codes, weights=values) / np.bincount(codes)
    return mean


def _sways(values: Floats, run: Ints, after: Mask) -> Floats:
    """After minus before of each run; nan where a window has none."""
    sways = []
    for index in np.unique(run):
        mine = run == index
        late, early = values[mine & after], values[mine & ~after]
        sways.append(late.mean() - early.mean() if len(late) and len(early) else NAN)
    return np.array(sways, dtype=np.float64)
