"""What a ladder of trainings left behind: its settings, one record a training, and judgements.

One folder::

    ladder.json                    what all trainings share
    cells/0016-2/cell.json         size 16, seed 2: written last, so its presence proves completion
    cells/0016-2/adapter/          the trained weights
    judged/<judge>/judge.json      who scored the replies, and by what question
    judged/<judge>/0016-2.json     the scores of one training

Refuses to know how a model is trained and what scores mean.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from store.errors import StoreError
from store.jsonl.base_record import Record
from store.jsonl.file_seal import check_seal, write_sealed
from store.runs.ledger_lines import Judgement
from store.runs.run_provenance import Provenance
from store.untrusted.clean_fields import ForeignText

LADDER, RECORD, JUDGE, ADAPTER = "ladder.json", "cell.json", "judge.json", "adapter"
_Kept = TypeVar("_Kept", bound=Record)


class BadLadder(StoreError):
    """A record of a training makes no sense."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} cannot be read; without it the same command makes it again. Type: rm {path}"
        )


class TrainingRecipe(Record):
    """How each training is done, whatever its size and seed."""

    model: str
    pairs: str
    """Digest of the pairs."""
    updates: int
    batch: int
    learning_rate: float
    beta: float
    rank: int
    accumulation: int = 1
    """Parts in which the pairs of an update go through the model."""


class TrainingPlan(Record):
    """What all trainings of a folder share."""

    recipe: TrainingRecipe
    held_out: int
    """Pairs that no training saw."""
    provenance: Provenance


class HeldOutItem(Record):
    """What a model does with one held-out pair."""

    id: str
    video: str
    kind: str
    reply: ForeignText
    """To the pair's own prompt, greedily."""
    chosen: float
    rejected: float
    """Log-probabilities of the two responses."""
    chosen_tokens: int
    rejected_tokens: int
    p_yes: tuple[float | None, ...]
    """Of a yes to: the chosen one is right, it is wrong, and the same of the rejected one."""


class TrainingLoss(Record):
    """One line of a training's log."""

    update: int
    loss: float


class TrainingRun(Record):
    """One finished training, or the model as it came (size 0)."""

    size: int
    seed: int
    weights: str
    """What tells the weights that it began with from others of the same name."""
    trained_on: tuple[str, ...]
    """Ids of the pairs."""
    losses: tuple[TrainingLoss, ...]
    items: tuple[HeldOutItem, ...]
    seconds: float


class ScoringJudge(Record):
    """Who scored, and by what question."""

    judge: str
    about: str
    """The style, or the persona's traits."""
    question: str


class TrainingScores(Record):
    """Judgements of one training's replies, in the order of its items; none for an empty reply."""

    judgements: tuple[Judgement | None, ...]


def name(size: int, seed: int) -> str:
    """Name of a training; the model as it came has no seed."""
    return f"{size:04d}-{seed if size else 0}"


def keep(path: Path, record: Record) -> None:
    """Write a record whole."""
    write_sealed(path, record.model_dump_json(indent=1).encode())


def recall(path: Path, kind: type[_Kept]) -> _Kept | None:
    """Read a record; ``None`` where it was not written yet.

    Raises
    ------
    BadLadder
        It is there but makes no sense.
    """
    try:
        content = path.read_bytes()
        if check_seal(content) == "changed":
            raise BadLadder(path)
        return kind.model_validate_json(content)
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise BadLadder(path) from error


def cell_folder(out: Path, size: int, seed: int) -> Path:
    """Where a training is kept."""
    return out / "cells" / name(size, seed)


def cell(out: Path, size: int, seed: int) -> TrainingRun | None:
    """Read a finished training."""
    return recall(cell_folder(out, size, seed) / RECORD, TrainingRun)


def judged_folder(out: Path, asked: ScoringJudge) -> Path:
    """Where the scores of one judge, asked in one way, are kept."""
    mark = hashlib.sha256(asked.model_dump_json().encode()).hexdigest()[:12]
    return out / "judged" / mark
