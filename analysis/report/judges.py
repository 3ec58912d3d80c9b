"""The blind judges: the persona matrix with its placebo, and how each judge judges."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from markupsafe import Markup

from analysis.data.exposures import NONE
from analysis.estimators.judge_bias import RepeatAgreement
from analysis.estimators.persona_matrix_cells import missing_shares
from analysis.estimators.rejudged_matrix import PersonaMatrix
from analysis.report.figures import AxisScale, axis, hump, interval, span
from analysis.report.number_sources import Name, NumberSource, PrintedEstimate, TracedNumber
from analysis.report.rejudgings import Rejudging
from analysis.report.report_group import GroupRows, group_told
from analysis.statistics.estimate import NAN, Estimate, Mask
from store.terminal.printing import count_of

MOST_CELLS = 14  # personas up to which every cell has its number printed
_APART = "drawn at another time, so they are not compared"
_NOBODY = "nobody drew personas for these accounts"
_GRADES = {"score": "ISQ's score", "p_yes": "the probability of yes"}


@dataclass(frozen=True)
class GradedView:
    """The statistic of the graded answers: a sensitivity."""

    by: str
    told: PrintedEstimate
    p: TracedNumber


@dataclass(frozen=True)
class MatrixView:
    """The persona matrix as a heat map (shares, and how they are coloured), and its tests."""

    personas: tuple[Name, ...]
    cells: tuple[tuple[tuple[TracedNumber, Markup, bool], ...], ...]
    numbers: bool
    told: PrintedEstimate
    p: TracedNumber
    sides: str
    ways: TracedNumber
    exact: bool
    adjusted: bool
    slope: TracedNumber
    placebo: PrintedEstimate
    placebo_p: TracedNumber
    missing_own: TracedNumber
    missing_others: TracedNumber
    figure: Markup
    axis: Markup
    source: NumberSource
    graded: GradedView | None
    borrowed: PrintedEstimate | None
    refused: Name


@dataclass(frozen=True)
class SteadyView:
    """How often a judge said the same again."""

    what: str
    pairs: TracedNumber
    equal: TracedNumber
    kappa: TracedNumber


@dataclass(frozen=True)
class EagerView:
    """What the mirrored questions say."""

    pairs: TracedNumber
    plain: TracedNumber
    mirrored: TracedNumber
    contrary: TracedNumber
    tendency: PrintedEstimate


@dataclass(frozen=True)
class BlindView:
    """The sway as the acting and as the blind judge saw it."""

    videos: TracedNumber
    rows: tuple[tuple[str, PrintedEstimate, Markup], ...]
    axis: Markup
    lenience: PrintedEstimate


@dataclass(frozen=True)
class TwoJudgesView:
    """The specific sway as the judge of a sample would find it in all videos."""

    cheap: Name
    told: PrintedEstimate
    p: TracedNumber
    own: TracedNumber
    others: TracedNumber
    narrower: TracedNumber
    tuning: TracedNumber
    bounds: tuple[TracedNumber, TracedNumber] | None


@dataclass(frozen=True)
class JudgeView:
    """Everything that one judge's re-judgements say."""

    model: Name
    strategy: Name
    likeness: str
    begun: Name  # day, seed and manner of its first sitting: they tell it from others of its name
    primary: bool  # whether the primary test takes its matrix, where there are several judges
    questions: TracedNumber
    frames: TracedNumber
    matrix: MatrixView | None
    refused: Name
    overlap: TracedNumber
    eager: EagerView | None
    steady: tuple[SteadyView, ...]
    blind: BlindView | None
    others: TracedNumber | None  # share of the others' questions that was drawn, if not all
    sample: TracedNumber | None  # questions that were drawn, if not all were asked
    both: TwoJudgesView | None


def judge_views(scene: GroupRows) -> tuple[JudgeView, ...]:
    rejudged = scene.group.rejudged
    first = scene.group.matrix_judge
    takes_matrix = scene.group.primary.design in ("matrix", "borrowed")
    several = len(rejudged) > 1 and takes_matrix
    sides = scene.group.primary.sides if takes_matrix else "two"
    whole = next((told for told in rejudged if told.whole), None)
    return tuple(
        _judge(told, whole, sides if told is first else "two", primary=several and told is first)
        for told in rejudged
    )


