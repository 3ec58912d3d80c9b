"""Preference pairs: what was said of a frame, the same with one error in it, and the checks.

One file a maker, ``pairs/<maker>.jsonl``: descriptions first, then a pair for every frame and kind
of error, rejects with their reason; see ``store.jsonl.answer_file``.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, TypeAdapter

from store.errors import StoreError
from store.jsonl.answer_file import KeyedFormat, KeyedWriter
from store.jsonl.atomic import file_slug
from store.jsonl.base_record import Record
from store.jsonl.paths import FrameHash
from store.runs.data_folder import DataFolder
from store.runs.ledger_lines import SettingValue, Usage
from store.untrusted.clean_fields import ForeignText

ErrorKind = Literal["object", "attribute", "relation", "count", "place", "action", "persona"]
ERRORS: tuple[ErrorKind, ...] = (
    "object",
    "attribute",
    "relation",
    "count",
    "place",
    "action",
    "persona",
)
LEVELS: tuple[ErrorKind, ...] = ("object", "attribute", "relation")
"""The kinds of error that a hallucination probe asks about."""

Reason = Literal[
    "nothing_to_change",
    "unchanged",
    "length",
    "style",
    "several_errors",
    "not_local",
    "off_target",
    "accepted_denied",
    "not_contradicted",
    "unanswered",
]
"""Why a pair does not count; the first that holds, in this order but for the last."""


class NoPairs(StoreError):
    """No pairs were made yet, or none of these."""

    def __init__(self, where: Path) -> None:
        super().__init__(
            f"There are no pairs in {where}. Type: python -m agent pairs --model scripted/editor"
        )


class Maker(Record):
    """Header: who described and edited, and who checked."""

    kind: Literal["maker"] = "maker"
    schema_: Annotated[int, Field(alias="schema")] = 1
    model: str
    checker: str
    prompts: dict[str, str]
    """SHA-256 of each prompt file used, by name."""
    fingerprint: str | None = None
    """What tells the model from others of its name; ``None`` where it was not declared."""
    settings: dict[str, SettingValue] = Field(default_factory=dict)
    """How it was asked, beside the question: what was set, by name."""
    seed: int
    at: datetime
    code_version: str

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    @property
    def slug(self) -> str:
        prompts = sorted(self.prompts.items())
        told: tuple[object, ...] = (self.model, self.checker, prompts, self.seed)
        if self.fingerprint is not None:
            told = (*told, self.fingerprint)
        if self.settings:
            told = (*told, sorted(self.settings.items()))
        return file_slug(self.model, told)


class FrameSource(Record):
    """The frame, and where it was seen."""

    frame: FrameHash
    phash: str
    platform: str
    video: ForeignText
    author: ForeignText | None = None
    run: str
    position: int

    @property
    def cluster(self) -> str:
        """What answers about it are clustered by: the video."""
        return f"{self.platform}/{self.video}"


class AcceptedText(Record):
    """What is accepted of a frame, and what was asked for it."""

    kind: Literal["told"] = "told"
    source: FrameSource
    persona: str = ""
    """Who speaks; empty for a description."""
    system: str = ""
    user: ForeignText
    accepted: ForeignText
    """Empty where nothing was said."""
    stored: bool
    """Whether the run's own judge had said it, or it was asked for now."""
    missing: str | None = None
    usage: Usage = Usage()

    @property
    def key(self) -> tuple[str, str]:
        return self.source.frame, self.persona


class Checks(Record):
    """What was measured of an edit."""

    spans: int
    """Places at which words differ."""
    changed: int
    """Content words that differ, on the side that has more of them."""
    kept: float
    """Share of the accepted words that were kept."""
    length: float
    """Characters of the rejected over those of the accepted, less 1."""
    style: tuple[str, ...] = ()
    """Features of surface style that differ by more than is allowed."""
    on_target: bool | None = None
    """Whether the checker finds that they differ in the named kind, and in nothing else."""
    accepted_holds: bool | None = None
    rejected_holds: bool | None = None
    """What the checker said of each, blind; ``None`` where it was not asked or had no answer."""


class PreferencePair(Record):
    """An accepted text, and the same with one error in it."""

    kind: Literal["pair"] = "pair"
    source: FrameSource
    error: ErrorKind
    persona: str = ""
    accepted: ForeignText
    rejected: ForeignText
    statements: tuple[ForeignText, ForeignText] = ("", "")
    """The sentence in which they differ: as accepted, and as rejected."""
    swapped: tuple[ForeignText, ForeignText] = ("", "")
    """The words that differ."""
    checks: Checks | None = None
    reason: Reason | None = None
    """Why it does not count; ``None`` for a pair that does."""
    missing: str | None = None
    """Why there was no answer, where there was none."""
    usage: Usage = Usage()

    @property
    def key(self) -> tuple[str, str, str]:
        return self.source.frame, self.persona, self.error

    @property
    def name(self) -> str:
        """Id of the pair in exports."""
        return f"{self.source.frame[:16]}/{self.error}"


PairLine = AcceptedText | PreferencePair
"""A record of a file of pairs."""
PAIR_FORMAT: KeyedFormat[Maker, PairLine] = KeyedFormat(
    Maker,
    TypeAdapter(Annotated[Maker | AcceptedText | PreferencePair, Field(discriminator="kind")]),
)


@dataclass(frozen=True, slots=True)
class PreferencePairs:
    """What a file of pairs holds."""

    path: Path
    maker: Maker
    told: dict[tuple[str, str], AcceptedText]
    pairs: tuple[PreferencePair, ...]

    @property
    def counted(self) -> tuple[PreferencePair, ...]:
        """Pairs that passed every check."""
        return tuple(pair for pair in self.pairs if pair.reason is None)

    def only(self, frames: Collection[str], errors: Collection[ErrorKind]) -> PreferencePairs:
        """Leave out pairs about other frames and of other kinds."""
        kept = (pair for pair in self.pairs if pair.source.frame in frames)
        return replace(self, pairs=tuple(pair for pair in kept if pair.error in errors))


def open_pairs(data: DataFolder, maker: Maker) -> KeyedWriter[Maker, PairLine]:
    return KeyedWriter(data.pairs_dir / f"{maker.slug}.jsonl", maker, PAIR_FORMAT.read)


def read_pairs(path: Path) -> PreferencePairs:
    """Read a file of pairs; raises ``DamagedLedger`` and ``DataUnreadable``."""
    maker, lines = PAIR_FORMAT.read(path)
    return PreferencePairs(
        path,
        maker,
        {line.key: line for line in lines if isinstance(line, AcceptedText)},
        tuple({line.key: line for line in lines if isinstance(line, PreferencePair)}.values()),
    )


def find_pairs(data: DataFolder, name: str | None = None) -> PreferencePairs:
    """Read the pairs that a person means.

    Parameters
    ----------
    name
        The file's path, its name or the beginning of it; ``None``: what was written last.

    Raises
    ------
    NoPairs
        None fits.
    """
    if name and Path(name).is_file():
        return read_pairs(Path(name))
    found = sorted(data.pairs_dir.glob(f"{name or ''}*.jsonl"), key=lambda p: p.stat().st_mtime_ns)
    if not found:
        raise NoPairs(data.pairs_dir)
    return read_pairs(found[-1])
