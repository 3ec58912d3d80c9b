"""The check of lost runs: whether losing or repeating runs alone could have made the difference.

A run that is lost, or begun anew, after the judge has answered may be lost because of its answers.
Then the runs that are left are a choice among several studies. The declared test is made again
without the lost runs, at a level that is divided by the number of choices (Bonferroni), so that no
rule of losing runs finds a sway where there is none more often than the level allows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.data.exposures import BEFORE, NONE, RunInfo
from analysis.errors import NotOffered
from analysis.estimators.contrasts import Attrition, pair_up
from analysis.estimators.persona_matrix import specific_sway
from analysis.estimators.rejudged_matrix import PersonaMatrix
from analysis.report.gate_check import BLIND, GateCheck, GatedGroup
from analysis.report.primary_outcome import Primary, WorstCase, matrix_case, t_case
from analysis.statistics.estimate import NAN, Floats
from analysis.statistics.intervals import t_interval
from store.terminal.printing import count_of

ALPHA = 0.05
"""Level of Fisher's test, two-sided."""
Unit = tuple[str, int]
"""A persona and a replicate."""


@dataclass(frozen=True)
class TellingLosses:
    """Losses that may hang on what is compared.

    ``lost``: personas and replicates whose runs ended early; ``again``: runs that a later one of
    the cell stands in for. ``units``, ``cells``: how many there are of either.
    """

    lost: frozenset[Unit]
    units: int
    again: int
    cells: int

    @property
    def choices(self) -> int:
        """Studies that could have been left by as many losses.

        Doubled for each loss, so that the levels of all numbers of losses together stay below one.
        """
        if not (self.lost or self.again):
            return 1
        which: int = math.comb(self.units, len(self.lost))
        repeats: int = math.comb(self.cells + self.again - 1, self.again)
        doubled: int = 2 ** (len(self.lost) + self.again)
        return which * repeats * doubled


def telling_losses(group: GatedGroup, used: frozenset[Unit]) -> TellingLosses:
    """Find the losses of the compared arms after which the runs that are left may be a choice.

    A loss is none where nothing of it was known: no video was judged. For a matrix with passive
    before windows it is none either where the run ended within the before window, since that is
    adjusted for. Runs that are left out of the estimate (``used``) are lost, too.
    """
    views = group.material.views
    runs = {index: views.runs[index] for index in group.compared}
    passive = all(run.windows.baseline == "passive" for run in runs.values())
    late = group.told.design == "matrix" and passive
    whole = group.told.design in BLIND  # these lose a persona with all its runs
    lost, units = set(), set()
    for index, run in runs.items():
        unit = (run.persona, 0 if whole else run.replicate)
        units.add(unit)
        rows = views.one(index)
        tells = (rows.phase != BEFORE) if late else (rows.answer != NONE)
        if tells.any() and (run.status != "complete" or unit not in used):
            lost.add(unit)
    first = next(iter(runs.values()), None)
    cells = f"{first.platform}/{first.strategy}/{first.model}/" if first else ""
    again = sum(
        former.changed if late else former.answered
        for former in group.material.former
        if former.arm in (*group.arms, "") and former.cell.startswith(cells)
    )
    drawn = group.material.study.planned if group.material.study else ()
    mine = [cell for cell in drawn if cell.key.startswith(cells) and cell.arm == "treatment"]
    planned = {(cell.persona, 0 if whole else cell.replicate) for cell in mine}
    return TellingLosses(frozenset(lost), max(len(units), len(planned)), again, len(runs))


def units_used(
    told: Primary, runs: Sequence[RunInfo], sway: Floats, matrix: PersonaMatrix | str
) -> frozenset[Unit]:
    """Personas and replicates whose runs are in the estimate."""
    if told.design in ("matrix", "borrowed"):
        known = () if isinstance(matrix, str) else matrix.personas
        kept = [at for at, run in enumerate(runs) if run.persona in known]
    elif told.design == "controlled":
        kept = [t for t, c in pair_up(runs, told.control) if not math.isnan(sway[t] - sway[c])]
    else:
        kept = [at for at, run in enumerate(runs) if not math.isnan(sway[at])]
    whole = told.design in BLIND
    return frozenset((runs[at].persona, 0 if whole else runs[at].replicate) for at in kept)


