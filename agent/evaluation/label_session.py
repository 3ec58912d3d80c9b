"""A labelling session: one person, one draw, one question after the other, blind to the judge.

What is shown of a question is made of the video's own words, its frames and the persona. No
judgement is read on the way to it.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from agent.errors import BadConfig, UnknownName
from agent.evaluation.rejudge import persona_of
from agent.evaluation.rejudged_sitting import askable_steps
from personas.strategies import build, strategies
from store.errors import StoreError
from store.jsonl.paths import is_name
from store.runs.data_folder import DataFolder
from store.runs.labels import (
    MAJORITY,
    DrawQuestion,
    Label,
    LabelAnswer,
    LabelDraw,
    LabelFile,
    draw_path,
    list_labellers,
)
from store.runs.ledger import read
from store.runs.ledger_lines import PersonaRecord, Step, text_of
from store.untrusted.clean_text import show_cell


def is_labeller(name: str) -> bool:
    """Whether a name may be that of a file, stand in a table, and be nobody else's."""
    return is_name(name) and show_cell(name) == name == name.strip() and name != MAJORITY


def check_labeller(name: str, named: Sequence[str]) -> None:
    """Raise ``BadConfig`` for no name, and ``UnknownName`` for none of those who share a draw."""
    if not is_labeller(name):
        raise BadConfig(f"The name {ascii(name)[:40]} is none for a person's file. Type: --by anna")
    if named and name not in named:
        raise UnknownName("labeller", name, named, f"Type: --by {shlex.quote(named[0])}")


@dataclass(frozen=True)
class QuestionCard:
    """What a person sees of a question."""

    id: str
    persona: str
    """The persona, as a judge reads it."""
    traits: tuple[str, ...]
    ask: str
    words: str
    """What the site tells of the video."""
    frames: tuple[str, ...]
    """SHA-256 of its pictures, in their order."""


@dataclass(frozen=True)
class LabelProgress:
    """How far a person is."""

    questions: int
    """Those that can be asked, answered ones included."""
    labelled: int
    unsure: int
    """Of the labels, those that say that the person cannot tell."""
    gone: int
    """Questions that cannot be asked any more: of a video that was forgotten, or a lost run."""
    last: str | None
    """The question that was answered last, which an undo takes back."""

    @property
    def open(self) -> int:
        return self.questions - self.labelled


@dataclass(frozen=True)
class DrawnSteps:
    """The videos that a draw asks about, and whom it asks as."""

    steps: Mapping[tuple[str, int], Step]
    personas: Mapping[str, PersonaRecord]
    left_out: tuple[str, ...]
    """Why runs of the draw cannot be read."""

    @classmethod
    def read(cls, data: DataFolder, draw: LabelDraw) -> DrawnSteps:
        """Read the ledgers of a draw; those that cannot be read are left out."""
        steps: dict[tuple[str, int], Step] = {}
        personas: dict[str, PersonaRecord] = {}
        problems: list[str] = []
        places = {(question.run_id, question.position) for question in draw.questions}
        for run_id in draw.header.runs:
            try:
                run = read(data.ledger_path(run_id))
            except StoreError as error:
                problems.append(str(error))
                continue
            personas[run.started.persona.identity] = run.started.persona
            for step in askable_steps(run, after_alone=draw.header.everyone):
                if (run_id, step.position) in places:
                    steps[run_id, step.position] = step
        return cls(steps, personas, tuple(problems))


class LabelSession:
    """One person's way through a draw.

    Labels are read from their file each time, so that several sessions of the same person see each
    other's. ``drawn`` is read here if it is not given.
    """

    def __init__(
        self, data: DataFolder, draw: LabelDraw, by: str, drawn: DrawnSteps | None = None
    ) -> None:
        check_labeller(by, draw.header.labellers)
        if draw.header.strategy not in strategies():
            raise BadConfig(
                f"The draw {draw.header.name} was made with the strategy "
                f"{ascii(draw.header.strategy)[:40]}, which is not here. "
                "Type: python -m agent label STUDY --seed 2"
            )
        self.data, self.draw = data, draw
        self.file = LabelFile(data, draw.header.name, by)
        self.drawn = DrawnSteps.read(data, draw) if drawn is None else drawn
        self._asked = {question.id: question for question in draw.questions_of(by)}

    @property
    def by(self) -> str:
        return self.file.by

    def _is_there(self, question: DrawQuestion) -> bool:
        place = question.run_id, question.position
        return place in self.drawn.steps and question.identity in self.drawn.personas

    def find_open(self, most: int = 1) -> list[QuestionCard]:
        """Return the first open questions; none where all are answered."""
        standing = self.file.read().standing
        still = (
            question
            for question in self._asked.values()
            if question.id not in standing and self._is_there(question)
        )
        return [self._card(question) for question in islice(still, most)]

    def list_cards(self) -> list[QuestionCard]:
        """Return every question that can be asked, in its order."""
        return [self._card(one) for one in self._asked.values() if self._is_there(one)]

    def _question(self, name: str) -> DrawQuestion:
        if name not in self._asked:
            raise UnknownName("question", name[:40], (), "Type: python -m agent label --help")
        return self._asked[name]

    def _card(self, question: DrawQuestion) -> QuestionCard:
        step = self.drawn.steps[question.run_id, question.position]
        who = self.drawn.personas[question.identity]
        prompt = build(self.draw.header.strategy, persona_of(who))
        return QuestionCard(
            question.id,
            prompt.system,
            who.traits,
            prompt.user.splitlines()[0],
            text_of(step.video) or "",
            tuple(frame.sha256 for frame in step.frames),
        )

    def answer(self, name: str, answer: LabelAnswer, at: datetime) -> bool:
        """Keep a label, synced; return whether it is new: one that stands stays.

        Raises ``UnknownName``, ``DamagedLedger`` and ``DataUnwritable``.
        """
        question = self._question(name)
        label = Label(question=question.id, answer=answer, by=self.by, at=at)
        return self.file.add([label]) == 1

    def undo(self, name: str, at: datetime) -> bool:
        """Take the label of a question back; return whether there was one."""
        return self.file.undo(self._question(name).id, at)

    def count_progress(self) -> LabelProgress:
        standing = self.file.read().standing
        mine = [label for name, label in standing.items() if name in self._asked]
        gone = sum(
            question.id not in standing and not self._is_there(question)
            for question in self._asked.values()
        )
        return LabelProgress(
            questions=len(self._asked) - gone,
            labelled=len(mine),
            unsure=sum(label.answer == "unsure" for label in mine),
            gone=gone,
            last=mine[-1].question if mine else None,
        )

    def read_shared(self) -> dict[str, dict[str, LabelAnswer]]:
        """Return everybody's answers, by labeller, to what this person has answered already."""
        mine = self.file.read().standing
        found: dict[str, dict[str, LabelAnswer]] = {}
        for by in list_labellers(draw_path(self.data, self.draw.header.name)):
            standing = LabelFile(self.data, self.draw.header.name, by).read().standing
            found[by] = {name: label.answer for name, label in standing.items() if name in mine}
        return found
