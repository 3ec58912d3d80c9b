"""Simulated studies, at the level of answers: for planning, nulls and calibration.

No videos and no recommender: a persona says yes to a share of what a feed shows, batches and
accounts vary, and the sway moves the share. Everything is drawn for many studies at once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from analysis.errors import BadPlan
from analysis.statistics.estimate import Floats, Mask
from analysis.statistics.intervals import share_variance
from analysis.statistics.wandering_rates import wandering

_RATES = (0.005, 0.995)  # shares are kept within these after account and sway are added


@dataclass(frozen=True)
class StudyPlan:
    """What a study does: personas, and eligible videos per window.

    ``baseline`` is how the before window is watched; ``batch`` is how many videos a response of
    the feed brings, and how far ahead it is requested. ``catalogue`` is how many videos of a theme
    the feed has: a run that is longer than that meets repeats, which these figures don't know.
    """

    personas: int = 10
    before: int = 50
    adapt: int = 0
    after: int = 50
    baseline: Literal["active", "passive"] = "active"
    batch: int = 12
    catalogue: int | None = None

    def __post_init__(self) -> None:
        if self.personas < 2:
            raise BadPlan("A study needs at least 2 personas. Type: --personas 10")
        if min(self.before, self.after) < 1 or self.adapt < 0:
            raise BadPlan("Both windows need videos. Type: --before 50 --after 50")
        if self.catalogue is not None and self.videos > self.catalogue:
            fit = max(1, (self.catalogue - self.adapt) // 2)
            raise BadPlan(
                f"A run of {self.videos} videos repeats where a theme has {self.catalogue}, and "
                f"these figures know no repeats. Type: --before {fit} --after {fit}"
            )

    @property
    def videos(self) -> int:
        return self.before + self.adapt + self.after

    def layout(self) -> Floats:
        """Videos by window (before, after) and batch; shape ``(2, G)``.

        After a passive baseline, batches requested before the change do not count.
        """
        position = np.arange(self.videos)
        batch = position // self.batch
        after = position >= self.before + self.adapt
        if self.baseline == "passive":
            after &= (batch - 1) * self.batch >= self.before
        counted = np.stack([position < self.before, after]).astype(float)
        batches = int(batch[-1]) + 1
        sums = [np.bincount(batch, weights=row, minlength=batches) for row in counted]
        return np.stack(sums).astype(np.float64)

    def batch_positions(self) -> Floats:
        """Position of the middle of each batch; shape ``(G,)``."""
        first = np.arange(self.layout().shape[1], dtype=np.float64) * self.batch
        return first + (self.batch - 1) / 2


@dataclass(frozen=True)
class World:
    """What is true: rates as shares of 1."""

    base: float | tuple[float, ...] = 0.2
    """Share of yes in an unpersonalised feed; one for all personas, or one each."""
    effect: float = 0.1  # full sway of a persona's own share
    icc: float = 0.1  # correlation of two answers of one batch
    wander: float = 0.0
    """How far a share p wanders by itself over about a hundred videos: its variance as a share of
    p (1 - p); ``wandering_rates.SHARE`` in real feeds."""
    account_sd: float = 0.08  # spread of a persona's share over accounts, before anything happened
    overlap: float = 0.0
    """What the feed of another persona gains for this one, as a share of ``effect``: 1 the same
    taste, 0 unrelated, below 0 where one's gain is the others' loss."""
    likeable_sd: float = 0.0  # spread over runs of how likeable their videos are to everyone
    lean: float = 0.0
    """How far an account leans to its persona before the study starts, in both windows."""
    drift: float = 0.0  # change between the windows that comes to all alike
    time_constant: float | None = None
    """Videos in which a listener learns all but 1/e; ``None`` where the sway is absent before and
    whole after (the ideal that planning figures assume)."""
    twins: float | None = None
    """Overlap of the personas 1 and 2, 3 and 4, and so on; ``None`` where there are no twins."""
    shortest: float = 1.0
    """Length of the shortest after window as a share of the plan's; the others lie between."""
    hours: float = 0.0
    """How far what is shown depends on the start slot: as a wave over slots and personas with this
    amplitude, so that each slot suits some personas."""
    tied: bool = False
    """Whether personas sit in the slots that suit them; else they are drawn for slots."""
    lost: float = 0.0
    """Share of the runs, those with the lowest share of yes of their own in the after window, that
    are thrown away and begun once more."""
    season: float = 0.0
    """How far the season in which the second half of the runs is made suits the second half of the
    personas, who were added then: what they find more in each of these runs."""


