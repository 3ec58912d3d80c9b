"""Labels: what people answer to a judge's questions, and the draws of these questions.

One folder a draw, ``labels/<draw>/``. Its ``draw.jsonl`` says what was drawn and with which chance;
``by-<name>.jsonl`` grows by a line for each label, and for each that is taken back. A label names a
place in a run and no picture, so that a video that is forgotten leaves nothing here.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AwareDatetime, ConfigDict, Field, TypeAdapter

from store.errors import DamagedLedger, DataUnwritable, LedgerFault, StoreError
from store.jsonl.answer_file import read_records, read_with_damage
from store.jsonl.append_only import LineFile
from store.jsonl.atomic import write_whole
from store.jsonl.base_record import Record
from store.jsonl.hash_chain import seal_lines
from store.jsonl.locks import LockHeld, NamedLock
from store.jsonl.paths import PathName, check_name, is_name
from store.runs.data_folder import DataFolder
from store.runs.ledger_lines import Phase, Whole
from store.terminal.printing import count_of

PATIENCE_S = 10.0
"""How long another process's line is waited for."""
DRAW = "draw.jsonl"
MAJORITY = "majority"
"""Stands for what most people said, and so is no person's name."""
_BY = "by-"
_TICK = timedelta(microseconds=1)
LabelAnswer = Literal["yes", "no", "unsure"]
"""``unsure``: the person cannot tell, which counts as missing."""
Stratum = Literal["run", "arm", "window", "persona", "own"]
"""What questions are told apart by when they are drawn; ``own``: put as the run's own persona."""
Probability = Annotated[float, Field(gt=0, le=1)]


class RenamedDraw(LedgerFault):
    """A draw of labels lies in a folder that is not called as the draw is."""

    def __init__(self, path: Path, name: str) -> None:
        folder, home = path.parent, path.parent.with_name(name)
        super().__init__(
            f"{folder} holds the draw {name}, whose labels are looked for under that name. "
            f"Type: mv {shlex.quote(str(folder))} {shlex.quote(str(home))}"
        )


class DrawHeader(Record):
    """How questions were drawn, and what was asked."""

    kind: Literal["draw"] = "draw"
    schema_: Annotated[int, Field(alias="schema")] = 1
    name: PathName
    at: AwareDatetime
    seed: int
    runs: tuple[PathName, ...]
    """Every run that questions were drawn of, also where none was."""
    strata: tuple[Stratum, ...]
    everyone: bool = False
    """Put as the personas of all runs, about after windows alone: for the persona matrix."""
    labellers: tuple[PathName, ...] = ()
    """Who shares the questions; empty: whoever comes is asked all."""
    overlap: Probability = 1.0
    """Share of the questions that each of them is asked; the others are dealt out."""
    strategy: str
    prompts: dict[str, str]
    """SHA-256 of each prompt file used, by name."""
    code_version: str

    model_config = ConfigDict(populate_by_name=True)


class DrawStratum(Record):
    """One part of the questions that there were, and how many of it were drawn."""

    kind: Literal["stratum"] = "stratum"
    of: dict[Stratum, str]
    population: int = Field(gt=0)
    sample: int = Field(ge=0)


class DrawQuestion(Record):
    """A question that was drawn: about a step of a run, as a persona."""

    kind: Literal["question"] = "question"
    id: PathName
    """Tells nothing of run, window or persona."""
    run_id: PathName
    position: Whole
    arm: str
    window: Phase
    persona: str
    """Whom the judge is to be: an id, which ``traits`` completes."""
    traits: str
    own: bool
    """Whether it is the persona of the run."""
    probability: Probability
    """Chance of being drawn."""
    by: PathName | None = None
    """Who alone is asked; ``None``: everybody."""

    @property
    def identity(self) -> str:
        return f"{self.persona}~{self.traits}"


class Label(Record):
    """A person's answer."""

    kind: Literal["label"] = "label"
    question: PathName
    answer: LabelAnswer
    by: PathName
    at: AwareDatetime


class LabelUndo(Record):
    """A person takes one label back, and no other of the same question."""

    kind: Literal["undo"] = "undo"
    question: PathName
    answer: LabelAnswer
    """Of the label."""
    label_at: AwareDatetime
    """When the label was given."""
    by: PathName
    at: AwareDatetime


