"""The page of two film strips side by side, and what may stand beside a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent.explorer.address_numbers import read_whole
from agent.explorer.errors import NoSuchPage
from agent.explorer.film_strips import (
    StripAddress,
    StripPair,
    list_later_strips,
    read_pair,
    tell_judge,
)
from agent.explorer.workbench import Workbench
from store.runs.data_folder import DataFolder
from store.runs.ledger_lines import RunStarted
from store.runs.rejudgements import RejudgementHeader

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

_MOST = 300
"""Runs that are offered; the address takes any."""


@dataclass(frozen=True)
class StripChoice:
    """A strip that can be chosen, in words."""

    value: str
    label: str


@dataclass(frozen=True)
class StripChoices:
    """Strips of one kind."""

    title: str
    choices: tuple[StripChoice, ...]


@dataclass(frozen=True)
class PairPage:
    """The two strips, if there are two, and what else could be chosen."""

    a: str
    b: str
    pair: StripPair | None
    first: tuple[StripChoices, ...]
    second: tuple[StripChoices, ...]
    at: int
    """Position that is shown large."""


def make(bench: Workbench, _: Mapping[str, Any], query: QueryParams) -> PairPage:
    """Read the two strips that an address names; of one alone the nearest stands beside it."""
    runs = [note.started for note in bench.catalogue.runs]
    a, b = query.get("a", ""), query.get("b", "")
    if not a and runs:
        a = runs[0].run_id
    if not a:
        return PairPage("", "", None, (), (), 0)
    first = _list_first(bench.data, runs, a)
    second = list_near(bench.data, runs, StripAddress.read(a))
    if not b:
        b = next((one.value for group in second for one in group.choices), "")
    if not b:
        return PairPage(a, "", None, first, (), 0)
    pair = read_pair(bench.data, StripAddress.read(a), StripAddress.read(b))
    if not pair.positions:
        raise NoSuchPage("Neither run has a video yet.")
    asked = query.get("at", "")
    at = read_whole(asked)
    if at not in pair.positions:
        at = pair.positions[0]
    return PairPage(a, b, pair, _with(first, a, pair.a.title), _with(second, b, pair.b.title), at)


def list_near(
    data: DataFolder, runs: Sequence[RunStarted], a: StripAddress
) -> tuple[StripChoices, ...]:
    """Return what may stand beside a strip, the nearest kinds first.

    First what was said of the same frames, then runs of the same study and replicate with another
    persona or arm, then the rest of the study, then all others.
    """
    own = next((run for run in runs if run.run_id == a.run), None)
    same = [
        StripChoice(str(address), f"{tell_judge(judge, address.persona)}: {_judge(judge)}")
        for address, judge in list_later_strips(data, a.run)
        if address != a
    ]
    if a.judge:
        same.insert(0, StripChoice(a.run, "the acting judge"))
    near: list[RunStarted] = []
    study: list[RunStarted] = []
    others: list[RunStarted] = []
    for run in runs:
        if run.run_id == a.run:
            continue
        if own is None or own.study is None or run.study != own.study:
            others.append(run)
        else:
            (near if _is_near(own, run) else study).append(run)
    near.sort(key=lambda run: _count_differences(own, run))
    found = (
        ("Same study, same replicate", _choices(near)),
        ("The same frames, judged again", same),
        ("Same study", _choices(study)),
        ("Other runs", _choices(others)),
    )
    return tuple(StripChoices(title, tuple(some)) for title, some in found if some)


def _count_differences(one: RunStarted | None, other: RunStarted) -> int:
    """Count what two near runs differ in: persona, arm, or both."""
    if one is None:
        return 0
    return (one.persona.identity != other.persona.identity) + (one.arm != other.arm)


def _choices(runs: Sequence[RunStarted]) -> list[StripChoice]:
    return [_choice(run) for run in runs[:_MOST]]


def _is_near(one: RunStarted, other: RunStarted) -> bool:
    """Whether two runs of a study differ in persona or arm alone."""
    return all(
        mine == theirs
        for mine, theirs in (
            (one.config.get("replicate"), other.config.get("replicate")),
            (one.platform, other.platform),
            (one.strategy, other.strategy),
            (one.model, other.model),
        )
    )


def _list_first(data: DataFolder, runs: Sequence[RunStarted], a: str) -> tuple[StripChoices, ...]:
    of = StripAddress.read(a).run
    later = [
        StripChoice(str(address), f"{tell_judge(judge, address.persona)}: {_judge(judge)}")
        for address, judge in list_later_strips(data, of)
    ]
    groups = (
        ("Runs", _choices(runs)),
        ("The same frames, judged again", later),
    )
    return tuple(StripChoices(title, tuple(some)) for title, some in groups if some)


def _with(groups: tuple[StripChoices, ...], value: str, label: str) -> tuple[StripChoices, ...]:
    """Return the choices with one that is shown, where it is not among them."""
    if any(one.value == value for group in groups for one in group.choices):
        return groups
    return (StripChoices("Shown", (StripChoice(value, label),)), *groups)


def _choice(run: RunStarted) -> StripChoice:
    replicate = run.config.get("replicate")
    which = f" {replicate}" if isinstance(replicate, int) and run.study else ""
    of = run.study or run.platform
    label = f"{run.persona.id}, {run.arm}{which} · {of}, {run.at:%m-%d %H:%M}"
    return StripChoice(run.run_id, label)


def _judge(judge: RejudgementHeader) -> str:
    return f"{judge.strategy}, {judge.model}"
