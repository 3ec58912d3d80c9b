"""What the sway is made of: personas, position, I_avg, and how far it hangs on choices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from analysis.estimators.iavg import Group
from analysis.report.breakdown import Drift
from analysis.report.figures import (
    AxisScale,
    Line,
    Span,
    axis,
    curves,
    ends,
    interval,
    sample,
    span,
    strip,
)
from analysis.report.number_sources import Name, NumberSource, PrintedEstimate, TracedNumber, placed
from analysis.report.report_group import GroupRows
from analysis.report.row_uses import TOO_EARLY
from analysis.report.verdict_words import ARM_NAMES
from analysis.statistics.estimate import Estimate
from store.terminal.printing import count_of


@dataclass(frozen=True)
class PersonaRow:
    """One persona of the forest plot."""

    persona: Name
    trait: Name
    treatment: tuple[TracedNumber, TracedNumber]
    control: tuple[TracedNumber, TracedNumber]
    told: PrintedEstimate
    figure: Markup


@dataclass(frozen=True)
class Forest:
    """The sway of each persona on one scale, and of all together."""

    rows: tuple[PersonaRow, ...]
    whole: PrintedEstimate
    whole_figure: Markup
    axis: Markup
    control: str
    source: NumberSource
    whole_source: NumberSource


def forest(scene: GroupRows) -> Forest:
    group = scene.group
    used, otherwise = scene.paired()
    arms = ["treatment", *([group.control] if group.control else [])]
    source = scene.source("report.breakdown.by_persona", arms, used, otherwise=otherwise)
    shares = {
        arm: scene.source(
            "data.before_after_windows.window_share",
            [arm] if arm else [],
            used,
            otherwise=otherwise,
        )
        for arm in ("treatment", group.control)
    }
    whole = _whole(scene)
    over = scene.source(
        "estimators.contrasts.treatment_minus_control"
        if group.control
        else "statistics.intervals.t_interval",
        arms,
        used,
        otherwise=otherwise,
    )
    scale = AxisScale.around(ends([row.estimate for row in group.forest] + [whole]))
    traits = scene.measures.material.traits
    return Forest(
        rows=tuple(
            PersonaRow(
                persona=Name(row.persona),
                trait=Name(next(iter(traits.get(row.persona, ())), "")),
                treatment=_both(shares["treatment"], row.treatment, f"treatment of {row.persona}"),
                control=_both(shares[group.control], row.control, f"control of {row.persona}"),
                told=source.estimate(row.estimate, f"sway of {row.persona}"),
                figure=interval(span(row.estimate), scale, "persona"),
            )
            for row in group.forest
        ),
        whole=over.estimate(whole, "mean sway over runs"),
        whole_figure=interval(span(whole), scale, "treatment"),
        axis=axis(scale),
        control=ARM_NAMES.get(group.control, ""),
        source=source,
        whole_source=over,
    )


def _both(
    source: NumberSource, shares: tuple[float, float], whose: str
) -> tuple[TracedNumber, TracedNumber]:
    before, after = (
        source.percent(share, f"share of yes {window}, {whose}", "no run with a partner")
        for share, window in zip(shares, ("before", "after"), strict=True)
    )
    return before, after


def _whole(scene: GroupRows) -> Estimate:
    result = scene.group.result
    if result.contrasts:
        return result.contrasts[0].estimate
    none = Estimate(np.nan, reason="no treatment run has started")
    return next((arm.sway for arm in result.arms if arm.arm == "treatment"), none)


@dataclass(frozen=True)
class ArmCurves:
    """The share of yes over position."""

    figure: Markup
    y_ticks: Markup
    x_ticks: Markup
    windows: tuple[tuple[str, Markup], ...]
    """Name of each window that is there, with its start in % of the width."""
    legend: tuple[tuple[str, Markup], ...]  # arm and how its curve is drawn
    table: tuple[tuple[str, TracedNumber, TracedNumber, tuple[PrintedEstimate, ...]], ...]
    """For each bin: its window, first and last position, and the estimate of each arm."""
    banded: bool  # whether any curve has a band
    source: NumberSource


def drift_curves(scene: GroupRows) -> ArmCurves:
    told = scene.group.drift
    drawn = scene.views.judged & (scene.measures.rows.use != TOO_EARLY)
    source = scene.source("report.breakdown.drift", used=drawn)
    points = [point for curve in told.curves for point in curve.points]
    scale = AxisScale.around([min(end, 100) for end in ends(points)], ticks=4)
    scale = AxisScale(max(scale.low, 0), min(scale.high, 100), scale.step)
    return ArmCurves(
        figure=curves(_lines(told), scale, _shades(told)),
        y_ticks=_y_ticks(scale),
        x_ticks=axis(AxisScale.counting(told.length)),
        windows=_windows(told),
        legend=tuple((ARM_NAMES[curve.arm], sample(curve.arm)) for curve in told.curves),
        table=_bins(told, source),
        banded=any(point.bounded for point in points),
        source=source,
    )


def _lines(told: Drift) -> list[Line]:
    x = np.array([(part.middle + 0.5) / told.length for part in told.bins])
    return [
        Line(
            curve.arm,
            x,
            *(
                np.array([getattr(point, name) for point in curve.points])
                for name in ("value", "low", "high")
            ),
        )
        for curve in told.curves
    ]


def _shades(told: Drift) -> list[tuple[float, float]]:
    return [
        (part.first / told.length, (part.last + 1) / told.length)
        for part in told.bins
        if part.phase != "adapt"
    ]


def _windows(told: Drift) -> tuple[tuple[str, Markup], ...]:
    starts: dict[str, float] = {}
    for part in told.bins:
        starts.setdefault(part.phase, 100 * part.first / told.length)
    return tuple((name, Markup(f"left:{at:.2f}%")) for name, at in starts.items())


def _y_ticks(scale: AxisScale) -> Markup:
    spans = Markup("").join(
        Markup('<span style="bottom:{:.2f}%">{:g}{}</span>').format(
            scale.at(tick), tick, " %" if tick == scale.ticks[-1] else ""
        )
        for tick in scale.ticks
    )
    return Markup('<div class="axis yticks" aria-hidden="true">{}</div>').format(spans)


def _bins(
    told: Drift, source: NumberSource
) -> tuple[tuple[str, TracedNumber, TracedNumber, tuple[PrintedEstimate, ...]], ...]:
    rows = []
    for number, part in enumerate(told.bins):
        place = f"videos {part.first + 1} to {part.last + 1} ({part.phase})"
        cells = tuple(
            source.estimate(curve.points[number], f"share of yes, {curve.arm}, {place}")
            for curve in told.curves
        )
        first = source.count(part.first + 1, f"first of {place}")
        last = source.count(part.last + 1, f"last of {place}")
        rows.append((part.phase, first, last, cells))
    return tuple(rows)


@dataclass(frozen=True)
class Average:
    """I_avg of one arm, beside where it would lie if nothing happened."""

    arm: str
    i_avg: TracedNumber
    defined: TracedNumber
    personas: TracedNumber
    low: TracedNumber
    high: TracedNumber
    mean: TracedNumber
    percentile: TracedNumber
    place: str
    known: bool
    unremarkable: bool
    null_runs: TracedNumber | None  # as in the headline
    reason: str
    figure: Markup
    axis: Markup
    source: NumberSource
    null_source: NumberSource


def averages(scene: GroupRows) -> tuple[Average, ...]:
    order = scene.group.arms
    groups = sorted(scene.group.result.averages, key=lambda one: order.index(one.arm))
    reach = [end for one in groups for end in (one.i_avg, one.null.low, one.null.high)]
    scale = AxisScale.around(reach)
    return tuple(_average(scene, one, scale) for one in groups)


def _average(scene: GroupRows, one: Group, scale: AxisScale) -> Average:
    source = scene.source("estimators.iavg.iavg", [one.arm])
    null, runs = one.null, scene.measures.material.null_runs
    exchanged = f", exchanged for {runs.told}" if null.null_runs else ""
    drawn = NumberSource(
        "analysis.statistics.null_models.null_of_i",
        f"{count_of(null.draws, 'draw')} from: {source.used}{exchanged}",
        source.left_out,
    )
    figure = strip(
        Span(one.i_avg, np.nan, np.nan), Span(null.mean, null.low, null.high), scale, one.arm
    )
    return Average(
        arm=ARM_NAMES[one.arm],
        i_avg=source.signed(one.i_avg, f"I_avg in %, {one.arm}", "undefined for every persona"),
        defined=source.count(
            len(one.personas) - one.undefined, f"personas where I is defined, {one.arm}"
        ),
        personas=source.count(len(one.personas), f"personas, {one.arm}"),
        low=drawn.signed(null.low, f"lower end of what chance gives I_avg, {one.arm}"),
        high=drawn.signed(null.high, f"upper end of what chance gives I_avg, {one.arm}"),
        mean=drawn.signed(null.mean, f"mean of what chance gives I_avg, {one.arm}"),
        percentile=drawn.percentile(
            null.percentile, f"percentile of I_avg, {one.arm}", null.reason
        ),
        place=placed(null.percentile),
        known=not np.isnan(null.percentile),
        unremarkable=null.unremarkable,
        null_runs=drawn.count(null.null_runs, f"null runs that I_avg is drawn from, {one.arm}")
        if null.null_runs
        else None,
        reason=null.reason,
        figure=figure,
        axis=axis(scale, "I_avg, %"),
        source=source,
        null_source=drawn,
    )


_WITHOUT = {
    1: "without the first batch",
    2: "without the first two batches",
    3: "without the first three batches",
}
_GRADED = {
    "score": "from the graded answers (ISQ's score)",
    "p_yes": "from the graded answers (probability of yes)",
}


@dataclass(frozen=True)
class AlternativeSway:
    """The sway after another choice."""

    name: str
    told: PrintedEstimate
    figure: Markup


def choices(scene: GroupRows) -> tuple[tuple[AlternativeSway, ...], Markup, NumberSource]:
    """The sway as declared, without the first batches, and without repeats; with its axis."""
    group = scene.group
    used, otherwise = scene.paired()
    arms = ["treatment", *([group.control] if group.control else [])]
    source = scene.source("report.group_measures.measure", arms, used, otherwise=otherwise)
    made = [("as declared", _whole(scene))]
    made += [(_WITHOUT[count], told) for count, told in group.sensitivity.items()]
    if group.new_only is not None:
        made.append(("without repeats", group.new_only))
    graded = [group.graded] if group.graded.exists else []
    scale = AxisScale.around(ends([told for _, told in made] + graded))
    rows = [
        AlternativeSway(
            name,
            source.estimate(told, f"sway, {name}"),
            interval(span(told), scale, "treatment" if name == "as declared" else "persona"),
        )
        for name, told in made
    ]
    grades = scene.source("estimators.one_run.graded_sway", arms, used, otherwise=otherwise)
    rows += [
        AlternativeSway(
            _GRADED[group.graded_by],
            grades.estimate(told, "graded sway, points of a hundred"),
            interval(span(told), scale, "persona"),
        )
        for told in graded
    ]
    return tuple(rows), axis(scale), source
