"""Everything that people's labels of one draw say about one group of runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analysis.data.exposures import NONE, Views
from analysis.data.people_labels import (
    UNLABELLED,
    PeopleAnswers,
    count_chanceless,
    place_labels,
)
from analysis.estimators.judge_against_people import JudgeReport, find_answers, measure_judge
from analysis.estimators.label_agreement import PeopleAgreement, measure_agreement
from analysis.estimators.peoples_sway import PeoplesSway, measure_sways
from analysis.estimators.rejudged_replies import RejudgedReplies

ACTING = "the judge that acted"


@dataclass(frozen=True)
class PersonCount:
    """How much one person has answered of the questions about these runs."""

    name: str
    labelled: int
    unsure: int


@dataclass(frozen=True)
class PeopleResult:
    """What people's labels of one draw say."""

    draw: str
    strata: tuple[str, ...]
    everyone: bool
    questions: int  # about the runs of the group, and compared
    labelled: int  # of these, answered by anybody
    outside: int
    chanceless: int | None  # videos that could not be drawn; ``None`` where nobody can tell
    people: tuple[PersonCount, ...]
    agreement: PeopleAgreement
    judges: tuple[JudgeReport, ...]
    sways: tuple[PeoplesSway, ...]


def measure_people(
    people: PeopleAnswers,
    views: Views,
    members: Sequence[int],
    judges: Mapping[str, RejudgedReplies],
) -> PeopleResult:
    """Measure what the labels of a draw say about some runs of a table, by their indices.

    ``judges``: who was asked again about stored frames, by name.
    """
    rows = place_labels(people, views, members)
    own = rows.select(rows.own)
    reports = [measure_judge(own, own.acting, ACTING)]
    reports += [
        measure_judge(rows, find_answers(rows, told), name) for name, told in judges.items()
    ]
    answers = rows.answers
    return PeopleResult(
        draw=people.name,
        strata=people.header.strata,
        everyone=people.header.everyone,
        questions=len(rows.question),
        labelled=int((rows.majority != UNLABELLED).sum()),
        outside=rows.outside,
        chanceless=count_chanceless(people, views),
        people=tuple(
            PersonCount(name, int((row != UNLABELLED).sum()), int((row == NONE).sum()))
            for name, row in zip(people.people, answers, strict=True)
        ),
        agreement=measure_agreement(rows),
        judges=tuple(report for report in reports if report.parts),
        sways=() if people.header.everyone else measure_sways(views, members, rows),
    )
