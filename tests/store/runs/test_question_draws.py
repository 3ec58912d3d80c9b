"""Draws of questions: even along the feed, the same again, and apart for each name."""

from __future__ import annotations

import pytest

from store.runs.question_draws import draw_positions, is_drawable

VIDEOS = range(400)


def test_a_draw_is_never_another() -> None:
    """Kept answers rest on it: a draw that changed would make them look unasked."""
    assert draw_positions((1, "r1", "kim~ab"), range(12), 0.5) == {0, 2, 4, 7, 9, 10}


@pytest.mark.parametrize(("share", "size", "drawn"), [(0.5, 2, 1), (0.25, 4, 1), (0.6, 5, 3)])
def test_every_stretch_of_the_feed_is_drawn_from_alike(share: float, size: int, drawn: int) -> None:
    kept = draw_positions((1, "r1"), VIDEOS, share)
    starts = range(0, len(VIDEOS), size)
    counts = [len(kept.intersection(range(start, start + size))) for start in starts]
    assert counts == [drawn] * len(starts)


def test_every_position_is_drawn_equally_often() -> None:
    times = 2000
    kept = [draw_positions((seed, "r1"), range(4), 0.25) for seed in range(times)]
    counts = [sum(place in one for one in kept) for place in range(4)]
    assert sum(counts) == times
    assert all(abs(count - times / 4) < 4.5 * (times * 0.25 * 0.75) ** 0.5 for count in counts)


def test_a_draw_depends_on_no_other_position() -> None:
    """So that a forgotten video, or a run that has gone on, changes nothing else."""
    whole = draw_positions((1, "r1"), VIDEOS, 0.5)
    part = [place for place in VIDEOS if place % 7]
    assert draw_positions((1, "r1"), part, 0.5) == whole.intersection(part)


def test_two_names_are_drawn_apart() -> None:
    one, two = (draw_positions((1, "r1", name), VIDEOS, 0.5) for name in ("a", "b"))
    assert 60 < len(one & two) < 140


def test_all_are_drawn_of_all() -> None:
    assert draw_positions((1,), VIDEOS, 1.0) == set(VIDEOS)


def test_which_shares_are_drawn() -> None:
    assert all(is_drawable(step / 20) for step in range(1, 21))
    assert not any(map(is_drawable, (0.0, 0.33, 1.05, -0.5, float("nan"))))
