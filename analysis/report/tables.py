"""The report's numbers as tables, one row a thing: what stands behind the page."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

from analysis.report.group_measures import MeasuredGroup, Measures
from analysis.report.page_files import Cell, Rendered, ReportTable
from analysis.report.rejudgings import Rejudging
from analysis.report.row_tables import GROUP, runs_table, views_table
from analysis.statistics.estimate import NAN, Estimate
from store.terminal.printing import count_of

_ESTIMATE = ("value", "low", "high", "unit", "clusters", "df", "p", "method", "reason")
_TESTED = (*_ESTIMATE, "test", "sides", "p_holm")
DIFFERENCES = ("pp", "points")  # units of what is 0 where nothing happens
_STUDENT = "Student's t"
_PERMUTED = "permuting which run belongs to whom"


def tables(measures: Measures, rendered: Rendered) -> list[ReportTable]:
    groups = measures.groups
    people = _table("people", "draw measure judge part questions", _ESTIMATE, groups, _people)
    return [
        views_table(measures),
        runs_table(measures),
        _table("estimates", "name", _TESTED, groups, _estimates),
        _table(
            "personas",
            "persona runs before after control_before control_after",
            _ESTIMATE,
            groups,
            _personas,
        ),
        _table("drift", "arm window first last", _ESTIMATE, groups, _drift),
        _table(
            "i_avg",
            "arm i_avg personas undefined percentile null_mean null_low null_high null_rate "
            "null_icc null_runs reason",
            (),
            groups,
            _averages,
        ),
        _table(
            "variety",
            "arm window videos repeats yes yes_without_repeats creators creators_sample "
            "near_duplicates shared",
            (),
            groups,
            _variety,
        ),
        _table(
            "labels", "arm window label labelled not_labelled unknown", _ESTIMATE, groups, _labels
        ),
        _table("dwell", "arm answer videos", _ESTIMATE, groups, _dwell),
        _table("losses", "arm planned never_begun complete incomplete", (), groups, _losses),
        _table(
            "matrix",
            "judge judge_strategy judge_manner judge_fingerprint judge_seed persona feed_of window "
            "share",
            (),
            groups,
            _matrix,
        ),
        *_others(groups),
        *([people] if any(group.people for group in groups) else []),
        numbers_table(rendered),
    ]


def _others(groups: tuple[MeasuredGroup, ...]) -> list[ReportTable]:
    """The table of other packages' estimators, where there is any."""
    if not any(group.custom_estimates for group in groups):
        return []
    columns = "estimator package version code name"
    return [_table("estimators_of_others", columns, _ESTIMATE, groups, _custom_estimates)]


def numbers_table(rendered: Rendered) -> ReportTable:
    """Every number of a page, one row for each time that it is printed, with its source."""
    columns = ("id", "source", "text", "value", "what", "function", "used", "left_out")
    rows: list[tuple[Cell, ...]] = []
    for number, (place, one) in enumerate(rendered.numbers, 1):
        source = (one.source.function, one.source.used, one.source.left_out)
        rows.append((f"n-{number}", place, one.text, one.value, one.what, *source))
    return ReportTable("numbers", columns, rows)


def _table(
    name: str,
    columns: str,
    more: tuple[str, ...],
    groups: tuple[MeasuredGroup, ...],
    of: Callable[[MeasuredGroup], Iterator[tuple[Cell, ...]]],
) -> ReportTable:
    rows = [(*group.name, *row) for group in groups for row in of(group)]
    return ReportTable(name, (*GROUP, *columns.split(), *more), rows)


def _estimate(told: Estimate) -> tuple[Cell, ...]:
    """An estimate; that a share or a time is not 0 is no hypothesis, and has no p-value."""
    p = told.p if told.unit in DIFFERENCES else NAN
    return (
        told.value,
        told.low,
        told.high,
        told.unit,
        told.clusters,
        told.df,
        p,
        told.method,
        told.reason,
    )


def _by_student(told: Estimate) -> tuple[Cell, ...]:
    """An estimate whose p-value, if it has one, is Student's t."""
    tested = told.unit in DIFFERENCES and not math.isnan(told.p)
    return (*_estimate(told), *((_STUDENT, "two", NAN) if tested else ("", "", NAN)))


def _tested(
    told: Estimate, p: float, test: str, sides: str = "two", p_holm: float = NAN
) -> tuple[Cell, ...]:
    """An estimate with the p-value of the test that goes with it."""
    return (*_estimate(replace(told, p=p)), test, sides, p_holm)


def _estimates(group: MeasuredGroup) -> Iterator[tuple[Cell, ...]]:
    first = group.primary
    yield ("primary", *_tested(first.estimate, first.p, first.test, first.sides, group.p_holm))
    if first.other:
        yield (
            f"primary, by {first.other}",
            *_tested(first.estimate, first.p_other, first.other, first.sides),
        )
    for arm in group.result.arms:
        yield (f"sway, {arm.arm}", *_by_student(arm.sway))
    for contrast in group.result.contrasts:
        yield (f"treatment minus {contrast.control}", *_by_student(contrast.estimate))
    for count, told in group.sensitivity.items():
        yield (f"without the first {count_of(count, 'batch')}", *_by_student(told))
    if group.new_only is not None:
        yield ("without repeats", *_by_student(group.new_only))
    yield ("graded", *_by_student(group.graded))
    named = [f"{again.judge.strategy} x {again.judge.model}" for again in group.rejudged]
    for again, judge in zip(group.rejudged, named, strict=True):
        alone = named.count(judge) == 1
        which = judge if alone else f"{judge}, {again.judge.at:%Y-%m-%d}, seed {again.judge.seed}"
        which += f", {again.judge.manner}" if again.judge.manner and not alone else ""
        matrix = again is group.matrix_judge and first.design in ("matrix", "borrowed")
        for name, row in _permuted(again, first.sides if matrix else "two"):
            yield (f"{name}, {which}", *row)
        for name, told in _judged(again):
            yield (f"{name}, {which}", *_by_student(told))


