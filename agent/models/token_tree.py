"""Token lists that begin alike, as one tree: each beginning is there once.

A model reads the whole tree in one pass, as one row. Each token sees those before it in its own
list and no others: tree attention, as in speculative decoding (Miao et al., SpecInfer, 2024).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class TokenTree:
    """The tokens of a tree, parents before children."""

    tokens: list[int]
    depths: list[int]
    """How many tokens come before each one in its list."""
    sees: NDArray[np.bool_]
    """Tokens x tokens: whether the row's token sees the column's."""
    ends: list[int]
    """Where the last token of each list is."""


def make_tree(lists: Sequence[Sequence[int]]) -> TokenTree:
    """Make the tree of lists, each of which holds a token at least."""
    places: dict[tuple[int, int], int] = {}  # by the parent's place, -1 for none, and the token
    parents: list[int] = []
    ends = []
    for tokens in lists:
        at = -1
        for token in tokens:
            parent, at = at, places.setdefault((at, token), len(parents))
            if at == len(parents):
                parents.append(parent)
        ends.append(at)
    sees = np.eye(len(parents), dtype=bool)
    for place, parent in enumerate(parents):
        if parent >= 0:
            sees[place] |= sees[parent]
    depths: list[int] = (sees.sum(1) - 1).tolist()
    return TokenTree([token for _, token in places], depths, sees, ends)
