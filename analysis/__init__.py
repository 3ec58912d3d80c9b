"""What it means: I_avg and sway, statistics, summaries, planning.

Reads ledgers; refuses to open a browser or a model, and to change what was recorded.
``analysis.open_run`` and ``analysis.open_study`` are the door for notebooks and scripts
(``docs/notebooks.md``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from analysis.api.measurement import Measurement
    from store.api.data_reader import DataReader


def open_run(data: DataReader | str | Path | None = None, run: str = "latest") -> Measurement:
    """Measure one run, as ``python -m analysis report RUN`` does.

    Parameters
    ----------
    data
        What ``store.open`` returns or takes.
    run
        Its id, the beginning of it, or ``latest``.

    Raises
    ------
    store.errors.RunNotFound, store.errors.NothingKept
        There is no such run, or none at all.

    Examples
    --------
    >>> import analysis
    >>> run = analysis.open_run("data")
    >>> run.curve()[["arm", "window", "value"]].shape
    (8, 3)
    """
    from analysis.api.measurement import measure_run  # numpy and scipy take a moment

    return measure_run(data, run)


def open_study(data: DataReader | str | Path | None = None, study: str = "latest") -> Measurement:
    """Measure a study, as ``python -m analysis report STUDY`` does.

    Of each cell it takes the newest run. Nothing is written, so a look at a study is not noted.

    Parameters
    ----------
    data
        What ``store.open`` returns or takes.
    study
        Its name, or ``latest``: the one whose run was started last.

    Raises
    ------
    analysis.errors.UnknownStudy, analysis.errors.NothingToCompare
        There is no such study or none at all, or it has no run yet.

    Examples
    --------
    >>> import analysis
    >>> analysis.open_study("data", "example")
    <example: 12 runs, 1,245 videos>
    """
    from analysis.api.measurement import measure_study

    return measure_study(data, study)
