"""The lines of a ledger that tell of the site: its batches and its own counts."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Literal

from pydantic import AwareDatetime

from store.jsonl.base_record import Record
from store.runs.ledger_lines import Whole
from store.untrusted.clean_fields import ForeignCount, ForeignText


def id_digest(video_id: str) -> str:
    """Return what names a video in a batch: it tells nobody what was never shown."""
    return hashlib.sha256(video_id.encode()).hexdigest()[:12]


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
    order: tuple[str, ...] = ()
    """Digests (``id_digest``) of its videos, as listed; empty for one without an id."""
    page: Whole | None = None
    """Which opening of the page it belongs to, counted from 0 within the run."""
    site_count: ForeignCount = None
    """Videos that the site had counted of its visitor, as its request said; so are the others."""
    personalised: bool | None = None
    signed_in: bool | None = None
    region: ForeignText | None = None


class SiteCheck(Record):
    """What the site itself has counted, held against the steps.

    The playground tells it of each video. Of a live site, its responses name the videos in their
    order, and some requests carry the site's own count. Each difference names a position of the
    run, or a place of the site's feed.
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
    lost_after: tuple[int, ...] = ()
    """Positions after which the feed's responses have a video that no step tells of."""
    site_count: ForeignCount = None
    """By how much the site's own count grew between its requests; ``None``: it tells none."""
    miscounted: int = 0
    """That count less the steps meanwhile; 0 where the moments of the requests explain it."""

    @property
    def agrees(self) -> bool:
        return not (self.dwells or self.likes or self.miscounted or self._videos)

    @property
    def _videos(self) -> tuple[int, ...]:
        return (*self.unrecorded, *self.unreported, *self.lost_after)

    @property
    def disputes_run(self) -> bool:
        """Whether a video or a like differs, or more than one dwell in twenty.

        Single dwells are off where a busy machine stalls; what was shown and answered is the same.
        A site may count less than was shown, such as no advertisement; it can't count more.
        """
        if self.likes or self._videos or self.miscounted > 0:
            return True
        return 20 * len(self.dwells) > self.compared


def describe_check(check: SiteCheck) -> str:
    differences = {
        "dwell of videos": check.dwells,
        "likes of videos": check.likes,
        "videos watched and not recorded, at places": check.unrecorded,
        "videos recorded and not reported": check.unreported,
        "videos that the feed's responses have and no step tells of, after": check.lost_after,
    }
    words = [f"{what} {', '.join(map(str, at))}" for what, at in differences.items() if at]
    if check.miscounted:
        more = "more" if check.miscounted > 0 else "fewer"
        words.append(f"{abs(check.miscounted)} videos {more} by its own count than steps")
    return "; ".join(words)


def last_difference(checks: Sequence[SiteCheck]) -> str:
    """Say what differs by the last check of a run; empty where nothing does."""
    return describe_check(checks[-1]) if checks else ""
