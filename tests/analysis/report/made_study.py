"""Made-up studies in which nothing happens, as ledgers, a draw and re-judgements.

They can be written by the store's own writers, or be held in memory, where the report's own
functions read them. Both give the same material.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any, Literal
from unittest.mock import patch

import numpy as np

from analysis.report import ledger_rows, report_inputs
from analysis.report.declared_study import Planned, PrimaryTest, StudyFile
from analysis.report.report_inputs import Material, read_study
from store.jsonl.atomic import write_whole
from store.jsonl.base_record import Record
from store.runs import ledger
from store.runs.data_folder import DataFolder
from store.runs.ledger import Ledger, LedgerLine, LedgerStream, LedgerWriter, RunSummary
from store.runs.ledger_lines import (
    Frame,
    Judgement,
    Reaction,
    RunFinished,
    RunStarted,
    Step,
    Video,
    Windows,
)
from store.runs.ledger_site_lines import SiteCheck
from store.runs.rejudgements import (
    Judgements,
    JudgementWriter,
    RejudgedAnswer,
    RejudgementHeader,
)
from tests.analysis import made_results

STUDY, PLATFORM, STRATEGY, MODEL = "broken", "playground", "simple", "scripted/test"
BATCH = 6
_REACTION = Reaction(action="swipe", dwell_asked_s=2.0, dwell_s=2.0, exposure_s=0.3, held_s=0.2)
_FRAME = Frame(
    sha256="0" * 64, width=1, height=1, time_s=1.0, phash="0" * 16, quality="ok", retakes=0
)
_ANSWERS: dict[int, Literal["yes", "no"]] = {1: "yes", 0: "no"}


@dataclass(eq=False)
class MadeRun:
    """One run: what the acting judge answered, and what the blind one did as each persona.

    ``acting``: shape ``(V,)``; ``blind``: ``(K, V)``, in the order of the study's personas. 1, 0,
    or -1 for a refusal.
    """

    persona: str
    arm: str
    slot: int
    at: datetime
    acting: np.ndarray
    blind: np.ndarray
    block: int = 1
    account: str = ""
    replicate: int = 1
    attempt: int = 1
    cut: int | None = None  # videos after which it ended early
    fingerprint: str | None = None
    served_after: str | None = None  # what has answered in the after window, if it was another
    excluded: frozenset[int] = frozenset()
    videos: tuple[str, ...] = ()
    judged_again: bool = True
    disputed: bool = False
    study: str | None = STUDY

    @property
    def run_id(self) -> str:
        return f"{self.persona}-{self.arm}-{self.attempt}"

    @property
    def cell(self) -> str:
        return f"{PLATFORM}/{STRATEGY}/{MODEL}/{self.replicate}/{self.persona}/{self.arm}"


@dataclass(eq=False)
class MadeStudy:
    """A study file, a draw and runs."""

    windows: Windows
    primary: str
    runs: list[MadeRun]
    sides: str = "one"
    draws: list[dict[str, Any]] | None = None  # ``None``: nobody drew
    personas: tuple[str, ...] = ()
    sittings: int = 1  # sittings of the re-judging that cannot be told apart
    second_judge: np.random.Generator | None = None  # asks all again, by another judge's name
    extra: list[MadeRun] = field(default_factory=list)  # runs that belong to no study

    def file(self) -> str:
        return f'name = "{STUDY}"\n[test]\nprimary = "{self.primary}"\nsides = "{self.sides}"\n'


def started(study: MadeStudy, run: MadeRun) -> RunStarted:
    config = {"cell": run.cell, "replicate": run.replicate, "block": run.block}
    if run.study is not None:
        config["study"] = run.study
    return made_results.started(
        run.run_id,
        run.persona,
        at=run.at,
        arm=run.arm,
        account=run.account or f"slot{run.slot:03d}-{run.arm}-r{run.replicate}",
        windows=study.windows,
        config=config,
        fingerprint=run.fingerprint,
    )


@lru_cache
def _defaults(kind: type[Record]) -> dict[str, Any]:
    return {
        name: one.get_default(call_default_factory=True)
        for name, one in kind.model_fields.items()
        if not one.is_required()
    }


def _unchecked(kind: type[Record], **fields: Any) -> Any:
    """A record without pydantic's checks, for studies by the thousand; `write` checks its like."""
    made = kind.__new__(kind)
    object.__setattr__(made, "__dict__", _defaults(kind) | fields)
    object.__setattr__(made, "__pydantic_fields_set__", set(fields))
    object.__setattr__(made, "__pydantic_extra__", None)
    object.__setattr__(made, "__pydantic_private__", None)
    return made


