"""The persona matrix of a study that is looked at after each replicate.

Each replicate is a draw of its own, so that its runs are exchanged among themselves. The path of
the mean D over replicates is ranked among the paths that such exchanges give.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from analysis.errors import NotOffered
from analysis.estimators.rejudged_matrix import persona_matrix
from analysis.estimators.rejudged_replies import RejudgedReplies
from analysis.statistics.group_sequential import SequentialLook, take_looks
from analysis.statistics.permutation import Sided


def look_at_replicates(
    judged: RejudgedReplies, of: int, alpha: float, sided: Sided, seed: int
) -> tuple[SequentialLook, ...]:
    """Look after each replicate that was judged again, up to the first that finds something.

    ``of``: replicates that were declared; ``seed``: the study's, so that a replicate's exchanges
    are the same at every look. Raises ``NotOffered`` where a replicate has no matrix.
    """
    observed, drawn = [], []
    for number, members in enumerate(_replicates(judged), 1):
        rng = np.random.default_rng([seed, number])
        matrix = persona_matrix(replace(judged, members=members), rng)
        observed.append(matrix.sway.estimate.value)
        drawn.append(rng.permutation(matrix.drawn))  # kept sorted, which would couple replicates
    if not observed:
        raise NotOffered(
            "No replicate was judged again yet. Type: python -m agent study study.toml"
        )
    return take_looks(np.array(observed), np.stack(drawn), of, alpha, sided)


def _replicates(judged: RejudgedReplies) -> Sequence[tuple[int, ...]]:
    """Treatment runs of each replicate, in the order of the replicates."""
    found: dict[int, list[int]] = {}
    for index in sorted(set(judged.members) & set(judged.run.tolist())):
        if judged.runs[index].arm == "treatment":
            found.setdefault(judged.runs[index].replicate, []).append(index)
    return [tuple(found[replicate]) for replicate in sorted(found)]
