"""Re-judgements: what a judge said later about frames of a run, kept beside it.

One file a run and judge, ``runs/<run-id>/judgements/<judge>.jsonl``, which only grows. A sitting
writes a header that says who judges, then one line per question; a later sitting that goes on with
the same judge writes its own header first. Lines are committed in batches, and a torn end is
dropped as in a ledger. The acting judgements stay in the ledger and are never written here.

A question that no reply came to is an attempt: it stands, and is due again, up to a number that
the caller declares. What was answered is never asked again.

To write, and to go on where it stopped::

    with JudgementWriter(judge.path(run_folder), judge) as writer:
        due = [question for question in questions if writer.due(question, 3)]
        writer.append([Asked(...) for each answered question of a batch])

Refuses to know how a question is put to a model (``agent``) and what the answers mean
(``analysis``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from store.errors import DamagedLedger, DataUnreadable, StoreError
from store.jsonl.append_only import committed
from store.jsonl.atomic import file_slug
from store.jsonl.locked_writer import LineWriter
from store.jsonl.locks import NamedLock, byte_lock
from store.jsonl.paths import PathName
from store.runs.records import Judgement, Record, Whole, tell_fault

FOLDER = "judgements"
UNANSWERED: frozenset[str] = frozenset({"timed_out", "rate_limited", "failed"})
"""Readings that are attempts: no reply came, and the question is due again. Others are answers."""


class OtherJudge(StoreError):
    """A file of judgements that belongs to another judge or run."""

    exit_code = 2

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


class RejudgementHeader(Record):
    """Header of a sitting: who judges, and how it was set up."""

    kind: Literal["judge"] = "judge"
    schema_: Annotated[int, Field(alias="schema")] = 1
    run_id: PathName
    """The run whose frames are judged."""
    model: str
    strategy: str
    prompts: dict[str, str]
    """SHA-256 of each prompt file used, by name."""
    fingerprint: str | None = None
    """What tells the model from others of its name; ``None`` where it was not declared."""
    explain: Literal["never", "yes", "all"] = "never"
    """Which answers were also asked for a reason and a description."""
    seed: int
    """Of the order in which the questions are shuffled."""
    at: datetime
    code_version: str
    personas: tuple[str, ...] = ()
    """Identities of whom the judge was to be, all of them in one shuffled order. A later sitting
    may go on with what is left of these, which is left at random; empty: not recorded."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    @property
    def slug(self) -> str:
        """Name of the judge for files: equal names mean the same judge, asked in the same way."""
        prompts = sorted(self.prompts.items())
        named: tuple[object, ...] = (self.model, self.strategy, prompts, self.seed)
        if self.explain != "never":
            named = (*named, self.explain)
        if self.fingerprint is not None:
            named = (*named, self.fingerprint)
        return file_slug(f"{self.model}-{self.strategy}", named)

    def path(self, run_folder: Path) -> Path:
        """Where this judge's answers about a run are kept."""
        return run_folder / FOLDER / f"{self.slug}.jsonl"

    def another_version(self, other: RejudgementHeader) -> bool:
        """Whether the other is another model of this one's name, asked in the same way."""
        alike = self.model_copy(update={"fingerprint": other.fingerprint})
        return self.fingerprint != other.fingerprint and alike.same(other)

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

    @property
    def key(self) -> RejudgementKey:
        """What was asked."""
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
    def answered(self) -> bool:
        """Whether a reply came, which a refusal and an unreadable one are too."""
        return self.judgement.missing not in UNANSWERED