@dataclass(frozen=True, eq=False)
class SimulatedAnswers:
    """Simulated answers."""

    n: Floats
    """Videos by window and batch, shape ``(2, G)``, with axes for study and run before them where
    these differ."""
    yes: Floats
    """Of these, answered yes; shape ``(S, ..., 2, G)``, with one axis for persona and, in a matrix,
    one for run."""
    expected: Floats
    """The shares in pp that the feeds give without chance, by window; shape ``(2, S, ...)``."""

    @property
    def shares(self) -> Floats:
        """Shares in pp by window; shape ``(2, S, ...)``."""
        share: Floats = 100 * self.yes.sum(-1) / self.n.sum(-1)
        return np.moveaxis(share, -1, 0)

    @property
    def within(self) -> Floats:
        """Variance of each before share from the spread of its batches, in pp^2; ``(S, ...)``."""
        return 1e4 * share_variance(self.n[..., 0, :], self.yes[..., 0, :])


def learnt(plan: StudyPlan, world: World) -> Floats:
    """Share of the full sway that each batch was chosen with; shape ``(G,)``.

    A batch is requested one batch ahead, and the listener has learnt from what was watched
    reacting until then.
    """
    batches = plan.layout().shape[1]
    if world.time_constant is None:
        return np.zeros(batches)
    reacting_from = plan.before if plan.baseline == "passive" else 0
    requested = (np.arange(batches) - 1) * plan.batch
    watched = np.maximum(0, requested - reacting_from)
    return 1 - np.exp(-watched / world.time_constant)


def draw_runs(
    plan: StudyPlan, world: World, studies: int, rng: np.random.Generator, *, swayed: bool = True
) -> SimulatedAnswers:
    """One run per persona and study, judged by its own persona; ``yes`` is ``(S, K, 2, G)``.

    ``swayed``: false for the control arm: drift comes to it, the sway does not.
    """
    shape = (studies, plan.personas)
    rate = _base(plan, world) + world.lean + world.account_sd * rng.standard_normal(shape)
    if world.hours:
        rate = rate + np.diagonal(_hours(plan, world, studies, rng), axis1=1, axis2=2)
    effect = np.full(plan.personas, world.effect if swayed else 0.0)
    drawn = _draw(plan, world, rate, effect, rng)
    if world.lost:
        again = draw_runs(plan, replace(world, lost=0.0), studies, rng, swayed=swayed)
        drawn = _begun_again(drawn, again, _lowest(drawn.shares[1], world.lost))
    return drawn


def draw_matrices(
    plan: StudyPlan, world: World, studies: int, rng: np.random.Generator
) -> SimulatedAnswers:
    """Every run judged as every persona; ``yes`` is ``(S, K, K, 2, G)``, persona before run."""
    size = plan.personas
    own = np.eye(size)
    rate = _base(plan, world)[:, None] + world.lean * own
    rate = rate + world.account_sd * rng.standard_normal((studies, size, size))
    rate = rate + world.likeable_sd * rng.standard_normal((studies, 1, size))
    if world.hours:
        rate = rate + _hours(plan, world, studies, rng)
    if world.season:
        added = np.arange(size) >= size // 2
        rate = rate + world.season * (added[:, None] & added)
    drawn = _draw(plan, world, rate, world.effect * _alike(size, world), rng)
    if world.lost:
        again = draw_matrices(plan, replace(world, lost=0.0), studies, rng)
        own_share = np.diagonal(drawn.shares[1], axis1=1, axis2=2)
        drawn = _begun_again(drawn, again, _lowest(own_share, world.lost)[:, None, :])
    return drawn


