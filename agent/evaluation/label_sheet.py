"""Label sheets: a page on which a person answers the judge's questions, and its answers kept.

The questions are those that a judge of a sample is asked, in the judge's words and shuffled. The
page names no run, no window and no persona, and shows no judge's answer.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

from agent.errors import BadConfig
from agent.evaluation.rejudge import persona_of
from agent.evaluation.rejudged_sitting import PlannedRun, open_files, question_key
from personas.strategies import build
from store.frames.frame_store import FrameStore
from store.jsonl.atomic import write_whole
from store.runs.data_folder import DataFolder
from store.runs.ledger import Ledger
from store.runs.ledger_lines import Answer, Judgement, PersonaRecord, Step, text_of
from store.runs.rejudgements import (
    RejudgedAnswer,
    RejudgementHeader,
    RejudgementKey,
    judgement_files,
    read_judgements,
)
from store.untrusted.foreign_tables import BadTable, read_table

PAGE = "index.html"
COLUMNS = ("question", "answer")
UNSURE = "unsure"
ANSWERS: Mapping[str, Answer | None] = {"yes": "yes", "no": "no", UNSURE: None}


@dataclass(frozen=True)
class LabelQuestion:
    """A question to a person: about one step, as one persona."""

    planned: PlannedRun
    step: Step
    who: PersonaRecord

    @property
    def id(self) -> str:
        """Name of the question on the page, which tells nothing of run, window or persona."""
        header = self.planned.header
        asked = (header.model, header.seed, header.run_id, self.who.identity, self.step.position)
        # the letter keeps spreadsheets from reading a number
        return f"q{hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:11]}"

    @property
    def key(self) -> RejudgementKey:
        return question_key(self.step, self.who)


@dataclass(frozen=True)
class LabelOutcome:
    """What came of a file of answers."""

    kept: int
    """Answers that were not known before."""
    unsure: int
    """Of these, those that the person could not give: they count as missing."""
    changed: int
    """Answers that differ from the one that was kept before, which stands."""
    strange: int
    """Answers to no question of the sheet, such as about videos that were forgotten since."""
    open: int
    """Questions that are still to be answered."""
    left_out: tuple[str, ...]
    """Why answers about a run could not be kept, whose earlier ones cannot be read."""


def list_questions(planned: Sequence[PlannedRun]) -> list[LabelQuestion]:
    """Return the questions of a sitting, in an order that the seed has shuffled."""
    asked = [LabelQuestion(each, step, who) for each in planned for step, who in each.questions()]
    return sorted(asked, key=lambda question: question.id)


def keep_draw(planned: Sequence[PlannedRun], path: Path) -> None:
    """Keep what was drawn, so that the sheet is the same however the study goes on."""
    lines = [each.header.model_dump_json(by_alias=True) for each in planned]
    write_whole(path, "".join(f"{line}\n" for line in lines).encode())


def read_draw(path: Path, runs: Sequence[Ledger]) -> list[PlannedRun]:
    """Return the runs that a sheet was drawn of; those that are gone are left out.

    Raises
    ------
    BadConfig
        The draw cannot be read.
    """
    try:
        headers = [RejudgementHeader.model_validate_json(line) for line in _lines_of(path)]
    except (OSError, ValueError) as error:
        raise BadConfig(f"{path} is no draw: {error}. Move it away. Type: the same again") from None
    known = {run.started.run_id: run for run in runs}
    personas = {run.started.persona.identity: run.started.persona for run in runs}
    return [
        PlannedRun(
            known[header.run_id],
            tuple(personas[name] for name in header.personas if name in personas),
            header,
        )
        for header in headers
        if header.run_id in known
    ]


def _lines_of(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def write_sheet(questions: Sequence[LabelQuestion], frames: FrameStore, folder: Path) -> Path:
    """Write the page and its pictures into a folder; return the page's path."""
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    for sha256 in {frame.sha256 for one in questions for frame in one.step.frames}:
        write_whole(folder / _picture(sha256), frames.read(sha256), sync=False)
    shown = [_shown(question) for question in questions]
    # the browser keeps answers under this name, which outlives a video that is forgotten
    parts = {(one.planned.header.model, one.planned.header.seed) for one in questions}
    name = hashlib.sha256(json.dumps([folder.name, *sorted(parts)]).encode()).hexdigest()[:12]
    # within a script element nothing but "<" could end the element
    sheet = json.dumps({"sheet": name, "questions": shown}).replace("<", "\\u003c")
    page = files("agent.evaluation").joinpath("data/label_page.html").read_text("utf-8")
    write_whole(folder / PAGE, page.replace("{{ sheet }}", sheet).encode(), sync=False)
    return folder / PAGE