def steps(study: MadeStudy, run: MadeRun) -> list[Step]:
    """Steps in order; an excluded video takes no place in a window."""
    found: list[Step] = []
    eligible = 0
    for position, answer in enumerate(run.acting.tolist()):
        if len(found) == run.cut or eligible == study.windows.total:
            break
        phase = study.windows.phase(eligible)
        batch = position // BATCH
        name = run.videos[position] if run.videos else f"{run.run_id}-{position}"
        found.append(
            _unchecked(
                Step,
                position=position,
                at=run.at + timedelta(seconds=5 * position),
                phase=phase,
                video=_unchecked(
                    Video,
                    id=name,
                    duration_s=15.0,
                    batch=batch,
                    batch_requested_at=max(0, batch * BATCH - 2),
                    hashtags=(),
                    sources={},
                ),
                frames=(_FRAME,),
                repeat=None,
                excluded="ad" if position in run.excluded else None,
                judgement=_judgement(answer, run.served_after if phase == "after" else None),
                reaction=_REACTION,
                move=None,
                timings_ms={},
            )
        )
        eligible += position not in run.excluded
    return found


@lru_cache
def _judgement(answer: int, served: str | None = None) -> Judgement:
    said = _ANSWERS.get(answer)
    fields = {"answer": said, "missing": None if said else "refused", "served": served or "one"}
    return Judgement.model_validate(fields)


def ledger_of(study: MadeStudy, run: MadeRun, path: Path) -> Ledger:
    made = tuple(steps(study, run))
    ended = None
    if run.cut is None:
        counted = sum(step.eligible for step in made)
        ended = RunFinished(at=run.at, steps=len(made), eligible=counted)
    checks: tuple[SiteCheck, ...] = ()
    if run.disputed:
        seen = SiteCheck(
            at=run.at, position=len(made), compared=len(made), furthest_s=0.0, unrecorded=(1,)
        )
        checks = (seen,)
    return Ledger(path, started(study, run), (), made, (), ended, 0, checks=checks)


def headers(study: MadeStudy, run: MadeRun, seed: int = 1) -> list[RejudgementHeader]:
    one = RejudgementHeader(
        run_id=run.run_id,
        model=MODEL,
        strategy=STRATEGY,
        prompts={},
        seed=seed,
        at=run.at + timedelta(days=seed),
        code_version="0",
    )
    return [one] * study.sittings


def answers(study: MadeStudy, run: MadeRun, made: Sequence[Step]) -> list[RejudgedAnswer]:
    """Every persona about every eligible frame outside the adapt window."""
    asked = [step for step in made if step.eligible and step.phase != "adapt"]
    judged = {value: _judgement(value) for value in (1, 0, -1)}
    return [
        _unchecked(
            RejudgedAnswer,
            persona=persona,
            traits="",
            position=step.position,
            frame=_FRAME.sha256,
            mirrored=False,
            repeat=0,
            paraphrase=0,
            judgement=judged[int(run.blind[place, step.position])],
        )
        for place, persona in enumerate(study.personas)
        for step in asked
    ]


def write(study: MadeStudy, folder: Path) -> DataFolder:
    """Write the study by the store's own writers."""
    data = DataFolder(folder)
    home = data.studies_dir / STUDY
    write_whole(home / "study.toml", study.file().encode(), sync=False)
    if study.draws is not None:
        write_whole(home / "draws.json", json.dumps(study.draws).encode(), sync=False)
    for run in (*study.runs, *study.extra):
        path = data.ledger_path(run.run_id)
        whole = ledger_of(study, run, path)
        with LedgerWriter(path, fsync=False) as writer:
            for line in _lines(whole):
                writer.append(line)
        if run.arm == "treatment" and run.judged_again and run in study.runs:
            _write_answers(study, run, whole.steps, path.parent)
    return data


