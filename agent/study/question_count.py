"""How many questions a study puts to its models: while watching, and about stored frames."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from agent.study.matrix import StudyCell
from agent.study.study_file import StudyDeclaration

YES_SHARE = 0.3
"""Share of yes that is assumed where the answers of yes are explained by a second question."""


@dataclass(frozen=True)
class QuestionCount:
    """Questions to one judge. Retries, and what is left out or repeated, are not among them.

    ``own`` and ``others``: about stored frames of the persona's own runs, and of the others'.
    ``mirrored``: opposite questions to both. ``explaining``: second questions after a yes.
    """

    watching: int = 0
    own: int = 0
    others: int = 0
    mirrored: int = 0
    explaining: int = 0

    @property
    def stored(self) -> int:
        """Questions about stored frames."""
        return self.own + self.others + self.mirrored + self.explaining

    @property
    def total(self) -> int:
        return self.watching + self.stored

    def __add__(self, other: QuestionCount) -> QuestionCount:
        return QuestionCount(
            self.watching + other.watching,
            self.own + other.own,
            self.others + other.others,
            self.mirrored + other.mirrored,
            self.explaining + other.explaining,
        )


Judge = tuple[str, str]
"""A model and a strategy."""


def count_questions(
    declared: StudyDeclaration, cells: Iterable[StudyCell]
) -> dict[Judge, QuestionCount]:
    """Count the questions of a study's cells, by judge.

    A persona is asked about the runs of its own draw: those of its group and block. Every judge of
    a study is asked about all of its runs, as the commands ask that a complete study prints.
    """
    counts: dict[Judge, QuestionCount] = {}
    draws: Counter[tuple[str, int]] = Counter()
    for cell in cells:
        judge = (cell.model, cell.strategy)
        watched = QuestionCount(watching=declared.windows.total)
        counts[judge] = counts.get(judge, QuestionCount()) + watched
        if cell.arm == "treatment":
            draws[cell.group, cell.block] += 1
    if declared.judged_again:
        for judge in counts:
            for personas in draws.values():
                counts[judge] += _stored(declared, personas)
    return counts


def _stored(declared: StudyDeclaration, personas: int) -> QuestionCount:
    """Questions about the stored frames of one draw: of the adapt block none is asked."""
    asking, windows = declared.rejudge, declared.windows
    compared = windows.before + windows.after
    own = personas * compared
    others = round(personas * (personas - 1) * compared * asking.others)
    mirrored = own + others if asking.mirrored else 0
    answers = own + others + mirrored
    explaining = round(YES_SHARE * answers) if asking.explain == "yes" else 0
    return QuestionCount(own=own, others=others, mirrored=mirrored, explaining=explaining)
