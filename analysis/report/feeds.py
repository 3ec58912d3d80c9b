"""What the feeds showed: how varied, how long it was watched, and what of it does not count.

Every video, and every run that was drawn, is in one of the tables of exclusions, missing answers
and lost runs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from analysis.data.exposures import AFTER, BEFORE, MISSING, NONE
from analysis.data.reported_uses import USES
from analysis.report.diversity import Variety
from analysis.report.figures import AxisScale, axis, dumbbell
from analysis.report.group_measures import ArmDwell
from analysis.report.labelled_content import LabelShare
from analysis.report.number_sources import Name, NumberSource, PrintedEstimate, TracedNumber
from analysis.report.report_group import GroupRows
from analysis.report.row_uses import ADAPT_ROW, AFTER_ROW, BEFORE_ROW
from analysis.report.verdict_words import ARM_NAMES
from analysis.statistics.estimate import Mask
from store.terminal.printing import count_of


@dataclass(frozen=True)
class VarietyRow:
    """One arm and window, or one history."""

    arm: str | Name
    window: str
    videos: TracedNumber
    repeats: TracedNumber
    yes: TracedNumber
    yes_new: TracedNumber
    creators: TracedNumber
    near: TracedNumber
    shared: TracedNumber


@dataclass(frozen=True)
class VarietyTable:
    """Arms and windows, with the size of the samples in which creators are counted."""

    rows: tuple[VarietyRow, ...]
    sample: TracedNumber | None
    near_known: bool
    source: NumberSource
    histories: tuple[VarietyRow, ...] = ()
    stretch: TracedNumber | None = None
    """Videos of the stretches that histories are cut into."""


def variety_table(scene: GroupRows) -> VarietyTable:
    source = scene.everything("report.diversity.varieties")
    rows, histories = scene.group.variety, scene.group.histories
    shown = sum(row.videos for row in histories)
    cut = NumberSource(
        "analysis.report.watch_histories.history_varieties",
        f"{count_of(shown, 'video')} of {count_of(len(histories), 'history')}{scene.told}",
        "advertisements, photo posts, and what is left after the last stretch",
    )
    sample = max((row.sample for row in rows), default=0)
    return VarietyTable(
        rows=tuple(_variety(source, row) for row in rows),
        sample=source.count(sample, "videos in a sample") if sample else None,
        near_known=any(row.near.exists for row in rows),
        source=source,
        histories=tuple(_variety(cut, row) for row in histories),
        stretch=cut.count(scene.group.stretch, "videos of a stretch") if histories else None,
    )


def _variety(source: NumberSource, row: Variety) -> VarietyRow:
    place = f"{row.arm}, {row.window}"
    return VarietyRow(
        arm=ARM_NAMES.get(row.arm) or Name(row.arm),
        window=row.window,
        videos=source.count(row.videos, f"videos that count, {place}"),
        repeats=source.percent(row.repeats.value, f"repeats, {place}", row.repeats.reason),
        yes=source.percent(row.yes.value, f"share of yes, {place}", row.yes.reason),
        yes_new=source.percent(
            row.yes_new.value, f"share of yes without repeats, {place}", row.yes_new.reason
        ),
        creators=source.decimal(
            row.creators.value, f"creators, {place}", 1, "not every video names its creator"
        ),
        near=source.percent(row.near.value, f"near-duplicates, {place}", "no frames"),
        shared=source.percent(row.shared, f"shared videos, {place}", "nothing to share with"),
    )


LABEL_NAMES = {
    "ad": "advertisement",
    "paid_partnership": "paid partnership",
    "ad_authorised": "authorised as an ad by its creator",
    "ai_label": "labelled as AI-generated",
    "photo_post": "photo post",
}
"""In words, as the page prints them."""


@dataclass(frozen=True)
class LabelRow:
    """One label in one arm's window, as it is printed."""

    arm: str
    window: str
    label: str
    labelled: TracedNumber
    not_labelled: TracedNumber
    unknown: TracedNumber
    share: PrintedEstimate
    source: NumberSource


def label_rows(scene: GroupRows) -> tuple[LabelRow, ...]:
    """Print the labels of which anything is known; photo posts only where there is one."""
    labels = scene.group.labels
    known = {one.label for one in labels if one.labelled or one.not_labelled}
    if not any(one.labelled for one in labels if one.label == "photo_post"):
        known.discard("photo_post")
    return tuple(_row(scene, share) for share in labels if share.label in known)