def _judge(told: Rejudging, whole: Rejudging | None, sides: str, *, primary: bool) -> JudgeView:
    source = _source("estimators.rejudged_replies.replies", told)
    steady = (("the same question again", told.repeats), ("the question reworded", told.wordings))
    return JudgeView(
        model=Name(told.judge.model),
        strategy=Name(told.judge.strategy),
        likeness=told.likeness,
        begun=Name(_begun(told)),
        primary=primary,
        questions=source.count(len(told.told.run), "questions"),
        frames=source.count(len(np.unique(told.told.frame)), "stored frames asked about"),
        matrix=_matrix(told, told.matrix, sides) if told.matrix else None,
        refused=Name(told.refused),
        overlap=_source("estimators.judge_bias.taste_overlap", told).decimal(
            told.overlap.value, "overlap of tastes", reason=told.overlap.reason
        ),
        eager=_eager(told),
        steady=tuple(_steady(told, what, one) for what, one in steady if one is not None),
        blind=_blind(told),
        others=_share(source, min(told.told.others), "the others' videos"),
        sample=(
            source.count(max(told.told.samples)[0], "questions that were drawn")
            if told.told.samples
            else None
        ),
        both=_two_judges(told, whole),
    )


def _share(source: NumberSource, share: float, what: str) -> TracedNumber | None:
    return source.percent(100 * share, f"share of {what} asked about") if share < 1 else None


def _two_judges(told: Rejudging, whole: Rejudging | None) -> TwoJudgesView | None:
    both = told.both
    if both is None or whole is None:
        return None
    source = _source("estimators.two_judges.two_judge_matrix", told, told.told.plain)
    source = replace(source, used=f"{source.used}; {_source('', whole, whole.told.plain).used}")
    what = f"specific sway as {told.judge.model} would judge all videos"
    low, high = both.bounds
    return TwoJudgesView(
        cheap=Name(_who(whole)),
        told=source.estimate(both.estimate, what),
        p=source.p(
            both.estimate.p if told.drawn else NAN,
            f"p-value of the {what}, Student's t, two-sided",
            _NOBODY,
        ),
        own=source.count(both.own, "answers of the sample in own feeds"),
        others=source.count(both.others, "answers of the sample in others' feeds"),
        narrower=source.percent(
            both.narrower if both.narrower > 0 else NAN, "narrower than from the sample alone, in %"
        ),
        tuning=source.decimal(both.tuning, "how much of the cheap judge is taken over"),
        bounds=(
            (source.signed(low, f"lowest {what}"), source.signed(high, f"highest {what}"))
            if low < high
            else None
        ),
    )


def _source(function: str, told: Rejudging, used: Mask | None = None) -> NumberSource:
    """Answers that went in; all that were given, if not said otherwise."""
    replies = told.told
    answered = replies.answer != NONE
    kept = answered if used is None else used & answered
    runs = len(np.unique(replies.run[kept]))
    parts = {
        "without an answer": int((~answered).sum()),
        "put in another way": int((answered & ~kept).sum()),
        "outside the compared windows": replies.outside,
    }
    return NumberSource(
        f"analysis.{function}",
        f"{count_of(int(kept.sum()), 'blind answer')} of {_who(told)} about "
        f"{count_of(runs, 'run')}{group_told(replies.runs, replies.runs[replies.members[0]])}",
        ", ".join(f"{count:,} {name}" for name, count in parts.items() if count) or "nothing",
    )


def _who(told: Rejudging) -> str:
    judge = told.judge
    return f"{judge.model} × {judge.strategy} ({_begun(told)})"


def _begun(told: Rejudging) -> str:
    manner = f" ({told.judge.manner})" if told.judge.manner else ""
    return f"{told.judge.at:%Y-%m-%d} with seed {told.judge.seed}{manner}"


