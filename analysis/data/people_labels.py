"""People's labels as columns, put beside the videos that they are about."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analysis.data.before_after_windows import batches, compared
from analysis.data.exposures import AFTER, BEFORE, NO, NONE, YES, Views
from analysis.statistics.estimate import Floats, Ints, Mask
from store.errors import StoreError
from store.runs.data_folder import DataFolder
from store.runs.labels import (
    DrawHeader,
    DrawQuestion,
    DrawStratum,
    LabelDraw,
    LabelFile,
    list_draws,
    list_labellers,
    read_draw,
)
from store.runs.ledger_lines import Judgement
from store.runs.rejudgements import (
    Judgements,
    QuestionSample,
    RejudgedAnswer,
    RejudgementHeader,
    RejudgementKey,
)
from store.terminal.printing import echo

UNLABELLED = -2
"""No label yet; that of a person who cannot tell is ``NONE``."""
PERSON = "human/"
"""What the names of judges begin with that are people."""
ANSWER_CODES = {"yes": YES, "no": NO, "unsure": NONE}


@dataclass(frozen=True, eq=False)
class PeopleAnswers:
    """What people answered to the questions of one draw.

    ``answers``: yes, no, ``NONE`` or ``UNLABELLED``, one row a person; shape ``(P, Q)``.
    """

    header: DrawHeader
    questions: tuple[DrawQuestion, ...]
    people: tuple[str, ...]
    answers: Ints
    strata: tuple[DrawStratum, ...] = ()

    @property
    def name(self) -> str:
        return self.header.name

    @cached_property
    def majority(self) -> Ints:
        """What most people said who could tell; ``NONE`` for a tie, and where nobody could."""
        yes, no = ((self.answers == each).sum(0) for each in (YES, NO))
        told = np.where(yes > no, YES, np.where(no > yes, NO, NONE))
        nobody = (self.answers == UNLABELLED).all(0)
        return np.asarray(np.where(nobody, UNLABELLED, told), dtype=np.int64)

    @property
    def ties(self) -> int:
        """Questions to which as many said yes as no."""
        yes, no = ((self.answers == each).sum(0) for each in (YES, NO))
        return int(((yes == no) & (yes > 0)).sum())


@dataclass(frozen=True, eq=False)
class LabelRows:
    """Questions about compared videos, one row each.

    ``question``: index into the draw's; ``weight``: inverse of the chance of being drawn.
    """

    people: PeopleAnswers
    question: Ints
    run: Ints  # index into the table's runs
    position: Ints
    persona: NDArray[np.str_]  # whom it was put as, as the table names personas
    own: Mask
    after: Mask
    batch: Ints
    weight: Floats
    acting: Ints  # what the judge that acted answered about the video as the run's own persona
    outside: int  # questions about runs or videos that are not compared, left out

    @property
    def answers(self) -> Ints:
        """As ``PeopleAnswers`` has them; shape ``(P, R)``."""
        return self.people.answers[:, self.question]

    @property
    def majority(self) -> Ints:
        return self.people.majority[self.question]

    @property
    def cluster(self) -> Ints:
        return choose_clusters(self.run, self.batch)

    @property
    def feed_batches(self) -> Ints:
        """Batches, those of different runs apart: the clusters of one persona's own videos."""
        return np.unique(np.stack([self.run, self.batch]), axis=1, return_inverse=True)[1].ravel()

    def select(self, rows: Mask) -> LabelRows:
        columns = ("question", "run", "position", "persona", "own", "after", "batch", "weight")
        chosen = {name: getattr(self, name)[rows] for name in (*columns, "acting")}
        return LabelRows(people=self.people, outside=self.outside, **chosen)


def choose_clusters(run: Ints, batch: Ints) -> Ints:
    """Runs are the clusters; of one run alone, the batches of its feed."""
    return run if len(np.unique(run)) > 1 else batch


def read_people(data: DataFolder, run_ids: Sequence[str]) -> list[PeopleAnswers]:
    """Read the labels of every draw that is about any of these runs.

    A draw that cannot be read, or a file of whose labels cannot, is left out and told.
    """
    known, people = set(run_ids), []
    for path in list_draws(data):
        try:
            draw = read_draw(path)
            if known.intersection(draw.header.runs):
                people.append(read_answers(data, path, draw))
        except StoreError as error:
            echo(f"Left out, all labels of {path.parent.name}: {error}", err=True)
    return people


def read_answers(data: DataFolder, path: Path, draw: LabelDraw) -> PeopleAnswers:
    """Read what everybody answered to a draw, which is given with its file.

    A damaged label is left out and told. Raises ``DamagedLedger`` and ``DataUnreadable``.
    """
    people = tuple(list_labellers(path))
    kept = [LabelFile(data, draw.header.name, name).read() for name in people]
    for damage in (damage for log in kept for damage in log.damaged):
        echo(f"Left out, one label: {damage}", err=True)
    logs = [log.standing for log in kept]
    answers = [
        [
            ANSWER_CODES[log[one.id].answer] if one.id in log else UNLABELLED
            for one in draw.questions
        ]
        for log in logs
    ]
    shape = (len(people), len(draw.questions))
    columns = np.array(answers, dtype=np.int64).reshape(shape)
    return PeopleAnswers(draw.header, draw.questions, people, columns, draw.strata)