def _lines(whole: Ledger) -> list[LedgerLine]:
    ended = [] if whole.finished is None else [whole.finished]
    return [whole.started, *whole.steps, *whole.checks, *ended]


def _write_answers(study: MadeStudy, run: MadeRun, made: Sequence[Step], folder: Path) -> None:
    lines = answers(study, run, made)
    many = headers(study, run)
    size = -(-len(lines) // len(many))
    for number, header in enumerate(many):
        with JudgementWriter(header.path(folder), header) as writer:
            writer.append(lines[number * size : (number + 1) * size])


def read_in_memory(study: MadeStudy) -> Material:
    """Read the study as the report does, with files that are held in memory."""
    with _in_memory(study) as data:
        return read_study(data, STUDY)


class _Kept(DataFolder):
    """A data folder whose runs are listed from memory."""

    def runs(self) -> list[RunSummary]:
        return _SUMMARIES


_SUMMARIES: list[RunSummary] = []


class _KeptStream(LedgerStream):
    """A ledger whose lines are given from memory."""

    def __init__(self, whole: Ledger) -> None:
        super().__init__(whole.path, BytesIO())
        self._lines = _lines(whole)

    def as_they_stand(self) -> Iterator[LedgerLine]:
        return iter(self._lines)


@contextmanager
def _in_memory(study: MadeStudy) -> Iterator[DataFolder]:
    data = _Kept(Path("nowhere"))
    runs = sorted((*study.runs, *study.extra), key=lambda run: (run.at, run.run_id))
    whole = {
        data.ledger_path(run.run_id): ledger_of(study, run, data.ledger_path(run.run_id))
        for run in runs
    }
    _SUMMARIES[:] = [
        RunSummary(path.parent.name, path, one.status, len(one.steps), one.started)
        for path, one in whole.items()
    ]
    again = {
        data.ledger_path(run.run_id).parent: _judgements(
            study, run, whole[data.ledger_path(run.run_id)].steps
        )
        for run in study.runs
        if run.arm == "treatment" and run.judged_again and study.primary != "controlled"
    }
    declared = StudyFile(
        STUDY,
        {},
        PrimaryTest(study.primary, study.sides),
        tuple(Planned(**cell) for cell in study.draws or ()),
    )

    def open_kept(path: Path) -> AbstractContextManager[LedgerStream]:
        return nullcontext(_KeptStream(whole[path]))

    with (
        patch.object(report_inputs, "read_looked_at", lambda *_: declared),
        patch.object(ledger, "open_stream", open_kept),
        patch.object(ledger_rows, "open_stream", open_kept),
        patch.object(
            ledger,
            "summarise",
            {one.path: one for one in _SUMMARIES}.get,
        ),
        patch.object(report_inputs, "_rejudged", lambda folder: again.get(folder, ())),
    ):
        yield data


def _judgements(study: MadeStudy, run: MadeRun, made: Sequence[Step]) -> tuple[Judgements, ...]:
    first = Judgements(
        Path("nowhere"), tuple(headers(study, run)), tuple(answers(study, run, made)), 0
    )
    if study.second_judge is None:
        return (first,)
    rng = study.second_judge
    other = tuple(
        line.model_copy(
            update={"judgement": _judgement((line.judgement.answer == "yes") ^ bool(flip))}
        )
        for line, flip in zip(first.lines, rng.random(len(first.lines)) < 0.35, strict=True)
    )
    return first, Judgements(Path("nowhere"), tuple(headers(study, run, seed=2)), other, 0)


def draw_of(runs: Sequence[MadeRun]) -> list[dict[str, Any]]:
    """The draw that gave these runs their slots; an attempt more is no cell more."""
    return [
        {
            "platform": PLATFORM,
            "strategy": STRATEGY,
            "model": MODEL,
            "replicate": run.replicate,
            "persona": run.persona,
            "arm": run.arm,
            "slot": run.slot,
            "block": run.block,
            "turn": 0 if run.arm == "treatment" else 1,
        }
        for run in runs
        if run.attempt == 1
    ]
