"""Answers to misalignment probes: what a model said about true and false statements on frames.

One file a model and set of pairs, ``probes/<prober>.jsonl``. Refuses to know how a question is put
(``agent``) and what the answers mean (``analysis``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, TypeAdapter

from store.jsonl.atomic import file_slug
from store.jsonl.keyed import KeyedWriter, read_keyed
from store.runs.data_folder import DataFolder
from store.runs.records import Judgement, Record

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
    at: datetime
    code_version: str

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    @property
    def slug(self) -> str:
        """Name for files: equal names mean the same questions to the same model."""
        told: tuple[object, ...] = (self.model, self.pairs, sorted(self.prompts.items()))
        if self.fingerprint is not None:
            told = (*told, self.fingerprint)
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
    def missing(self) -> str | None:
        """Why there is no answer, where there is none."""
        return self.judgement.missing


LINE: TypeAdapter[Prober | ProbeAnswer] = TypeAdapter(
    Annotated[Prober | ProbeAnswer, Field(discriminator="kind")]
)


@dataclass(frozen=True, slots=True)
class Probes:
    """What a file of answers holds."""

    path: Path
    prober: Prober
    said: dict[ProbeQuestion, Judgement]


def writer(data: DataFolder, prober: Prober) -> KeyedWriter[Prober | ProbeAnswer]:
    """Open the file of a prober; see ``KeyedWriter``."""
    return KeyedWriter(data.probes_dir / f"{prober.slug}.jsonl", prober, LINE)


def read_probes(path: Path) -> Probes:
    """Read a file of answers; raises ``DamagedLedger`` and ``DataUnreadable``."""
    prober, lines = read_keyed(path, Prober, LINE)
    said = {line.question: line.judgement for line in lines if isinstance(line, ProbeAnswer)}
    return Probes(path, prober, said)
