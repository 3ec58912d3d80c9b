"""A run of what was not watched by feedsway: its first line, and steps that nobody judged."""

from __future__ import annotations

import hashlib
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from store.runs.ledger_lines import (
    Exclusion,
    Frame,
    Judgement,
    PersonaRecord,
    Provenance,
    Reaction,
    Repeat,
    RunStarted,
    Step,
    Video,
    Windows,
)

_PICTURE = Reaction(action="swipe", dwell_asked_s=0.0, dwell_s=0.0, exposure_s=0.0, held_s=0.0)
_ELSEWHERE = Reaction(
    action="stay",
    liked=None,
    dwell_asked_s=0.0,
    dwell_s=None,
    exposure_s=0.0,
    held_s=None,
    unknown="it was watched elsewhere",
)


@dataclass(frozen=True, slots=True)
class ImportedRun:
    """What is known of a run that comes from elsewhere."""

    run_id: str
    at: datetime
    platform: str
    persona: str
    source: str
    """What it was made of: ``imported`` screenshots, a ``donation``, a ``capture``."""
    eligible: int
    mark: str
    """Hash of what it is made of: a run that goes on must have the same."""
    version: str
    """Of feedsway."""
    config: Mapping[str, Any]

    def first_line(self) -> RunStarted:
        """Return the first line of its ledger."""
        return RunStarted(
            run_id=self.run_id,
            at=self.at,
            persona=PersonaRecord(id=self.persona, traits=(), source=self.source, licence="none"),
            platform=self.platform,
            strategy="none",
            model="none",
            arm="passive",
            account="none",
            windows=Windows(before=self.eligible, adapt=0, after=0),
            seed=0,
            config=dict(self.config),
            config_hash=self.mark,
            prompts={},
            encoder=None,
            driver="none",
            browser="none",
            viewport=(0, 0),
            locale="unknown",
            provenance=Provenance(
                code_version=self.version,
                code_dirty=None,
                python=platform.python_version(),
                system=f"{platform.system()} {platform.machine()}",
                libraries={},
            ),
        )


@dataclass(frozen=True, slots=True)
class ImportedVideo:
    """One video of such a run."""

    at: datetime
    video: Video
    excluded: Exclusion | None = None
    repeat: Repeat | None = None
    frame: Frame | None = None

    def step(self, position: int) -> Step:
        """Return it as a step, which nobody judged or reacted to."""
        return Step(
            position=position,
            at=self.at,
            phase="before",
            video=self.video,
            frames=() if self.frame is None else (self.frame,),
            excluded=self.excluded,
            repeat=self.repeat,
            judgement=Judgement(answer=None, missing="not_asked"),
            reaction=_ELSEWHERE if self.frame is None else _PICTURE,
            move=None,
            timings_ms={},
        )


def name_slug(name: str) -> str:
    """Make a name part of a run's; a mark stands for letters that are lost, so that none meet."""
    told = re.sub(r"[^A-Za-z0-9_-]+", "-", name)
    lost = [c for c in name if c.isalnum() and not c.isascii()]
    if lost or not re.search("[A-Za-z0-9]", told):  # else two names would be one
        mark = hashlib.sha256(name.encode(errors="backslashreplace")).hexdigest()
        told = f"{told.strip('-')}-{mark[:8]}"
    return told.lstrip("-")