def _row(scene: GroupRows, told: LabelShare) -> LabelRow:
    source = scene.everything("report.labelled_content.label_shares", [told.arm])
    place = f"{LABEL_NAMES[told.label]}, {told.arm}, {told.window}"
    return LabelRow(
        arm=ARM_NAMES[told.arm],
        window=told.window,
        label=LABEL_NAMES[told.label],
        labelled=source.count(told.labelled, f"videos, {place}"),
        not_labelled=source.count(told.not_labelled, f"videos that are not: {place}"),
        unknown=source.count(told.unknown, f"videos of which it is not known: {place}"),
        share=source.estimate(told.share, f"share of the known, {place}"),
        source=source,
    )


@dataclass(frozen=True)
class DwellRow:
    """One arm's delivered dwell in seconds."""

    arm: str
    yes: PrintedEstimate
    no: PrintedEstimate
    ratio: TracedNumber
    decided: bool
    figure: Markup
    source: NumberSource


def dwell_rows(scene: GroupRows) -> tuple[tuple[DwellRow, ...], Markup]:
    """Delivered dwell by arm, with the axis; nothing where no dwell was recorded."""
    known = [row for row in scene.group.dwell if row.yes.exists or row.no.exists]
    if not known:
        return (), Markup("")
    scale = AxisScale.around([end for row in known for end in (row.yes.value, row.no.value)])
    return tuple(_dwell(scene, row, scale) for row in known), axis(scale)


def _dwell(scene: GroupRows, row: ArmDwell, scale: AxisScale) -> DwellRow:
    source = scene.source(
        "estimators.one_run.dwell_contrast",
        [row.arm],
        _decided(scene),
        otherwise="of the passive baseline",
    )
    both = row.yes.exists and row.no.exists
    return DwellRow(
        arm=ARM_NAMES[row.arm],
        yes=source.estimate(row.yes, f"seconds watched after yes, {row.arm}"),
        no=source.estimate(row.no, f"seconds watched after no, {row.arm}"),
        ratio=source.decimal(
            row.ratio, f"after yes over after no, {row.arm}", 1, "one of them is unknown"
        ),
        decided=row.decided,
        figure=dumbbell(row.no.value, row.yes.value, scale) if both else Markup(""),
        source=source,
    )


def _decided(scene: GroupRows) -> Mask:
    """Answered rows, less those of a treatment's passive baseline: no answer decided a dwell."""
    views = scene.views
    baseline = np.array(
        [run.arm == "treatment" and run.windows.baseline == "passive" for run in views.runs]
    )
    return np.asarray(views.judged & ~(baseline[views.run] & (views.phase == BEFORE)))


@dataclass(frozen=True)
class UseRow:
    """How many videos of each arm had one use."""

    use: str
    counts: tuple[TracedNumber, ...]
    counted: bool


@dataclass(frozen=True)
class Uses:
    """What became of every video that was shown, by arm."""

    arms: tuple[str, ...]
    rows: tuple[UseRow, ...]
    totals: tuple[TracedNumber, ...]
    source: NumberSource


def uses(scene: GroupRows) -> Uses:
    arms = scene.group.arms
    code = scene.measures.rows.use
    masks = [scene.rows([arm]) for arm in arms]
    source = scene.everything("report.row_uses.account")
    counts = np.array([np.bincount(code[mask], minlength=len(USES)) for mask in masks])
    order = [BEFORE_ROW, AFTER_ROW, ADAPT_ROW]
    order += [use for use in range(len(USES)) if use not in order]
    return Uses(
        arms=arms,
        rows=tuple(
            UseRow(
                use=_use_name(use),
                counts=tuple(
                    source.count(n, f"{USES[use]}, {arm}")
                    for n, arm in zip(counts[:, use], arms, strict=True)
                ),
                counted=use in (BEFORE_ROW, AFTER_ROW),
            )
            for use in order
            if counts[:, use].any()
        ),
        totals=tuple(
            source.count(mask.sum(), f"videos shown, {arm}")
            for mask, arm in zip(masks, arms, strict=True)
        ),
        source=source,
    )


