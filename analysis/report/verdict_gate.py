"""The gate before every verdict: what else than the feed could have made a difference.

A test says that chance alone seldom gives a difference like this, and nothing of its cause. Each
check looks for one other cause. Where one is found, the headline says so in place of the finding.
Checks of the draw are in ``draw_checks``, that of lost runs in ``lost_runs_check``.
"""

from __future__ import annotations

import math

import numpy as np

from analysis.data.exposures import EXCLUDED, NONE, YES
from analysis.estimators.contrasts import Contrast, fisher_p_value
from analysis.estimators.judge_bias import BlindSway
from analysis.estimators.rejudged_matrix import PersonaMatrix
from analysis.report.draw_checks import account_check, assignment_check, size_check, start_check
from analysis.report.gate_check import BLIND, GateCheck, GatedGroup
from analysis.report.primary_outcome import Primary, t_case
from analysis.statistics.estimate import Estimate
from store.terminal.printing import count_of

ALPHA = 0.05
"""Level of the tests that a gate makes itself, each two-sided."""


def placebo_check(matrix: PersonaMatrix | str, told: Primary, alpha: float) -> GateCheck:
    """Whether profiles that lean to their personas from the start can have made the difference.

    A small lean passes the placebo, and the slope of the adjustment takes out a part of it only. So
    after less before has to be found as well, which no lean that lasts can make.
    """
    name = "placebo"
    if isinstance(matrix, str):
        return GateCheck(name, "open", "there is no persona matrix to take it from")
    p = matrix.sway.placebo_test.p
    if math.isnan(p) or matrix.gain is None:
        words = "no before window was passive, so that profiles may have leaned from the start"
        return GateCheck(name, "fails", words)
    tested = f"p = {p:.2g}, two-sided"
    if p < ALPHA:
        return GateCheck(name, "fails", f"the passive before windows differ already ({tested})")
    gain, test = matrix.gain.estimate.value, matrix.gain.test
    above = told.estimate.value > 0  # the declared test has told the side, so that one suffices
    p = test.p_greater if above else 1 - test.p_greater + 1 / test.arrangements
    found = f"{gain:+.1f} pp, p = {p:.2g}, one-sided"
    if p < alpha and gain * told.estimate.value > 0:
        words = f"the passive before windows show nothing ({tested}), and less them it is there"
        return GateCheck(name, "holds", f"{words} ({found})")
    words = f"profiles may have leaned: less the passive before windows it is not there ({found})"
    return GateCheck(name, "fails", words)


def missing_check(told: Primary, alpha: float) -> GateCheck:
    """Whether the test finds the difference with all missing answers at their worst."""
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


def judge_check(told: Primary, split: BlindSway | None, alpha: float) -> GateCheck:
    """Whether the acting judge finds a sway without control again when it scores blind.

    ``split``: of the judge that acted; what another judge finds says nothing of this one.
    """
    name = "the judge's part"
    if told.design != "paired":
        return GateCheck(name, "holds", "what is compared was judged alike")
    if split is None:
        words = "no frame was judged again by this judge, so it may have moved"
        return GateCheck(name, "open", words)
    if not split.blind.bounded:
        return GateCheck(name, "open", "too few runs were judged again to tell the judge's part")
    value = f"{split.blind.value:+.1f} pp"
    shown = [_shows(one, told, alpha) for one in (split.blind, *split.worst)]
    if all(shown):
        return GateCheck(name, "holds", f"the same videos scored blind show it, too ({value})")
    if any(shown):
        words = f"the blind judge left too much unanswered to tell its part ({value})"
        return GateCheck(name, "fails", words)
    return GateCheck(name, "fails", f"the same videos scored blind do not show it ({value})")


def _shows(estimate: Estimate, told: Primary, alpha: float) -> bool:
    """Whether an estimate is found as the primary one was, by the declared side and level."""
    case = t_case(estimate, told.sides)
    return case.p < alpha and case.value * told.estimate.value > 0


