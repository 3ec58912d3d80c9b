"""What sites label videos as, by row: it is labelled so, it is not, or it is not known."""

from __future__ import annotations

from store.runs.ledger_lines import Video

LABELS: tuple[str, ...] = ("ad", "paid_partnership", "ad_authorised", "ai_label", "photo_post")
LABELLED, NOT_LABELLED, NOT_KNOWN = 1, 0, -1


def label_codes(video: Video) -> tuple[int, ...]:
    """Return a code for each of ``LABELS``; what a site does not tell is not known, never false."""
    flags = (video.ad, video.paid_partnership, video.ad_authorised, video.ai_label, _posted(video))
    return tuple(NOT_KNOWN if flag is None else int(flag) for flag in flags)


def _posted(video: Video) -> bool | None:
    """Whether it is a photo post: what has a length and no pictures is a video."""
    if video.photos is not None:
        return video.photos > 0
    return None if video.duration_s is None else False
