"""The page: sections put together, and written as one file that needs nothing else.

Refuses to know how a number was made: everything that a template prints goes through
``trace.Traces.shown``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from analysis.estimators.study import BORROWED, DesignOffer
from analysis.report.feeds import (
    DwellRow,
    Losses,
    MissingRow,
    Uses,
    VarietyTable,
    dwell_rows,
    lost_runs,
    missing_rows,
    uses,
    variety_table,
)
from analysis.report.headline import Headline, headline
from analysis.report.judges import JudgeView, judge_views
from analysis.report.measured import Measures
from analysis.report.methods import Methods, methods
from analysis.report.pictures import Budget, Sheets, sheets
from analysis.report.results import (
    AlternativeSway,
    ArmCurves,
    Average,
    Forest,
    averages,
    choices,
    drift_curves,
    forest,
)
from analysis.report.scene import GroupRows
from analysis.report.trace import NumberSource, TracedNumber, Traces

if TYPE_CHECKING:
    from jinja2 import Environment

POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'"
)
"""What a browser lets a page do: show its own text, styles and pictures; nothing runs or loads."""
TEMPLATES = Path(__file__).with_name("templates")


@dataclass(frozen=True)
class Chapter:
    """One platform, strategy and model."""

    key: Markup
    head: Headline
    judged: TracedNumber
    forest: Forest
    curves: ArmCurves
    choices: tuple[AlternativeSway, ...]
    choices_axis: Markup
    choices_source: NumberSource
    repeated: bool
    graded: bool
    sheets: Sheets | None
    averages: tuple[Average, ...]
    variety: VarietyTable
    dwell: tuple[DwellRow, ...]
    dwell_axis: Markup
    uses: Uses
    missing: tuple[MissingRow, ...]
    lost: Losses
    judges: tuple[JudgeView, ...]
    offers: tuple[tuple[DesignOffer, TracedNumber], ...]


@dataclass(frozen=True)
class ReportPage:
    """A whole report, ready to be rendered."""

    methods: Methods
    chapters: tuple[Chapter, ...]
    title: Markup
    made: Markup


@dataclass(frozen=True)
class Rendered:
    """The page as text, with every number that is in it, in its order and as often."""

    html: str
    numbers: tuple[tuple[int, TracedNumber], ...]


def compose(measures: Measures, seed: int, now: datetime) -> ReportPage:
    """Put the sections together; ``seed`` draws the frames of the contact sheets."""
    rng, budget = np.random.default_rng(seed), Budget()
    scenes = [GroupRows(measures, group) for group in measures.groups]
    stamp = Markup('<time datetime="{}">{}</time>').format(
        now.isoformat(timespec="minutes"), f"{now:%Y-%m-%d %H:%M %Z}"
    )
    return ReportPage(
        methods=methods(measures, seed),
        chapters=tuple(
            _chapter(scene, number, rng, budget) for number, scene in enumerate(scenes, 1)
        ),
        title=Markup("{}: feedsway report").format(measures.material.title),
        made=stamp,
    )


def _chapter(scene: GroupRows, number: int, rng: np.random.Generator, budget: Budget) -> Chapter:
    rows, choices_axis, choices_source = choices(scene)
    dwell, dwell_axis = dwell_rows(scene)
    judged = scene.source("report.accounting.account")
    fits = NumberSource(
        "analysis.estimators.study.offers",
        f"what the runs of this chapter are{scene.told}",
    )
    return Chapter(
        key=Markup("g{}").format(number),
        head=headline(scene),
        judged=judged.count((scene.rows() & scene.measures.rows.counted).sum(), "judged videos"),
        forest=forest(scene),
        curves=drift_curves(scene),
        choices=rows,
        choices_axis=choices_axis,
        choices_source=choices_source,
        repeated=scene.group.new_only is not None,
        graded=scene.group.graded.exists,
        sheets=sheets(scene, rng, budget),
        averages=averages(scene),
        variety=variety_table(scene),
        dwell=dwell,
        dwell_axis=dwell_axis,
        uses=uses(scene),
        missing=missing_rows(scene),
        lost=lost_runs(scene),
        judges=judge_views(scene),
        offers=tuple((offer, fits.words(offer.why)) for offer in _offers(scene)),
    )


def _offers(scene: GroupRows) -> tuple[DesignOffer, ...]:
    """The designs that fit the runs; a borrowed base that its own checks refuse does not."""
    matrices = [again.matrix for again in scene.group.rejudged if again.matrix is not None]
    refused = matrices[0].refused if matrices else ""
    told = [
        DesignOffer(offer.design, False, refused) if refused and offer.design == BORROWED else offer
        for offer in scene.group.result.offers
    ]
    return tuple(sorted(told, key=lambda offer: not offer.offered))


def render(page: ReportPage) -> Rendered:
    traces = Traces()
    template = environment(traces).get_template("report.html")
    html = template.render(page=page, m=page.methods)
    return Rendered(html, tuple((traces.place(one.source), one) for one in traces.numbers))


def environment(traces: Traces, *folders: Path) -> Environment:
    """What renders templates, those of other folders first: no number passes without a source."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # a fifth of a second

    environment = Environment(
        loader=FileSystemLoader([*folders, TEMPLATES]),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=traces.shown,
    )
    style = (TEMPLATES / "style.css").read_text(encoding="utf-8")
    environment.globals.update(
        style=Markup(style),
        policy=Markup(POLICY),
        note=traces.note,
        dense=traces.dense,
        traces=traces,
        place_id=lambda place: Markup("from-{}").format(place),
        quoted=lambda text: Markup("{}").format(text),
        one=1,
    )
    return environment
