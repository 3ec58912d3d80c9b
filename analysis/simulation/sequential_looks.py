"""Studies that are looked at after each replicate: error, power, and what stopping early saves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.estimators import persona_matrix as matrix
from analysis.simulation.calibration import FALSE_POSITIVES, CalibrationCheck, rate
from analysis.simulation.designs import PERMUTATIONS
from analysis.simulation.scenarios import StudyPlan, World, draw_matrices
from analysis.statistics.estimate import Floats, Ints, Mask
from analysis.statistics.group_sequential import take_looks
from analysis.statistics.permutation import shuffled

PLAN = StudyPlan(personas=6, before=24, adapt=24, after=52, baseline="passive")
"""One replicate: six runs of 100 videos."""
LOOKS = (3, 4, 5)
_AT_ONCE = 250


@dataclass(frozen=True, eq=False)
class SequentialOutcomes:
    """Simulated studies of so many replicates, looked at after each.

    ``found``, ``used``: whether each study finds something, and the replicates it watched; shape
    ``(S,)``. ``fixed``: power of studies of 1 to R replicates that are tested once, at their end;
    shape ``(R,)``. ``estimate``: D in pp when each study stopped.
    """

    found: Mask
    used: Ints
    fixed: Floats
    estimate: Floats

    @property
    def power(self) -> float:
        return float(self.found.mean())

    @property
    def same_power(self) -> float:
        """Replicates of a study tested once that has the same power, between whole numbers.

        The number that was declared where no smaller one reaches it.
        """
        powers = np.concatenate([[0.0], np.maximum.accumulate(self.fixed)])
        return float(np.interp(self.power, powers, np.arange(len(powers))))

    @property
    def saved(self) -> float:
        """Share of the videos saved against such a study."""
        return 1 - float(self.used.mean()) / self.same_power


def simulate_looks(
    replicates: int, world: World, studies: int, rng: np.random.Generator
) -> SequentialOutcomes:
    """Draw studies and look at each after every replicate, two-sided at 0.05."""
    sizes = [_AT_ONCE] * (studies // _AT_ONCE) + [studies % _AT_ONCE] * bool(studies % _AT_ONCE)
    parts = [_stages(replicates, world, size, rng) for size in sizes]
    observed, drawn = (np.concatenate(part) for part in zip(*parts, strict=True))
    looks = [take_looks(*one, replicates, 0.05) for one in zip(observed, drawn, strict=True)]
    return SequentialOutcomes(
        found=np.array([each[-1].found for each in looks]),
        used=np.array([len(each) for each in looks]),
        fixed=np.array(
            [_tested_once(observed, drawn, count) for count in range(1, replicates + 1)]
        ),
        estimate=np.array([each[-1].statistic for each in looks]),
    )


def looks_checks(studies: int, rng: np.random.Generator) -> list[CalibrationCheck]:
    """Check that all looks together err in 3 to 7 % of the studies in which nothing happens."""
    still = World(effect=0.0)
    return [
        rate(
            f"false positives, adjusted matrix, {count} looks",
            simulate_looks(count, still, studies, rng).found,
            *FALSE_POSITIVES,
        )
        for count in LOOKS
    ]


def _stages(
    replicates: int, world: World, studies: int, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """D of each replicate, ``(S, R)``, and under exchanges of its runs, ``(S, R, B)``."""
    observed, drawn = [], []
    for _ in range(replicates):
        before, after = draw_matrices(PLAN, world, studies, rng).shares
        cells = matrix.residuals(after, before)
        observed.append(matrix.own_minus_others(cells))
        runs_of = shuffled(np.zeros(PLAN.personas, dtype=np.int64), rng, PERMUTATIONS)
        drawn.append(matrix.rearranged(cells, runs_of))
    return np.stack(observed, 1), np.stack(drawn, 1)


def _tested_once(observed: Floats, drawn: Floats, count: int) -> float:
    """Power at 0.05 of the first so many replicates, tested once."""
    value = np.abs(observed[:, :count].mean(1))[:, None]
    far = (np.abs(drawn[:, :count].mean(1)) >= value - 1e-9).sum(1)
    return float(((1 + far) / (1 + drawn.shape[-1]) <= 0.05).mean())
