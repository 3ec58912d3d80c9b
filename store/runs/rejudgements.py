"""Re-judgements: what a judge said later about frames of a run, kept beside it.

One file a run and judge, ``runs/<run-id>/judgements/<judge>.jsonl``; see
``store.jsonl.answer_file``. The acting judgements stay in the ledger and are never written here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import BeforeValidator, ConfigDict, Field, TypeAdapter

from store.errors import DamagedLedger, StoreError
from store.jsonl.answer_file import UNANSWERED, KeyedWriter, read_known_records, read_records
from store.jsonl.atomic import file_slug
from store.jsonl.base_record import Record
from store.jsonl.locks import NamedLock, byte_lock
from store.jsonl.paths import PathName
from store.runs.ledger_lines import Judgement, SettingValue, Usage, Whole
from store.runs.question_draws import draw_positions, rank_question
from store.runs.run_provenance import PlugInMark

FOLDER = "judgements"
DrawnShare = Annotated[float, Field(gt=0, le=1)]


class OtherJudge(StoreError):
    """A file of judgements that belongs to another judge or run."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} holds the answers of another judge or run: move it away. "
            "Type: python -m agent rejudge --help"
        )


class RejudgementKey(NamedTuple):
    """One question, as a value that a set can hold."""

    persona: str
    position: int
    frame: str
    mirrored: bool = False
    repeat: int = 0
    paraphrase: int = 0
    traits: str = ""


class QuestionSample(Record):
    """Questions about the after windows that were drawn over all runs of a sitting.

    One is drawn where its rank is at most ``own``, if it is put as the persona whose run it is
    about, and else where it is at most ``others``.
    """

    questions: int = Field(gt=0)
    """Over all runs."""
    here: int = Field(ge=0)
    """Of these, about this run."""
    own: float = Field(ge=0, le=1)
    others: float = Field(ge=0, le=1)


class RejudgementHeader(Record):
    """Header of a sitting: who judges, and how it was set up."""

    kind: Literal["judge"] = "judge"
    schema_: Annotated[int, Field(alias="schema")] = 1
    run_id: PathName
    model: str
    strategy: str
    prompts: dict[str, str]
    """SHA-256 of each prompt file used, by name."""
    fingerprint: str | None = None
    """What tells the model from others of its name; ``None`` where it was not declared."""
    settings: dict[str, SettingValue] = Field(default_factory=dict)
    """How it was asked, beside the question: what was set, by name."""
    explain: Literal["never", "yes", "all"] = "never"
    """Which answers were also asked for a reason and a description."""
    order: Literal["persona-first", "picture-first"] = "persona-first"
    """Whether the judge read the persona or the picture first."""
    seed: int
    """Of the order in which the questions are shuffled."""
    at: datetime
    code_version: str
    personas: tuple[str, ...] = ()
    """Identities of whom the judge was to be, all of them in one shuffled order. A later sitting
    may go on with what is left of these, which is left at random; empty: not recorded."""
    others: DrawnShare = 1.0
    """Share of the videos that each persona is asked about in the feeds of others, drawn for each
    persona apart; in its own feed it is asked about all."""
    plug_ins: tuple[PlugInMark, ...] = ()
    """Those that judge, of other people's packages."""
    sample: Annotated[
        QuestionSample | None, BeforeValidator(lambda given: None if given == 1 else given)
    ] = None
    """What was drawn, where nothing else was asked; older headers have 1 in place of none."""

    model_config = ConfigDict(populate_by_name=True)

    @property
    def slug(self) -> str:
        """Name of the judge for files: equal names mean the same judge, asked in the same way."""
        prompts = sorted(self.prompts.items())
        named: tuple[object, ...] = (self.model, self.strategy, prompts, self.seed)
        if self.explain != "never":
            named = (*named, self.explain)
        if self.order != "persona-first":
            named = (*named, self.order)
        if self.fingerprint is not None:
            named = (*named, self.fingerprint)
        if self.settings:
            named = (*named, sorted(self.settings.items()))
        return file_slug(f"{self.model}-{self.strategy}", named)

    @property
    def manner(self) -> str:
        """How it was asked, in words, as far as that is not as ever; empty if it is."""
        words: list[str] = [] if self.order == "persona-first" else [self.order]
        if self.explain != "never":
            words.append(f"explain={self.explain}")
        words += [f"{name}={value}" for name, value in sorted(self.settings.items())]
        return ", ".join(words)

    def path(self, run_folder: Path) -> Path:
        return run_folder / FOLDER / f"{self.slug}.jsonl"

    def another_version(self, other: RejudgementHeader) -> bool:
        """Whether the other is another model of this one's name, asked in the same way."""
        alike = self.model_copy(update={"fingerprint": other.fingerprint})
        return self.fingerprint != other.fingerprint and alike.same(other)

    def draw(self, persona: str, positions: Iterable[int], *, own: bool) -> set[int]:
        """Positions that are asked about as a persona, by its identity, whatever came of it."""
        names = (self.seed, self.run_id, persona)
        if self.sample is not None:
            most = self.sample.own if own else self.sample.others
            return {position for position in positions if rank_question(names, position) <= most}
        return draw_positions(names, positions, 1.0 if own else self.others)

    def drawn_as(self, other: RejudgementHeader) -> bool:
        """Whether the other sitting draws the same questions."""
        return (self.others, self.sample) == (other.others, other.sample)

    def same(self, other: RejudgementHeader) -> bool:
        """Whether the other sitting can go on with this one's questions."""
        return self.run_id == other.run_id and self.slug == other.slug


