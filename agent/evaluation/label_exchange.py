"""Labels out to files and in from files: CSV, and Label Studio's JSON.

A CSV needs the columns ``question`` and ``answer``; ``by`` and ``at`` are taken where they are
there. What is written can be read again.
"""

from __future__ import annotations

import csv
import io
import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import repeat
from pathlib import Path
from typing import Any

from agent.errors import BadConfig
from agent.evaluation.label_session import is_labeller
from store.errors import DataUnwritable
from store.jsonl.atomic import write_whole
from store.runs.data_folder import DataFolder
from store.runs.labels import (
    DrawQuestion,
    Label,
    LabelAnswer,
    LabelDraw,
    LabelFile,
    draw_path,
    list_labellers,
)
from store.untrusted.clean_text import show_cell
from store.untrusted.foreign_tables import BadTable, read_table
from store.untrusted.studio_tasks import (
    CONTROL,
    LABELLER,
    BadStudioFile,
    ForeignLabel,
    parse_time,
    read_studio,
)

ANSWERS: Mapping[str, LabelAnswer] = {"yes": "yes", "no": "no", "unsure": "unsure"}
_NEEDED = ("question", "answer")
_PLACE = ("run_id", "position", "window", "arm", "persona", "own", "probability")
COLUMNS = (*_NEEDED, "by", "at", *_PLACE)


@dataclass(frozen=True)
class LabelOutcome:
    """What came of a file of labels."""

    kept: int
    """Labels of questions that had none."""
    unsure: int
    """Answers of the file by people who could not tell: they count as missing."""
    changed: int
    """Answers that differ from the label that stands."""
    strange: int
    """Answers to no question that this person is asked."""
    by: tuple[str, ...]


def list_damage(data: DataFolder, draw: LabelDraw) -> list[str]:
    """Return what is damaged of everybody's labels, which are asked again."""
    name = draw.header.name
    logs = [LabelFile(data, name, by).read() for by in list_labellers(draw_path(data, name))]
    return [str(damage) for log in logs for damage in log.damaged]


def list_labels(data: DataFolder, draw: LabelDraw) -> list[tuple[DrawQuestion, Label]]:
    """Return every label that stands, by labeller and in the order of the questions."""
    name = draw.header.name
    logs = [LabelFile(data, name, by).read() for by in list_labellers(draw_path(data, name))]
    return [
        (question, log.standing[question.id])
        for log in logs
        for question in draw.questions
        if question.id in log.standing
    ]


def write_labels(data: DataFolder, draw: LabelDraw, path: Path) -> int:
    """Write all labels of a draw, as JSON if the file is called so, else as CSV; return how many.

    Raises ``DataUnwritable`` and ``DamagedLedger``.
    """
    labels = list_labels(data, draw)
    make = _studio_text if path.suffix.lower() == ".json" else _csv_text
    try:
        write_whole(path, make(labels).encode())
    except OSError as error:
        raise DataUnwritable(path, error.strerror or str(error)) from None
    return len(labels)


def _csv_text(labels: Iterable[tuple[DrawQuestion, Label]]) -> str:
    text = io.StringIO(newline="")
    rows = csv.writer(text)
    rows.writerow(COLUMNS)
    for question, label in labels:
        place = [show_cell(str(value)) for value in _place(question).values()]
        rows.writerow((question.id, label.answer, label.by, label.at.isoformat(), *place))
    return text.getvalue()


def _place(question: DrawQuestion) -> dict[str, Any]:
    told = question.model_dump()
    return {name: told[name] for name in _PLACE}


def _studio_text(labels: Iterable[tuple[DrawQuestion, Label]]) -> str:
    tasks: dict[str, dict[str, Any]] = {}
    for question, label in labels:
        data = {"question": question.id, **_place(question)}
        task = tasks.setdefault(question.id, {"data": data, "annotations": []})
        result = {
            "from_name": CONTROL,
            "to_name": "pictures",
            "type": "choices",
            "value": {"choices": [label.answer]},
            "meta": {LABELLER: label.by},
        }
        at = label.at.isoformat()
        task["annotations"].append({"result": [result], "created_at": at, "was_cancelled": False})
    return json.dumps(list(tasks.values()), indent=1, ensure_ascii=False) + "\n"


