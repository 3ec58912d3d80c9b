"""The manifest of a bundle: its first member, which says what every other one must be."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator

from store.bundle.report_record import Environment, PromptText, ReportOptions
from store.jsonl.base_record import Record, tell_fault
from store.jsonl.hash_chain import split_line
from store.jsonl.paths import FrameHash, PathName, is_name, is_part

NAME = "manifest.json"
MOST_BYTES = 256 * 2**20
"""Of a manifest; a bundle of a million frames has some 200 MB."""
DATA, FIGURES = "data/", "figures/"
"""Where in a bundle a data folder lies, and the tables of the report."""
_PLACES = re.compile(
    r"""
    data/runs/[^/]+/ledger\.jsonl
    | data/runs/[^/]+/judgements/[^/]+\.jsonl
    | data/labels/[^/]+/(draw|by-[^/]+)\.jsonl
    | data/canary/[^/]+\.jsonl
    | data/studies/[^/]+/(study\.toml|(draws|looks|frozen|tested)\.json)
    | data/frames/(?P<head>[0-9a-f]{2})/(?P=head)[0-9a-f]{62}\.jpg
    | figures/[^/]+\.csv
    """,
    re.VERBOSE,
)


def _check_place(text: str) -> str:
    """Refuse whatever no bundle of ours holds: a cache, say, would be believed unread."""
    if _PLACES.fullmatch(text) is None or not all(map(is_part, text.split("/"))):
        raise ValueError(f"{text[:80]!a} is no place in a bundle")
    return text


BundlePlace = Annotated[str, AfterValidator(_check_place)]


class BundledFile(Record):
    """One member of a bundle."""

    place: BundlePlace
    bytes: int = Field(ge=0)
    sha256: FrameHash
    original: FrameHash | None = None
    """SHA-256 of the kept lines, where names were taken out of them; a claim that only they prove.

    A table has none: names could be tried out on it."""
    chain: FrameHash | None = None
    """Last hash of the chain of its lines, which is that of the kept file too."""
    columns_left_out: tuple[str, ...] = ()
    """Of a table, since pseudonyms stand for what they hold."""
    rows_left_out: int = Field(default=0, ge=0)
    """Of the page's numbers: those of contact sheets, where frames are left out."""

    @model_validator(mode="after")
    def _check_frame(self) -> Self:
        if self.place.startswith(f"{DATA}frames/") and Path(self.place).stem != self.sha256:
            raise ValueError(f"{self.place} has another hash than its name says")
        return self


class BundleManifest(Record):
    """What a bundle holds, and what its figures were derived with."""

    feedsway_bundle: Literal[1] = 1
    seal: str = ""
    """SHA-256 of this file with an empty seal in it, so that damage to it is told from other."""
    study: PathName | None
    runs: tuple[PathName, ...]
    handles: Literal["pseudonyms", "kept"]
    frames: bool
    options: ReportOptions
    environment: Environment
    """What derived the figures that are in it."""
    prompts: tuple[PromptText, ...]
    """What judges were asked with; the traits of the personas, which come in between, are data."""
    files: tuple[BundledFile, ...]
    """Every other member, in the order of their bytes."""

    @model_validator(mode="after")
    def _check_options(self) -> Self:
        """Refuse what would be read from outside of the bundle."""
        if self.options.null_files or self.options.beside:
            raise ValueError("figures of files that no bundle holds are in it")
        for name in self.options.null_from:
            if not is_name(name):
                raise ValueError(f"{name[:80]!a} is no name of a study or run")
        return self

    def encode(self) -> bytes:
        """Return the bytes of the member, sealed."""
        bare = self._told("")
        return self._told(hashlib.sha256(bare).hexdigest())

    def _told(self, seal: str) -> bytes:
        told = self.model_dump(mode="json") | {"seal": seal}
        return json.dumps(told, indent=1, ensure_ascii=False).encode() + b"\n"

    @classmethod
    def decode(cls, content: bytes) -> BundleManifest:
        """Read the bytes of the member; raises ``ValueError``, which says what is wrong."""
        try:
            manifest = cls.model_validate_json(content)
        except ValidationError as error:
            raise ValueError(f"it cannot be read: {tell_fault(error)}") from None
        if manifest.encode() != content:
            raise ValueError("it is not as it was sealed")
        places = [file.place for file in manifest.files]
        if places != sorted(set(places)):
            raise ValueError("its files are out of order, or one stands in it twice")
        return manifest

    def below(self, folder: str) -> tuple[BundledFile, ...]:
        return tuple(file for file in self.files if file.place.startswith(folder))


def read_chain_end(path: Path) -> str | None:
    """Return the last hash of a file's chain; ``None`` of a file that has none."""
    if path.suffix != ".jsonl":
        return None
    last = b""
    with path.open("rb") as file:
        for line in file:
            last = line.removesuffix(b"\n") if line.endswith(b"\n") else last
    seal = split_line(last)[1]
    return None if seal is None else seal.chain.decode()
