"""What can go wrong with the analysis, drawn once.

::

    AnalysisError         exit code 2: one sentence that ends in what to type
    ├─ NothingToCompare   the runs given cannot answer the question
    ├─ NotOffered         a design whose assumptions these runs do not meet
    ├─ NotAHistory(run_id)    a run to stand beside feeds that is none of those
    ├─ UnknownStudy(name) neither a study nor a run, with the nearest ones
    ├─ UnknownSpectrum(name)  no spectrum has this name, with the nearest ones
    ├─ BadStudyFolder(path)   a study's own files that cannot be read
    ├─ BadViews(path, line)   a table of views that cannot be read, with the line at fault
    ├─ BadMapping(text)   what was typed after --map and makes no sense
    ├─ BadPlan            a study plan that no study can have
    └─ CannotCopy(folder) a folder that cannot take the notebooks
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


class AnalysisError(Exception):
    """Root of everything that the analysis raises on purpose."""


EXIT_CODES: dict[type[Exception], int] = {AnalysisError: 2}


class NothingToCompare(AnalysisError):
    """The runs given cannot answer the question."""


class NotOffered(AnalysisError):
    """A design whose assumptions these runs do not meet."""


class NotAHistory(AnalysisError):
    """A run that is no watch history was to stand beside the feeds."""

    def __init__(self, run_id: str) -> None:
        super().__init__(
            f"{run_id} is no donation and no capture, and so no feed to stand beside others. "
            "Type: python -m agent import FILE --as NAME"
        )


class UnknownStudy(AnalysisError):
    """Neither a study nor a run has this name."""

    def __init__(self, name: str, nearest: Sequence[str]) -> None:
        hint = f" Nearest: {', '.join(nearest)}." if nearest else ""
        super().__init__(f"There is no study and no run {name!r}.{hint} Type: python -m store runs")


class UnknownSpectrum(AnalysisError):
    """No value spectrum has this name."""

    def __init__(self, name: str, nearest: Sequence[str]) -> None:
        hint = f" Nearest: {', '.join(nearest)}." if nearest else ""
        super().__init__(
            f"There is no spectrum {name!r}.{hint} Type: python -m agent spectrum --help"
        )


class BadStudyFolder(AnalysisError):
    """A study's own files cannot be read."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path}: {problem} Type: python -m agent study --help")


class BadViews(AnalysisError):
    """A table of views that cannot be read."""

    def __init__(
        self,
        path: str,
        problem: str,
        line: int | None = None,
        advice: str = "python -m analysis import --help",
    ) -> None:
        self.path = path
        self.line = line
        where = path if line is None else f"{path}:{line}"
        super().__init__(f"{where}: {problem} Type: {advice}")


class BadMapping(AnalysisError):
    """What was typed after ``--map`` makes no sense."""

    def __init__(self, option: str, entry: str, problem: str) -> None:
        super().__init__(
            f"{option} {entry.strip()[:80]!r}: {problem}. "
            f"Type: {option} 'run=user,position=time,answer=category==12'"
        )


class BadPlan(AnalysisError):
    """A study plan that no study can have."""


class CannotCopy(AnalysisError):
    """A folder cannot take the notebooks."""

    def __init__(self, folder: Path, problem: str) -> None:
        super().__init__(
            f"{folder} cannot take the notebooks: {problem}. "
            "Type: python -m analysis notebooks ANOTHER_FOLDER"
        )
