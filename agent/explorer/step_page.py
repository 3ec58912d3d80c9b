"""The page of one step: what was seen, asked, answered and done, with the sources of each field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent.evaluation.rejudge import persona_of
from agent.explorer.address_numbers import read_whole
from agent.explorer.errors import NoSuchPage
from agent.explorer.film_strips import list_marks
from agent.explorer.run_pages import find_run
from agent.explorer.workbench import Workbench
from personas import strategies
from personas.errors import PersonaError
from personas.strategies import Order, Prompt
from store.api.run_reader import RunReader
from store.errors import StoreError
from store.runs.ledger import Ledger
from store.runs.ledger_lines import ObservedVideo, RunStarted, Step
from store.runs.rejudgements import (
    RejudgedAnswer,
    RejudgementHeader,
    judgement_files,
    read_judgements,
)

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

_NOT_SHOWN = frozenset({"sources", "id", "caption", "url"})


@dataclass(frozen=True)
class VideoField:
    """One field of a video as the site tells it, and where it was read."""

    name: str
    value: object
    source: str


@dataclass(frozen=True)
class LaterAnswer:
    """What a judge said about this step's frames later."""

    judge: RejudgementHeader
    answer: RejudgedAnswer


@dataclass(frozen=True)
class StepPage:
    """One video as it was seen, judged and reacted to."""

    run: RunReader
    started: RunStarted
    step: ObservedVideo
    before: int | None
    """Position of the step before, if there is one."""
    after: int | None
    prompt: Prompt | None
    """The question; ``None`` where this version does not know its wording."""
    later: tuple[LaterAnswer, ...]
    unreadable: tuple[str, ...]

    @property
    def closed(self) -> Step | None:
        """The step with its reaction; ``None`` while that is under way."""
        return self.step if isinstance(self.step, Step) else None

    @property
    def is_wording_the_same(self) -> bool:
        """Whether the prompt's file is the one that the run used."""
        return self.prompt is not None and self.prompt.sha256 in self.started.prompts.values()

    @property
    def marks(self) -> tuple[str, ...]:
        """What makes the feed or the answers other than a real site's."""
        return list_marks(self.started.platform, self.started.config, self.started.model)

    @property
    def fields(self) -> tuple[VideoField, ...]:
        """What the site tells of the video; what it does not tell is left out."""
        told = self.step.video.model_dump(mode="json")
        sources = self.step.video.sources
        return tuple(
            VideoField(name.replace("_", " "), _in_words(value), sources.get(name, ""))
            for name, value in told.items()
            if name not in _NOT_SHOWN and value not in (None, [], ())
        )


def _in_words(value: object) -> object:
    """Return a list of texts as one text; other values as they are."""
    return ", ".join(map(str, value)) if isinstance(value, list) else value


def make(bench: Workbench, parts: Mapping[str, Any], _: QueryParams) -> StepPage:
    """Read a step; raises ``NoSuchPage``, ``DamagedLedger``."""
    run = find_run(bench, parts["run"])
    kept = bench.read_ledger(run.path)
    positions = [step.position for step in kept.seen]
    position = read_whole(parts["position"])
    if position is None or position not in positions:
        raise NoSuchPage(f"Run {run.id} has no such video; it has {len(positions)}.")
    at = positions.index(position)
    later, unreadable = _later(run, position)
    return StepPage(
        run,
        kept.started,
        kept.seen[at],
        positions[at - 1] if at else None,
        positions[at + 1] if at + 1 < len(positions) else None,
        _build_prompt(kept),
        later,
        unreadable,
    )


def _build_prompt(kept: Ledger) -> Prompt | None:
    started = kept.started
    explain = started.config.get("explain") == "all"
    order: Order = (
        "picture-first" if started.config.get("order") == "picture-first" else "persona-first"
    )
    persona = persona_of(started.persona)
    try:
        return strategies.build(started.strategy, persona, explain=explain, order=order)
    except PersonaError:  # a strategy of another version
        return None


def _later(run: RunReader, position: int) -> tuple[tuple[LaterAnswer, ...], tuple[str, ...]]:
    """Return re-judgements of a step, and why files of others cannot be read."""
    found: list[LaterAnswer] = []
    problems: list[str] = []
    for path in judgement_files(run.path.parent):
        try:
            told = read_judgements(path)
        except StoreError as error:
            problems.append(str(error))
            continue
        found += [LaterAnswer(told.judge, one) for one in told.asked if one.position == position]
    return tuple(found), tuple(problems)