_LINE: TypeAdapter[RejudgementHeader | RejudgedAnswer] = TypeAdapter(
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
        """Who judged."""
        return self.sittings[0]

    @property
    def in_one_sitting(self) -> bool:
        """Whether all personas were asked in one shuffled order, later remainders included."""
        return len(self.sittings) == 1 or bool(self.judge.personas)


def read_judgements(path: Path) -> Judgements:
    """Read what a judge said about a run.

    Raises
    ------
    DamagedLedger
        A committed line is no record, a question was answered twice, or the headers differ;
        names the line, counted from 1.
    DataUnreadable
        The file cannot be read.
    """
    lines, torn = read_lines(path)
    if not lines:
        raise DamagedLedger(path, 1, "nothing was committed to it.")
    sittings: list[RejudgementHeader] = []
    found: list[RejudgedAnswer] = []
    answered: set[RejudgementKey] = set()
    for number, record in enumerate(lines, 1):
        if isinstance(record, RejudgementHeader):
            if sittings and not record.same(sittings[0]):
                raise DamagedLedger(path, number, "another judge or run than in line 1.")
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


def read_lines(path: Path) -> tuple[list[RejudgementHeader | RejudgedAnswer], int]:
    """Read the records as they stand, and the bytes of a torn last line."""
    try:
        lines, torn = committed(path.read_bytes())
    except OSError as error:
        raise DataUnreadable(path, error.strerror or str(error)) from None
    return [_record(path, number, line) for number, line in enumerate(lines, 1)], torn


def read_known(path: Path) -> list[RejudgementHeader | RejudgedAnswer | bytes]:
    """Read what can be read; a line that cannot stands as its bytes. Raises ``DataUnreadable``."""
    try:
        lines, _ = committed(path.read_bytes())
    except OSError as error:
        raise DataUnreadable(path, error.strerror or str(error)) from None
    found: list[RejudgementHeader | RejudgedAnswer | bytes] = []
    for number, line in enumerate(lines, 1):
        try:
            found.append(_record(path, number, line))
        except DamagedLedger:
            found.append(line)
    return found


def _kept(path: Path) -> Judgements | None:
    """What is there to go on with; ``None`` where nothing was committed yet."""
    if not path.exists() or not committed(path.read_bytes())[0]:
        return None
    return read_judgements(path)


def judgement_files(run_folder: Path) -> list[Path]:
    """Every judge's file beside a run."""
    return sorted((run_folder / FOLDER).glob("*.jsonl"))


class JudgementWriter(LineWriter):
    """Appends answers to one judge's file, batch by batch, and keeps a second writer out.

    Parameters
    ----------
    path
        As ``RejudgementHeader.path`` gives it; made, with its folder, if it is not there.
    judge
        This sitting. Its header is written with the first answers.
    among
        The file that locks of many such files are bytes of, for a sitting over many runs: an open
        file takes one of a process's descriptors, of which there may be 256.

    Raises
    ------
    OtherJudge
        The file was begun by another judge, or for another run.
    RunLocked
        Another writer has this file open.
    DataUnwritable
        The file or its folder cannot be written.
    """

    kept: tuple[RejudgedAnswer, ...]
    """What earlier sittings were told, attempts without a reply included."""
    asked: set[RejudgementKey]
    """Questions that were answered, and are never asked again."""
    begun: RejudgementHeader | None
    """The first sitting, which this one goes on with."""

    def __init__(self, path: Path, judge: RejudgementHeader, among: Path | None = None) -> None:
        lock = path.with_suffix(".lock")
        held = NamedLock(lock) if among is None else byte_lock(lock, among)
        super().__init__(path, held, judge.run_id, kept_open=False)
        self._judge: RejudgementHeader | None = judge
        try:
            kept = _kept(path)
            if kept and not kept.judge.same(judge):
                raise OtherJudge(path)
        except StoreError:
            self.close()
            raise
        self.begun = kept.judge if kept else None
        self.kept = kept.lines if kept else ()
        self.asked = {line.key for line in self.kept if line.answered}
        self._attempts = Counter(line.key for line in self.kept)

    def due(self, key: RejudgementKey, attempts: int) -> bool:
        """Tell whether a question is to be asked, where each is asked so often at most."""
        return key not in self.asked and self._attempts[key] < attempts

    def attempts(self, key: RejudgementKey) -> int:
        """Count how often a question was asked."""
        return self._attempts[key]

    def append(self, lines: Sequence[RejudgedAnswer]) -> None:
        """Commit a batch of answers: all of them or none.

        Raises
        ------
        ValueError
            A question was answered before, or is asked twice in the batch.
        pydantic.ValidationError
            A value that JSON cannot carry, such as a NaN.
        DataUnwritable
            The disk refused. Nothing of the batch stays, and the next append is valid.
        """
        keys = [line.key for line in lines]
        if len(set(keys)) < len(keys) or not self.asked.isdisjoint(keys):
            raise ValueError("a question was asked twice, or answered before")
        head = [] if self._judge is None else [_as_line(self._judge)]
        self._commit(b"".join([*head, *(_as_line(line) for line in lines)]))
        self._judge = None
        self.asked.update(line.key for line in lines if line.answered)
        self._attempts.update(keys)


def _as_line(record: RejudgementHeader | RejudgedAnswer) -> bytes:
    """One line; it is read back first, so that what could not be read is refused here."""
    line = record.model_dump_json(by_alias=True).encode()
    _LINE.validate_json(line)
    return line + b"\n"


def _record(path: Path, number: int, line: bytes) -> RejudgementHeader | RejudgedAnswer:
    try:
        return _LINE.validate_json(line)
    except ValidationError as error:
        raise DamagedLedger(path, number, f"{tell_fault(error)}.") from None
