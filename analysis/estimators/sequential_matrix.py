"""The persona matrix of a study that is looked at after each replicate.

Each replicate is a draw of its own, so that its runs are exchanged among themselves. The path of
the mean D over replicates is ranked among the paths that such exchanges give.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from analysis.errors import NotOffered
from analysis.estimators.rejudged_matrix import persona_matrix
from analysis.estimators.rejudged_replies import RejudgedReplies
from analysis.statistics.group_sequential import SequentialLook, take_looks
from analysis.statistics.permutation import Sided


def look_at_replicates(
    judged: RejudgedReplies,
    personas: Collection[str],
    of: int,
    alpha: float,
    sided: Sided,
    seed: int,
) -> tuple[SequentialLook, ...]:
    """Look after each replicate, up to the first that finds something.

    ``personas``: those that the matrix of all replicates has, so that test and estimate are of the
    same runs. ``of``: replicates that were declared. ``seed``: the study's, so that a replicate's
    exchanges are the same at every look. Raises ``NotOffered`` where a replicate has no matrix.
    """
    observed, drawn = [], []
    for number, members in sorted(_replicates(judged, personas).items()):
        rng = np.random.default_rng([seed, number])
        matrix = persona_matrix(replace(judged, members=members), rng)
        observed.append(matrix.sway.estimate.value)
        drawn.append(rng.permutation(matrix.drawn))  # kept sorted, which would couple replicates
    return take_looks(np.array(observed), np.stack(drawn), of, alpha, sided)


def _replicates(judged: RejudgedReplies, personas: Collection[str]) -> dict[int, tuple[int, ...]]:
    """Treatment runs of these personas, by replicate; each has to be judged by this judge."""
    found: dict[int, list[int]] = {
        judged.runs[at].replicate: [] for at in judged.members if judged.runs[at].arm == "treatment"
    }
    for at in sorted(set(judged.members) & set(judged.run.tolist())):
        run = judged.runs[at]
        if run.arm == "treatment" and run.persona in personas:
            found[run.replicate].append(at)
    if empty := [replicate for replicate, runs in found.items() if not runs]:
        raise NotOffered(
            f"Replicate {empty[0]} was not judged by the judge of the others. "
            "Type: python -m agent rejudge --help"
        )
    return {replicate: tuple(runs) for replicate, runs in found.items()}
