"""What a study froze when it was first drawn: personas and prompts, and by its first run, models.

A study goes on for weeks while files are edited and versions change. Its runs read what was frozen,
never the files again, and what differs from it is refused.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from agent.config import FrozenValue, RunConfig
from agent.errors import UserError
from agent.study.declared import BadStudy, StudyDeclaration
from personas.library import find
from personas.persona import Persona
from personas.strategies import hashes
from store.runs.data_folder import DataFolder

FROZEN = "frozen.json"


class StudyChanged(UserError):
    """Something that a study froze is not what it was."""

    def __init__(self, name: str, what: str) -> None:
        super().__init__(
            f"{what} since study {name} was begun, so that its replicates would not be of one "
            'kind. Put it back, or type in the study file: name = "ANOTHER"'
        )


class FrozenStudy(FrozenValue):
    """What a study had when it was first drawn.

    Attributes
    ----------
    personas
        By the name that the study file gives them.
    prompts
        SHA-256 of each prompt file, by strategy.
    """

    personas: dict[str, Persona] = Field(default_factory=dict)
    prompts: dict[str, dict[str, str]] = Field(default_factory=dict)


def read_frozen(folder: Path) -> FrozenStudy:
    """Return what a study froze; nothing where it was not begun."""
    path = folder / FROZEN
    return FrozenStudy.model_validate_json(path.read_bytes()) if path.exists() else FrozenStudy()


def freeze(declared: StudyDeclaration, kept: FrozenStudy, file: Path) -> FrozenStudy:
    """Return what was frozen, with what is new.

    Raises
    ------
    StudyChanged
        Something is not what it was.
    BadStudy
        Two personas share an id, so that their runs could not be told apart.
    """
    matrix = declared.matrix
    now = FrozenStudy(
        personas={name: find(name) for name in matrix.personas},
        prompts={name: hashes(name) for name in matrix.strategies},
    )
    ids = [persona.id for persona in now.personas.values()]
    for persona in ids:
        if ids.count(persona) > 1:
            raise BadStudy(file, f"two of its personas have the id {persona}.")
    for name, before in kept.personas.items():
        after = now.personas.get(name, before)
        if (before.id, before.traits) != (after.id, after.traits):
            raise StudyChanged(declared.name, f"The persona {name} has changed")
    for name, prompts in kept.prompts.items():
        if now.prompts.get(name, prompts) != prompts:
            raise StudyChanged(declared.name, f"A prompt of the strategy {name} has changed")
    return FrozenStudy(personas=now.personas | kept.personas, prompts=now.prompts | kept.prompts)


def refuse_changed_model(config: RunConfig, data: DataFolder, fingerprint: str) -> None:
    """Refuse a model that is not the one of the study's earlier runs.

    The first run of a study freezes it, since only a loaded model has a fingerprint.

    Raises
    ------
    StudyChanged
        A run of the study had another model of this name.
    """
    if config.study is None:
        return
    for run in data.runs():
        started = run.started
        if started is None or started.config.get("study") != config.study:
            continue
        if started.model == config.model and started.fingerprint not in (None, fingerprint):
            raise StudyChanged(config.study, f"The model {config.model} has changed")
