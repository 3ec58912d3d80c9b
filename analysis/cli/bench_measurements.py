"""How long the analysis of many runs takes: reading, the table, I_avg, summaries, the study.

The ledgers are made up from the example's own steps, so that reading them costs what real ones do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import TypeVar

import numpy as np

from analysis.data.exposures import from_ledgers
from analysis.estimators.iavg import iavg
from analysis.estimators.one_run import summarise
from analysis.estimators.study_results import study
from analysis.examples.study import write_example
from store.runs.data_folder import DataFolder
from store.runs.ledger import Ledger, read
from store.runs.ledger_lines import RunFinished, RunStarted, Step, Windows

T = TypeVar("T")
PERSONAS = 25
ARMS = ("treatment", "passive")
Tell = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and how much there is."""


@dataclass
class Times:
    """Seconds of wall time by stage."""

    runs: int
    steps: int  # of each run
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def total(self) -> float:
        return sum(self.seconds.values())

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        started = perf_counter()
        yield
        self.seconds[name] = perf_counter() - started


def measure(folder: Path, runs: int, steps: int, tell: Tell) -> Times:
    paths = _write(folder, runs, steps, tell)
    rng = np.random.default_rng(0)
    times = Times(runs, steps)
    with times.stage("reading the ledgers"):
        ledgers = [read(path) for path in _counted("reading", paths, tell)]
    with times.stage("putting the views in a table"):
        views = from_ledgers(ledgers)
    with times.stage("I_avg with its null"):
        iavg(views, rng)
    with times.stage("the study: arms, contrasts, tests"):
        study(views, rng)
    with times.stage("a summary of every run"):
        for ledger in _counted("summaries", ledgers, tell):
            summarise(ledger, rng)
    return times


def _counted(what: str, items: list[T], tell: Tell) -> Iterator[T]:
    for done, item in enumerate(items):
        tell(what, done, len(items))
        yield item
    tell(what, len(items), len(items))


def _write(folder: Path, runs: int, steps: int, tell: Tell) -> list[Path]:
    example = write_example(folder / "example")
    source = next(run for run in map(read, example.ledgers()) if run.status == "complete")
    rng = np.random.default_rng(0)
    data = DataFolder(folder / "many")
    paths = []
    for number in range(runs):
        tell("writing", number, runs)
        path = data.ledger_path(f"run-{number:05d}")
        path.parent.mkdir(parents=True)
        path.write_bytes(b"".join(_lines(source, number, steps, rng)))
        paths.append(path)
    return paths


def _lines(source: Ledger, number: int, steps: int, rng: np.random.Generator) -> Iterator[bytes]:
    half = steps // 2
    cell, arm = divmod(number, len(ARMS))
    replicate, persona = divmod(cell, PERSONAS)
    started = source.started
    config = {**started.config, "replicate": replicate + 1}
    yield _line(
        started.model_copy(
            update={
                "run_id": f"run-{number:05d}",
                "account": f"account-{number}",
                "arm": ARMS[arm],
                "persona": started.persona.model_copy(update={"id": f"b{persona:02d}"}),
                "windows": Windows(before=half, after=steps - half),
                "config": config,
            }
        )
    )
    eligible = [step for step in source.steps if step.eligible]
    for position, place in enumerate(rng.integers(len(eligible), size=steps)):
        step = eligible[place]
        video = step.video.model_copy(update={"id": f"v{position}", "batch": position // 12})
        phase = "before" if position < half else "after"
        yield _line(step.model_copy(update={"position": position, "phase": phase, "video": video}))
    yield _line(RunFinished(at=started.at, steps=steps, eligible=steps))


def _line(record: RunStarted | Step | RunFinished) -> bytes:
    return record.model_dump_json(by_alias=True).encode() + b"\n"
