"""Is the instrument right where the truth is planted? Checks with their simulation error.

Studies of a simulated site come as plain arrays; they are judged by the very designs that judge
real ones, and held against what must be so: false positives of 3 to 7 % at a nominal 5, intervals
that cover their own estimand 93 to 98 % of the time, a listener above a random feed above a
contrarian, and real runs that look like simulated ones.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from analysis.simulation import designs
from analysis.simulation.designs import Outcomes
from analysis.simulation.scenarios import SimulatedAnswers, StudyPlan, World, draw_matrices
from analysis.statistics.estimate import NAN, Floats, Ints, Mask
from analysis.statistics.intervals import binomial_p_value, t_quantile
from store.runs.ledger_lines import Windows

Verdict = Literal["holds", "within error", "FAILS"]

FALSE_POSITIVES = (0.03, 0.07)
COVERAGE = (0.93, 0.98)
SEASON = 0.3
"""What a season adds to the shares of those who were added in it, where draws are checked."""
DOUBT = 0.001  # below this p-value a figure is taken for wrong


class ArmVideos(Protocol):
    """Eligible videos of one arm's runs, in order.

    ``position``, ``batch`` and ``requested_at`` are as in a ledger, of shape ``(S, K, n)``.
    """

    @property
    def answers(self) -> Mask:
        """Whether persona i says yes to each video of run j; shape ``(S, K, K, n)``."""
        ...

    @property
    def chances(self) -> Floats:
        """The planted chance that it would; same shape."""
        ...

    @property
    def position(self) -> Ints: ...

    @property
    def batch(self) -> Ints: ...

    @property
    def requested_at(self) -> Ints: ...


def drawn(shown: ArmVideos, windows: Windows) -> SimulatedAnswers:
    """Count windows and batches as ``windows.compared`` would; ``yes`` is ``(S, K, K, 2, G)``."""
    count = np.arange(shown.position.shape[-1])
    before = np.broadcast_to(count < windows.before, shown.position.shape)
    late = count >= windows.before + windows.adapt
    change = shown.position[..., [windows.before]]
    could = (shown.requested_at >= change) | (windows.baseline == "active")
    rows = np.stack([before, late & could], axis=-2)  # (S, K, 2, n)
    batches = int(shown.batch.max()) + 1
    where = shown.batch[..., None] == np.arange(batches)  # (S, K, n, G)
    n = np.einsum("sjwn,sjng->sjwg", rows, where, dtype=np.float64, optimize=True)
    yes = np.einsum(
        "sijn,sjwn,sjng->sijwg", shown.answers, rows, where, dtype=np.float64, optimize=True
    )
    chance = np.einsum("sijn,sjwn->wsij", shown.chances, rows.astype(np.float64), optimize=True)
    size = np.moveaxis(n.sum(-1), -1, 0)[:, :, None, :]
    return SimulatedAnswers(n[:, None], yes, 100 * chance / size)


def own(cells: SimulatedAnswers) -> SimulatedAnswers:
    """Each run as its own persona saw it: the diagonals; ``yes`` is ``(S, K, 2, G)``."""
    at = np.arange(cells.yes.shape[1])
    return SimulatedAnswers(cells.n[:, 0], cells.yes[:, at, at], cells.expected[..., at, at])


def judged(
    treated: SimulatedAnswers, control: SimulatedAnswers | None, rng: np.random.Generator
) -> dict[str, Outcomes]:
    told = {
        "borrowed base": designs.judge_borrowed(treated),
        "persona matrix": designs.judge_matrix(treated, rng),
        "adjusted matrix": designs.judge_matrix(treated, rng, adjust=True),
    }
    if control is None:
        return told
    return {"treatment minus control": designs.judge_pairs(own(treated), own(control)), **told}


def judged_in_two_draws(count: int, rng: np.random.Generator) -> dict[str, Outcomes]:
    """Judge studies whose second half was added in a season that suits it, where nothing sways."""
    plan = StudyPlan(personas=8, before=24, adapt=24, after=52, baseline="passive")
    cells = draw_matrices(plan, World(effect=0.0, season=SEASON), count, rng)
    blocks = np.arange(plan.personas) // 4
    return {
        f"{name}, 4 + 4 personas and a season": designs.judge_matrix(
            cells, rng, adjust=adjust, blocks=blocks
        )
        for name, adjust in (("persona matrix", False), ("adjusted matrix", True))
    }


def mean_sways(cells: SimulatedAnswers) -> Floats:
    """Mean sway of each study's runs, in pp."""
    before, after = own(cells).shares.mean(-1)
    sways: Floats = after - before
    return sways


def together(lots: Iterable[Mapping[str, Outcomes]]) -> dict[str, Outcomes]:
    parts = list(lots)
    return {name: designs.joined([part[name] for part in parts]) for name in parts[0]}