def attrition_check(
    group: GatedGroup,
    lost: Sequence[Attrition],
    p: float,
    losses: TellingLosses,
    again: Callable[[frozenset[Unit]], WorstCase],
) -> GateCheck:
    """Whether the runs that are left show the difference, whatever rule has lost the others.

    ``lost``, ``p``: attrition by arm, and Fisher's test that the arms lose runs alike.
    ``again``: the declared test without some personas and replicates.
    """
    name, told = "lost runs", group.told
    compared = [one for one in lost if one.arm in group.arms]
    words = ", ".join(f"{one.arm} {len(one.short)} of {one.started}" for one in compared)
    if not group.material.started:
        return GateCheck(name, "open", "an imported table does not tell which runs were lost")
    if not told.estimate.exists:
        return GateCheck(name, "open", "there is no estimate yet that a lost run could have made")
    if told.control and p < ALPHA:
        words = f"the arms lost runs unequally ({words}; Fisher p = {p:.2g}, two-sided)"
        return GateCheck(name, "fails", words)
    if losses.choices == 1:
        if not any(one.short for one in compared):
            return GateCheck(name, "holds", "no run was lost")
        words = f"runs were lost ({words}), and none of them after it could tell anything"
        return GateCheck(name, "holds", words)
    what = "persona" if told.design in BLIND else "run"
    many = f"{count_of(len(losses.lost), what)} lost"
    many += f" and {count_of(losses.again, 'run')} begun anew" if losses.again else ""
    many += " after answers"
    case = again(losses.lost)
    sign = math.copysign(1, told.estimate.value)
    tested = f"p = {case.p:.2g}, {told.sides}-sided, without them, and {losses.choices} choices"
    if case.p * losses.choices < group.alpha and case.value * sign > 0:
        return GateCheck(name, "holds", f"{many} cannot have made it ({tested})")
    if math.isnan(case.p):
        tested = "without them there is no test"
    return GateCheck(name, "fails", f"{many} could have made it ({tested})")


def declared_test_again(
    told: Primary,
    runs: Sequence[RunInfo],
    sway: Floats,
    matrix: PersonaMatrix | str,
    rng: np.random.Generator,
    without: frozenset[Unit],
) -> WorstCase:
    """Make the declared test again without some personas and replicates.

    ``runs``, ``sway``: those of the group, with the sway of each in pp.
    """
    if told.design == "matrix" and not isinstance(matrix, str):
        gone = {persona for persona, _ in without}
        kept = [at for at, name in enumerate(matrix.personas) if name not in gone]
        return _matrix_again(matrix, kept, told.sides, rng)
    if told.design == "controlled":
        found = [(t, sway[t] - sway[c]) for t, c in pair_up(runs, told.control)]
    else:
        found = [(at, sway[at]) for at, run in enumerate(runs) if run.arm == "treatment"]
    left = [value for at, value in found if (runs[at].persona, runs[at].replicate) not in without]
    if told.design == "borrowed" or len(left) < 2:
        return WorstCase(NAN, NAN)
    return t_case(t_interval(np.array(left, dtype=np.float64)), told.sides)


def _matrix_again(
    matrix: PersonaMatrix, kept: Sequence[int], sides: str, rng: np.random.Generator
) -> WorstCase:
    square = np.ix_(range(len(matrix.cells)), kept, kept)
    after = np.array([one.after for one in matrix.cells])[square]
    before = np.array([one.before for one in matrix.cells])[square]
    blocks = matrix.blocks[:, kept]
    try:
        found = specific_sway(
            after, rng.spawn(1)[0], before if matrix.sway.adjusted else None, blocks=blocks
        )
    except NotOffered:
        return WorstCase(NAN, NAN)
    return matrix_case(found, sides)
