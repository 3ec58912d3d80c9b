"""How long the analysis of many runs takes: reading them twice, and all that a report says.

The ledgers are made up from the example's own steps, so that reading them costs what real ones do.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import perf_counter

import numpy as np

from analysis.examples.study import write_example
from analysis.report.group_measures import measure as measure_report
from analysis.report.report_inputs import read_runs
from store.runs.data_folder import DataFolder
from store.runs.ledger import Ledger, read
from store.runs.ledger_lines import RunFinished, RunStarted, Windows

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
    data = DataFolder(folder / "many")
    paths = write_runs(data, runs, steps, tell)
    names = [path.parent.name for path in paths]
    times = Times(runs, steps)
    with times.stage("reading the ledgers, compacting them"):
        read_runs(data, paths, names, partial(_counted, "reading", tell))
    with times.stage("reading them again"):
        material = read_runs(data, paths, names)
    with times.stage("all that a report says, with its nulls"):
        measure_report(material, np.random.default_rng(0))
    return times


def _counted(what: str, tell: Tell, items: Sequence[Path]) -> Iterator[Path]:
    for done, item in enumerate(items):
        tell(what, done, len(items))
        yield item
    tell(what, len(items), len(items))


def write_runs(data: DataFolder, runs: int, steps: int, tell: Tell = lambda *_: None) -> list[Path]:
    """Write ledgers of treatment and passive runs by turns, for 25 personas; return their paths."""
    example = write_example(data.root.with_name(f"{data.root.name}-example"))
    source = next(run for run in map(read, example.ledgers()) if run.status == "complete")
    rng = np.random.default_rng(0)
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
    eligible = [step.model_dump(mode="json") for step in source.steps if step.eligible]
    for position, place in enumerate(rng.integers(len(eligible), size=steps)):
        step = eligible[place]
        video = step["video"] | {"id": f"v{position}", "batch": position // 12}
        phase = "before" if position < half else "after"
        changed = step | {"position": position, "phase": phase, "video": video}
        yield json.dumps(changed).encode() + b"\n"
    yield _line(RunFinished(at=started.at, steps=steps, eligible=steps))


def _line(record: RunStarted | RunFinished) -> bytes:
    return record.model_dump_json(by_alias=True).encode() + b"\n"
