"""What an entry of the watch file means: the command of its child, its sites, accounts and size."""

from __future__ import annotations

import os
import sys
from collections.abc import Container, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from agent.daemon.config.watch_file import HELP, BadWatch, WatchEntry, WatchFile
from agent.daemon.journal.events import name_occurrence
from agent.daemon.journal.state import Occurrence
from agent.errors import BadConfig, UserError
from agent.models import check_access, prices
from agent.run.run_options import check_names, config_of_request, request_of_table
from agent.run_config import RunConfig
from agent.study.conductor import Study, configure_cell
from agent.study.frozen_inputs import FrozenStudy
from agent.study.matrix import draw
from agent.study.study_file import StudyDeclaration, load_study
from personas.errors import PersonaError
from personas.library import find
from store.errors import StoreError
from store.runs.data_folder import DataFolder
from store.untrusted.declared_files import line_of, read_declared

NOT_HERE = (
    "data",
    "json",
    "study",
    "shards",
    "cell",
    "occurrence",
    "tethered",
    "index",
    "no-index",
    "new",
    "browser",
    "timezone",
    "headed",
    "driver",
    "on-wall",
    "of",
    "yoke",
    "help",
    "encoder",
)
"""Options of a run that an unattended one does not take."""


@dataclass(frozen=True)
class Job:
    """An entry, resolved."""

    entry: WatchEntry
    platforms: frozenset[str]
    personas: frozenset[str]
    """Their ids, also of those that are files."""
    profiles: frozenset[str]
    """What two children must not use at once: accounts, and a study's name."""
    weight: int
    """Runs at once within the child."""
    videos: int
    """Of one run at least."""
    config: RunConfig | None = None
    declared: StudyDeclaration | None = None
    timezone: str = "UTC"
    """Whose days and hours its runs count."""

    def occurrence_name(self, due: datetime) -> str:
        return name_occurrence(self.entry.name, due)

    def owns(self, cell: str | None, digest: str, names: Container[str]) -> bool:
        """Whether a run is of this entry, by what it did where its name is no entry's any more.

        ``cell`` and ``digest`` are the run's occurrence and the hash of its configuration; runs of
        the ``names`` that are entries now are theirs.
        """
        if self.config is None or not cell:
            return False
        name = cell.rpartition("@")[0]
        if name in names:
            return name == self.entry.name
        return self.config.model_copy(update={"cell": cell}).digest() == digest

    def digest(self, due: datetime) -> str | None:
        """Return the configuration hash of the run of an occurrence; none for a study."""
        if self.config is None:
            return None
        return self.config.model_copy(update={"cell": self.occurrence_name(due)}).digest()

    def command(self, occurrence: Occurrence, data: Path, browser: str | None) -> list[str]:
        words = [sys.executable, "-P", "-m", "agent", self.entry.kind]
        mark = self.occurrence_name(occurrence.due)
        if self.entry.run is not None:
            words += [*spell_options(self.entry.run), "--occurrence", mark]
        else:
            words += [str(self.entry.study)]
            words += ["--occurrence", mark] if self.entry.adds_replicate else []
        words += ["--timezone", self.timezone]
        words += ["--data", str(data), "--no-index", "--tethered"]
        return [*words, "--browser", browser] if browser else words


def spell_options(table: dict[str, str | bool | int | float]) -> list[str]:
    """Return a table of options as the words that a person would type."""
    words: list[str] = []
    for name, value in table.items():
        option = f"--{name.replace('_', '-')}"
        if value is True:
            words.append(option)
        elif value is not False:
            words += [option, str(value)]
    return words


def resolve_entry(entry: WatchEntry) -> Job:
    if entry.study is not None:
        declared = load_study(entry.study)
        return Job(
            entry,
            platforms=frozenset(declared.matrix.platforms),
            personas=frozenset(find(name).id for name in declared.matrix.personas),
            profiles=frozenset([f"study {declared.name}"]),
            weight=declared.pace.parallel,
            videos=declared.windows.total,
            declared=declared,
        )
    assert entry.run is not None
    config = _config(entry.run)
    account = f"{config.platform}/{config.account}"
    return Job(
        entry,
        platforms=frozenset([config.platform]),
        personas=frozenset([config.persona.id]),
        profiles=frozenset([account] if config.account else []),
        weight=1,
        videos=config.windows.total,
        config=config,
    )


def _config(table: Mapping[str, str | bool | int | float]) -> RunConfig:
    for name in table:
        if name.replace("_", "-") in NOT_HERE:
            raise BadConfig(f"{name} is not for a run that nobody watches over.")
    return config_of_request(request_of_table(table), DataFolder(Path()))


def resolve_entries(watch: WatchFile) -> dict[str, Job]:
    return {
        entry.name: replace(resolve_entry(entry), timezone=watch.timezone)
        for entry in watch.entries
    }


def load_watch_file(path: Path) -> WatchFile:
    """Read a watch file and check all that it names; raises ``BadWatch``, which names the line."""
    watch = read_declared(path, WatchFile, BadWatch)
    _check(watch, path)
    return watch


def _check(watch: WatchFile, path: Path) -> None:
    """Refuse a watch file that names what is not there, with the line of the entry."""
    text = path.read_text(encoding="utf-8")
    for place, entry in enumerate(watch.entries):
        command = HELP
        try:
            job = resolve_entry(entry)
            _check_priced(job)
            for model in _models(job):
                check_access(model, os.environ)  # which the children inherit
            if job.declared is not None:
                _check_zone(job.declared, watch)
                _check_study(job.declared)
        except (UserError, PersonaError, StoreError) as error:
            problem, _, typed = str(error).partition(" Type: ")
            if typed and not typed.startswith("--"):  # an option has no place in the file
                command = typed
        else:
            continue
        line = line_of(text, ("entry", place, entry.kind))
        raise BadWatch(path, f"{entry.name}: {problem}", line, command)


def _check_zone(declared: StudyDeclaration, watch: WatchFile) -> None:
    zone = declared.live.timezone
    if zone is not None and zone != watch.timezone:
        raise BadConfig(
            f"the study counts days of {zone}, the watch file those of {watch.timezone}. "
            "Give both the same timezone."
        )


def _models(job: Job) -> tuple[str, ...]:
    if job.declared is not None:
        return tuple(job.declared.matrix.models)
    return (job.config.model,) if job.config is not None else ()


def _check_priced(job: Job) -> None:
    if job.entry.budget_usd is None:
        return
    for name in _models(job):
        if prices.find(name) is None:
            raise BadConfig(
                f"no price is known for {name}, so budget_usd cannot be held. "
                "Leave it out, and give a run max-tokens = 1000000 instead."
            )


def _check_study(declared: StudyDeclaration) -> None:
    frozen = FrozenStudy(personas={name: find(name) for name in declared.matrix.personas})
    study = Study(declared, tuple(draw(declared, [])), DataFolder(Path()), frozen)
    for cell in study.cells:
        check_names(configure_cell(study, cell))
