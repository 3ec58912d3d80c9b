"""What a value spectrum is asked about: the frames found for each keyword, and how well they fit.

One file, ``spectra/<slug>/retrieval.json``, written whole; the judges' answers about these frames
lie beside it in ``spectra/judgements`` (see ``rejudgements``), by frame, so that another retrieval
asks only what is new.
"""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from store.errors import DataUnreadable, DataUnwritable
from store.jsonl.base_record import Record
from store.jsonl.file_seal import CHANGED, check_seal, write_sealed
from store.jsonl.paths import FrameHash, PathName, path_within
from store.runs.data_folder import DataFolder

RUN_ID = "spectrum"
"""What stands for the run in judgements that belong to none."""
FITS = {"both": 3.4, "picture": 4.5}
"""Standard deviations from which a frame is taken to fit its keyword, by what was matched.

Measured with ``conse`` on the playground (``docs/spectrum.md``): about three in four such frames
fit, found by both, and fewer by the picture alone. It is said of one frame at a time, so it does
not grow with the collection.
"""
RETRIEVAL = "retrieval.json"


class ValueRecord(Record):
    """A value as it was when its frames were looked for."""

    id: str
    name: str
    definition: str


class RetrievedFrame(Record):
    """One frame that was found for a keyword."""

    rank: int
    similarity: float
    """Cosine of keyword and picture, as the encoder sees them."""
    words: float | None
    """Cosine of keyword and caption; ``None`` without one, or where captions did not count."""
    match: float
    """Standard deviations by which it stands out of all frames that were looked through."""
    fits: bool
    """Whether it stands out enough to be taken for a fitting one."""
    entry: str
    """Id in the index."""
    platform: str
    video: str
    frame: PathName
    caption: str

    @property
    def cluster(self) -> str:
        """What answers about it are clustered by: the video."""
        return f"{self.platform}/{self.video}"


class Keyword(Record):
    """What was found for one keyword of a value."""

    value: str
    keyword: str
    found: tuple[RetrievedFrame, ...]

    @property
    def match(self) -> float:
        """Mean match of what was found; 0 where nothing was."""
        return sum(hit.match for hit in self.found) / max(len(self.found), 1)

    @property
    def fitting(self) -> int:
        return sum(hit.fits for hit in self.found)

    @property
    def doubtful(self) -> bool:
        """Whether none of its frames is taken to fit."""
        return not self.fitting


class Retrieval(Record):
    """The frames of a spectrum."""

    at: datetime
    set_id: PathName
    sha256: FrameHash
    """Of the set's file."""
    encoder: str
    platform: PathName | None
    per_keyword: int
    by: Literal["both", "picture"]
    """Whether captions counted in the match."""
    frames: int
    """Indexed frames that were looked through."""
    unique: int
    """Those of them that are no near-duplicate of an earlier one."""
    videos: int
    """Videos that they are of."""
    values: tuple[ValueRecord, ...]
    keywords: tuple[Keyword, ...]

    @property
    def slug(self) -> str:
        """Name of the folder: equal names mean the same set, looked for in the same way."""
        encoder = re.sub(r"[^A-Za-z0-9]+", "-", self.encoder).strip("-")[-40:]
        where = self.platform or "all"
        by = "" if self.by == "both" else f"-by-{self.by}"
        return f"{self.set_id}-{self.sha256[:8]}-{where}-{self.per_keyword}-{encoder}{by}"

    @property
    def shown(self) -> dict[str, RetrievedFrame]:
        """Each frame once, by its SHA-256, in the order of values and keywords."""
        found: dict[str, RetrievedFrame] = {}
        for keyword in self.keywords:
            for hit in keyword.found:
                found.setdefault(hit.frame, hit)
        return found

    def folder(self, data: DataFolder) -> Path:
        return path_within(data.spectra_dir, data.spectra_dir / self.slug)


def fits(match: float, by: str) -> bool:
    """Whether a frame stands out enough to be taken for a fitting one."""
    return match >= FITS[by]


def keep(retrieval: Retrieval, data: DataFolder) -> Path:
    """Write a retrieval; an older one of the same name is replaced.

    Raises
    ------
    DataUnwritable
        The disk refused.
    """
    path = retrieval.folder(data) / RETRIEVAL
    write_retrieval(retrieval, path)
    return path


def write_retrieval(retrieval: Retrieval, path: Path) -> None:
    """Write a retrieval to its file; raises ``DataUnwritable``."""
    try:
        write_sealed(path, retrieval.model_dump_json(indent=1).encode())
    except OSError as error:
        raise DataUnwritable(path, error.strerror or str(error)) from None


def read_retrieval(path: Path) -> Retrieval:
    """Read a retrieval; raises ``DataUnreadable``."""
    try:
        content = path.read_bytes()
        if check_seal(content) == "changed":
            raise DataUnreadable(path, CHANGED)
        return Retrieval.model_validate_json(content)
    except OSError as error:
        raise DataUnreadable(path, error.strerror or str(error)) from None
    except ValidationError as error:
        raise DataUnreadable(path, str(error)) from None
