"""Makes a study ready: reads what is kept of it, draws and freezes what is new, and keeps that."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pydantic import TypeAdapter

from agent.errors import StudyChanged
from agent.run_config import RunConfig
from agent.study.conductor import Study, configure_cell
from agent.study.frozen_inputs import FROZEN, freeze_study, read_frozen
from agent.study.matrix import draw, read_draws, read_whole, write_draws
from agent.study.study_file import StudyDeclaration, check_extends, load_study
from store.jsonl.file_seal import strip_seal, write_sealed
from store.runs.data_folder import DataFolder

FILE, DRAWS, OCCURRENCES = "study.toml", "draws.json", "occurrences.json"
_OCCURRENCES = TypeAdapter(dict[str, int])


def prepare_study(
    declared: StudyDeclaration, file: Path, data: DataFolder, check: Callable[[RunConfig], None]
) -> Study:
    """Draw and freeze what is new, and check every cell; nothing is written (see `keep`).

    Raises ``BadStudy`` where it differs from the study of this name in more than its size, and
    ``StudyChanged`` where a persona or prompt is not what it was when the study was begun.
    """
    home = data.study_dir(declared.name)
    check_extends(declared, home / FILE, file)
    drawn = read_draws(home / DRAWS)
    frozen = freeze_study(declared, read_frozen(home), file)
    study = Study(declared, (*drawn, *draw(declared, drawn)), data, frozen)
    for cell in study.cells:
        check(configure_cell(study, cell))
    _check_runs(study)
    return study


def keep_study(study: Study, file: Path) -> None:
    """Write what is frozen, the draws and the study file, before anything runs."""
    home = study.folder
    write_sealed(home / FROZEN, study.frozen.model_dump_json(indent=1).encode())
    write_draws(home / DRAWS, list(study.cells))
    write_sealed(home / FILE, strip_seal(file.read_bytes()))


def read_study(data: DataFolder, folder: Path) -> Study:
    cells = tuple(read_draws(folder / DRAWS))
    return Study(load_study(folder / FILE), cells, data, read_frozen(folder))


def replicates_for(declared: StudyDeclaration, folder: Path, occurrence: str) -> int:
    """Return how many replicates a study has from a due time on, and keep that number.

    The first due time has as many as are declared, and each new one has one more than were drawn.
    A due time that comes again, after a kill, has the number that it had.
    """
    known = read_occurrences(folder)
    if occurrence not in known:
        drawn = max((cell.replicate for cell in read_draws(folder / DRAWS)), default=0)
        known[occurrence] = max(declared.matrix.replicates, drawn + 1 if drawn else 0)
        write_sealed(folder / OCCURRENCES, _OCCURRENCES.dump_json(known, indent=1))
    return known[occurrence]


def read_occurrences(folder: Path) -> dict[str, int]:
    """Return the number of replicates from each due time of the daemon on; raises ``BadConfig``."""
    path = folder / OCCURRENCES
    return read_whole(_OCCURRENCES, path) if path.exists() else {}


def _check_runs(study: Study) -> None:
    """Refuse what differs from the study's own runs, which may be older than what is frozen."""
    cells = {cell.key: cell for cell in study.cells}
    for key, run in study.runs().items():
        cell, started = cells.get(key), run.started
        if cell is None or started is None:
            continue
        persona = configure_cell(study, cell).persona_record()
        if persona.identity != started.persona.identity:
            raise StudyChanged(study.declared.name, f"The persona {cell.persona} has changed")
        if started.prompts != study.frozen.prompts.get(cell.strategy, started.prompts):
            what = f"A prompt of the strategy {cell.strategy} has changed"
            raise StudyChanged(study.declared.name, what)