class RejudgedAnswer(Record):
    """One question about one stored frame, and what the judge said."""

    kind: Literal["asked"] = "asked"
    persona: str
    """Whom the judge was to be: an id, which ``traits`` completes."""
    traits: str = ""
    """Hash of the persona's traits; empty where there is no persona, or it was not recorded."""
    position: Whole
    """Of the step in its run."""
    frame: PathName
    """SHA-256, or what stands for it once it was forgotten."""
    mirrored: bool = False
    """The opposite was asked (would you skip it?). The answer is kept as it was given, so that a
    judge who holds one opinion says yes to one of the two and no to the other."""
    repeat: int = 0
    """The same question again, counted from 0."""
    paraphrase: int = 0
    """Which wording; 0 is the strategy's own."""
    judgement: Judgement

    @classmethod
    def of(cls, key: RejudgementKey, judged: Judgement) -> RejudgedAnswer:
        """Record a judgement of a question; that of an opposite one, as it was answered.

        Judges return what an answer says of the question itself, also where the opposite was asked.
        """
        if key.mirrored and judged.answer is not None:
            given = "no" if judged.answer == "yes" else "yes"
            p_yes = None if judged.p_yes is None else 1 - judged.p_yes
            judged = judged.model_copy(update={"answer": given, "p_yes": p_yes})
        return cls(**key._asdict(), judgement=judged)

    @property
    def key(self) -> RejudgementKey:
        return RejudgementKey(
            self.persona,
            self.position,
            self.frame,
            self.mirrored,
            self.repeat,
            self.paraphrase,
            self.traits,
        )

    @property
    def missing(self) -> str | None:
        return self.judgement.missing

    @property
    def usage(self) -> Usage:
        return self.judgement.usage

    @property
    def answered(self) -> bool:
        """Whether a reply came, which a refusal and an unreadable one are too."""
        return self.missing not in UNANSWERED


JUDGEMENT_LINE: TypeAdapter[RejudgementHeader | RejudgedAnswer] = TypeAdapter(
    Annotated[RejudgementHeader | RejudgedAnswer, Field(discriminator="kind")]
)


