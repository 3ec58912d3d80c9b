"""The watch file: which studies and runs are due when, and what holds them back."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from apscheduler.triggers.cron import CronTrigger
from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from agent.errors import BadConfig, UserError
from agent.run.pacing import Hours
from agent.run_config import FrozenValue, ZoneName
from agent.study.study_file import Name

CENTURIES = datetime(2400, 1, 1, tzinfo=UTC)
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
LONGEST_S = 36_500 * 86_400
"""A hundred years: what is due later is never due."""
HELP = "python -m agent daemon --example"


class BadWatch(UserError):
    """A watch file that cannot be followed, with the line at fault and the command that helps."""

    def __init__(
        self, path: Path, problem: str, line: int | None = None, command: str = HELP
    ) -> None:
        self.path, self.line = path, line
        where = f"{path}:{line}" if line else str(path)
        super().__init__(f"{where}: {problem} Type: {command}")


def _seconds(text: object) -> object:
    found = re.fullmatch(r"([0-9]{1,12})([smhd])", text) if isinstance(text, str) else None
    seconds = int(found[1]) * UNITS[found[2]] if found else 0
    if not 0 < seconds <= LONGEST_S:
        raise ValueError('durations are written as "90s", "5m", "2h" or "1d", up to 36500 days')
    return seconds


def _hours(text: str) -> str:
    try:
        Hours.parse(text)
    except BadConfig:
        raise ValueError('hours are written as "23:00-07:00"') from None
    return text


Seconds = Annotated[int, BeforeValidator(_seconds)]
DayHours = Annotated[str, AfterValidator(_hours)]


class WatchLimits(FrozenValue):
    """What the machine and the sites are spared."""

    parallel: int = Field(1, ge=1)
    """Runs at once; a study counts as many as it has in parallel."""
    failures: int = Field(3, ge=1)
    """Faults in a row that open a platform's breaker."""
    breaker: Seconds = 1800
    """How long nothing of that platform is started then, before one start is tried."""
    retry: Seconds = 30
    """Wait before what failed is tried again; doubled each time."""
    index: Seconds = 600
    """Least time from one indexing to the next."""
    disk_mib: int = Field(1000, ge=0)
    """Free space below which nothing is started."""
    memory_mib: int = Field(500, ge=0)


class PageSettings(FrozenValue):
    """The page on this machine."""

    port: int = Field(8799, ge=0, le=65535)


class HooksDeclared(FrozenValue):
    """Who is told of what waits for a person or is done."""

    webhook: str | None = None
    command: tuple[str, ...] | None = None
    on: tuple[Literal["wall", "breaker", "study"], ...] = ("wall", "breaker", "study")


class DailyCap(FrozenValue):
    """Videos a day of the file's zone, over all runs of a platform, of a persona, or of both."""

    platform: str | None = None
    persona: str | None = None
    per_day: int = Field(ge=1)


class WatchEntry(FrozenValue):
    """A study or a run, and when it is due."""

    name: Name
    study: Path | None = None
    run: dict[str, str | bool | int | float] | None = None
    """Options of ``python -m agent run`` by their names."""
    adds_replicate: bool = False
    """Study: each due time is one more replicate; otherwise the study is gone on with."""
    cron: str | None = None
    every: Seconds | None = None
    between: DayHours | None = None
    """Once a day, at a moment drawn within these hours."""
    timezone: ZoneName | None = None
    missed: Literal["once", "skip"] = "once"
    overlap: Literal["skip", "wait"] = "skip"
    quiet_hours: DayHours | None = None
    deadline: Seconds = 6 * 3600
    attempts: int = Field(3, ge=1)
    """How often one due time may fail before it is given up."""
    budget_usd: float | None = Field(None, gt=0)

    @property
    def kind(self) -> Literal["study", "run"]:
        return "run" if self.study is None else "study"

    @field_validator("cron")
    @classmethod
    def _a_crontab(cls, text: str | None) -> str | None:
        if text is not None:
            fields = text.split()
            if len(fields) == 5 and re.search(r"\d", fields[4]):
                raise ValueError("write the days of the week by name, as in 0 18 * * mon-fri")
            trigger = CronTrigger.from_crontab(text, "UTC")
            trigger.end_date = CENTURIES  # every date there is comes by then
            if trigger.get_next_fire_time(None, CENTURIES.replace(year=2000)) is None:
                raise ValueError(f"{text} is never due: there is no such date. Give another")
        return text

    @model_validator(mode="after")
    def _one_of_each(self) -> WatchEntry:
        if (self.study is None) == (self.run is None):
            raise ValueError("an entry has either study or run")
        if sum(each is not None for each in (self.cron, self.every, self.between)) != 1:
            raise ValueError("an entry has one of cron, every and between")
        if self.adds_replicate and self.study is None:
            raise ValueError("adds_replicate is for a study")
        return self


class WatchFile(FrozenValue):
    """A whole watch file."""

    timezone: ZoneName = "UTC"
    seed: int = Field(1, ge=0)
    """Of the moments that are drawn."""
    limits: WatchLimits = WatchLimits()
    page: PageSettings = PageSettings()
    hooks: HooksDeclared = HooksDeclared()
    cap: tuple[DailyCap, ...] = ()
    entry: tuple[WatchEntry, ...] = Field(min_length=1)

    @property
    def entries(self) -> tuple[WatchEntry, ...]:
        return self.entry

    @property
    def days(self) -> ZoneInfo:
        """Time zone whose calendar days are counted: by caps, by runs, and on the page."""
        return ZoneInfo(self.timezone)

    def zone(self, entry: WatchEntry) -> ZoneInfo:
        return ZoneInfo(entry.timezone or self.timezone)

    @model_validator(mode="after")
    def _told_apart(self) -> WatchFile:
        names = [entry.name for entry in self.entry]
        studies = [entry.study for entry in self.entry if entry.study]
        for found in (names, studies):
            if len(set(found)) < len(found):
                raise ValueError("entry: two entries have the same name or the same study")
        return self


EXAMPLE = """\
timezone = "UTC"                    # of all days: caps, per_day, cron, between, quiet hours

[limits]
parallel = 1                        # runs at once
failures = 3                        # faults in a row that open a platform's breaker
breaker = "30m"                     # and for how long
disk_mib = 1000                     # below this much free space nothing is started

[page]
port = 8799                         # on this machine only; 0 takes a free one

[[entry]]
name = "p12"
every = "4m"                        # or cron = "0 18 * * mon-fri", or between = "18:00-22:00"
missed = "once"                     # after a pause: caught up once, or "skip"
overlap = "skip"                    # if the one before still runs, or "wait"
deadline = "30m"
run = { persona = "p12", account = "p12-daily", before = 5, after = 5 }

[[entry]]
name = "p05"
every = "4m"
run = { persona = "p05", account = "p05-daily", before = 5, after = 5 }

# [[entry]]
# name = "two-arms"
# study = "study.toml"              # python -m agent study --example > study.toml
# cron = "0 18 * * *"
# adds_replicate = true             # each due time is one more replicate
# quiet_hours = "23:00-07:00"
# budget_usd = 5.0

# [[cap]]                           # videos a day
# platform = "tiktok"
# persona = "p12"
# per_day = 300
"""
