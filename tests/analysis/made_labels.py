"""Made-up labels, for tests of what is computed from them."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from analysis.data.people_labels import LabelRows, PeopleAnswers
from analysis.statistics.estimate import Floats, Ints, Mask
from store.runs.labels import DrawHeader, DrawQuestion

HEADER = DrawHeader(
    name="d-1",
    at=datetime(2025, 4, 1, tzinfo=UTC),
    seed=1,
    runs=("r0",),
    strata=("run", "window"),
    strategy="simple",
    prompts={},
    code_version="0.1.0",
)


def people_answers(
    answers: Ints, questions: tuple[DrawQuestion, ...] = (), runs: tuple[str, ...] = ("r0",)
) -> PeopleAnswers:
    """Answers of people called p0, p1 and so on."""
    names = tuple(f"p{number}" for number in range(len(answers)))
    header = HEADER.model_copy(update={"runs": runs})
    return PeopleAnswers(header, questions, names, answers)


def label_rows(
    answers: Ints,
    *,
    run: Ints | None = None,
    batch: Ints | None = None,
    acting: Ints | None = None,
    weight: Floats | None = None,
    after: Mask | None = None,
) -> LabelRows:
    """One row a question, of one persona unless the run says otherwise."""
    size = answers.shape[1]
    runs = np.zeros(size, dtype=np.int64) if run is None else run
    return LabelRows(
        people=people_answers(answers),
        question=np.arange(size),
        run=runs,
        position=np.arange(size),
        persona=np.array([f"persona{index % 2}" for index in runs.tolist()]),
        own=np.ones(size, dtype=bool),
        after=np.zeros(size, dtype=bool) if after is None else after,
        batch=np.arange(size) // 5 if batch is None else batch,
        weight=np.ones(size) if weight is None else weight,
        acting=np.full(size, -1) if acting is None else acting,
        outside=0,
    )
