"""Who is watching: the persona as a value, and how one is read from its file.

Refuses to know how a persona is put to a model (``strategies``) and where it will watch.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Trait = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=300)]


UNSTATED = "not stated"
"""Source and licence of a persona whose file names none."""


class Persona(BaseModel):
    """A viewer, as first-person trait sentences.

    ``themes`` is planted truth for checks on the playground. No strategy, prompt or model ever
    sees it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
    traits: Annotated[tuple[Trait, ...], Field(min_length=3, max_length=6)]
    values: tuple[str, ...] = ()
    themes: tuple[str, ...] = ()
    source: str = UNSTATED
    """Where it comes from; only the files that come with feedsway may say ``feedsway``."""
    licence: str = UNSTATED
