"""How every study of a data folder stands: cells, runs and report, as files and ledgers tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from agent.errors import AgentError
from agent.study.matrix import read_draws
from agent.study.preparation import DRAWS, FILE
from agent.study.study_file import Primary, load_study
from store.errors import StoreError
from store.jsonl.locks import holder
from store.jsonl.paths import is_name
from store.runs.data_folder import DataFolder
from store.runs.ledger import RunSummary
from store.runs.study_looks import read_looks

QUESTIONS: Mapping[Primary, str] = {
    "matrix": "Does each feed suit its own persona more than the others' feeds do?",
    "controlled": "Does the share of yes rise more than in the control arm?",
    "paired": "Does the share of yes rise from before to after?",
    "borrowed": "Does each feed suit its persona more than a shrinkage baseline says?",
}
"""What the declared test asks, by its name."""
StudyState = Literal["not begun", "running", "interrupted", "complete", "damaged"]
REPORT = Path("report", "index.html")


@dataclass(frozen=True)
class ListedStudy:
    """One study as a list shows it."""

    name: str
    state: StudyState
    cells: int = 0
    done: int = 0
    question: str = ""
    started: datetime | None = None
    """When its first run was."""
    report: Path | None = None
    problem: str = ""
    """Why it is damaged."""


def list_studies(data: DataFolder) -> list[ListedStudy]:
    """Return every study, those without a run first, then by their first run."""
    runs: dict[str, dict[str, RunSummary]] = {}
    first: dict[str, datetime] = {}
    for run in data.runs():  # by start: a cell's newest run is the one that counts
        if run.started is not None and (study := run.started.config.get("study")):
            runs.setdefault(str(study), {})[str(run.started.config.get("cell"))] = run
            first.setdefault(str(study), run.started.at)
    folders = sorted(path.parent for path in data.studies_dir.glob(f"*/{FILE}"))
    found = [
        _read_study(folder, runs.get(folder.name, {}), first.get(folder.name))
        for folder in folders
        if is_name(folder.name)
    ]
    return sorted(found, key=lambda one: (one.started is not None, one.started, one.name))


def _read_study(
    folder: Path, runs: Mapping[str, RunSummary], started: datetime | None
) -> ListedStudy:
    report = folder / REPORT
    there = report if report.is_file() else None
    try:
        declared = load_study(folder / FILE)
        keys = {cell.key for cell in read_draws(folder / DRAWS)}
        looks = read_looks(folder)
    except (AgentError, StoreError, OSError) as error:
        return ListedStudy(
            folder.name, "damaged", started=started, report=there, problem=f"{error}"
        )
    done = sum(1 for key in keys if key in runs and runs[key].status == "complete")
    finished = 0 < len(keys) == done
    if declared.test.looks == "replicates":
        finished = bool(looks) and (looks[-1].stands or len(looks) == declared.matrix.replicates)
    return ListedStudy(
        folder.name,
        _find_state(folder, begun=bool(runs), finished=finished),
        len(keys),
        done,
        QUESTIONS[declared.test.primary],
        started,
        there,
    )


def _find_state(folder: Path, *, begun: bool, finished: bool) -> StudyState:
    if holder(folder / ".lock"):
        return "running"
    if finished:
        return "complete"
    return "interrupted" if begun else "not begun"
