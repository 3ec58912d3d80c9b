"""Studies that are looked at after each replicate: error, power, and what stopping early saves."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from analysis.estimators import persona_matrix as matrix
from analysis.simulation.calibration import FALSE_POSITIVES, CalibrationCheck, rate
from analysis.simulation.designs import PERMUTATIONS
from analysis.simulation.scenarios import StudyPlan, World, draw_matrices
from analysis.statistics.estimate import Floats, Ints, Mask
from analysis.statistics.group_sequential import error_spent, take_looks
from analysis.statistics.permutation import shuffled

PLAN = StudyPlan(personas=6, before=24, adapt=24, after=52, baseline="passive")
"""One replicate: six runs of 100 videos."""
LOOKS = (3, 4, 5)


@dataclass(frozen=True, eq=False)
class SequentialOutcomes:
    """Simulated studies of so many replicates, looked at after each.

    ``found``: whether the test finds something at any look. ``stands``, ``used``: whether the
    headline stands at some look, which ends the study, and the replicates watched until then; all
    of shape ``(S,)``. ``fixed``: how often the headline of studies of 1 to R replicates stands that
    are tested once, at their end; shape ``(R,)``. ``estimate``: D in pp when each study ended.
    """

    found: Mask
    stands: Mask
    used: Ints
    fixed: Floats
    estimate: Floats

    @property
    def power(self) -> float:
        return float(self.stands.mean())

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


@dataclass(frozen=True, eq=False)
class _Stages:
    """A statistic of each replicate, ``(S, R)``, and under exchanges of its runs, ``(S, R, B)``."""

    observed: Floats
    drawn: Floats

    def means(self, count: int) -> tuple[Floats, Floats]:
        """Of the first so many replicates together."""
        return self.observed[:, :count].mean(1), self.drawn[:, :count].mean(1)

    def p(self, count: int, sign: Floats | None = None) -> Floats:
        """Two-sided p-value of the first so many; one-sided towards a sign, where it is given."""
        value, drawn = self.means(count)
        side = np.abs if sign is None else partial(_towards, sign)
        far = (side(drawn) >= side(value[:, None]) - 1e-9).sum(1)
        return np.asarray((1 + far) / (1 + drawn.shape[1]), dtype=np.float64)


def _towards(sign: Floats, values: Floats) -> Floats:
    return np.asarray(sign[:, None] * values, dtype=np.float64)


def simulate_looks(
    replicates: int, world: World, studies: int, rng: np.random.Generator
) -> SequentialOutcomes:
    """Draw studies and look at each after every replicate, two-sided at 0.05.

    The headline stands where the test has found something, the placebo shows nothing, and after
    less before shows it one-sided, at the error that may be spent by then.
    """
    main, gain, placebo = _draw(replicates, world, studies, rng)
    looks = [
        take_looks(*one, replicates, 0.05) for one in zip(main.observed, main.drawn, strict=True)
    ]
    found_at = np.array([each[-1].number if each[-1].found else replicates + 1 for each in looks])
    stands, used = np.zeros(studies, dtype=bool), np.full(studies, replicates)
    fixed = []
    for count in range(1, replicates + 1):
        sign = np.sign(main.means(count)[0])
        clean, leaning = placebo.p(count) >= 0.05, gain.p(count, sign)
        fixed.append(float(np.mean((main.p(count) <= 0.05) & clean & (leaning < 0.05))))
        level = error_spent(0.05, count, replicates)
        now = ~stands & (found_at <= count) & clean & (leaning < level)
        used[now] = count
        stands |= now
    every = np.arange(studies)
    paths = main.observed.cumsum(1) / np.arange(1, replicates + 1)
    return SequentialOutcomes(
        found=found_at <= replicates,
        stands=stands,
        used=used,
        fixed=np.array(fixed),
        estimate=paths[every, used - 1],
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


def _draw(
    replicates: int, world: World, studies: int, rng: np.random.Generator
) -> tuple[_Stages, _Stages, _Stages]:
    """The adjusted matrix, after less before, and the placebo, of each replicate."""
    parts = []
    for _ in range(replicates):
        before, after = draw_matrices(PLAN, world, studies, rng).shares
        runs_of = shuffled(np.zeros(PLAN.personas, dtype=np.int64), rng, PERMUTATIONS)
        cells = [
            matrix.residuals(after, before),
            matrix.residuals(after - before),
            matrix.residuals(before),
        ]
        parts.append(
            [(matrix.own_minus_others(one), matrix.rearranged(one, runs_of)) for one in cells]
        )
    main, gain, placebo = (
        _Stages(*(np.stack(each, 1) for each in zip(*stages, strict=True)))
        for stages in zip(*parts, strict=True)
    )
    return main, gain, placebo