@dataclass(frozen=True)
class CalibrationCheck:
    """Something that must be so."""

    name: str
    value: float  # value, error: the figure, and its simulation error (or nan)
    error: float
    low: float  # low, high: between which it has to lie
    high: float
    p: float  # of the test that it does, where there is one
    verdict: Verdict  # ``within error``: outside, but not beyond what the number of studies allows
    unit: str = "%"
    note: str = ""


def rate(name: str, hits: Mask, low: float, high: float) -> CalibrationCheck:
    """Check that a rate lies between two, by exact binomial tests of the nearer one."""
    count, studies = int(hits.sum()), len(hits)
    share = count / studies
    nearest = min(max(share, low), high)
    inside = nearest == share
    p = 1.0 if inside else binomial_p_value(count, studies, nearest)
    verdict: Verdict = "holds" if inside else "within error" if p > DOUBT else "FAILS"
    error = math.sqrt(share * (1 - share) / studies)
    return CalibrationCheck(name, 100 * share, 100 * error, 100 * low, 100 * high, p, verdict)


def false_positives(told: Mapping[str, Outcomes]) -> list[CalibrationCheck]:
    """At a nominal 5 %, one- and two-sided, where the site does not listen."""
    return [
        rate(f"false positives, {name}, {sides}", p <= 0.05, *FALSE_POSITIVES)
        for name, outcomes in told.items()
        for sides, p in (("two-sided", outcomes.p), ("one-sided", outcomes.p_greater))
    ]


def coverage(told: Mapping[str, Outcomes], feed: str) -> list[CalibrationCheck]:
    """95 % intervals, each of its own estimand; the bias is in the note."""
    checks = []
    for name, outcomes in told.items():
        holds = (outcomes.low <= outcomes.truth) & (outcomes.truth <= outcomes.high)
        error = outcomes.estimate.std(ddof=1) / math.sqrt(len(outcomes.estimate))
        note = f"truth {outcomes.truth:+.1f} pp, bias {outcomes.bias:+.2f} ± {error:.2f}"
        check = rate(f"coverage, {feed}, {name}", holds, *COVERAGE)
        checks.append(CalibrationCheck(**{**vars(check), "note": note}))
    return checks


def ordered(sways: Mapping[str, Floats]) -> list[CalibrationCheck]:
    """Mean sways, each over independent runs, in falling order with 95 % intervals apart."""
    checks: list[CalibrationCheck] = []
    above = math.inf
    for feed, values in sways.items():
        mean = float(values.mean())
        error = float(values.std(ddof=1)) / math.sqrt(len(values))
        half = t_quantile(0.95, len(values) - 1) * error
        verdict: Verdict = "holds" if mean + half < above else "FAILS"
        note = f"95 % interval {mean - half:+.1f} to {mean + half:+.1f}"
        checks.append(
            CalibrationCheck(f"sway, {feed}", mean, error, NAN, above, NAN, verdict, "pp", note)
        )
        above = mean - half
    return checks


def agreement(name: str, seen: float, simulated: Floats, unit: str = "%") -> CalibrationCheck:
    """Does a figure of real runs look like the same figure of simulated ones?

    A Monte Carlo test: under agreement the real set of runs and the simulated ones are
    exchangeable, so that the rank of its distance from the mean of all is uniform (Dwass, Ann.
    Math. Stat. 1957). ``low`` and ``high`` hold 95 % of the simulated values.
    """
    everything = np.append(simulated, seen)
    distance = np.abs(everything - everything.mean())
    p = float((distance >= distance[-1] - 1e-9).mean())
    low, high = np.quantile(simulated, [0.025, 0.975])
    spread = float(simulated.std(ddof=1))
    verdict: Verdict = "holds" if p > DOUBT else "FAILS"
    note = f"simulated {simulated.mean():+.1f}"
    return CalibrationCheck(name, seen, spread, float(low), float(high), p, verdict, unit, note)


def passed(checks: Sequence[CalibrationCheck]) -> bool:
    return all(check.verdict != "FAILS" for check in checks)


def checks_text(checks: Sequence[CalibrationCheck]) -> str:
    width = max(len(check.name) for check in checks)
    return "\n".join(_line(check, width) for check in checks)


def _line(check: CalibrationCheck, width: int) -> str:
    bounds = ""
    is_p = check.unit == "p"  # of one test; the other figures are means
    if is_p:
        bounds = f"{check.low:g} to {check.high:g}"
    elif math.isfinite(check.low):
        bounds = f"{check.low:.1f} to {check.high:.1f}"
    elif math.isfinite(check.high):
        bounds = f"below {check.high:+.1f}"
    p = "" if math.isnan(check.p) or check.p == 1 else f"p = {check.p:.2g}"
    figure = f"{check.value:6.2f} ± {check.error:.2f} {check.unit}"
    if is_p:
        figure = f"{check.unit} = {check.value:.2g}"
    told = (
        f"{check.name:<{width}}  {figure:<18} {bounds:<16} {check.verdict:<12} {p:<9} {check.note}"
    )
    return told.rstrip()