def place_labels(people: PeopleAnswers, views: Views, members: Sequence[int]) -> LabelRows:
    """Put the questions of a draw beside some runs of a table, by their indices."""
    runs = {views.runs[index].run_id: index for index in members}
    named = {run.identity or f"{run.persona}~": run.persona for run in views.runs}
    places: dict[tuple[int, int], tuple[bool, int, int]] = {}
    for index in {runs[one.run_id] for one in people.questions if one.run_id in runs}:
        run = views.one(index)
        rows, codes = compared(run), batches(run)
        for at in np.flatnonzero(rows.before | rows.after):
            place = bool(rows.after[at]), int(codes[at]), int(run.answer[at])
            places[index, int(run.position[at])] = place
    kept = [
        (number, runs[one.run_id], one, places[runs[one.run_id], one.position])
        for number, one in enumerate(people.questions)
        if one.run_id in runs
        and (runs[one.run_id], one.position) in places
        and one.identity in named
    ]
    return LabelRows(
        people=people,
        question=np.array([number for number, *_ in kept], dtype=np.int64),
        run=np.array([run for _, run, *_ in kept], dtype=np.int64),
        position=np.array([one.position for *_, one, _ in kept], dtype=np.int64),
        persona=np.array([named[one.identity] for *_, one, _ in kept], dtype=str),
        own=np.array([one.own for *_, one, _ in kept], dtype=bool),
        after=np.array([place[0] for *_, place in kept], dtype=bool),
        batch=np.array([place[1] for *_, place in kept], dtype=np.int64),
        weight=np.array([1 / one.probability for *_, one, _ in kept], dtype=np.float64),
        acting=np.array([place[2] for *_, place in kept], dtype=np.int64),
        outside=len(people.questions) - len(kept),
    )


def count_chanceless(people: PeopleAnswers, views: Views) -> int | None:
    """Count videos in the windows of the drawn runs that had no chance of being drawn.

    They came after the draw, or had no picture then. ``None``: strata without runs, of which some
    are not in the table, cannot tell.
    """
    runs = {run.run_id: index for index, run in enumerate(views.runs)}
    asked = (AFTER,) if people.header.everyone else (BEFORE, AFTER)
    today: dict[str, int] = {}
    for name in set(people.header.runs) & set(runs):
        run = views.one(runs[name])
        today[name] = int((run.eligible & np.isin(run.phase, asked)).sum())
    own = [one for one in people.strata if one.of.get("own", "own") == "own"]
    if "run" in people.header.strata:
        drawn = dict.fromkeys(today, 0)
        for one in own:
            if one.of["run"] in drawn:
                drawn[one.of["run"]] += one.population
        return sum(max(0, count - drawn[name]) for name, count in today.items())
    if len(today) < len(set(people.header.runs)):
        return None
    return max(0, sum(today.values()) - sum(one.population for one in own))


def as_judgements(
    people: PeopleAnswers, gone: Collection[tuple[str, int]]
) -> dict[str, list[Judgements]]:
    """Labels of a draw for the persona matrix, as files of judges of a sample, by run.

    Each person who has answered all is one, and so is the majority of several such. Names tell the
    draw; that of the majority holds a ``/``, which no person's can. ``gone``: runs and positions of
    videos that were forgotten, about which nobody has to be asked any more.
    """
    if not people.header.everyone:
        return {}
    there = np.array([(one.run_id, one.position) not in gone for one in people.questions])
    done = [
        index for index, row in enumerate(people.answers) if not (there & (row == UNLABELLED)).any()
    ]
    rows = [(people.people[index], people.answers[index]) for index in done]
    if len(done) > 1:
        rows.append((f"majority/of {len(people.people)}", people.majority))
    found: dict[str, list[Judgements]] = {run: [] for run in people.header.runs}
    for name, answers in rows:
        for run, file in _judge_files(people, name, answers).items():
            found[run].append(file)
    return found


def _judge_files(people: PeopleAnswers, name: str, answers: Ints) -> dict[str, Judgements]:
    header = people.header
    chance = dict.fromkeys((True, False), 0.0) | {
        one.own: one.probability for one in people.questions
    }
    lines: dict[str, list[RejudgedAnswer]] = {run: [] for run in header.runs}
    for question, answer in zip(people.questions, answers.tolist(), strict=True):
        lines[question.run_id].append(_as_answer(question, answer))
    identities = tuple(sorted({one.identity for one in people.questions}))
    return {
        run: Judgements(
            Path(f"{header.name}/{name}"),
            (
                RejudgementHeader(
                    run_id=run,
                    model=f"{PERSON}{name}/{header.name}",
                    strategy=header.strategy,
                    prompts=header.prompts,
                    seed=header.seed,
                    at=header.at,
                    code_version=header.code_version,
                    personas=identities,
                    sample=QuestionSample(
                        questions=len(people.questions),
                        here=len(answered),
                        own=chance[True],
                        others=chance[False],
                    ),
                ),
            ),
            tuple(answered),
            0,
        )
        for run, answered in lines.items()
    }


def _as_answer(question: DrawQuestion, answer: int) -> RejudgedAnswer:
    told: Mapping[int, Judgement] = {
        YES: Judgement(answer="yes"),
        NO: Judgement(answer="no"),
    }
    key = RejudgementKey(
        question.persona,
        question.position,
        f"at-{question.position}",  # a label names no picture
        traits=question.traits,
    )
    return RejudgedAnswer.of(key, told.get(answer, Judgement(answer=None, missing="refused")))
