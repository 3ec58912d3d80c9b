"""Made-up studies without any sway, drawn by the thousand, and the verdict on each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from unittest.mock import patch

import numpy as np

from analysis.data.before_after_windows import counts_by_run
from analysis.estimators import study_results
from analysis.report import primary_outcome, rejudgings
from analysis.report.gate_check import cap
from analysis.report.group_verdict import GroupVerdict, judge_group
from analysis.report.report_inputs import Material
from analysis.statistics.estimate import NAN, Estimate
from analysis.statistics.null_models import NullOfSway
from store.runs.ledger_lines import Windows
from tests.analysis.made_results import NOON
from tests.analysis.report.made_study import (
    MadeRun,
    MadeStudy,
    draw_of,
    read_in_memory,
)

Rng = np.random.Generator
ALPHA = 0.05
WINDOWS = Windows(before=12, adapt=6, after=18, baseline="passive")
LONG = 120  # videos that a run could have been shown


@dataclass(frozen=True)
class Nature:
    """What is true of a study: shares of 1. Nothing in it is a reaction."""

    base: float = 0.3
    account: float = 0.05  # spread of a cell's share over accounts
    lean: float = 0.0  # profiles of treatment runs lean to their personas, throughout
    drift: float = 0.0  # change from before to after, in every feed
    judge: float = 0.0  # the acting judge's drift from before to after
    effect: float = 0.0  # a true sway, for what a check costs
    lenience: float = 0.0  # of the acting judge against the blind one
    control_judge: float = 0.0  # a drift of the controls' judge


def make(
    rng: Rng,
    primary: str,
    personas: int = 6,
    nature: Nature = Nature(),
    windows: Windows = WINDOWS,
    tied: bool = False,
    blocks: int = 1,
) -> MadeStudy:
    """Draw a study; ``tied`` personas start at the hour that suits them."""
    names = tuple(f"p{number:02d}" for number in range(personas))
    slots = (
        np.arange(personas)
        if tied
        else np.concatenate(
            [
                part[rng.permutation(len(part))]
                for part in np.array_split(np.arange(personas), blocks)
            ]
        )
    )
    order = rng.permutation(personas) if tied else slots  # what the draw says
    arms = ("treatment", "passive") if primary == "controlled" else ("treatment",)
    half = -(-personas // blocks)
    runs = [
        run_of(rng, place, names, int(slots[place]), arm, nature, windows, block=1 + place // half)
        for place in range(personas)
        for arm in arms
    ]
    study = MadeStudy(windows, primary, runs, personas=names)
    by_draw = {name: int(order[place]) + 1 for place, name in enumerate(names)}
    study.draws = [cell | {"slot": by_draw[cell["persona"]]} for cell in draw_of(runs)]
    if tied:
        for run in runs:
            run.account = f"slot{by_draw[run.persona]:03d}-{run.arm}-r1"
    return study


def run_of(
    rng: Rng,
    place: int,
    names: tuple[str, ...],
    slot: int,
    arm: str,
    nature: Nature,
    windows: Windows,
    *,
    block: int = 1,
) -> MadeRun:
    """One run, as every persona would judge it."""
    size = len(names)
    rates = nature.base + nature.account * rng.standard_normal(size)
    if arm == "treatment":
        rates[place] += nature.lean
    swayed = np.zeros((size, 1))
    swayed[place] = nature.effect * (arm == "treatment")
    after = np.arange(LONG) >= windows.before + windows.adapt
    true = np.clip(rates[:, None] + (nature.drift + swayed) * after, 0.02, 0.98)
    blind = (rng.random((size, LONG)) < true).astype(np.int64)
    moved = nature.judge if arm == "treatment" else nature.control_judge
    more = nature.lenience + moved * after
    acting = blind[place] | (rng.random(LONG) < more)
    at = NOON + timedelta(hours=4 * slot)
    return MadeRun(names[place], arm, slot + 1, at, acting, blind, block=block)


def share(run: MadeRun, windows: Windows) -> float:
    """Acting share of yes after the change."""
    return float(run.acting[windows.before + windows.adapt : windows.total].mean())


def sway(run: MadeRun, windows: Windows) -> float:
    return share(run, windows) - float(run.acting[: windows.before].mean())


def judged(material: Material, rng: Rng) -> GroupVerdict:
    """The verdict as ``measure`` makes it, without the rest of the report.

    What stands beside a headline and decides nothing is not computed.
    """
    none = NullOfSway(np.array([]), NAN, NAN, NAN, NAN)
    with (
        patch.object(study_results, "group_changes", lambda *_: ()),
        patch.object(primary_outcome, "null_of_sway", lambda *_, **__: none),
        patch.object(rejudgings, "taste_overlap", lambda _: Estimate(NAN)),
        patch.object(rejudgings, "eagerness", lambda _: None),
        patch.object(rejudgings, "steadiness", lambda *_, **__: None),
        patch.object(study_results, "graded_change", lambda *_: (NAN, "")),
    ):
        (result,) = study_results.study(material.views, rng)
        units = counts_by_run(material.views)
        return judge_group(material, result, range(len(units)), units, rng)


def headlined(found: GroupVerdict) -> str:
    return cap(found.primary.verdict(ALPHA, NAN), found.gate)


@dataclass(frozen=True)
class Way:
    """A way to break a null.

    ``bare``: what would be headlined without the protection; by default the verdict without gate.
    """

    name: str
    draw: Callable[[Rng], MadeStudy]
    bare: Callable[[MadeStudy, Material, Rng], bool] | None = None


@dataclass(frozen=True)
class Rates:
    """Counts over simulated studies."""

    studies: int
    towards: int  # headlined as a sway towards the persona
    rose: int  # headlined as a share that rose, with no cause
    bare: int  # found without the check
    capped: int


def rates(way: Way, studies: int, seed: int) -> Rates:
    towards = rose = bare = capped = 0
    for number in range(studies):
        rng = np.random.default_rng([seed, number])
        study = way.draw(rng)
        material = read_in_memory(study)
        found = judged(material, rng)
        said = headlined(found)
        up = said == "up"
        rose += up and found.primary.design == "paired"
        towards += up and found.primary.design != "paired"
        capped += said == "capped"
        if way.bare is not None:
            bare += way.bare(study, material, rng)
        else:
            bare += found.primary.verdict(ALPHA, NAN) == "up"
    return Rates(studies, towards, rose, bare, capped)


def own_minus_others(study: MadeStudy, run: MadeRun) -> float:
    """How much more its persona says yes to in this run than the others do, after the change."""
    late = slice(WINDOWS.before + WINDOWS.adapt, WINDOWS.total)
    shares = run.blind[:, late].mean(1)
    own = study.personas.index(run.persona)
    return float(shares[own] - np.delete(shares, own).mean())
