"""Ledgers and tables made by hand for the tests of the analysis."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from analysis.data.exposures import RunInfo, Views, table
from analysis.statistics.intervals import binomial_p_value
from store.jsonl.base_record import Record
from store.runs import ledger
from store.runs.data_folder import DataFolder
from store.runs.ledger import Ledger
from store.runs.ledger_lines import (
    Fault,
    Judgement,
    Move,
    PersonaRecord,
    Reaction,
    RunFinished,
    RunStarted,
    Step,
    Video,
    Windows,
)
from store.runs.run_provenance import Provenance

NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)


TRAITS = ("I bake.", "I sing.", "I run.")


def started(run_id: str = "r1", persona: str | PersonaRecord = "p12", **changes: Any) -> RunStarted:
    if isinstance(persona, str):
        persona = PersonaRecord(id=persona, traits=TRAITS, source="test", licence="MIT")
    fields: dict[str, Any] = {
        "run_id": run_id,
        "at": NOON,
        "persona": persona,
        "platform": "playground",
        "strategy": "simple",
        "model": "scripted/test",
        "account": "a1",
        "windows": Windows(),
        "seed": 1,
        "config": {},
        "config_hash": "0",
        "prompts": {},
        "encoder": None,
        "driver": "playwright",
        "browser": "test",
        "viewport": (400, 800),
        "locale": "en-US",
        "provenance": Provenance(
            code_version="0", code_dirty=False, python="3.11", system="test", libraries={}
        ),
    }
    return RunStarted(**(fields | changes))


def step(position: int, phase: str, answer: str, **changes: Any) -> Step:
    """One step; ``answer`` is yes, no, or a reason why there is none."""
    given = answer in ("yes", "no")
    fields: dict[str, Any] = {
        "position": position,
        "at": NOON + timedelta(seconds=10 * position),
        "phase": phase,
        "video": Video(
            id=f"v{position}",
            duration_s=15.0,
            batch=position // 12,
            batch_requested_at=max(0, position // 12 * 12 - 4),
        ),
        "frames": (),
        "judgement": Judgement(
            **({"answer": answer} if given else {"answer": None, "missing": answer}),
            p_yes={"yes": 0.8, "no": 0.1}.get(answer),
            latency_s=0.5,
        ),
        "reaction": Reaction(
            action="stay" if answer == "yes" else "swipe",
            dwell_asked_s=10,
            dwell_s=10.0 if answer == "yes" else 1.0,
            exposure_s=0.2,
            held_s=0.5,
        ),
        "move": Move(action="key:ArrowDown", attempts=1, moved=1),
        "timings_ms": {"find": 12.0, "model": 500.0},
    }
    return Step(**(fields | changes))


def write(folder: Path, first: RunStarted, lines: Sequence[Record], finished: bool = True) -> Path:
    """Write a ledger into a data folder, and give its path."""
    path = folder / "runs" / first.run_id / "ledger.jsonl"
    path.parent.mkdir(parents=True)
    steps = [line for line in lines if isinstance(line, Step)]
    last = RunFinished(at=NOON, steps=len(steps), eligible=sum(line.eligible for line in steps))
    every = [first, *lines, *([last] if finished else [])]
    text = "".join(line.model_dump_json(by_alias=True) + "\n" for line in every)
    path.write_text(text, encoding="utf-8")
    return path


def paper_run(folder: Path, before: int, after: int, **changes: Any) -> Ledger:
    """A run of 50 and 50 videos with this many yes, spread evenly over each window."""
    answers = [*spread(before, 50), *spread(after, 50)]
    steps = [
        step(position, "before" if position < 50 else "after", answer)
        for position, answer in enumerate(answers)
    ]
    return ledger.read(write(folder, started(**changes), steps))


def spread(yes: int, n: int) -> list[str]:
    """n answers with the yes spread evenly."""
    return ["yes" if (i + 1) * yes // n > i * yes // n else "no" for i in range(n)]


def plausible(count: int, n: int, low: float, high: float) -> bool:
    """Whether a rate between these could have given the count: exact tests at 0.001.

    A right program fails this less than once in a thousand times, wherever in between it lies.
    """
    if count < low * n:
        return binomial_p_value(count, n, low) > 0.001
    return count <= high * n or binomial_p_value(count, n, high) > 0.001


def fault(position: int, name: str = "BrowserLost") -> Fault:
    return Fault(at=NOON, position=position, fault=name, message="gone", recovered=True)


def views(
    answers: Sequence[np.ndarray], before: int, infos: Sequence[RunInfo] | None = None
) -> Views:
    """A table with one run per array of answers (1, 0, -1), in batches of 12."""
    runs = infos or [RunInfo(f"r{i}", f"p{i:02d}") for i in range(len(answers))]
    rows = [
        (
            run,
            at,
            at // 12,
            max(0, at // 12 * 12 - 4),
            0 if at < before else 2,
            int(value),
            0 if value >= 0 else 1,
            0,
            np.nan,
            np.nan,
            1.0,
            15.0,
            0.1,
            f"v{at}",
            0,
        )
        for run, values in enumerate(answers)
        for at, value in enumerate(values)
    ]
    return table(runs, rows)


SITES, STRATEGIES = ("tiktok", "youtube", "instagram"), ("simple", "isq")
MODELS = ("openai/gpt_4o", "hfvlm/100%&co", "made/ü#1")


def crossed_study(folder: Path, name: str, personas: str = "ab") -> DataFolder:
    """A study of 18 groups, treatment runs only, in which rates differ from run to run."""
    cells = list(itertools.product(SITES, STRATEGIES, MODELS, personas))
    home = folder / "studies" / name
    home.mkdir(parents=True)
    declared = f'name = "{name}"\n[test]\nprimary = "paired"\n'
    (home / "study.toml").write_text(declared, encoding="utf-8")
    for number, (platform, strategy, model, persona) in enumerate(cells):
        paper_run(
            folder,
            8 + number % 7,
            11 + number % 11,
            run_id=f"{name}-{number:03d}",
            persona=persona,
            platform=platform,
            strategy=strategy,
            model=model,
            config={"study": name, "cell": f"{platform}/{strategy}/{model}/1/{persona}/treatment"},
        )
    return DataFolder(folder)