def _base(plan: StudyPlan, world: World) -> Floats:
    return np.broadcast_to(np.asarray(world.base, dtype=np.float64), (plan.personas,))


def _alike(size: int, world: World) -> Floats:
    """What persona i gains in the feed of run j, as a share of the effect."""
    alike = np.eye(size) + world.overlap * (1 - np.eye(size))
    if world.twins is not None:
        pair = np.arange(size) // 2
        alike[(pair[:, None] == pair) & ~np.eye(size, dtype=bool)] = world.twins
    return alike


def _hours(plan: StudyPlan, world: World, studies: int, rng: np.random.Generator) -> Floats:
    """How well the slot of run j suits persona i; shape ``(S, K, K)``."""
    size = plan.personas
    slots = np.tile(np.arange(size), (studies, 1))
    if not world.tied:
        slots = rng.permuted(slots, axis=1)
    angle = 2 * np.pi * (np.arange(size)[:, None] - slots[:, None, :]) / size
    return np.asarray(world.hours * np.cos(angle), dtype=np.float64)


def _lowest(shares: Floats, part: float) -> Mask:
    """This part of the shares of each persona, over studies."""
    return np.asarray(shares < np.quantile(shares, part, axis=0))


def _begun_again(first: SimulatedAnswers, again: SimulatedAnswers, where: Mask) -> SimulatedAnswers:
    """The first draw, with another one where it was thrown away."""
    return SimulatedAnswers(
        first.n,
        np.where(where[..., None, None], again.yes, first.yes),
        np.where(where, again.expected, first.expected),
    )


def _lengths(plan: StudyPlan, world: World) -> Floats:
    """Videos by window and batch; with an axis for runs before these where runs differ."""
    n = plan.layout()
    if world.shortest >= 1:
        return n
    kept = np.round(n[1].sum() * np.linspace(1, world.shortest, plan.personas))
    cut = np.tile(n, (plan.personas, 1, 1))
    seen_before = np.cumsum(n[1]) - n[1]
    cut[:, 1] = np.clip(kept[:, None] - seen_before, 0, n[1])
    return cut


def _draw(
    plan: StudyPlan, world: World, rate: Floats, effect: Floats, rng: np.random.Generator
) -> SimulatedAnswers:
    """Draw yes counts by window and batch: one beta rate a batch, binomial answers."""
    n = _lengths(plan, world)
    late = np.array([[0.0], [1.0]])
    sway = late if world.time_constant is None else learnt(plan, world)[None, :]
    moved = effect[..., None, None] * sway + world.drift * late
    rates = np.clip(rate[..., None, None] + moved, *_RATES)
    rates = np.broadcast_to(rates, (*rate.shape, *n.shape[-2:]))
    expected = 100 * (rates * n).sum(-1) / n.sum(-1)
    if world.wander:
        paths = wandering(rng, np.clip(rate, *_RATES), plan.batch_positions(), world.wander)
        rates = np.clip(paths[..., None, :] + moved, *_RATES)
    if world.icc > 0:
        rates = _batch_rates(rates, plan.layout(), world.icc, rng)
    yes = rng.binomial(n.astype(np.int64), rates).astype(np.float64)
    return SimulatedAnswers(n, yes, np.moveaxis(expected, -1, 0))


def _batch_rates(rates: Floats, n: Floats, icc: float, rng: np.random.Generator) -> Floats:
    """Beta rates around the given ones; nothing is drawn for batches that a window lacks."""
    strength = (1 - icc) / icc
    drawn = np.array(rates)
    for window, batch in zip(*np.nonzero(n), strict=True):
        mean = rates[..., window, batch]
        drawn[..., window, batch] = rng.beta(mean * strength, (1 - mean) * strength)
    return drawn
