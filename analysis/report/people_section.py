"""People's labels on the page: how far they agree, the judges against them, and their sway."""

from __future__ import annotations

from dataclasses import dataclass

from analysis.estimators.judge_against_people import JudgeQuality, JudgeReport
from analysis.estimators.people_results import PeopleResult
from analysis.estimators.peoples_sway import PeoplesSway
from analysis.report.number_sources import Name, NumberSource, PrintedEstimate, TracedNumber
from analysis.report.report_group import GroupRows
from store.terminal.printing import count_of


@dataclass(frozen=True)
class QualityRow:
    """A judge against people, in one part of the questions."""

    part: Name
    questions: TracedNumber
    people_yes: TracedNumber
    judge_yes: TracedNumber
    balanced: PrintedEstimate
    kappa: PrintedEstimate


@dataclass(frozen=True)
class JudgeSection:
    """One judge against people."""

    judge: Name
    rows: tuple[QualityRow, ...]
    silent: TracedNumber
    undecided: TracedNumber


@dataclass(frozen=True)
class PairRow:
    """How far two people agree."""

    people: Name
    questions: TracedNumber
    equal: TracedNumber
    kappa: PrintedEstimate


@dataclass(frozen=True)
class SwayRow:
    """The sway as people would find it, in one arm or between two."""

    arm: str
    before: TracedNumber
    after: TracedNumber
    sway: PrintedEstimate
    alone: PrintedEstimate
    judge: TracedNumber
    tuning: TracedNumber
    bounds: tuple[TracedNumber, TracedNumber] | None
    units: TracedNumber
    left_out: tuple[tuple[TracedNumber, str], ...]
    unjudged: TracedNumber | None


@dataclass(frozen=True)
class PeopleSection:
    """One draw of questions that people answered."""

    draw: Name
    strata: str
    labelled: TracedNumber
    questions: TracedNumber
    people: tuple[tuple[Name, TracedNumber, TracedNumber], ...]
    alpha: PrintedEstimate
    shared: TracedNumber
    differ: TracedNumber
    ties: TracedNumber
    pairs: tuple[PairRow, ...]
    judges: tuple[JudgeSection, ...]
    sways: tuple[SwayRow, ...]
    chanceless: TracedNumber | None


def people_sections(scene: GroupRows) -> tuple[PeopleSection, ...]:
    return tuple(_section(told, scene.told) for told in scene.group.people if told.labelled)


def _section(told: PeopleResult, group: str) -> PeopleSection:
    def source(function: str) -> NumberSource:
        return NumberSource(
            f"analysis.estimators.{function}",
            f"{count_of(told.labelled, 'labelled question')} of the draw {told.draw}{group}",
            f"{told.questions - told.labelled:,} without a label, {told.outside:,} about other "
            "runs or videos that are not compared",
        )

    agreed = source("label_agreement.measure_agreement")
    counts = source("people_results.measure_people")
    agreement = told.agreement
    return PeopleSection(
        draw=Name(told.draw),
        strata=("own and others’ questions" if told.everyone else " and ".join(told.strata)),
        labelled=counts.count(told.labelled, "questions that anybody has answered"),
        questions=counts.count(told.questions, "questions that were drawn"),
        people=tuple(
            (
                Name(one.name),
                counts.count(one.labelled, f"labels of {one.name}"),
                counts.count(one.unsure, f"questions that {one.name} cannot tell"),
            )
            for one in told.people
        ),
        alpha=agreed.estimate(agreement.alpha, "Krippendorff's alpha"),
        shared=agreed.count(agreement.shared, "questions that at least two answered"),
        differ=agreed.count(agreement.differ, "questions on which people differ"),
        ties=agreed.count(agreement.ties, "questions on which people tie"),
        pairs=tuple(
            PairRow(
                Name(f"{pair.first} and {pair.second}"),
                agreed.count(pair.questions, "questions that both answered"),
                agreed.percent(pair.equal, "equal answers"),
                agreed.estimate(pair.kappa, f"Cohen's kappa of {pair.first} and {pair.second}"),
            )
            for pair in agreement.pairs
        ),
        judges=tuple(
            _judge(source("judge_against_people.measure_judge"), one) for one in told.judges
        ),
        sways=tuple(
            _sway(source("peoples_sway.measure_sways"), one)
            for one in told.sways
            if one.sway.exists
        ),
        chanceless=counts.count(told.chanceless, "videos that had no chance of being drawn")
        if told.chanceless
        else None,
    )


def _judge(source: NumberSource, told: JudgeReport) -> JudgeSection:
    return JudgeSection(
        Name(told.judge),
        tuple(_quality(source, told.judge, one) for one in told.parts),
        source.count(told.silent, f"questions without an answer of {told.judge}"),
        source.count(told.undecided, "questions on which people could not tell, or tied"),
    )


def _quality(source: NumberSource, judge: str, told: JudgeQuality) -> QualityRow:
    where = f"{judge}, {told.part}"
    return QualityRow(
        Name(told.part),
        source.count(told.questions, f"questions that people and {where} answered"),
        source.percent(told.people_yes, f"yes of people, weighted, {told.part}"),
        source.percent(told.judge_yes, f"yes of {where}, weighted"),
        source.estimate(told.balanced, f"balanced accuracy of {where}"),
        source.estimate(told.kappa, f"kappa of {where} and people"),
    )


def _sway(source: NumberSource, told: PeoplesSway) -> SwayRow:
    what = f"sway as people would find it, {told.arm}"
    low, high = told.bounds
    return SwayRow(
        told.arm,
        source.percent(told.before, f"share of yes before as people would say it, {told.arm}"),
        source.percent(told.after, f"share of yes after as people would say it, {told.arm}"),
        source.estimate(told.sway, what),
        source.estimate(told.alone, f"{what}, of the labels alone"),
        source.pp(told.judge, f"sway as the judge found it in the same videos, {told.arm}"),
        source.decimal(told.tuning, "how much of the judge is taken over"),
        (source.pp(low, f"lowest {what}"), source.pp(high, f"highest {what}"))
        if low < high
        else None,
        units=source.count(told.units, f"runs or pairs, {told.arm}"),
        left_out=tuple(
            (source.count(len(one.runs), f"runs {one.why}, {told.arm}"), one.why)
            for one in told.left_out
        ),
        unjudged=source.count(len(told.unjudged), f"runs of an unanswered window, {told.arm}")
        if told.unjudged
        else None,
    )
