"""What a study froze when it was first drawn: personas and prompts, and by its first run, models.

A study goes on for weeks while files are edited and versions change. Its runs read what was frozen,
never the files again, and what differs from it is refused.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, TypeAdapter

from agent.errors import StudyChanged
from agent.run_config import FrozenValue
from agent.study.matrix import read_whole
from agent.study.study_file import BadStudy, StudyDeclaration
from personas.library import find
from personas.persona import Persona
from personas.strategies import hashes

FROZEN = "frozen.json"


class FrozenStudy(FrozenValue):
    """What a study had when it was first drawn.

    ``personas`` are by the name that the study file gives them; ``prompts`` are the SHA-256 of each
    prompt file, by strategy.
    """

    personas: dict[str, Persona] = Field(default_factory=dict)
    prompts: dict[str, dict[str, str]] = Field(default_factory=dict)


def read_frozen(folder: Path) -> FrozenStudy:
    """Return what a study froze; nothing where it was not begun."""
    path = folder / FROZEN
    return read_whole(TypeAdapter(FrozenStudy), path) if path.exists() else FrozenStudy()


def freeze_study(declared: StudyDeclaration, kept: FrozenStudy, file: Path) -> FrozenStudy:
    """Return what was frozen, with what is new; raises ``StudyChanged``.

    Two personas of one id, whose runs could not be told apart, raise ``BadStudy``.
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
