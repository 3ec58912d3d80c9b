"""Studies, comparisons of judges and designs as text for a person at a terminal.

The comparison of designs is Markdown, which reads well there too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from analysis.estimators.contrasts import Contrast
from analysis.estimators.judge_agreement import Comparison, Split
from analysis.estimators.study_results import Arm, Result
from analysis.simulation.design_comparison import RIVALS, SCENES, DesignResult, DesignTable
from analysis.terminal.run_text import estimate_text
from analysis.terminal.runs_table import columns, null_text, number
from store.terminal.printing import count_of, share_text


def study_text(results: Sequence[Result]) -> str:
    several = len(results) > 1
    return "\n\n".join(_result(result, several) for result in results) + "\n"


def _result(result: Result, several: bool) -> str:
    lines = [f"{result.platform}, {result.strategy}, {result.model}", ""]
    lines += [line for arm in result.arms for line in _arm(arm)]
    for contrast in result.contrasts:
        lines += ["", *_contrast(contrast)]
    if several:
        lines.append(
            f"primary test: p = {number(result.p, '.3g')}, "
            f"{number(result.p_holm, '.3g')} after Holm's correction, two-sided"
        )
    lines += ["", *_losses(result), ""]
    for group in result.averages:
        personas = len(group.personas)
        lines.append(
            f"I_avg, {group.arm}: {number(group.i_avg)} % over {personas - group.undefined} of "
            f"{count_of(personas, 'persona')}, undefined for {group.undefined}"
        )
        lines.append(f"  {null_text(group.null)}")
    if result.batches_assumed:
        lines.append("Batches were not told for all videos: blocks of 12 stand in for them.")
    lines += ["", "designs that fit these runs, best first"]
    lines += [
        f"  {'yes' if offer.offered else 'no ':<3}  {offer.design}: {offer.why}"
        for offer in result.offers
    ]
    return "\n".join(lines)


def _arm(arm: Arm) -> list[str]:
    lines = [f"sway, {arm.arm}: {estimate_text(arm.sway)} ({count_of(arm.sway.clusters, 'run')})"]
    if arm.unanswered:
        lines.append(
            f"  {arm.unanswered} of {arm.judged + arm.unanswered} videos without an answer: "
            f"bounds {number(arm.bounds[0])} to {number(arm.bounds[1])} pp"
        )
    graded = arm.agreement.graded
    if graded.exists:
        verdict = "agrees" if arm.agreement.agree else "DISAGREES"
        lines.append(f"  graded: {estimate_text(graded)}; it {verdict} with yes and no")
    return lines


def _contrast(contrast: Contrast) -> list[str]:
    test = contrast.permutation
    kind = "exact" if test.exact else f"{test.arrangements} arrangements"
    lines = [
        f"treatment minus {contrast.control}: {estimate_text(contrast.estimate)} "
        f"({count_of(len(contrast.pairs), 'pair')})",
        f"  p = {number(contrast.estimate.p, '.3g')} by Student's t, "
        f"{number(test.p, '.3g')} by permutation ({kind}), two-sided",
        f"  bounds for missing answers: {number(contrast.bounds[0])} to "
        f"{number(contrast.bounds[1])} pp",
    ]
    if contrast.unpaired:
        lines.append(f"  without a partner: {', '.join(contrast.unpaired)}")
    return lines


def _losses(result: Result) -> list[str]:
    told = ", ".join(f"{entry.arm} {entry.complete} of {entry.started}" for entry in result.lost)
    tested = (
        ""
        if math.isnan(result.attrition_p)
        else f" (attrition by arm: Fisher p = {result.attrition_p:.2g})"
    )
    return [f"complete runs: {told}{tested}"]


def comparison_text(told: Comparison) -> str:
    one, two = told.first, told.second
    grid = columns(
        ("", "second yes", "second no"),
        [
            ("first yes", str(told.both_yes), str(told.first_only)),
            ("first no", str(told.second_only), str(told.both_no)),
        ],
    )
    lines = [
        f"first   {one.run_id}: {one.judge}, persona {one.persona}",
        f"second  {two.run_id}: {two.judge}, persona {two.persona}",
        "",
        f"{count_of(told.videos, 'video')} judged by both ({told.only_first} by the first only, "
        f"{told.only_second} by the second only)",
        grid,
        "",
        f"second minus first: {estimate_text(told.difference)} (over batches)",
        f"McNemar's exact p = {told.p:.3g}, two-sided (takes videos as independent)",
        f"agreement {share_text(told.agreement, 1)} %, kappa {number(told.kappa, '.2f')}",
        "",
        "share of yes, second run minus first",
        _split(told.runs),
        "",
        "sway of the first run, on the common videos",
        _split(told.sway),
    ]
    return "\n".join(lines) + "\n"


def _split(split: Split) -> str:
    parts = (("the whole", split.whole), ("by the feed", split.feed), ("by the judge", split.judge))
    return "\n".join(f"  {name:<12}  {_short(estimate_text(part))}" for name, part in parts)


def _short(text: str) -> str:
    return text.partition("   no interval")[0]


def table_text(told: DesignTable) -> str:
    five, half = told.error(0.05), told.error(0.5)
    blocks = [
        f"{told.studies:,} simulated studies a figure: simulation error {five:.3f} at 5 %, "
        f"{half:.3f} at 50 %. Runs of 100 videos; 10 runs unless said otherwise.",
        "**Power**, one-sided at 0.05, for +10 pp:",
        _by_scene(told, lambda cell: rate_text(cell.power)),
        "**False positives**, one-sided, where nothing happens:",
        _by_scene(told, lambda cell: rate_text(cell.false, 3)),
        "**False positives**, two-sided:",
        _by_scene(told, lambda cell: rate_text(cell.false_two, 3)),
        "**Coverage** of the 95 % intervals, each of its design's own estimand (I_avg in its null "
        "has no interval):",
        _by_scene(told, lambda cell: rate_text(cell.coverage, 3)),
        "**Bias** in pp with its simulation error, and the estimand; of I_avg, its mean in % where "
        "nothing happens:",
        _by_scene(told, _bias),
        "**What breaks them**: false positives, one-sided at 0.05, with nothing happening. Then "
        "how often the placebo is below 0.05, how often the others' feeds seem to change, and the "
        "false positives of the borrowed base where it is still offered:",
        _broken(told),
    ]
    return "\n\n".join(blocks) + "\n"


def _by_scene(told: DesignTable, show: Callable[[DesignResult], str]) -> str:
    found = {(cell.scene, cell.design): cell for cell in told.cells}
    names = [rival.name for rival in RIVALS]
    rows = [
        [scene.name, *(show(found[scene.name, name]) for name in names)]
        for scene in SCENES
        if (scene.name, names[0]) in found
    ]
    return markdown(["", *names], rows)


def _broken(told: DesignTable) -> str:
    names = list(told.broken[0].false)
    head = ["", *names, "placebo", "change", "borrowed, offered", "what is done"]
    rows = [
        [
            case.name,
            *(rate_text(case.false[name], 3) for name in names),
            *(rate_text(value, 3) for value in (case.placebo, case.drift, case.offered)),
            case.remedy,
        ]
        for case in told.broken
    ]
    return markdown(head, rows)


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(3, *(len(row[i]) for row in [head, *rows])) for i in range(len(head))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in [head, ["-" * width for width in widths], *rows]
    ]
    return "\n".join(lines)


def rate_text(value: float, digits: int = 2) -> str:
    """A share, or a dash where there is none."""
    return "–" if math.isnan(value) else f"{value:.{digits}f}"


def _bias(cell: DesignResult) -> str:
    if math.isnan(cell.bias):
        return "–"
    if math.isnan(cell.truth):
        return f"{cell.bias:+.0f} % ± {cell.bias_error:.0f}"
    return f"{cell.bias:+.1f} ± {cell.bias_error:.1f} of {cell.truth:.1f}"
