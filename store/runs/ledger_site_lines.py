"""The lines of a ledger that tell of the site: its batches and its own counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import AwareDatetime

from store.jsonl.base_record import Record
from store.runs.ledger_lines import Whole
from store.untrusted.clean_fields import ForeignText


class FeedBatch(Record):
    """A batch of the feed, as soon as its response came: mostly before its videos are shown."""

    kind: Literal["feed_batch"] = "feed_batch"
    number: Whole
    """Counted from 0 within the run; ``Video.batch`` names it."""
    requested_at: Whole | None
    """Latest position that the persona had begun to react to when it was requested."""
    name: ForeignText | None = None
    """The site's own name of it, by which a resumed run knows it again; ``None``: it has none."""
    position: Whole
    """Step that comes next in the run."""


class SiteCheck(Record):
    """What the site itself has counted, held against the steps; the playground tells it.

    Each difference names a position of the run, or a place of the site's feed.
    """

    kind: Literal["site_check"] = "site_check"
    at: AwareDatetime
    position: Whole
    """Step that comes next in the run."""
    compared: int
    furthest_s: float | None
    """Greatest difference of a dwell, in seconds of video; ``None`` where none was compared."""
    dwells: tuple[int, ...] = ()
    likes: tuple[int, ...] = ()
    unrecorded: tuple[int, ...] = ()
    """Places of the site's feed that were watched and that no step tells of."""
    unreported: tuple[int, ...] = ()
    """Positions of videos that the site does not know to have been watched."""

    @property
    def agrees(self) -> bool:
        return not (self.dwells or self.likes or self.unrecorded or self.unreported)

    @property
    def disputes_run(self) -> bool:
        """Whether a video or a like differs, or more than one dwell in twenty.

        Single dwells are off where a busy machine stalls; what was shown and answered is the same.
        """
        videos = self.likes or self.unrecorded or self.unreported
        return bool(videos) or 20 * len(self.dwells) > self.compared


def describe_check(check: SiteCheck) -> str:
    told = {
        "dwell of videos": check.dwells,
        "likes of videos": check.likes,
        "videos watched and not recorded, at places": check.unrecorded,
        "videos recorded and not reported": check.unreported,
    }
    return "; ".join(
        f"{what} {', '.join(map(str, numbers))}" for what, numbers in told.items() if numbers
    )


def last_difference(checks: Sequence[SiteCheck]) -> str:
    """Say what differs by the last check of a run; empty where nothing does."""
    return describe_check(checks[-1]) if checks else ""
