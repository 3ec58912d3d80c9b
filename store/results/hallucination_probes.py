"""Answers to hallucination probes: what a model said about true and false statements on frames.

One file a model and set of pairs, ``probes/<prober>.jsonl``; see ``store.jsonl.answer_file``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, TypeAdapter

from store.jsonl.answer_file import KeyedFormat, KeyedWriter
from store.jsonl.atomic import file_slug
from store.jsonl.base_record import Record
from store.runs.data_folder import DataFolder
from store.runs.ledger_lines import Judgement, SettingValue, Usage

Form = Literal["choice", "statement", "reason"]


class Prober(Record):
    """Header: who answers, and about which pairs."""

    kind: Literal["prober"] = "prober"
    schema_: Annotated[int, Field(alias="schema")] = 1
    model: str
    pairs: str
    """Name of the file of pairs."""
    prompts: dict[str, str]
    """SHA-256 of each prompt file used, by name."""
    fingerprint: str | None = None
    """What tells the model from others of its name; ``None`` where it was not declared."""
    settings: dict[str, SettingValue] = Field(default_factory=dict)
    """How it was asked, beside the question: what was set, by name."""
    at: datetime
    code_version: str

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    @property
    def slug(self) -> str:
        told: tuple[object, ...] = (self.model, self.pairs, sorted(self.prompts.items()))
        if self.fingerprint is not None:
            told = (*told, self.fingerprint)
        if self.settings:
            told = (*told, sorted(self.settings.items()))
        return file_slug(self.model, told)


class ProbeQuestion(Record):
    """What was asked about a frame."""

    frame: str
    """SHA-256."""
    form: Form
    """Which of two is true; whether one is; which of two, with the reason."""
    statement: str
    """Of two, the true one."""
    other: str = ""
    mirrored: bool = False
    """The true one came second; of one statement, it was asked whether it is false."""


class ProbeAnswer(Record):
    """One question, and what the model said: ``yes`` means that it holds the statement true."""

    kind: Literal["probed"] = "probed"
    frame: str
    question: ProbeQuestion
    judgement: Judgement

    @property
    def key(self) -> ProbeQuestion:
        return self.question

    @property
    def missing(self) -> str | None:
        return self.judgement.missing

    @property
    def usage(self) -> Usage:
        return self.judgement.usage


PROBE_FORMAT: KeyedFormat[Prober, ProbeAnswer] = KeyedFormat(
    Prober, TypeAdapter(Annotated[Prober | ProbeAnswer, Field(discriminator="kind")])
)


@dataclass(frozen=True, slots=True)
class Probes:
    """What a file of answers holds."""

    path: Path
    prober: Prober
    said: dict[ProbeQuestion, Judgement]


def open_probes(data: DataFolder, prober: Prober) -> KeyedWriter[Prober, ProbeAnswer]:
    return KeyedWriter(data.probes_dir / f"{prober.slug}.jsonl", prober, PROBE_FORMAT.read)


def read_probes(path: Path) -> Probes:
    """Read a file of answers; raises ``DamagedLedger`` and ``DataUnreadable``."""
    prober, lines = PROBE_FORMAT.read(path)
    return Probes(path, prober, {line.question: line.judgement for line in lines})