def _picture(sha256: str) -> str:
    return f"pictures/{sha256[:20]}.jpg"


def _shown(question: LabelQuestion) -> dict[str, object]:
    prompt = build(question.planned.header.strategy, persona_of(question.who))
    return {
        "id": question.id,
        "persona": prompt.system,
        "ask": prompt.user.splitlines()[0],
        "words": text_of(question.step.video) or "",
        "pictures": [_picture(frame.sha256) for frame in question.step.frames],
    }


def read_answers(path: Path) -> dict[str, Answer | None]:
    """Read the file that the page saves: answers by question; ``None`` is unsure.

    Raises
    ------
    BadConfig
        It is no such file.
    """
    try:
        table = read_table(path)
        if not set(COLUMNS) <= set(table.names):
            raise BadTable("has no columns question and answer.")
        names, given = (table.column(name).at(range(len(table))) for name in COLUMNS)
        pairs = list(zip(names, map(str.lower, given), strict=True))
        odd = next((text for _, text in pairs if text and text not in ANSWERS), None)
        twice = next((one for one, two in pairwise(sorted(set(pairs))) if one[0] == two[0]), None)
        if twice is not None:
            raise BadTable(f"answers the question {ascii(twice[0])[:40]} in two ways.")
        if odd is not None:
            raise BadTable(f"has the answer {ascii(odd)[:40]}, not yes, no or {UNSURE}.")
    except (OSError, BadTable) as error:
        raise BadConfig(
            f"{path} cannot be read as answers: {error} Save them on the sheet's page, and type: "
            "the same with --answers answers.csv"
        ) from error
    return {name: ANSWERS[text] for name, text in pairs if text}


def keep_answers(
    questions: Sequence[LabelQuestion], answers: Mapping[str, Answer | None], data: DataFolder
) -> LabelOutcome:
    """Keep a person's answers beside the runs, as those of one more judge.

    Raises
    ------
    BadConfig
        None of the answers is to a question of the sheet.
    DamagedLedger, OtherDraw, OtherSitting
        As ``open_files`` does.
    """
    by_id = {question.id: question for question in questions}
    strange = set(answers) - set(by_id)
    if strange and len(strange) == len(answers):
        raise BadConfig(
            f"None of {len(answers)} answers is to a question of this sheet. Type: the command "
            "that made the sheet, with its --by and --seed, and --answers answers.csv"
        )
    answered = {id(by_id[name].planned): by_id[name].planned for name in set(answers) - strange}
    planned = list(answered.values())
    kept = unsure = changed = 0
    with ExitStack() as stack:
        opened, left_out = open_files(stack, planned, data)
        for each, file in opened:
            known = {line.key: line.judgement.answer for line in file.kept}
            lines = []
            for question in (one for one in questions if one.planned is each):
                if question.id not in answers:
                    continue
                answer, key = answers[question.id], question.key
                if key in known:
                    changed += known[key] != answer
                    continue
                missing = "refused" if answer is None else None
                lines.append(RejudgedAnswer.of(key, Judgement(answer=answer, missing=missing)))
            file.append(lines)
            kept += len(lines)
            unsure += sum(line.missing is not None for line in lines)
    return LabelOutcome(kept, unsure, changed, len(strange), _count_open(questions), left_out)


def _count_open(questions: Sequence[LabelQuestion]) -> int:
    answered: dict[Path, set[RejudgementKey]] = {}
    still = 0
    for question in questions:
        folder = question.planned.run.path.parent
        path = question.planned.header.path(folder)
        if path not in answered:
            there = path in judgement_files(folder)
            answered[path] = {line.key for line in read_judgements(path).asked} if there else set()
        still += question.key not in answered[path]
    return still
