"""Changes of a site while a study was made: met by its runs, or in the canary log."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from store.runs.canary_log import find_canary_damage, read_canary
from store.runs.data_folder import DataFolder
from store.runs.ledger_lines import RunStarted, Step
from store.runs.run_outline import RunOutline
from store.terminal.printing import count_of

FAULT = "LayoutChanged"
OF_THE_SITE = frozenset(
    ("id", "order", "author", "caption", "counts", "ad", "live", "move", "like")
)
"""Capabilities whose failure tells of the site. A session or a codec is the visitor's."""
MOST = 5
"""Changes that are told one by one."""


@dataclass(frozen=True)
class SiteChange:
    """A change of a site's page or responses, as it was noticed."""

    at: datetime
    platform: str
    capability: str
    run_id: str | None = None
    """The run that met it; ``None`` for one that was only found by a canary."""
    splits: bool = False
    """Whether it lies between what is compared of the run: before and after."""
    unreadable: int = 0
    """Lines of the canary log that cannot be read: whether they told of a change is not known."""


@dataclass
class WindowEdges:
    """Where the compared windows of a run begin and end; ``None`` where it has no such step."""

    first_before: int | None = None
    last_after: int | None = None

    def take(self, step: Step) -> None:
        """Take the next step, by position."""
        if step.phase == "before" and self.first_before is None:
            self.first_before = step.position
        if step.phase == "after":
            self.last_after = step.position

    def are_parted_by(self, place: int) -> bool:
        """Whether something lies before a position, and something at it or after."""
        if self.first_before is None or self.last_after is None:
            return False
        return self.first_before < place <= self.last_after


def find_changes(run: RunOutline, edges: WindowEdges) -> list[SiteChange]:
    """Return the changes that a run met, with where they fall between its windows."""
    found = []
    for fault in run.faults:
        if fault.fault != FAULT:
            continue
        since = fault.details.get("since")
        place = since if isinstance(since, int) else fault.position
        capability = str(fault.details.get("capability") or fault.details.get("field") or "layout")
        started = run.started
        site = f"{started.platform} (skin)" if _is_drill(started) else started.platform
        splits = edges.are_parted_by(place)
        found.append(SiteChange(fault.at, site, capability, started.run_id, splits))
    return found


def find_logged_changes(data: DataFolder, started: Sequence[RunStarted]) -> list[SiteChange]:
    """Return failed canaries of the runs' sites between the first start and the last.

    What the runs themselves met is left out, and what was seen through a user's own adapter file.
    """
    mine = {first.run_id for first in started}
    found = []
    real = [first for first in started if not _is_drill(first)]
    for platform in sorted({first.platform for first in real}):
        times = [first.at for first in real if first.platform == platform]
        for record in read_canary(data, platform):
            failed = {name for name, said in record.verdicts.items() if said == "fails"}
            fails = sorted(failed & OF_THE_SITE)
            within = min(times) <= record.at <= max(times)
            drill = record.skin or record.own_adapter
            if fails and within and not drill and record.run_id not in mine:
                found.append(SiteChange(record.at, platform, ", ".join(fails)))
        if damage := find_canary_damage(data, platform):
            found.append(SiteChange(max(times), platform, "", unreadable=len(damage)))
    return found


def _is_drill(started: RunStarted) -> bool:
    """Whether a run watched the playground, which may look like a real site."""
    return started.config.get("site") is not None


def tell_changes(changes: Iterable[SiteChange]) -> list[str]:
    """Return a sentence on each of the first few changes, those within a comparison first."""
    ordered = sorted(changes, key=lambda one: (not one.splits, not one.unreadable, one.at))
    said = [_tell(change) for change in ordered[:MOST]]
    if len(ordered) > MOST:
        said.append(f"{len(ordered) - MOST} more changes of a site were noticed; the ledgers say.")
    return said


def _tell(change: SiteChange) -> str:
    if change.unreadable:
        return (
            f"{count_of(change.unreadable, 'line')} of the canary log of {change.platform} cannot "
            "be read, so a change of the site may be missing here. Type: python -m store verify"
        )
    about = f"On {change.at:%Y-%m-%d}, {change.platform} was found to have changed"
    if change.run_id is None:
        return f"{about} ({change.capability}), between the first run and the last."
    if change.splits:
        return (
            f"{about} ({change.capability}) between the before and the after window of "
            f"{change.run_id}, so that a part of its difference may come from how it was read."
        )
    return f"{about} ({change.capability}) in {change.run_id}, outside of what is compared."