@dataclass(frozen=True, slots=True)
class Judgements:
    """What a file of re-judgements holds."""

    path: Path
    sittings: tuple[RejudgementHeader, ...]
    """The first says who judges; all are the same judge."""
    lines: tuple[RejudgedAnswer, ...]
    """Every attempt, in order of time."""
    torn: int
    """Bytes of an unfinished last line, dropped."""

    @property
    def asked(self) -> tuple[RejudgedAnswer, ...]:
        """Each question once, as it was answered last."""
        return tuple({line.key: line for line in self.lines}.values())

    @property
    def judge(self) -> RejudgementHeader:
        return self.sittings[0]

    @property
    def in_one_sitting(self) -> bool:
        """Whether all personas were asked in one shuffled order, later remainders included."""
        return len(self.sittings) == 1 or bool(self.judge.personas)

    def count_unasked(self, own: str) -> int:
        """Count the drawn questions that were never put, and those put that were not drawn.

        Of the videos that were asked about as ``own``, the identity of the run's persona; each
        question in its own words, and once.
        """
        put: dict[str, set[int]] = defaultdict(set)
        for line in self.lines:
            if not (line.mirrored or line.repeat or line.paraphrase):
                put[f"{line.persona}~{line.traits}"].add(line.position)
        if self.judge.sample is not None:
            return abs(self.judge.sample.here - sum(map(len, put.values())))
        return sum(
            len(put[name] ^ self.judge.draw(name, put[own], own=name == own))
            for name in self.judge.personas
        )


def read_judgements(path: Path) -> Judgements:
    """Read what a judge said about a run.

    Raises
    ------
    DamagedLedger
        A committed line is no record, a question was answered twice, or the headers differ.
    DataUnreadable
        The file cannot be read.
    """
    lines, torn = read_records(path, JUDGEMENT_LINE)
    if not lines:
        raise DamagedLedger(path, 1, "nothing was committed to it.")
    sittings: list[RejudgementHeader] = []
    found: list[RejudgedAnswer] = []
    answered: set[RejudgementKey] = set()
    for number, record in enumerate(lines, 1):
        if isinstance(record, RejudgementHeader):
            if sittings and not (record.same(sittings[0]) and record.drawn_as(sittings[0])):
                raise DamagedLedger(path, number, "another judge, run or draw than in line 1.")
            sittings.append(record)
        elif not sittings:
            raise DamagedLedger(path, number, "it does not start with a judge.")
        elif record.key in answered:
            raise DamagedLedger(path, number, "a question that was answered before.")
        else:
            found.append(record)
            if record.answered:
                answered.add(record.key)
    return Judgements(path, tuple(sittings), tuple(found), torn)


def read_known(path: Path) -> list[RejudgementHeader | RejudgedAnswer | bytes]:
    """Read what can be read; a line that cannot stands as its bytes."""
    return read_known_records(path, JUDGEMENT_LINE)


def judgement_files(run_folder: Path) -> list[Path]:
    """Return the files of answers; one that was opened and never written to holds none."""
    found = sorted((run_folder / FOLDER).glob("*.jsonl"))
    return [path for path in found if path.stat().st_size]


class JudgementWriter(KeyedWriter[RejudgementHeader, RejudgedAnswer]):
    """Appends answers to one judge's file; raises ``OtherJudge`` where another has begun it.

    Parameters
    ----------
    among
        The file that locks of many such files are bytes of, for a sitting over many runs: an open
        file takes one of a process's descriptors, of which there may be 256.
    """

    def __init__(self, path: Path, judge: RejudgementHeader, among: Path | None = None) -> None:
        lock = path.with_suffix(".lock")
        held = NamedLock(lock) if among is None else byte_lock(lock, among)
        super().__init__(path, judge, _read_begun, held, judge.run_id)
        if self.begun is not None and not self.begun.same(judge):
            self.close()
            raise OtherJudge(path)

    def append(self, records: Sequence[RejudgedAnswer]) -> None:
        """Commit a batch of answers: all of it or none.

        Raises
        ------
        ValueError
            A question was answered before, or is asked twice in the batch.
        pydantic.ValidationError
            A value that JSON cannot carry, such as a NaN.
        DataUnwritable
            The disk refused.
        """
        keys = [record.key for record in records]
        if len(set(keys)) < len(keys) or not self.asked.isdisjoint(keys):
            raise ValueError("a question was asked twice, or answered before")
        super().append(records)

    def _encode(self, record: RejudgementHeader | RejudgedAnswer) -> bytes:
        """One line; it is read back first, so that what could not be read is refused here."""
        line = super()._encode(record)
        JUDGEMENT_LINE.validate_json(line)
        return line


def _read_begun(path: Path) -> tuple[RejudgementHeader, tuple[RejudgedAnswer, ...]]:
    found = read_judgements(path)
    return found.judge, found.lines