def read_labels(
    path: Path, by: str | None, users: Mapping[int, str] | None = None
) -> list[ForeignLabel]:
    """Read a file of answers; ``by`` is who gave those that name nobody.

    ``users``: names of Label Studio's users, by number, where a file tells no more of them.

    Raises ``BadConfig`` where it is no such file, or tells nothing of who answered.
    """
    try:
        with path.open("rb") as file:
            head = file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")
        found = read_studio(path) if head[:1] in (b"[", b"{") else _read_csv(path)
        named = _name_people(found, by, users or {})
        _refuse_odd(named)
    except (OSError, BadTable, BadStudioFile) as error:
        raise BadConfig(
            f"{path} cannot be read as answers: {error} Type: the same with --import answers.csv"
        ) from error
    return named


def _read_csv(path: Path) -> list[ForeignLabel]:
    table = read_table(path)
    if not set(_NEEDED) <= set(table.names):
        raise BadTable("has no columns question and answer.")
    rows = range(len(table))
    columns = [
        table.column(name).at(rows) if name in table.names else repeat("", len(table))
        for name in (*_NEEDED, "by", "at")
    ]
    return [
        ForeignLabel(question, answer, who, parse_time(at))
        for question, answer, who, at in zip(*columns, strict=True)
        if answer
    ]


def _name_people(
    labels: Sequence[ForeignLabel], by: str | None, users: Mapping[int, str]
) -> list[ForeignLabel]:
    """Say who gave each answer; a mere number is nobody's name, else one person becomes two."""
    numbers = sorted({label.user for label in labels if label.user is not None and not label.by})
    if (len(numbers) > 1 or users) and not users.keys() >= set(numbers):
        known = ",".join(f"{one}={users.get(one, 'NAME')}" for one in numbers)
        raise BadConfig(
            f"Of users of Label Studio this file has no names. Type: the same with --as {known}"
        )
    named = []
    for label in labels:
        who = (
            label.by.strip()
            or (users.get(label.user, "") if label.user is not None else "")
            or by
            or ""
        )
        if not who:
            raise BadConfig("Who has given these answers? Type: the same with --by anna")
        if not is_labeller(who):
            raise BadTable(f"names {ascii(who)[:40]}, which is no name for a file.")
        named.append(replace(label, by=who, answer=label.answer.lower()))
    return named


def _refuse_odd(labels: Sequence[ForeignLabel]) -> None:
    given: dict[tuple[str, str], str] = {}
    for label in labels:
        if label.answer not in ANSWERS:
            raise BadTable(f"has the answer {ascii(label.answer)[:40]}, not yes, no or unsure.")
        if given.setdefault((label.by, label.question), label.answer) != label.answer:
            raise BadTable(f"answers the question {ascii(label.question)[:40]} in two ways.")


def keep_labels(
    data: DataFolder, draw: LabelDraw, labels: Sequence[ForeignLabel], now: datetime
) -> LabelOutcome:
    """Keep people's answers as labels; ``now`` stands for times that a file does not tell.

    Raises
    ------
    BadConfig
        None of the answers is to a question of the draw, or by anybody who shares it.
    DamagedLedger, DataUnwritable
        As ``LabelFile`` does.
    """
    by: dict[str, dict[str, Label]] = {}
    people = {label.by for label in labels}
    named = draw.header.labellers
    if named and not people.intersection(named):
        raise BadConfig(
            f"{', '.join(sorted(people))[:80]} is none of those who share this draw: "
            f"{', '.join(named)}. Type: the same with --by {shlex.quote(named[0])}"
        )
    asked = {
        name: {one.id for one in draw.questions_of(name) if not named or name in named}
        for name in people
    }
    strange = 0
    for label in labels:
        if label.question not in asked[label.by]:
            strange += 1
            continue
        answer = ANSWERS[label.answer]
        made = Label(question=label.question, answer=answer, by=label.by, at=label.at or now)
        by.setdefault(label.by, {}).setdefault(label.question, made)
    if strange and strange == len(labels):
        raise BadConfig(
            f"None of {strange} answers is to a question of this draw. Type: the command that made "
            "the draw, with its --seed, and --import answers.csv"
        )
    kept = unsure = changed = 0
    for name, given in by.items():
        file = LabelFile(data, draw.header.name, name)
        standing = file.read().standing
        both = given.keys() & standing.keys()
        changed += sum(given[question].answer != standing[question].answer for question in both)
        unsure += sum(label.answer == "unsure" for label in given.values())
        kept += file.add(list(given.values()))
    return LabelOutcome(kept, unsure, changed, strange, tuple(sorted(by)))
