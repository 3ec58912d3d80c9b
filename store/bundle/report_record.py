"""The record of a report: what it was made of, with which options, code and packages."""

from __future__ import annotations

import hashlib
import platform
import re
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Self

from pydantic import Field, ValidationError, model_validator

from store.bundle.errors import BadBundle
from store.jsonl.atomic import write_whole
from store.jsonl.base_record import Record, tell_fault
from store.jsonl.paths import FrameHash, PathName
from store.runs.data_folder import DataFolder

NAME = "report.json"
_REQUIREMENT = re.compile(r"[A-Za-z0-9._-]+")
_EXTRA = "extra =="
"""Stands in a requirement that no figure needs."""


class ReportOptions(Record):
    """What was typed for a report, beside its study: equal options derive equal figures."""

    seed: int = Field(ge=0)
    null_from: tuple[str, ...] = ()
    """Studies and runs that the null was drawn from, and names of files."""
    null_runs: tuple[PathName, ...] = ()
    """The runs that these names stand for."""
    null_files: dict[str, FrameHash] = Field(default_factory=dict)
    """SHA-256 of the files among them, by name."""
    null_map: tuple[str, ...] = ()
    beside: tuple[PathName, ...] = ()
    """Watch histories that stand beside the feeds."""


class PromptText(Record):
    """A file of prompts; ``text`` is ``None`` where the program has another version of it."""

    name: str
    sha256: str
    text: str | None

    @model_validator(mode="after")
    def _check_text(self) -> Self:
        if self.text is not None and _hash_text(self.text) != self.sha256:
            raise ValueError(f"the text of {self.name[:80]!a} has another SHA-256")
        return self


class Environment(Record):
    """What derived figures: code and versions, and nothing that tells a machine from others."""

    feedsway: str
    code: FrameHash
    """SHA-256 of the code that reads and measures."""
    python: str
    system: str
    packages: dict[str, str]
    """Versions of every package that feedsway needs and that is installed."""

    @classmethod
    def of(cls, code: bytes) -> Environment:
        """Return that of this process."""
        return cls(
            feedsway=metadata.version("feedsway"),
            code=code.hex(),
            python=platform.python_version(),
            system=f"{platform.system()} {platform.machine()}",
            packages=_versions(),
        )

    def differences(self, other: Environment) -> list[str]:
        """Say, one by one, what the other has otherwise."""
        said = [
            f"{name} {getattr(self, name)}, here {getattr(other, name)}"
            for name in ("feedsway", "python", "system")
            if getattr(self, name) != getattr(other, name)
        ]
        if self.code != other.code:
            said.append(f"code {self.code[:12]}, here {other.code[:12]}")
        for name in sorted(self.packages.keys() | other.packages.keys()):
            mine, theirs = (each.packages.get(name, "none") for each in (self, other))
            if mine != theirs:
                said.append(f"{name} {mine}, here {theirs}")
        return said


class ReportRecord(Record):
    """What a report was made of; written last, beside its page."""

    format: int = 1
    study: PathName | None
    """``None`` for the report of a run."""
    runs: tuple[PathName, ...]
    """Runs that it is about; of a study all, older runs of a cell too."""
    options: ReportOptions
    environment: Environment
    prompts: tuple[PromptText, ...]
    sources: dict[str, FrameHash]
    """SHA-256 of every file that was read, by its place in the data folder."""
    tables: dict[PathName, FrameHash]
    """SHA-256 of each table as CSV, by name."""


def _hash_text(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def hash_files(data: DataFolder, places: Iterable[str]) -> dict[str, str]:
    """Return the SHA-256 of files of a data folder, by place."""
    return {place: hash_file(data.root / place) for place in places}


def hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_record(folder: Path, record: ReportRecord) -> None:
    """Write the record of a report beside its page; raises ``OSError``."""
    write_whole(folder / NAME, record.model_dump_json(indent=1).encode() + b"\n", sync=False)


def read_record(folder: Path, name: str) -> ReportRecord:
    """Read the record of the report in a folder.

    Raises ``BadBundle``, which says how to write one of the study or run of this name.
    """
    try:
        return ReportRecord.model_validate_json((folder / NAME).read_bytes())
    except FileNotFoundError:
        raise BadBundle.report(name, f"{name} has no report that says what it is made of") from None
    except ValidationError as error:
        told = f"{folder / NAME} cannot be read ({tell_fault(error)})"
        raise BadBundle.report(name, told) from None
    except OSError as error:
        told = f"{folder / NAME} cannot be read ({error.strerror})"
        raise BadBundle.report(name, told) from None


def _versions() -> dict[str, str]:
    found = {}
    for line in metadata.requires("feedsway") or ():
        match = _REQUIREMENT.match(line)
        if match is None or _EXTRA in line:
            continue
        try:
            found[match[0].lower()] = metadata.version(match[0])
        except metadata.PackageNotFoundError:
            continue
    return dict(sorted(found.items()))
