"""What the feeds were like: how varied, and how long a yes and a no were watched."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from analysis.data.exposures import BEFORE, Mask
from analysis.report.diversity import Variety
from analysis.report.figures import AxisScale, axis, dumbbell
from analysis.report.measured import ArmDwell
from analysis.report.scene import ARM_NAMES, GroupRows
from analysis.report.trace import NumberSource, PrintedEstimate, TracedNumber


@dataclass(frozen=True)
class VarietyRow:
    """One arm and window."""

    arm: str
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


def variety_table(scene: GroupRows) -> VarietyTable:
    source = scene.everything("report.diversity.varieties")
    rows = scene.group.variety
    sample = max((row.sample for row in rows), default=0)
    return VarietyTable(
        rows=tuple(_variety(source, row) for row in rows),
        sample=source.count(sample, "videos in a sample") if sample else None,
        near_known=any(row.near.exists for row in rows),
        source=source,
    )


def _variety(source: NumberSource, row: Variety) -> VarietyRow:
    place = f"{row.arm}, {row.window}"
    return VarietyRow(
        arm=ARM_NAMES[row.arm],
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
        shared=source.percent(row.shared, f"shared videos, {place}", "one persona only"),
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
