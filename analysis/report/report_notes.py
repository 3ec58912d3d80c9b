"""Notes what a report was made of, in ``report.json`` beside its page."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from analysis.report.compact_ledgers import hash_code
from personas.errors import PersonaError
from personas.strategies import read_prompt_file
from store.bundle.report_record import (
    NAME,
    Environment,
    PromptText,
    ReportOptions,
    ReportRecord,
    hash_file,
    hash_files,
    write_record,
)
from store.bundle.study_sources import StudySources, find_sources
from store.errors import DataUnwritable, StoreError
from store.runs.data_folder import DataFolder
from store.runs.rejudgements import judgement_files, read_judgements


class ReportNotes:
    """What is noted of a report: begun before anything is read, kept once all is written."""

    def __init__(
        self, data: DataFolder, study: str | None, runs: Sequence[str], nulls: Iterable[str]
    ) -> None:
        self._data, self._study = data, study
        self._nulls = tuple(nulls)
        self._sources = find_sources(data, study, runs, self._nulls)
        self._hashes = hash_files(data, self._sources.figures)

    @property
    def runs(self) -> tuple[str, ...]:
        """Every run that it is made of, those of its null too; watch histories are apart."""
        return self._sources.names

    def keep(self, out: Path, tables: Iterable[Path], options: ReportOptions) -> None:
        """Write the notes beside the page; raises ``DataUnwritable``."""
        record = ReportRecord(
            study=self._study,
            runs=tuple(name for name in self._sources.names if name not in self._nulls),
            options=options.model_copy(update={"null_runs": self._nulls}),
            environment=Environment.of(hash_code()),
            prompts=tuple(_prompts(self._data, self._sources)),
            sources=self._hashes,
            tables={path.stem: hash_file(path) for path in tables if path.suffix == ".csv"},
        )
        try:
            write_record(out, record)
        except OSError as error:
            raise DataUnwritable(out / NAME, error.strerror or str(error)) from None


def drop_notes(out: Path) -> None:
    """Delete the notes of an older report, about to be replaced; raises ``DataUnwritable``."""
    try:
        (out / NAME).unlink(missing_ok=True)
    except OSError as error:
        raise DataUnwritable(out, error.strerror or str(error)) from None


def _prompts(data: DataFolder, sources: StudySources) -> Iterator[PromptText]:
    """Every file of prompts that a judge of these runs was asked with."""
    for name, sha256 in sorted(find_prompts(data, sources)):
        yield PromptText(name=name, sha256=sha256, text=_text(name, sha256))


def find_prompts(data: DataFolder, sources: StudySources) -> set[tuple[str, str]]:
    """Return name and SHA-256 of each file of prompts that ledgers and judgements name."""
    used = {item for first in sources.runs for item in first.prompts.items()}
    for name in sources.names:
        for path in judgement_files(data.run_dir(name)):
            used |= set(read_judgements(path).judge.prompts.items())
    return used


def _text(name: str, sha256: str) -> str | None:
    """The file's text; ``None`` where it is not there as it was."""
    try:
        content = read_prompt_file(name.removesuffix(".toml"))
    except (PersonaError, StoreError, OSError):
        return None
    return content.decode() if hashlib.sha256(content).hexdigest() == sha256 else None