DRAW_LINE: TypeAdapter[DrawHeader | DrawStratum | DrawQuestion] = TypeAdapter(
    Annotated[DrawHeader | DrawStratum | DrawQuestion, Field(discriminator="kind")]
)
LABEL_LINE: TypeAdapter[Label | LabelUndo] = TypeAdapter(
    Annotated[Label | LabelUndo, Field(discriminator="kind")]
)


@dataclass(frozen=True)
class LabelDraw:
    """A draw: how it was made, of what, and the questions in the order in which they are asked."""

    header: DrawHeader
    strata: tuple[DrawStratum, ...]
    questions: tuple[DrawQuestion, ...]

    @property
    def run_ids(self) -> frozenset[str]:
        return frozenset(question.run_id for question in self.questions)

    def questions_of(self, name: str) -> list[DrawQuestion]:
        """Return what a person is asked."""
        return [question for question in self.questions if question.by in (None, name)]


@dataclass(frozen=True)
class LabelLog:
    """What one person's lines come to."""

    standing: Mapping[str, Label]
    """By question, in the order in which they were given."""
    undone: int = 0
    repeats: int = 0
    """Lines about a question that had an answer already, which stands."""
    damaged: tuple[DamagedLedger, ...] = ()
    """Lines that are not as they were written: left out, so that their questions are open."""

    @classmethod
    def of(
        cls, lines: Sequence[Label | LabelUndo], damaged: Sequence[DamagedLedger] = ()
    ) -> LabelLog:
        undone = {
            (line.question, line.answer, line.label_at)
            for line in lines
            if isinstance(line, LabelUndo)
        }
        labels = [line for line in lines if isinstance(line, Label)]
        left = [one for one in labels if (one.question, one.answer, one.at) not in undone]
        standing: dict[str, Label] = {}
        for label in left:
            standing.setdefault(label.question, label)
        return cls(standing, len(labels) - len(left), len(left) - len(standing), tuple(damaged))


class LabelFile:
    """One person's labels of one draw.

    Its lock is held for the length of one line, so that several browsers and commands of the same
    person may write at once. What a method has returned is on the disk.
    """

    def __init__(self, data: DataFolder, draw: str, by: str) -> None:
        self.by = check_name(by)
        self.path = labels_path(data, draw, by)

    def read(self) -> LabelLog:
        """Return what stands, and what is damaged.

        Raises ``DamagedLedger`` where a line is somebody else's, and ``DataUnreadable``.
        """
        return LabelLog.of(*self._read_lines())

    def _read_lines(self) -> tuple[list[Label | LabelUndo], list[DamagedLedger]]:
        lines, damaged = list[Label | LabelUndo](), list[DamagedLedger]()
        if not self.path.exists():
            return lines, damaged
        known = read_with_damage(self.path, LABEL_LINE)
        for number, (line, damage) in enumerate(known, 1):
            if damage is not None:
                damaged.append(damage)
            elif line is not None and line.by != self.by:
                told = (
                    f"it is by {ascii(line.by)[:40]}, as in a copy that a file sync made. Move "
                    "such a copy out of the folder."
                )
                raise DamagedLedger(self.path, number, told)
            # what was taken back stays so, also where that line is damaged
            if line is not None and (damage is None or isinstance(line, LabelUndo)):
                lines.append(line)
        return lines, damaged

    def add(self, labels: Sequence[Label]) -> int:
        """Append labels of questions that have none, and return how many these were.

        Raises ``DamagedLedger`` and ``DataUnwritable``.
        """
        with self._writing() as file:
            lines, _ = self._read_lines()
            standing = set(LabelLog.of(lines).standing)
            # after all that was said of the question, whatever the clock says
            earliest = {line.question: _after(line.at) for line in lines}
            new = []
            for label in labels:
                if label.question not in standing:
                    standing.add(label.question)
                    at = max(label.at, earliest.get(label.question, label.at))
                    new.append(label.model_copy(update={"at": at}))
            _append(file, new)
        return len(new)

    def undo(self, question: str, at: datetime) -> bool:
        """Take the label of a question back; return whether there was one.

        Raises ``DamagedLedger`` and ``DataUnwritable``.
        """
        with self._writing() as file:
            label = self.read().standing.get(question)
            if label is not None:
                # never before its label, whatever the clock says: lines are united by their time
                line = LabelUndo(
                    question=question,
                    answer=label.answer,
                    label_at=label.at,
                    by=self.by,
                    at=max(at, label.at),
                )
                _append(file, [line])
        return label is not None

    @contextmanager
    def _writing(self) -> Iterator[LineFile]:
        lock = NamedLock(self.path.with_suffix(".lock"))
        try:
            lock.acquire(PATIENCE_S)
        except (LockHeld, OSError) as error:
            raise DataUnwritable(self.path, str(error)) from None
        try:
            file = LineFile(self.path)
            try:
                yield file
            finally:
                file.close()
        except OSError as error:
            raise DataUnwritable(self.path, error.strerror or str(error)) from None
        finally:
            lock.release()


