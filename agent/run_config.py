"""What a run is asked to do, validated, and the hash that tells runs apart."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from agent.model_settings import ModelSettings
from personas.persona import Persona
from personas.strategies import Order
from store.runs.ledger_lines import PersonaRecord, Windows

Arm = Literal["treatment", "yoked", "passive"]
PhotoRule = Literal["judge", "pass"]
"""Whether photo posts are judged as videos are, or left after the dwell of a swipe."""
Explain = Literal["never", "yes", "all"]
FeedName = Literal["listener", "popular", "random", "contrarian"]


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f'{name!r} is no time zone; they are written as "Europe/Berlin"') from None
    return name


ZoneName = Annotated[str, AfterValidator(_known_zone)]


class FrozenValue(BaseModel):
    """A frozen value that refuses unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Dwell(FrozenValue):
    """How long a reaction watches, in seconds of video, the exposure before it included."""

    stay_s: float = Field(8.0, gt=0)
    swipe_s: float = Field(0.8, gt=0)
    passive_s: float = Field(2.0, gt=0)


class Frames(FrozenValue):
    """Which pictures are taken of a video before it is judged."""

    count: int = Field(1, ge=1, le=16)
    span_s: float = Field(3.0, gt=0)
    """Seconds of video from the first frame to the last, all of them exposure."""
    sheet: bool = False
    """Whether the model gets several frames as one picture."""


class HandPace(FrozenValue):
    """How slow the hands are on a live site."""

    floor_s: float = Field(3.0, ge=0)
    """Wall time from one action to the next, at least."""
    jitter: float = Field(0.5, ge=0)
    """Up to this share of the floor is added, drawn evenly."""


class SiteConfig(FrozenValue):
    """What the playground serves. A live platform has none."""

    feed: FeedName = "listener"
    gain: float = Field(1.0, ge=0, le=1)
    speed: float = Field(16.0, gt=0, le=16)
    motion: Literal["smooth", "instant"] = "smooth"
    catalogue: Path | None = None
    skin: Literal["tiktok", "youtube", "instagram"] | None = None
    """The site whose page the playground looks like; its adapter watches it."""
    switches: str = ""
    """The skin's switches, as the query of its address."""


class AdapterMark(FrozenValue):
    """The adapter file by which a site was read, as the ledger names it."""

    version: int
    date: date
    sha256: str
    own: bool = False
    """Whether it was a user's file, and not the one that feedsway has for the site."""
    file: Path | None = Field(None, exclude=True)
    """Where a user's file lies, which no ledger tells."""


LIMITS = ("max_excluded", "max_missing")


class RunConfig(FrozenValue):
    """One run, as asked for. Where it is kept and how it is shown are not part of it."""

    persona: Persona
    platform: str = "playground"
    strategy: str = "simple"
    model: str = "embedded/conse"
    revision: str | None = None
    """Declared of a served model, whose weights nobody here can see."""
    settings: ModelSettings = ModelSettings()
    """How the model is asked, beside the question."""
    arm: Arm = "treatment"
    account: str | None = None
    """``None``: a fresh visitor of the playground, known to this run only."""
    windows: Windows = Windows()
    seed: int = Field(1, ge=0)
    driver: Literal["playwright", "desktop"] = "playwright"
    like: bool = False
    photos: PhotoRule = "judge"
    max_excluded: int = Field(50, ge=1)
    """Videos in a row that may count for nothing, ads say, before the run ends."""
    max_missing: int = Field(10, ge=0)
    """Videos in a row that the model gives no reply about, at which the run ends; 0: never."""
    explain: Explain = "never"
    """Which judgements are also given a reason and a description."""
    order: Order = "persona-first"
    """Whether the model reads the persona or the picture first."""
    of: str | None = None
    """The run that the platform ``replay`` shows again."""
    recording: Path | None = None
    """The recording that the platform ``recording`` plays back: its file, or its folder."""
    recording_sha256: str | None = None
    """Hash of that file, so that no run goes on with another recording of the same name."""
    yoke: str | None = None
    """The run whose delivered dwells a yoked run takes over."""
    study: str | None = None
    cell: str | None = None
    """Of the study; without one, the due time of the daemon that the run is for."""
    replicate: int = Field(1, ge=1)
    block: int = Field(0, ge=0)
    """Draw of the study that its account slot comes from, counted from 1; 0: none is known."""
    dwell: Dwell = Dwell()
    frames: Frames = Frames()
    pace: HandPace | None = None
    """``None``: as fast as the site goes, as on the playground."""
    site: SiteConfig | None = SiteConfig()
    viewport: tuple[int, int] = (1280, 800)
    locale: str = "en-US"
    adapter: AdapterMark | None = None
    """``None`` where the site is described in code alone."""

    @property
    def speed(self) -> float:
        return self.site.speed if self.site else 1.0

    def resolved(self) -> dict[str, Any]:
        """Plain data for the ledger, without the persona's planted truth."""
        data: dict[str, Any] = self.model_dump(mode="json")
        data["settings"] = self.settings.chosen
        data["persona"] = self.persona_record().model_dump(mode="json")
        return data

    def digest(self) -> str:
        """SHA-256, 16 digits. Limits that end a run are left out: a higher one resumes it.

        So is an adapter file of feedsway's own: a newer one resumes the run, too.
        """
        own = self.adapter is not None and self.adapter.own
        without = LIMITS if own else (*LIMITS, "adapter")
        fields = {name: value for name, value in self.resolved().items() if name not in without}
        for name in ("recording", "recording_sha256"):
            if fields[name] is None:  # so that runs from before there were any go on
                del fields[name]
        if self.photos == "judge":
            del fields["photos"]
        if self.order == "persona-first":
            del fields["order"]
        if not self.settings.chosen:
            del fields["settings"]
        text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def persona_record(self) -> PersonaRecord:
        return PersonaRecord(
            id=self.persona.id,
            traits=self.persona.traits,
            source=self.persona.source,
            licence=self.persona.licence,
        )
