"""The gate before every verdict: what else than the feed could have made a difference.

A test says that chance alone seldom gives a difference like this, and nothing of its cause. Each
check looks for one other cause. Where one is found, the headline says so in place of the finding.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from analysis.estimators.contrasts import Attrition, Contrast
from analysis.estimators.judge_bias import BlindSway
from analysis.estimators.rejudged_matrix import PersonaMatrix
from analysis.report.primary_outcome import Primary
from analysis.report.report_inputs import Material
from analysis.statistics.estimate import Estimate
from store.terminal.printing import count_of

Outcome = Literal["holds", "fails", "open"]
ALPHA = 0.05
"""Level of the tests that a gate makes itself, each two-sided."""
BLIND = ("matrix", "borrowed")
"""Designs whose answers were all given blind, about stored frames."""


@dataclass(frozen=True)
class GateCheck:
    """One other cause that was looked for.

    ``outcome``: ``fails`` where it may have made the difference, ``open`` where nothing tells.
    ``finding``: a clause in words; where the check fails, it follows "because".
    """

    name: str
    outcome: Outcome
    finding: str


def cap(verdict: str, checks: Sequence[GateCheck]) -> str:
    """``capped`` in place of ``up`` and ``down`` where a check fails; else the verdict itself."""
    failed = any(check.outcome == "fails" for check in checks)
    return "capped" if failed and verdict in ("up", "down") else verdict


def because(checks: Sequence[GateCheck]) -> str:
    """Why the difference cannot be attributed to the feed; empty where nothing fails."""
    return ", and ".join(check.finding for check in checks if check.outcome == "fails")


def assignment_check(material: Material, told: Primary) -> GateCheck:
    """Whether a draw gave personas and arms to accounts, which every permutation rests on."""
    name = "assignment at random"
    if material.drawn:
        return GateCheck(name, "holds", "a draw gave the accounts their personas and arms")
    nobody = "nobody drew personas for these accounts"
    if told.design in BLIND:
        return GateCheck(name, "fails", nobody)
    return GateCheck(name, "open", nobody)


def placebo_check(matrix: PersonaMatrix | str) -> GateCheck:
    """Whether the passive before windows show what nothing can have made yet."""
    name = "placebo"
    if isinstance(matrix, str):
        return GateCheck(name, "open", "there is no persona matrix to take it from")
    p = matrix.sway.placebo_test.p
    if math.isnan(p):
        return GateCheck(name, "open", "no before window was passive")
    tested = f"p = {p:.2g}, two-sided"
    if p < ALPHA:
        return GateCheck(name, "fails", f"the passive before windows differ already ({tested})")
    return GateCheck(name, "holds", f"the passive before windows show nothing ({tested})")


def missing_check(told: Primary, alpha: float) -> GateCheck:
    """Whether the test finds the difference with all missing answers to either side."""
    name, (low, high) = "missing answers", told.bounds
    if math.isnan(low) or not told.estimate.exists:
        return GateCheck(name, "open", "this estimate has no bounds for missing answers")
    if math.isclose(low, high, abs_tol=1e-9):
        return GateCheck(name, "holds", "every question was answered")
    bounds = f"bounds {low:+.1f} to {high:+.1f} pp"
    sign = math.copysign(1, told.estimate.value)
    if told.worst and all(one.p < alpha and one.value * sign > 0 for one in told.worst):
        return GateCheck(
            name, "holds", f"it is found with all missing answers to either side ({bounds})"
        )
    return GateCheck(name, "fails", f"missing answers alone could have made it ({bounds})")


def attrition_check(
    material: Material, told: Primary, lost: Sequence[Attrition], p: float
) -> GateCheck:
    """Whether the compared arms lost runs unequally; within one arm nothing tells why."""
    name = "lost runs"
    arms = ("treatment", told.control)
    compared = [one for one in lost if one.arm in arms]
    words = ", ".join(f"{one.arm} {len(one.short)} of {one.started}" for one in compared)
    if not material.started:
        return GateCheck(name, "open", "an imported table does not tell which runs were lost")
    if told.control and p < ALPHA:
        words = f"the arms lost runs unequally ({words}; Fisher p = {p:.2g}, two-sided)"
        return GateCheck(name, "fails", words)
    if material.superseded:
        words = f"{count_of(len(material.superseded), 'run')} gave way to a later one of the cell"
        return GateCheck(name, "open", f"{words}, and nothing tells whether for its answers")
    if not any(one.short for one in compared):
        return GateCheck(name, "holds", "no run was lost")
    if told.control:
        words = f"the arms lost runs about alike ({words}; Fisher p = {p:.2g}, two-sided)"
        return GateCheck(name, "holds", words)
    words = f"runs were lost ({words}), and with one arm nothing tells whether by their answers"
    return GateCheck(name, "open", words)


def judge_check(told: Primary, split: BlindSway | None) -> GateCheck:
    """Whether a sway without control is there when the same frames are scored blind."""
    name = "the judge's part"
    if told.design != "paired":
        return GateCheck(name, "holds", "what is compared was judged alike")
    if split is None:
        return GateCheck(name, "open", "no frame was judged again, so the judge may have moved")
    blind = split.blind
    if not blind.bounded:
        return GateCheck(name, "open", "too few runs were judged again to tell the judge's part")
    value = f"{blind.value:+.1f} pp"
    if _side(blind) != math.copysign(1, told.estimate.value):
        return GateCheck(name, "fails", f"the same videos scored blind do not show it ({value})")
    return GateCheck(name, "holds", f"the same videos scored blind show it, too ({value})")


def _side(estimate: Estimate) -> int:
    """1 or -1 where the interval lies on one side of zero, else 0."""
    return int(estimate.low > 0) - int(estimate.high < 0)


def version_check(material: Material, contrast: Contrast | None) -> GateCheck:
    """Whether treatment and control of a pair were judged by the same version of the model."""
    name = "one judge for both arms"
    versions = {first.run_id: first.fingerprint for first in material.started}
    pairs = contrast.pairs if contrast else ()
    known = [pair for pair in pairs if all(versions.get(run) is not None for run in pair)]
    other = sum(versions[one] != versions[two] for one, two in known)
    if not pairs:
        return GateCheck(name, "open", "there is no pair")
    if other:
        words = f"another version of the model judged the control in {count_of(other, 'pair')}"
        return GateCheck(name, "fails", words)
    if len(known) < len(pairs):
        return GateCheck(name, "open", "the version of the model was not recorded in every run")
    return GateCheck(name, "holds", "one version of the model judged both runs of every pair")


def ledger_check(material: Material) -> GateCheck:
    """Whether what the ledgers say was shown is what the site says it has shown."""
    name = "seen and recorded"
    if material.disputed:
        return GateCheck(name, "fails", "the site has counted otherwise than a ledger")
    if material.counted:
        return GateCheck(name, "holds", "the site has counted what the ledgers say")
    return GateCheck(name, "open", "no site has counted along, so that nothing checks the ledgers")


def gate(
    material: Material,
    told: Primary,
    matrix: PersonaMatrix | str,
    split: BlindSway | None,
    contrast: Contrast | None,
    alpha: float,
) -> tuple[GateCheck, ...]:
    """Make the checks that concern the primary estimate, but for that of lost runs.

    ``alpha``: level for the worst case of missing answers.
    """
    checks = [assignment_check(material, told)]
    if told.design in BLIND:
        checks.append(placebo_check(matrix))
    checks += [missing_check(told, alpha), judge_check(told, split)]
    if told.design == "controlled":
        checks.append(version_check(material, contrast))
    return (*checks, ledger_check(material))
