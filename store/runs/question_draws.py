"""Draws of questions: about which videos of a run a judge is asked, by a seed alone.

A draw looks at nothing but names and positions. So it is the same however often a sitting is
broken off, and it is made again from the header of the answers: what was not drawn and what has
no answer are told apart.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from fractions import Fraction

STEPS = 20
"""Shares are drawn in steps of one in so many."""
LEAST_OF_OTHERS = 0.25
"""Smallest share of the others' questions that the matrix's test was checked with."""


def is_drawable(share: float) -> bool:
    """Tell whether a share lies above 0, at 1 or below, and on a step."""
    return 0 < share <= 1 and abs(share * STEPS - round(share * STEPS)) < 1e-9


def draw_positions(names: Sequence[object], positions: Iterable[int], share: float) -> set[int]:
    """Positions that are drawn, evenly along the feed: of one half, one of every two.

    Each has the same chance. Parts of a feed are drawn from alike, whatever else is among the
    positions.

    Parameters
    ----------
    names
        What the draw is for, seed included; other names draw apart.
    share
        As ``is_drawable`` has it.
    """
    part = Fraction(round(share * STEPS), STEPS)
    size = part.denominator
    given = set(positions)
    kept = set()
    for first in {position - position % size for position in given}:
        order = sorted(range(first, first + size), key=lambda place: _rank(names, place))
        kept |= given.intersection(order[: part.numerator])
    return kept


def rank_question(names: Sequence[object], position: int) -> float:
    """Place of a question in a draw, from 0 to 1: those with the lowest are drawn."""
    return int.from_bytes(_rank(names, position)[:6], "big") / 2**48


def _rank(names: Sequence[object], position: int) -> bytes:
    return hashlib.sha256(json.dumps([*names, position]).encode()).digest()