def _permuted(again: Rejudging, sides: str) -> Iterator[tuple[str, tuple[Cell, ...]]]:
    """Estimates tested by permutation, by name; ``sides`` are of the specific sway's test."""
    if again.matrix is None:
        return
    sway, graded = again.matrix.sway, again.matrix.graded
    yield "specific sway", _tested(sway.estimate, again.p(sway.test, sides), _PERMUTED, sides)
    yield "placebo", _tested(sway.placebo, again.p(sway.placebo_test), _PERMUTED)
    if graded is not None:
        yield "specific sway, graded", _tested(graded.estimate, again.p(graded.test), _PERMUTED)


def _judged(again: Rejudging) -> Iterator[tuple[str, Estimate]]:
    if again.both is not None:
        words = f"specific sway as {again.judge.model} would judge all videos"
        told = again.both.estimate
        yield words, told if again.drawn else replace(told, p=NAN)
    if again.matrix is not None and again.matrix.borrowed is not None:
        yield "borrowed base", again.matrix.borrowed.estimate
    if again.blind is not None:
        yield "sway scored blind", again.blind.blind
        yield "judge's part", again.blind.judge
        yield "lenience of acting", again.blind.lenience
    if again.eagerness is not None:
        yield "acquiescence bias", again.eagerness.tendency
    if again.repeats is not None:
        yield "agreement with itself", again.repeats.agreement
    if again.wordings is not None:
        yield "agreement over wordings", again.wordings.agreement


def _personas(group: MeasuredGroup) -> Iterator[tuple[Cell, ...]]:
    for row in group.forest:
        yield (row.persona, row.runs, *row.treatment, *row.control, *_estimate(row.estimate))


def _drift(group: MeasuredGroup) -> Iterator[tuple[Cell, ...]]:
    for curve in group.drift.curves:
        for part, told in zip(group.drift.bins, curve.points, strict=True):
            yield (curve.arm, part.phase, part.first, part.last, *_estimate(told))


def _averages(group: MeasuredGroup) -> Iterator[tuple[Cell, ...]]:
    for one in group.result.averages:
        null = one.null
        yield (
            one.arm,
            one.i_avg,
            len(one.personas),
            one.undefined,
            null.percentile,
            null.mean,
            null.low,
            null.high,
            null.rate,
            null.icc,
            null.null_runs,
            null.reason,
        )


def _variety(group: MeasuredGroup) -> Iterator[tuple[Cell, ...]]:
    for row in (*group.variety, *group.histories):
        yield (
            row.arm,
            row.window,
            row.videos,
            row.repeats.value,
            row.yes.value,
            row.yes_new.value,
            row.creators.value,
            row.sample,
            row.near.value,
            row.shared,
        )


def _labels(group: MeasuredGroup) -> Iterator[tuple[Cell, ...]]:
    for row in group.labels:
        counts = (row.labelled, row.not_labelled, row.unknown)
        yield (row.arm, row.window, row.label, *counts, *_estimate(row.share))


def _people(group: MeasuredGroup) -> Iterator[tuple[Cell, ...]]:
    """What people's labels say: agreement, judges against them, and their sway."""
    for told in group.people:
        agreed = told.agreement
        yield told.draw, "alpha", None, "all", agreed.shared, *_estimate(agreed.alpha)
        for pair in agreed.pairs:
            who = f"{pair.first} and {pair.second}"
            yield told.draw, "kappa", None, who, pair.questions, *_estimate(pair.kappa)
        for judge in told.judges:
            for one in judge.parts:
                place = (judge.judge, one.part, one.questions)
                yield told.draw, "balanced accuracy", *place, *_estimate(one.balanced)
                yield told.draw, "kappa", *place, *_estimate(one.kappa)
        for sway in told.sways:
            part = (None, sway.arm, sway.labels)
            yield told.draw, "sway as people would find it", *part, *_estimate(sway.sway)
            yield told.draw, "sway of the labels alone", *part, *_estimate(sway.alone)


def _dwell(group: MeasuredGroup) -> Iterator[tuple[Cell, ...]]:
    for row in group.dwell:
        yield (row.arm, "yes", row.yes_count, *_estimate(row.yes))
        yield (row.arm, "no", row.no_count, *_estimate(row.no))


def _losses(group: MeasuredGroup) -> Iterator[tuple[Cell, ...]]:
    for entry in group.lost:
        yield (
            entry.arm,
            entry.started,
            group.never.get(entry.arm, 0),
            entry.complete,
            ", ".join(entry.short),
        )


def _matrix(group: MeasuredGroup) -> Iterator[tuple[Cell, ...]]:
    for again in group.rejudged:
        if again.matrix is None:
            continue
        personas, judge = again.matrix.personas, again.judge
        named = (judge.model, judge.strategy, judge.manner, judge.fingerprint, judge.seed)
        for window in ("before", "after"):
            shares = getattr(again.matrix, window)
            for i, persona in enumerate(personas):
                for j, feed_of in enumerate(personas):
                    yield (*named, persona, feed_of, window, float(shares[i, j]))


def _custom_estimates(group: MeasuredGroup) -> Iterator[tuple[Cell, ...]]:
    for one in group.custom_estimates:
        by = (one.made_by.name, one.made_by.package, one.made_by.version, one.made_by.code)
        if one.problem:
            yield (*by, "", *_estimate(Estimate(NAN, unit="", reason=one.problem)))
        for name, told in one.estimates.items():
            yield (*by, name, *_estimate(told))
