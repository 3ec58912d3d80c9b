"""The columns of a table of steps and of one of re-judgements: what each is, and where it is read.

``docs/notebooks.md`` shows them as a table, which a test compares with this file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from store.runs.ledger import Ledger
from store.runs.ledger_lines import RunStarted, Step
from store.runs.rejudgements import Judgements, RejudgedAnswer, RejudgementHeader

Kind = Literal["text", "texts", "whole", "number", "flag", "time"]
"""Of a column: ``texts`` is a list of them, ``flag`` true or false, ``time`` in UTC."""


@dataclass(frozen=True)
class TableColumn:
    """A column of a table, as it is documented."""

    name: str
    kind: Kind
    unit: str
    """``s`` for seconds; empty where there is none."""
    meaning: str


@dataclass(frozen=True)
class StepColumn(TableColumn):
    """A column of steps, and how a cell is read."""

    read: Callable[[RunStarted, Step], Any]


@dataclass(frozen=True)
class RejudgementColumn(TableColumn):
    """A column of re-judgements, and how a cell is read."""

    read: Callable[[RejudgementHeader, RejudgedAnswer], Any]


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) else None


_S = StepColumn
STEP_COLUMNS: tuple[StepColumn, ...] = (
    _S("run", "text", "", "id of the run", lambda run, _: run.run_id),
    _S("study", "text", "", "the study that it belongs to", lambda run, _: run.study),
    _S("persona", "text", "", "who watched", lambda run, _: run.persona.id),
    _S(
        "persona_traits",
        "text",
        "",
        "hash of its traits: two personas may share an id",
        lambda run, _: run.persona.traits_hash,
    ),
    _S("platform", "text", "", "the site", lambda run, _: run.platform),
    _S("arm", "text", "", "treatment, yoked or passive", lambda run, _: run.arm),
    _S("strategy", "text", "", "how the persona was put", lambda run, _: run.strategy),
    _S("model", "text", "", "who judged", lambda run, _: run.model),
    _S(
        "replicate",
        "whole",
        "",
        "pairs treatment and control runs of a persona",
        lambda run, _: _whole(run.config.get("replicate")),
    ),
    _S("account", "text", "", "the account's slot", lambda run, _: run.account),
    _S("position", "whole", "", "place in the run, from 0", lambda _, step: step.position),
    _S("at", "time", "UTC", "when it was seen", lambda _, step: step.at),
    _S("phase", "text", "", "before, adapt or after", lambda _, step: step.phase),
    _S("video", "text", "", "the platform's id", lambda _, step: step.video.id),
    _S("url", "text", "", "its address", lambda _, step: step.video.url),
    _S("author", "text", "", "handle of its creator", lambda _, step: step.video.author),
    _S("caption", "text", "", "the platform's words", lambda _, step: step.video.caption),
    _S("hashtags", "texts", "", "its hashtags", lambda _, step: list(step.video.hashtags)),
    _S("duration_s", "number", "s", "length of the video", lambda _, step: step.video.duration_s),
    _S("likes", "whole", "", "as the site counts", lambda _, step: step.video.likes),
    _S("views", "whole", "", "as the site counts", lambda _, step: step.video.views),
    _S("ad", "flag", "", "whether it is an advertisement", lambda _, step: step.video.ad),
    _S("batch", "whole", "", "response that brought it", lambda _, step: step.video.batch),
    _S("answer", "text", "", "yes or no; else missing", lambda _, s: s.judgement.answer),
    _S("missing", "text", "", "why there is no answer", lambda _, s: s.judgement.missing),
    _S("p_yes", "number", "0 to 1", "probability of yes", lambda _, s: s.judgement.p_yes),
    _S("score", "number", "0 to 100", "S% of the strategy isq", lambda _, s: s.judgement.score),
    _S("reason", "text", "", "the judge's reason", lambda _, s: s.judgement.reason),
    _S("latency_s", "number", "s", "time to judge", lambda _, s: s.judgement.latency_s),
    _S("excluded", "text", "", "why it does not count", lambda _, step: step.excluded),
    _S("repeat", "text", "", "where it was shown before", lambda _, step: step.repeat),
    _S("action", "text", "", "stay or swipe", lambda _, step: step.reaction.action),
    _S("liked", "flag", "", "whether it was liked", lambda _, step: step.reaction.liked),
    _S("dwell_asked_s", "number", "s", "dwell asked for", lambda _, s: s.reaction.dwell_asked_s),
    _S("dwell_s", "number", "s", "dwell delivered", lambda _, step: step.reaction.dwell_s),
    _S(
        "frames",
        "texts",
        "",
        "SHA-256 of its frames, in order",
        lambda _, step: [frame.sha256 for frame in step.frames],
    ),
)
"""In order; texts of the feed and of models are cleaned, and stay text."""

_R = RejudgementColumn
REJUDGEMENT_COLUMNS: tuple[RejudgementColumn, ...] = (
    _R("run", "text", "", "id of the run", lambda judge, _: judge.run_id),
    _R("position", "whole", "", "of the step in its run", lambda _, said: said.position),
    _R("frame", "text", "", "SHA-256 of the frame", lambda _, said: said.frame),
    _R("judge_model", "text", "", "who was asked", lambda judge, _: judge.model),
    _R("judge_strategy", "text", "", "how the persona was put", lambda judge, _: judge.strategy),
    _R("judge_manner", "text", "", "other settings", lambda judge, _: judge.manner),
    _R("judge_seed", "whole", "", "seed of the order", lambda judge, _: judge.seed),
    _R("persona", "text", "", "whom the judge was to be", lambda _, said: said.persona),
    _R("persona_traits", "text", "", "hash of its traits", lambda _, said: said.traits or None),
    _R("mirrored", "flag", "", "whether the opposite was asked", lambda _, said: said.mirrored),
    _R("repeat", "whole", "", "which time, from 0", lambda _, said: said.repeat),
    _R("paraphrase", "whole", "", "which wording, from 0", lambda _, said: said.paraphrase),
    _R("answer", "text", "", "as given: yes or no", lambda _, said: said.judgement.answer),
    _R("missing", "text", "", "why there is no answer", lambda _, said: said.judgement.missing),
    _R("p_yes", "number", "0 to 1", "probability of yes", lambda _, s: s.judgement.p_yes),
)


def step_rows(ledgers: Iterable[Ledger]) -> Iterator[tuple[Any, ...]]:
    """Yield a row of ``STEP_COLUMNS`` for each step, in the order of the runs."""
    for read in ledgers:
        for step in read.steps:
            yield tuple(column.read(read.started, step) for column in STEP_COLUMNS)


def rejudgement_rows(files: Iterable[Judgements]) -> Iterator[tuple[Any, ...]]:
    """Yield a row of ``REJUDGEMENT_COLUMNS`` for each question, as it was answered last."""
    for file in files:
        for said in file.asked:
            yield tuple(column.read(file.judge, said) for column in REJUDGEMENT_COLUMNS)