def _matrix(told: Rejudging, matrix: PersonaMatrix, sides: str) -> MatrixView:
    plain = told.told.plain
    source = _source("estimators.persona_matrix.specific_sway", told, plain)
    cells = _source("estimators.persona_matrix_cells.count_cells", told, plain)
    sway = matrix.sway
    lost = missing_shares(matrix.cells)
    scale = AxisScale.around(
        [
            sway.estimate.value,
            sway.estimate.low,
            sway.estimate.high,
            *np.quantile(matrix.drawn, [0.002, 0.998]),
        ]
    )
    base = matrix.borrowed
    return MatrixView(
        personas=tuple(Name(persona) for persona in matrix.personas),
        cells=_cells(matrix, cells),
        numbers=len(matrix.personas) <= MOST_CELLS,
        told=source.estimate(sway.estimate, "specific sway"),
        p=source.p(
            told.p(sway.test, sides),
            f"p-value, permuting which run belongs to whom, {sides}-sided",
            _NOBODY,
        ),
        sides=sides,
        ways=source.count(
            sway.test.arrangements - (not sway.test.exact), "assignments of runs to personas"
        ),
        exact=sway.test.exact,
        adjusted=sway.adjusted,
        slope=source.decimal(sway.slope, "slope of the after on the before deviations"),
        placebo=source.estimate(sway.placebo, "placebo, the before windows alone"),
        placebo_p=source.p(
            told.p(sway.placebo_test),
            "p-value of the placebo, two-sided",
            sway.placebo.reason or _NOBODY,
        ),
        missing_own=cells.percent(lost[0], "missing answers in %, own cells"),
        missing_others=cells.percent(lost[1], "missing answers in %, other cells"),
        figure=hump(matrix.drawn, span(sway.estimate), scale),
        axis=axis(scale, "percentage points"),
        source=source,
        graded=_graded(told, matrix, source),
        borrowed=(
            _source("estimators.shrunk_baseline.borrowed_base", told, plain).estimate(
                base.estimate, "borrowed sway"
            )
            if base
            else None
        ),
        refused=Name(matrix.refused),
    )


def _graded(told: Rejudging, matrix: PersonaMatrix, source: NumberSource) -> GradedView | None:
    if matrix.graded is None:
        return None
    return GradedView(
        by=_GRADES[matrix.graded_by],
        told=source.estimate(matrix.graded.estimate, "specific sway of the graded answers, points"),
        p=source.p(
            told.p(matrix.graded.test),
            "p-value of the specific sway of the graded answers, two-sided",
            _NOBODY,
        ),
    )


def _cells(
    matrix: PersonaMatrix, source: NumberSource
) -> tuple[tuple[tuple[TracedNumber, Markup, bool], ...], ...]:
    top = max(float(np.nanmax(matrix.after)), 1.0)
    return tuple(
        tuple(
            (
                source.whole(share, f"{persona} in the feed of {other}, yes in %", _APART),
                Markup("--v:{:.0f}%").format(0.0 if np.isnan(share) else 70 * share / top),
                persona == other,
            )
            for share, other in zip(row, matrix.personas, strict=True)
        )
        for row, persona in zip(matrix.after, matrix.personas, strict=True)
    )


def _eager(told: Rejudging) -> EagerView | None:
    one = told.eagerness
    if one is None:
        return None
    first = (told.told.repeat == 0) & (told.told.paraphrase == 0)
    source = _source("estimators.judge_bias.eagerness", told, first)
    return EagerView(
        pairs=source.count(one.pairs, "questions answered both ways"),
        plain=source.percent(one.plain, "yes to the question"),
        mirrored=source.percent(one.mirrored, "yes to its reverse-keyed form"),
        contrary=source.percent(one.contrary, "different answers to the two"),
        tendency=source.estimate(one.tendency, "acquiescence bias, mean over runs"),
    )


def _steady(told: Rejudging, what: str, one: RepeatAgreement) -> SteadyView:
    source = _source("estimators.judge_bias.steadiness", told, ~told.told.mirrored)
    return SteadyView(
        what=what,
        pairs=source.count(one.pairs, f"questions answered twice, {what}"),
        equal=source.percent(one.equal, f"equal answers in %, {what}"),
        kappa=source.decimal(one.kappa, f"Cohen's kappa, {what}", reason="chance alone must agree"),
    )


def _blind(told: Rejudging) -> BlindView | None:
    one = told.blind
    if one is None:
        return None
    source = _source("estimators.judge_bias.blind", told, told.told.plain & told.told.own)
    named: tuple[tuple[str, Estimate], ...] = (
        ("as the acting judge saw it", one.acting),
        ("the feed's part: the same videos, scored blind", one.blind),
        ("the judge's part: the rest", one.judge),
    )
    ends = [end for _, part in named for end in (part.value, part.low, part.high)]
    scale = AxisScale.around(ends)
    return BlindView(
        videos=source.count(one.videos, "videos answered by both"),
        rows=tuple(
            (name, source.estimate(part, f"sway {name}"), interval(span(part), scale, "persona"))
            for name, part in named
        ),
        axis=axis(scale),
        lenience=source.estimate(one.lenience, "acting minus blind share of yes, mean over runs"),
    )
