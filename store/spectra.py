"""What a value spectrum is asked about: the frames found for each keyword, and how well they fit.

One file, ``spectra/<slug>/retrieval.json``, written whole; the judges' answers about these frames
lie beside it in ``spectra/judgements`` (see ``judgements``), by frame, so that another retrieval
asks only what is new. Refuses to know how frames are found and what answers mean.
"""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from store.data import DataFolder
from store.errors import DataUnreadable, DataUnwritable
from store.files import write_whole
from store.records import Record

RUN_ID = "spectrum"
"""What stands for the run in judgements that belong to none."""
_FILE = "retrieval.json"


class ValueRecord(Record):
    """A value as it was when its frames were looked for."""

    id: str
    name: str
    definition: str


class Found(Record):
    """One frame that was found for a keyword."""

    rank: int
    similarity: float
    """Cosine of keyword and frame, as the encoder sees them."""
    entry: str
    """Id in the index."""
    platform: str
    video: str
    frame: str
    """SHA-256."""
    caption: str

    @property
    def cluster(self) -> str:
        """What answers about it hang together with: the video."""
        return f"{self.platform}/{self.video}"


class Keyword(Record):
    """What was found for one keyword of a value."""

    value: str
    keyword: str
    found: tuple[Found, ...]
    typical: float
    """Mean similarity of the keyword to the frames that were looked through."""
    spread: float
    """Standard deviation of these similarities."""
    chance: float
    """Standard deviations by which the best of so many frames stand out by themselves."""

    @property
    def similarity(self) -> float:
        """Mean similarity of what was found; 0 where nothing was."""
        return sum(hit.similarity for hit in self.found) / max(len(self.found), 1)

    @property
    def lift(self) -> float:
        """Standard deviations by which what was found stands out."""
        return (self.similarity - self.typical) / self.spread if self.spread > 0 else 0.0

    @property
    def doubtful(self) -> bool:
        """Whether what was found stands out no more than the best of anything would."""
        return self.lift <= self.chance


class Retrieval(Record):
    """The frames of a spectrum."""

    at: datetime
    set_id: str
    sha256: str
    """Of the set's file."""
    encoder: str
    platform: str | None
    per_keyword: int
    frames: int
    """Indexed frames that were looked through."""
    values: tuple[ValueRecord, ...]
    keywords: tuple[Keyword, ...]

    @property
    def slug(self) -> str:
        """Name of the folder: equal names mean the same set, looked for in the same way."""
        encoder = re.sub(r"[^A-Za-z0-9]+", "-", self.encoder).strip("-")[-40:]
        where = self.platform or "all"
        return f"{self.set_id}-{self.sha256[:8]}-{where}-{self.per_keyword}-{encoder}"

    @property
    def shown(self) -> dict[str, Found]:
        """Each frame once, by its SHA-256, in the order of values and keywords."""
        found: dict[str, Found] = {}
        for keyword in self.keywords:
            for hit in keyword.found:
                found.setdefault(hit.frame, hit)
        return found

    def folder(self, data: DataFolder) -> Path:
        """Where it is kept."""
        return data.spectra_dir / self.slug


def keep(retrieval: Retrieval, data: DataFolder) -> Path:
    """Write a retrieval; an older one of the same name is replaced.

    Raises
    ------
    DataUnwritable
        The disk refused.
    """
    path = retrieval.folder(data) / _FILE
    try:
        write_whole(path, retrieval.model_dump_json(indent=1).encode())
    except OSError as error:
        raise DataUnwritable(path, error.strerror or str(error)) from None
    return path


def read_retrieval(path: Path) -> Retrieval:
    """Read a retrieval; raises ``DataUnreadable``."""
    try:
        return Retrieval.model_validate_json(path.read_bytes())
    except OSError as error:
        raise DataUnreadable(path, error.strerror or str(error)) from None
    except ValidationError as error:
        raise DataUnreadable(path, str(error)) from None
