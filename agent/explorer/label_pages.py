"""The pages of labels: the draws, and the place where a person answers one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from agent.evaluation.label_draw import QUESTIONS
from agent.evaluation.label_session import is_labeller
from agent.explorer.errors import NoSuchPage
from agent.explorer.workbench import Workbench
from store.errors import StoreError
from store.runs.labels import LabelFile, draw_path, list_draws, list_labellers, read_draw

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

_RUNS = 200


@dataclass(frozen=True)
class DrawRow:
    """One draw of the list, and how much each person has answered."""

    name: str
    at: datetime
    questions: int
    strata: str
    labels: tuple[tuple[str, int, int], ...]
    """Name, labels and questions of each person."""


@dataclass(frozen=True)
class LabelsPage:
    """Every draw, and what a new one can be made of."""

    draws: tuple[DrawRow, ...]
    problems: tuple[str, ...]
    names: tuple[str, ...]
    """Studies and runs."""
    people: tuple[str, ...]
    questions: int = QUESTIONS


@dataclass(frozen=True)
class LabellingPage:
    """The place where one person answers one draw."""

    draw: str
    by: str


def make_list(bench: Workbench, _: Mapping[str, Any], __: QueryParams) -> LabelsPage:
    """Return every draw, the latest first; one that cannot be read is named."""
    rows, problems = [], []
    for path in list_draws(bench.data):
        try:
            draw = read_draw(path)
            counts = []
            for by in sorted({*list_labellers(path), *draw.header.labellers}):
                asked = draw.questions_of(by)
                standing = LabelFile(bench.data, draw.header.name, by).read().standing
                counts.append((by, sum(one.id in standing for one in asked), len(asked)))
        except StoreError as error:
            problems.append(str(error))
            continue
        strata = "own and others’ questions" if draw.header.everyone else None
        strata = strata or " and ".join(draw.header.strata)
        count = len(draw.questions)
        rows.append(DrawRow(draw.header.name, draw.header.at, count, strata, tuple(counts)))
    rows.sort(key=lambda row: row.at, reverse=True)
    runs = [run.id for run in bench.reader.runs()]
    names = (*reversed(bench.reader.studies()), *runs[:_RUNS])
    people = sorted({by for row in rows for by, *_ in row.labels})
    return LabelsPage(tuple(rows), tuple(problems), names, tuple(people))


def make(bench: Workbench, parts: Mapping[str, Any], query: QueryParams) -> LabellingPage:
    """Return the place of one person; raises ``NoSuchPage`` where there is no such draw."""
    name, by = parts["draw"], query.get("by", "").strip()
    if not draw_path(bench.data, name).is_file():
        raise NoSuchPage(f"There is no draw {name!r}. Type: python -m agent label STUDY --by anna")
    if not is_labeller(by):
        raise NoSuchPage("Who answers? Go back, and give a name.")
    return LabellingPage(name, by)