def _use_name(use: int) -> str:
    named = {
        BEFORE_ROW: "compared: before",
        AFTER_ROW: "compared: after",
        ADAPT_ROW: "between the windows (adapt)",
    }
    return named.get(use, USES[use].replace("_", " "))


@dataclass(frozen=True)
class MissingRow:
    """Missing answers of one arm, by window, and what they could do to its sway."""

    arm: str
    before: TracedNumber
    after: TracedNumber
    share: TracedNumber
    reasons: str
    sway: TracedNumber
    low: TracedNumber
    high: TracedNumber


def missing_rows(scene: GroupRows) -> tuple[MissingRow, ...]:
    return tuple(_missing(scene, index) for index in range(len(scene.group.result.arms)))


def _missing(scene: GroupRows, index: int) -> MissingRow:
    arm = scene.group.result.arms[index]
    views, mask = scene.views, scene.rows([arm.arm])
    compared = mask & scene.measures.rows.compared
    lost = compared & (views.answer == NONE)
    source = scene.source(
        "data.before_after_windows.window_share", [arm.arm], compared, noun="compared video"
    )
    bounds = scene.source(
        "data.before_after_windows.missing_bounds", [arm.arm], compared, noun="compared video"
    )
    total = arm.judged + arm.unanswered
    names = [MISSING[code].replace("_", " ") for code in np.unique(views.missing[lost])]
    return MissingRow(
        arm=ARM_NAMES[arm.arm],
        before=source.count((lost & (views.phase == BEFORE)).sum(), f"missing before, {arm.arm}"),
        after=source.count((lost & (views.phase == AFTER)).sum(), f"missing after, {arm.arm}"),
        share=source.percent(
            100 * arm.unanswered / total if total else np.nan, f"missing answers, {arm.arm}"
        ),
        reasons=", ".join(names),
        sway=bounds.pp(arm.sway.value, f"sway, {arm.arm}", arm.sway.reason),
        low=bounds.pp(arm.bounds[0], f"lower bound for missing answers, {arm.arm}"),
        high=bounds.pp(arm.bounds[1], f"upper bound for missing answers, {arm.arm}"),
    )


@dataclass(frozen=True)
class LostRow:
    """Runs of one arm: how many were to be, how many began, how many are complete."""

    arm: str
    planned: TracedNumber
    begun: TracedNumber
    complete: TracedNumber
    share: TracedNumber
    lost: tuple[tuple[Name, Name], ...]


@dataclass(frozen=True)
class Losses:
    """Attrition by arm, with the test that it is the same in both."""

    rows: tuple[LostRow, ...]
    control: str  # the arm that the treatment is compared with
    p: TracedNumber
    superseded: TracedNumber | None
    source: NumberSource


def lost_runs(scene: GroupRows) -> Losses:
    group, material = scene.group, scene.measures.material
    drawn = "drawn" if material.study else "given"
    planned = sum(entry.started for entry in group.lost)
    source = NumberSource(
        "analysis.estimators.contrasts.attrition", f"{count_of(planned, 'run')} {drawn}{scene.told}"
    )
    fisher = NumberSource("analysis.estimators.contrasts.attrition_p_value", source.used)
    status = {run.run_id: run.status for run in group.runs}
    rows = tuple(
        LostRow(
            arm=ARM_NAMES[entry.arm],
            planned=source.count(entry.started, f"runs that were to be, {entry.arm}"),
            begun=source.count(
                entry.started - group.never.get(entry.arm, 0), f"runs begun, {entry.arm}"
            ),
            complete=source.count(entry.complete, f"runs with both windows in full, {entry.arm}"),
            share=source.whole(
                100 * entry.complete / entry.started, f"complete runs in %, {entry.arm}"
            ),
            lost=tuple((Name(run), Name(status[run])) for run in entry.short if run in status),
        )
        for entry in group.lost
    )
    gone = sum(newer in status for newer in material.superseded.values())
    newest = NumberSource(
        "analysis.report.report_inputs.read_study", f"{count_of(gone, 'run')}{scene.told}"
    )
    return Losses(
        rows=rows,
        control=ARM_NAMES.get(group.control, ""),
        p=fisher.p(group.attrition_p, "Fisher's exact test", "no arm to compare with"),
        superseded=newest.count(gone, "runs that a newer one stands in for") if gone else None,
        source=source,
    )
