"""Permutation tests: exact where all arrangements can be listed, drawn at random where not.

A test by permutation holds because of how the study was randomised, not because of how its
numbers are distributed. Refuses to know what the numbers are about.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Sided = Literal["two", "greater"]

ARRANGEMENTS = 9_999
"""Drawn where they are too many to list; one more, the observed one, is counted with them."""

_LISTED = 5_040


@dataclass(frozen=True)
class Permutation:
    """p-values of one test.

    Attributes
    ----------
    p, p_greater
        Two-sided, and one-sided for a larger statistic.
    arrangements
        How many were compared, the observed one included.
    exact
        Whether these were all there are.
    """

    p: float
    p_greater: float
    arrangements: int
    exact: bool


def sign_flips(differences: Floats, rng: np.random.Generator) -> Permutation:
    """Test a mean difference within pairs by exchanging the members of each pair.

    Exact where it was drawn at random which member of a pair got which arm. All 2^K exchanges
    are listed up to 12 pairs.

    Parameters
    ----------
    differences
        One per pair, shape ``(K,)``, without nan.
    """
    pairs = len(differences)
    if 2**pairs <= _LISTED:
        signs = np.array(list(itertools.product((1.0, -1.0), repeat=pairs)))
        return compare(float(differences.mean()), signs @ differences / max(pairs, 1), exact=True)
    signs = rng.choice([1.0, -1.0], (ARRANGEMENTS, pairs))
    return compare(float(differences.mean()), signs @ differences / pairs, exact=False)


def assignments(
    members: int, rng: np.random.Generator, draws: int = ARRANGEMENTS
) -> tuple[Ints, bool]:
    """Ways of assigning K runs to K personas, shape ``(B, K)``, and whether these are all.

    All K! are listed up to 7 personas.
    """
    if math.factorial(members) <= _LISTED:
        return np.array(list(itertools.permutations(range(members))), dtype=np.int64), True
    identity = np.tile(np.arange(members), (draws, 1))
    return rng.permuted(identity, axis=1), False


def compare(observed: float, arranged: Floats, *, exact: bool) -> Permutation:
    """Rank the observed statistic among the arranged ones.

    Listed arrangements hold the observed one: ``p = count / B``. Drawn ones do not, and
    ``p = (1 + count) / (1 + B)`` (Phipson and Smyth, Stat. Appl. Genet. Mol. Biol. 2010).
    """
    extra = 0 if exact else 1
    total = len(arranged) + extra
    slack = 1e-12 * max(1.0, abs(observed))
    far = int((np.abs(arranged) >= abs(observed) - slack).sum())
    above = int((arranged >= observed - slack).sum())
    return Permutation((far + extra) / total, (above + extra) / total, total, exact)


def holm(p_values: Floats) -> Floats:
    """Holm's adjusted p-values (Scand. J. Stat. 1979), in the order given.

    Tests without a p-value stay nan and do not count.
    """
    adjusted = np.full(len(p_values), np.nan)
    known = np.flatnonzero(~np.isnan(p_values))
    order = known[np.argsort(p_values[known], kind="stable")]
    steps = p_values[order] * (len(order) - np.arange(len(order)))
    adjusted[order] = np.minimum(1, np.maximum.accumulate(steps)) if len(order) else []
    return adjusted
