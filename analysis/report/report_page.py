"""The report's page: measured, its sections put together, rendered, and written with its tables."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from analysis.estimators.custom_estimators import CustomEstimates
from analysis.estimators.study_results import BORROWED, DesignOffer
from analysis.report.custom_estimates import (
    EstimatorSection,
    estimator_sections,
    with_custom_estimates,
)
from analysis.report.example_frames import Budget, Sheets, sheets
from analysis.report.feeds import (
    DwellRow,
    LabelRow,
    Losses,
    MissingRow,
    Uses,
    VarietyTable,
    dwell_rows,
    label_rows,
    lost_runs,
    missing_rows,
    uses,
    variety_table,
)
from analysis.report.gate_check import GateCheck
from analysis.report.group_measures import Measures, measure
from analysis.report.headline import Headline, headline
from analysis.report.judges import JudgeView, judge_views
from analysis.report.labelled_content import LabelShare
from analysis.report.methods import Methods, methods
from analysis.report.number_sources import NumberSource, TracedNumber, Traces
from analysis.report.page_files import (
    PAGE,
    TABLES,
    Rendered,
    page_environment,
    time_stamp,
    write_folder,
)
from analysis.report.people_section import PeopleSection, people_sections
from analysis.report.report_group import GroupRows
from analysis.report.report_inputs import Material
from analysis.report.sway_results import (
    AlternativeSway,
    ArmCurves,
    Average,
    Forest,
    averages,
    choices,
    drift_curves,
    forest,
)
from analysis.report.tables import DIFFERENCES, tables
from analysis.statistics.estimate import Estimate, as_json
from analysis.statistics.group_sequential import SequentialLook


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
    labels: tuple[LabelRow, ...]
    dwell: tuple[DwellRow, ...]
    dwell_axis: Markup
    uses: Uses
    missing: tuple[MissingRow, ...]
    lost: Losses
    judges: tuple[JudgeView, ...]
    people: tuple[PeopleSection, ...]
    offers: tuple[tuple[DesignOffer, TracedNumber], ...]
    custom: tuple[EstimatorSection, ...]


MOST_OPEN = 3
"""Chapters from which on more of them are folded, so that the overview can be overlooked."""


@dataclass(frozen=True)
class ReportPage:
    """A whole report, ready to be rendered."""

    methods: Methods
    chapters: tuple[Chapter, ...]
    title: Markup
    made: Markup

    @property
    def folded(self) -> bool:
        """Whether chapters open at a click; on paper all are open."""
        return len(self.chapters) > MOST_OPEN


def compose(measures: Measures, seed: int, now: datetime) -> ReportPage:
    """Put the sections together; ``seed`` draws the frames of the contact sheets."""
    rng, budget = np.random.default_rng(seed), Budget()
    scenes = [GroupRows(measures, group) for group in measures.groups]
    return ReportPage(
        methods=methods(measures, seed),
        chapters=tuple(
            _chapter(scene, number, rng, budget) for number, scene in enumerate(scenes, 1)
        ),
        title=Markup("{}: feedsway report").format(measures.material.title),
        made=time_stamp(now),
    )


def _chapter(scene: GroupRows, number: int, rng: np.random.Generator, budget: Budget) -> Chapter:
    rows, choices_axis, choices_source = choices(scene)
    dwell, dwell_axis = dwell_rows(scene)
    judged = scene.source("report.row_uses.account")
    fits = NumberSource(
        "analysis.estimators.study_results.offers",
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
        labels=label_rows(scene),
        dwell=dwell,
        dwell_axis=dwell_axis,
        uses=uses(scene),
        missing=missing_rows(scene),
        lost=lost_runs(scene),
        judges=judge_views(scene),
        people=people_sections(scene),
        offers=tuple((offer, fits.words(offer.why)) for offer in _offers(scene)),
        custom=estimator_sections(scene),
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
    template = page_environment(traces).get_template("report.html")
    html = template.render(page=page, m=page.methods)
    return Rendered(html, traces.number_all())


@dataclass(frozen=True)
class Finding:
    """The headline of one platform, strategy and model."""

    platform: str
    strategy: str
    model: str
    design: str
    declared: bool
    verdict: str
    claim: str  # the verdict in words, as the page says it
    estimate: Estimate
    sides: str
    p: float
    p_holm: float
    look: SequentialLook | None
    gate: tuple[GateCheck, ...]
    labels: tuple[LabelShare, ...]
    custom_estimates: tuple[CustomEstimates, ...]


@dataclass(frozen=True)
class WrittenReport:
    """A report that was written."""

    page: Path
    tables: tuple[Path, ...]
    findings: tuple[Finding, ...]

    def as_dict(self) -> dict[str, Any]:
        told: dict[str, Any] = as_json(self)
        return told | {"page": str(self.page), "tables": [str(path) for path in self.tables]}


def write_report(material: Material, folder: Path, seed: int, now: datetime) -> WrittenReport:
    """Measure the material, and write ``index.html`` and ``tables/`` in place of an older report.

    ``seed``: of everything that is drawn at random: nulls, permutations, frames.
    Raises ``NothingToCompare`` without a run, ``DataUnwritable`` for a folder that takes nothing.
    """
    measures = with_custom_estimates(measure(material, np.random.default_rng(seed)), seed)
    rendered = render(compose(measures, seed, now))
    files = {PAGE: rendered.html.encode()}
    written = write_folder(folder, files, tables(measures, rendered), TABLES)
    return WrittenReport(folder / PAGE, tuple(written), findings_of(measures))


def findings_of(measures: Measures) -> tuple[Finding, ...]:
    """Return what is found in each platform, strategy and model."""
    test = measures.material.test
    return tuple(
        Finding(
            *group.name,
            design=group.primary.design,
            declared=test.declared,
            verdict=group.verdict(test.alpha),
            claim=group.claim(test.alpha),
            estimate=group.primary.estimate,
            sides=group.primary.sides,
            p=group.primary.p,
            p_holm=group.p_holm,
            look=group.primary.look,
            gate=group.gate,
            labels=group.labels,
            custom_estimates=group.custom_estimates,
        )
        for group in measures.groups
    )


def findings_text(findings: Sequence[Finding]) -> str:
    from analysis.terminal.run_text import estimate_text

    lines = []
    for one in findings:
        lines.append(f"{one.platform}, {one.strategy}, {one.model}: {one.claim}")
        tested = "" if np.isnan(one.p) else f"   p = {one.p:.2g}, {one.sides}-sided"
        if len(findings) > 1 and not np.isnan(one.p_holm):
            tested += f", {one.p_holm:.2g} after Holm's correction"
        if one.look:
            look = one.look
            tested += f" (look {look.number} of {look.of}: {look.spent:.2g} could be spent)"
        lines.append(f"  {one.design}  {estimate_text(one.estimate)}{tested}")
        for other in one.custom_estimates:
            lines.append(f"  {other.made_by}{': ' if other.problem else ''}{other.problem}")
            lines += [f"    {name}  {_plain(each)}" for name, each in other.estimates.items()]
    return "\n".join(lines)


def _plain(estimate: Estimate) -> str:
    """Return an estimate as the terminal shows it; without a plus where it is no difference."""
    from analysis.terminal.run_text import estimate_text

    text = estimate_text(estimate)
    return text if estimate.unit in DIFFERENCES else re.sub(r" *\+(?=\d)", " ", text).strip()
