"""What a live site's own responses and counts name, held against a ledger's steps.

Two sources that the hands have no part in: the order of the feed's responses, in which each hole
is a video that was lost, and the count of videos seen that some requests carry.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby, pairwise
from pathlib import Path
from statistics import median

from agent.run.site_counts_vs_ledger import Witness, check_run
from store.runs.ledger import Ledger, read
from store.runs.ledger_lines import Step
from store.runs.ledger_site_lines import FeedBatch, SiteCheck, id_digest

_Place = tuple[int, str]
"""A batch's number, and the digest of a video that it lists."""
SLACK = 1
"""Videos by which a count may differ for each opened page: a request may come before or after the
video on the screen is counted."""


ALONE_FROM = 2
"""So many videos before the only one of a response that was shown, and it bounds no hole."""


async def check_seen(
    witness: Witness | None, path: Path, now: Callable[[], datetime]
) -> SiteCheck | None:
    """Hold a run's ledger against all that its site tells; ``None`` where it tells nothing."""
    ledger = read(path)
    told = await check_run(witness, ledger.steps, now) if witness is not None else None
    return compare_feed(ledger, now(), told)


def compare_feed(ledger: Ledger, at: datetime, told: SiteCheck | None = None) -> SiteCheck | None:
    """Add what responses and counts say to a site's own check, or make one of it.

    ``None`` where no response named a video that was recorded.
    """
    digests = {digest for batch in ledger.batches for digest in batch.order if digest}
    compared = sum(id_digest(step.video.id) in digests for step in ledger.steps)
    if told is None and not compared:
        return None
    if told is None:
        told = SiteCheck(at=at, position=ledger.next_position, compared=compared, furthest_s=None)
    site_count, miscounted = compare_counts(ledger.batches, ledger.steps)
    return told.model_copy(
        update={
            "lost_after": find_lost(ledger.batches, ledger.steps),
            "site_count": site_count,
            "miscounted": miscounted,
        }
    )


def find_lost(batches: Sequence[FeedBatch], steps: Sequence[Step]) -> tuple[int, ...]:
    """Return the position before each video that the responses list and no step tells of.

    A page is read by itself: what it had ready when another was opened was never due. Steps without
    an id fill holes. Places without one, such as live cards, and those of a video that is listed
    again, count where the run has seen such: a page may leave them out. Of a video that has another
    step, as listed in the same place, nothing is told.
    """
    lost: list[int] = []
    for _, page in groupby(_by_page(batches), key=lambda batch: batch.page):
        lost += _lost_of_page(list(page), steps)
    return tuple(sorted(lost))


def _by_page(batches: Sequence[FeedBatch]) -> list[FeedBatch]:
    listed = [batch for batch in batches if batch.order and batch.page is not None]
    return sorted(listed, key=lambda batch: batch.page or 0)


def _lost_of_page(page: Sequence[FeedBatch], steps: Sequence[Step]) -> list[int]:
    unnamed = [step.position for step in steps if _is_unnamed(step)]
    cards = any(step.video.live for step in steps if _is_unnamed(step))
    shown: dict[_Place, int] = {}
    for step in steps:
        if step.video.batch is not None:
            shown.setdefault((step.video.batch, id_digest(step.video.id)), step.position)
    places = _as_shown(page, shown)
    matched = _rising([(index, shown[one]) for index, one in enumerate(places) if one in shown])
    again = max(Counter(digest for _, digest in shown).values(), default=0) > 1
    recorded = set() if again else {id_digest(step.video.id) for step in steps}
    lost: list[int] = []
    for (one, before), (other, after) in pairwise(matched):
        gap = [place[1] for place in places[one + 1 : other] if place not in shown]
        missing = sum(digest not in recorded if digest else cards for digest in gap)
        filled = sum(before < position < after for position in unnamed)
        lost += [before] * (missing - filled)
    return lost


def _as_shown(page: Sequence[FeedBatch], shown: Mapping[_Place, int]) -> list[_Place]:
    """List the places of a page in the order in which their batches were shown.

    Responses may come in another order. Of one of which less than half was shown, what another
    lists as well was shown from there. One alone may be listed by two that came in another order,
    of which the ledger keeps the first: it was shown from the other.
    """
    listings = Counter(digest for batch in page for digest in set(batch.order))
    used: list[tuple[float, list[_Place], list[int]]] = []
    for batch in page:
        places = [(batch.number, digest) for digest in batch.order]
        there = [index for index, place in enumerate(places) if place in shown]
        if there and (len(there) > 1 or there[0] < ALONE_FROM):
            used.append((median(shown[places[index]] for index in there), places, there))
    used.sort(key=lambda one: one[0])
    listed: list[_Place] = []
    for number, (_, places, there) in enumerate(used):
        due = places[: there[-1] + 1] if number == len(used) - 1 else places
        if 2 * len(there) < len(due):
            due = [place for place in due if place in shown or listings[place[1]] == 1]
        listed += due
    return listed


def _rising(matched: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the longest part whose positions rise: what was shown elsewhere bounds no hole."""
    ends: list[int] = []
    chains: list[list[tuple[int, int]]] = []
    for one in matched:
        length = bisect_left(ends, one[1])
        chain = [*(chains[length - 1] if length else []), one]
        ends[length : length + 1] = [one[1]]
        chains[length : length + 1] = [chain]
    return chains[-1] if chains else []


def _is_unnamed(step: Step) -> bool:
    """Whether neither page nor responses gave the video an id."""
    return step.video.batch is None and "id" not in step.video.sources


def compare_counts(batches: Sequence[FeedBatch], steps: Sequence[Step]) -> tuple[int | None, int]:
    """Return by how much the site's count grew, and its difference from the steps meanwhile.

    A site may leave out what is excluded or repeated, and nothing else: the difference is from the
    nearer of the two numbers of steps. It is 0 where the moments of the requests explain it.
    """
    grown = most = least = stretches = 0
    for stretch in filter(lambda counts: len(counts) > 1, _stretches(batches)):
        (start, first), (end, last) = stretch[0], stretch[-1]
        here = [step for step in steps if start < step.position <= end]
        grown += last - first
        most += len(here)
        least += sum(step.eligible and step.repeat is None for step in here)
        stretches += 1
    if not stretches:
        return None, 0
    difference = max(0, grown - most) - max(0, least - grown)
    return grown, difference if abs(difference) > SLACK * stretches else 0


def _stretches(batches: Sequence[FeedBatch]) -> Iterator[list[tuple[int, int]]]:
    """Yield the counts of each opened page, with the position of their requests.

    A count that goes back has begun anew.
    """
    for _, page in groupby(_by_page(batches), key=lambda batch: batch.page):
        told = [(batch.requested_at, batch.site_count) for batch in page]
        stretch: list[tuple[int, int]] = []
        for at, count in sorted((at, n) for at, n in told if at is not None and n is not None):
            at -= count == at == 0  # before the first video
            if stretch and count < stretch[-1][1]:
                yield stretch
                stretch = []
            stretch.append((at, count))
        yield stretch