def version_check(group: GatedGroup, contrast: Contrast | None) -> GateCheck:
    """Whether one version of the model judged both windows, and both runs of every pair."""
    material, told = group.material, group.told
    name = "one judge for both arms" if told.control else "one judge for both windows"
    versions = {first.run_id: first.fingerprint for first in material.started}
    pairs = contrast.pairs if contrast and told.control else ()
    known = [pair for pair in pairs if all(versions.get(run) is not None for run in pair)]
    other = sum(versions[one] != versions[two] for one, two in known)
    arms = {run.run_id: run.arm for run in material.views.runs}
    for arm in group.arms:
        windows = [one for run, one in material.served.items() if arms.get(run) == arm]
        early, late = (
            frozenset[str]().union(*sets)
            for sets in ([one.before for one in windows], [one.after for one in windows])
        )
        if early and late and early != late:
            words = f"another model answered in the after windows ({arm})"
            return GateCheck(name, "fails", words)
    if other:
        words = f"another version of the model judged the control in {count_of(other, 'pair')}"
        return GateCheck(name, "fails", words)
    if told.control and not pairs:
        return GateCheck(name, "open", "there is no pair")
    if len(known) < len(pairs) or (not told.control and None in versions.values()):
        return GateCheck(name, "open", "the version of the model was not recorded in every run")
    words = "one version of the model judged both runs of every pair"
    return GateCheck(name, "holds", words if told.control else "one version judged both windows")


def exclusion_check(group: GatedGroup) -> GateCheck:
    """Whether excluded videos were answered otherwise than those that count.

    A run asks nothing about a video that it excludes. Older ledgers leave repeats out by rule.
    """
    name, views = "exclusions", group.material.views
    rows = (views.answer != NONE) & (views.excluded != EXCLUDED.index("repeat"))
    rows &= np.isin(views.run, group.compared)
    out = views.excluded[rows] > 0
    if not out.any():
        return GateCheck(name, "holds", "no video was left out after it was judged")
    yes = views.answer[rows] == YES
    p = fisher_p_value(*((int(yes[side].sum()), int(side.sum())) for side in (out, ~out)))
    words = f"{count_of(int(out.sum()), 'video')} left out after they were judged"
    if p < ALPHA:
        return GateCheck(
            name, "fails", f"{words} had other answers (Fisher p = {p:.2g}, two-sided)"
        )
    return GateCheck(name, "holds", f"{words} had no other answers (Fisher p = {p:.2g}, two-sided)")


def ledger_check(group: GatedGroup) -> GateCheck:
    """Whether what the compared runs' ledgers say was shown is what the site tells of it."""
    name, material = "seen and recorded", group.material
    mine = {material.views.runs[index].run_id for index in group.compared}
    if mine & material.disputed:
        said = "the site has counted or listed otherwise than a ledger"
        return GateCheck(name, "fails", said)
    if mine and mine <= material.counted:
        said = "the site has counted or listed the videos that the ledgers tell of"
        return GateCheck(name, "holds", said)
    return GateCheck(
        name, "open", "no site has counted or listed nearly all, so that nothing checks them"
    )


def gate(
    group: GatedGroup,
    matrix: PersonaMatrix | str,
    split: BlindSway | None,
    contrast: Contrast | None,
) -> tuple[GateCheck, ...]:
    """Make the checks that concern the primary estimate, but for that of lost runs.

    ``split``: of the judge that acted.
    """
    checks = [
        assignment_check(group),
        start_check(group),
        account_check(group),
        size_check(group),
    ]
    if group.told.design in BLIND:
        checks.append(placebo_check(matrix, group.told, group.alpha))
    else:
        checks.append(version_check(group, contrast))
    checks.append(missing_check(group.told, group.alpha))
    checks.append(judge_check(group.told, split, group.alpha))
    return (*checks, exclusion_check(group), ledger_check(group))