def _after(at: datetime) -> datetime:
    """Return the moment after another; there is none after the last that can be told."""
    try:
        return at + _TICK
    except OverflowError:
        return at


def _append(file: LineFile, lines: Sequence[Label | LabelUndo]) -> None:
    if lines:
        file.append(b"".join(line.model_dump_json().encode() + b"\n" for line in lines))


def draw_path(data: DataFolder, name: str) -> Path:
    return data.labels_dir / check_name(name) / DRAW


def labels_path(data: DataFolder, draw: str, by: str) -> Path:
    return data.labels_dir / check_name(draw) / f"{_BY}{check_name(by)}.jsonl"


def list_draws(data: DataFolder) -> list[Path]:
    """Return the file of every draw, by name."""
    return sorted(data.labels_dir.glob(f"*/{DRAW}"))


def list_labellers(draw: Path) -> list[str]:
    """Return who has answered a draw, which is given by its file."""
    names = (path.stem.removeprefix(_BY) for path in draw.parent.glob(f"{_BY}*.jsonl"))
    return sorted(filter(is_name, names))


def write_draw(data: DataFolder, draw: LabelDraw) -> Path:
    """Write a draw, whole; raises ``DataUnwritable``."""
    path = draw_path(data, draw.header.name)
    records = (draw.header, *draw.strata, *draw.questions)
    try:
        write_whole(path, seal_lines(encode_line(record)[:-1] for record in records)[0])
    except OSError as error:
        raise DataUnwritable(path, error.strerror or str(error)) from None
    return path


def encode_line(record: Record) -> bytes:
    return record.model_dump_json(by_alias=True).encode() + b"\n"


def read_draw(path: Path) -> LabelDraw:
    """Read a draw; raises ``DamagedLedger``, ``RenamedDraw`` and ``DataUnreadable``."""
    records, _ = read_records(path, DRAW_LINE)
    heads = [record for record in records if isinstance(record, DrawHeader)]
    questions = tuple(record for record in records if isinstance(record, DrawQuestion))
    if len(heads) != 1 or not questions:
        raise DamagedLedger(path, 1, "it is no whole draw of questions.")
    if len({question.id for question in questions}) < len(questions):
        raise DamagedLedger(path, len(records), "a question stands in it twice.")
    for number, record in enumerate(records, 1):
        if isinstance(record, DrawQuestion) and record.run_id not in heads[0].runs:
            told = f"its run {ascii(record.run_id)[:40]} is none that questions were drawn of."
            raise DamagedLedger(path, number, told)
    if heads[0].name != path.parent.name:
        raise RenamedDraw(path, heads[0].name)
    strata = tuple(record for record in records if isinstance(record, DrawStratum))
    return LabelDraw(heads[0], strata, questions)


@dataclass(frozen=True)
class LabelFinding:
    """What is to be told of a file of labels, or of a draw."""

    path: Path
    what: str
    sound: bool = False
    """Whether it is nothing to mend."""


def check_labels(data: DataFolder) -> Iterator[LabelFinding]:
    """Tell what of draws and labels cannot be read, is nobody's or was answered twice."""
    for path in list_draws(data):
        try:
            known = {question.id for question in read_draw(path).questions}
        except StoreError as error:
            yield LabelFinding(path, str(error))
            continue
        for stray in path.parent.glob(f"{_BY}.jsonl"):
            yield LabelFinding(stray, "it says nowhere whose labels these are, and is not read")
        for by in list_labellers(path):
            yield from _check_file(LabelFile(data, path.parent.name, by), known)


def _check_file(file: LabelFile, known: set[str]) -> Iterator[LabelFinding]:
    try:
        log = file.read()
    except StoreError as error:
        yield LabelFinding(file.path, str(error))
        return
    for damage in log.damaged:
        yield LabelFinding(file.path, str(damage))
    if strange := len(set(log.standing) - known):
        what = f"{count_of(strange, 'label')} to no question of the draw"
        yield LabelFinding(file.path, what)
    if log.repeats:
        what = f"{count_of(log.repeats, 'question')} labelled twice; the first label of each stands"
        yield LabelFinding(file.path, what, sound=True)
