"""What does not count, and what is not there: exclusions, missing answers, lost runs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.data.exposures import AFTER, BEFORE, MISSING, NONE
from analysis.report.accounting import ADAPT_ROW, AFTER_ROW, BEFORE_ROW, USES
from analysis.report.scene import ARM_NAMES, GroupRows
from analysis.report.trace import Name, NumberSource, TracedNumber
from store.foreign.printing import count_of


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
    source = scene.everything("report.accounting.account")
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
    source = scene.source("data.windows.window_share", [arm.arm], compared, noun="compared video")
    bounds = scene.source("data.windows.missing_bounds", [arm.arm], compared, noun="compared video")
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
        "analysis.report.material.read_study", f"{count_of(gone, 'run')}{scene.told}"
    )
    return Losses(
        rows=rows,
        control=ARM_NAMES.get(group.control, ""),
        p=fisher.p(group.attrition_p, "Fisher's exact test", "no arm to compare with"),
        superseded=newest.count(gone, "runs that a newer one stands in for") if gone else None,
        source=source,
    )
