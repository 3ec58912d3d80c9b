"""What people's labels say, as text for a person at a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from analysis.estimators.judge_against_people import JudgeReport
from analysis.estimators.people_results import PeopleResult
from analysis.estimators.peoples_sway import PeoplesSway
from analysis.statistics.estimate import Estimate
from analysis.terminal.run_text import estimate_text
from analysis.terminal.runs_table import columns, number
from store.terminal.printing import count_of, share_text


class MatrixLine(Protocol):
    """The specific sway as a person would find it."""

    @property
    def judge(self) -> str: ...
    @property
    def estimate(self) -> Estimate | None: ...
    @property
    def refused(self) -> str: ...


class LabelledGroup(Protocol):
    """One platform, strategy and model, with what people say of it."""

    @property
    def platform(self) -> str: ...
    @property
    def strategy(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def draws(self) -> Sequence[PeopleResult]: ...
    @property
    def matrices(self) -> Sequence[MatrixLine]: ...


def labels_text(groups: Sequence[LabelledGroup]) -> str:
    blocks = []
    for group in groups:
        blocks.append(f"{group.platform}, {group.strategy}, {group.model}")
        blocks += ["\n".join(_draw(draw)) for draw in group.draws]
        if group.matrices:
            blocks.append("\n".join(_matrices(group.matrices)))
    return "\n\n".join(blocks) + "\n"


def _draw(told: PeopleResult) -> list[str]:
    strata = "own and others' questions" if told.everyone else " and ".join(told.strata)
    lines = [
        f"{told.draw}: {told.labelled} of {count_of(told.questions, 'question')} answered, "
        f"drawn by {strata}"
    ]
    lines += [
        f"  {one.name}: {count_of(one.labelled, 'label')}, {one.unsure} cannot tell"
        for one in told.people
    ]
    if told.chanceless:
        lines.append(
            f"  {count_of(told.chanceless, 'video')} had no chance of being drawn: they came "
            "later, or had no picture"
        )
    if not told.labelled:
        return lines
    lines += _agreement(told)
    for judge in told.judges:
        lines += ["", *_judge(judge)]
    for sway in told.sways:
        lines += ["", *_sway(sway)]
    return lines


def _agreement(told: PeopleResult) -> list[str]:
    agreed = told.agreement
    if len(agreed.people) < 2:
        return []
    lines = [
        "",
        f"agreement on {count_of(agreed.shared, 'question')}; they differ on {agreed.differ} and "
        f"tie on {agreed.ties}, which count as missing",
        f"  Krippendorff's alpha {plain_text(agreed.alpha)}",
    ]
    lines += [
        f"  Cohen's kappa of {pair.first} and {pair.second} {plain_text(pair.kappa)}; "
        f"{share_text(pair.equal, 1)} % of {pair.questions} equal"
        for pair in agreed.pairs
        if pair.questions
    ]
    return lines


def _judge(told: JudgeReport) -> list[str]:
    rows = [
        (
            one.part,
            str(one.questions),
            number(one.people_yes, ".1f"),
            number(one.judge_yes, ".1f"),
            _range(one.balanced, ".1f"),
            _range(one.kappa, ".2f"),
        )
        for one in told.parts
    ]
    head = ("", "questions", "people yes %", "judge yes %", "balanced accuracy %", "kappa")
    return [
        f"{told.judge}, against people",
        columns(head, rows),
        f"  left out: {told.silent} without an answer of the judge, {told.undecided} on which "
        "people could not tell or tied",
    ]


def _sway(told: PeoplesSway) -> list[str]:
    left_out = [
        f"  left out, {one.why}: {count_of(len(one.runs), 'run')} ({', '.join(one.runs)})"
        for one in told.left_out
    ]
    if not told.sway.exists:
        none = f"sway as people would find it, {told.arm}: none, since {told.sway.reason}"
        return [none, *left_out]
    low, high = told.bounds
    return [
        f"sway as people would find it in all videos, {told.arm}: {estimate_text(told.sway)}",
        f"  of {count_of(told.labels, 'label')} alone {estimate_text(told.alone)}",
        f"  of the judge alone {number(told.judge, '+.1f')} pp, taken over by {told.tuning:.2f}",
        f"  bounds for missing answers: {number(low)} to {number(high)} pp",
        *left_out,
        *_unjudged(told),
    ]


def _unjudged(told: PeoplesSway) -> list[str]:
    if not told.unjudged:
        return []
    runs = f"{count_of(len(told.unjudged), 'run')} ({', '.join(told.unjudged)})"
    return [f"  not in that of the judge, which answered nothing in a window: {runs}"]


def _matrices(told: Sequence[MatrixLine]) -> list[str]:
    lines = ["specific sway as a person would find it in all videos"]
    for one in told:
        text = one.refused if one.estimate is None else estimate_text(one.estimate)
        lines.append(f"  {one.judge}: {text}")
    return lines


def plain_text(told: Estimate) -> str:
    """A coefficient with its interval, or the reason why there is none."""
    if not told.exists:
        return f"none: {told.reason}"
    if not told.bounded:
        return f"{told.value:.2f} (no interval: {told.reason})"
    return f"{told.value:.2f} ({told.level:.0%} interval {told.low:.2f} to {told.high:.2f})"


def _range(told: Estimate, pattern: str) -> str:
    if not told.exists:
        return "-"
    value = format(told.value, pattern)
    if not told.bounded:
        return value
    return f"{value} ({format(told.low, pattern)} to {format(told.high, pattern)})"
