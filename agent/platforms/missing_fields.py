"""Watches what a run sees of each video, so that a changed layout is noticed within a few.

Rows of videos without a field end the run, and so does a canary of the first videos that fails.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf, log

from agent.drivers.base import ActiveVideo, PageHooks
from agent.errors import LayoutChanged
from agent.platforms.canary import (
    CHANCE,
    COUNTS,
    FIRST_VIDEOS,
    Capability,
    CapabilityVerdict,
    Expectations,
    WalkedVideo,
    describe_walked,
    judge_walk,
    list_failures,
)
from store.runs.ledger_lines import Video

LEAST = 12
"""Videos in a row without a field before anything is said."""
NAMED = "response that names the video"
LISTED = "response that lists the video"
CAPABILITIES: dict[str, Capability] = {
    "id": "id",
    NAMED: "order",
    LISTED: "order",
    "author": "author",
    "caption": "caption",
    "ad": "ad",
    **dict.fromkeys(COUNTS, "counts"),
}
ENDING: tuple[Capability, ...] = ("id", "order", "author", "caption", "counts", "ad")
"""What a run cannot do without; the rest has faults of its own."""
OnChange = Callable[[LayoutChanged], None]
OnCanary = Callable[[Sequence[CapabilityVerdict]], None]


@dataclass
class _Field:
    least: float
    """Share of videos that have it, at the least, where nothing has changed."""
    shown: int = 0
    """Videos before the present row."""
    missing: int = 0
    row: int = 0
    since: int = 0

    def take(self, position: int, *, there: bool) -> None:
        if not there:
            self.since = self.since if self.row else position
            self.row += 1
            return
        self.shown += self.row + 1
        self.missing += self.row
        self.row = 0

    @property
    def longest(self) -> float:
        """How long a row is still taken for chance: by what was seen, or by the least share."""
        rate = max((self.missing + 1) / (self.shown + 2), 1 - self.least)
        return max(LEAST, log(CHANCE) / log(rate)) if rate < 1 else inf


class MissingFields:
    """Rows of videos without a field, one row per field.

    ``least`` is the share of videos that have a field, where that is known: creators may hide it.
    """

    def __init__(self, least: Mapping[str, float]) -> None:
        self._least = least
        self._fields: dict[str, _Field] = {}

    def take(self, there: Mapping[str, bool], position: int) -> None:
        """Count one video; ``LayoutChanged`` where a field's history does not explain its row."""
        for name, present in there.items():
            counted = self._fields.setdefault(name, _Field(self._least.get(name, 1.0)))
            counted.take(position, there=present)
            if counted.row >= counted.longest:
                raise LayoutChanged(
                    f"no {name} in {counted.row} videos in a row, since position {counted.since}: "
                    "the page or its responses have changed",
                    field=name,
                    since=counted.since,
                    videos=counted.row,
                    capability=CAPABILITIES.get(name, name),
                )


class FieldWatch:
    """What is watched of each video of a run.

    ``known`` are fields that nearly every video has, from wherever; what the responses give is
    watched as well, since the page's own words may hide that they no longer do. Without ``answers``
    there are none.
    """

    def __init__(
        self, known: Sequence[str], expects: Expectations, hooks: PageHooks, *, answers: bool
    ) -> None:
        self.on_change: OnChange | None = None
        """Told once of a field that only the page gives any more: the run goes on."""
        self.on_canary: OnCanary | None = None
        """Told of the verdicts on the first videos."""
        self._known = known
        self._answers = answers
        self._expects = expects
        self._filled = {*hooks.fields, *hooks.field_attributes}
        self._fields = MissingFields(expects.given)
        self._responses = MissingFields(expects.given)
        self._noted: set[str] = set()
        self._walk: list[WalkedVideo] = []
        self._positions: list[int] = []

    def take(self, shown: ActiveVideo, video: Video, position: int) -> None:
        """Count one video; ``LayoutChanged`` where what it lacks is no chance any more."""
        walked = describe_walked(shown, video)
        if self._answers:
            self._heed_canary(walked, position)
        if not walked.ordinary or not shown.shown:
            return
        there = self._joined(walked) if self._answers else {}
        there |= {name: getattr(video, name) is not None for name in self._known}
        given = {name: name in walked.given for name in self._watched(walked)}
        there |= {name: is_there for name, is_there in given.items() if name not in self._filled}
        self._note({name: given[name] for name in given.keys() & self._filled}, position)
        self._fields.take(there, position)

    def _joined(self, walked: WalkedVideo) -> dict[str, bool]:
        """Return whether the video has an id, and whether responses name and list it by that."""
        there = {"id": walked.has_id}
        if walked.has_id:
            there[NAMED] = bool(walked.given)
        if walked.given:
            there[LISTED] = walked.listed
        return there

    def _watched(self, walked: WalkedVideo) -> list[str]:
        """Return the fields that this video's responses should give: none where none names it."""
        names = list(self._expects.given) if walked.given else []
        return [name for name in names if name != "ad" or walked.listed]

    def _note(self, given: Mapping[str, bool], position: int) -> None:
        """Tell once of fields that only the page gives any more."""
        try:
            self._responses.take(
                {name: there for name, there in given.items() if name not in self._noted}, position
            )
        except LayoutChanged as change:
            self._noted.add(change.details["field"])
            if self.on_change is not None:
                self.on_change(change)

    def _heed_canary(self, walked: WalkedVideo, position: int) -> None:
        """Judge the first videos once they are there."""
        if len(self._walk) >= FIRST_VIDEOS:
            return
        self._walk.append(walked)
        self._positions.append(position)
        if len(self._walk) < FIRST_VIDEOS:
            return
        verdicts = judge_walk(self._walk, self._expects)
        if self.on_canary is not None:
            self.on_canary(verdicts)
        for failed in list_failures(verdicts):
            if failed.capability in ENDING and failed.capability not in self._filled:
                raise LayoutChanged(
                    f"{failed.capability} does not hold in the first {FIRST_VIDEOS} videos "
                    f"({failed.why}): the page or its responses have changed",
                    field=failed.capability,
                    since=self._since(failed.capability),
                    videos=FIRST_VIDEOS,
                    capability=failed.capability,
                )

    def _since(self, capability: Capability) -> int:
        """Return the position of the first of these videos that lacks what failed."""
        counted = COUNTS if capability == "counts" else (capability,)
        names = [name for name in counted if name in self._expects.given]
        walked = zip(self._positions, self._walk, strict=True)
        lacking = (place for place, one in walked if _lacks(one, capability, names))
        return next(lacking, self._positions[0])


def _lacks(one: WalkedVideo, capability: Capability, names: Sequence[str]) -> bool:
    """Whether an ordinary video is without a capability, which may read several fields."""
    if not one.ordinary:
        return False
    if capability == "id":
        return not one.has_id
    if capability == "order":
        return one.has_id and not one.listed
    return bool(one.given) and not one.given.issuperset(names)
