"""Writes the report of a spectrum: read, scored, rendered and put into a folder.

Refuses to ask a model anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from analysis.spectrum.answers import Layout, read_answers
from analysis.spectrum.page import render
from analysis.spectrum.scores import Difference, Spectrum, differences, label, spectrum
from analysis.tables import columns
from analysis.tables_out import Table, write_tables
from analysis.values import Estimate, as_json
from store.data import DataFolder
from store.errors import DataUnwritable
from store.files import write_whole
from store.frames import FrameStore
from store.spectra import Retrieval

PAGE, TABLES = "index.html", "tables"


@dataclass(frozen=True)
class Written:
    """A report that was written."""

    page: Path
    layout: Layout
    spectra: tuple[Spectrum, ...]
    pairs: tuple[Difference, ...]

    def as_dict(self) -> dict[str, Any]:
        """What it says, for ``json.dumps``."""
        ids = [value.id for value in self.layout.retrieval.values]
        doubtful = [k.keyword for k in self.layout.retrieval.keywords if k.doubtful]
        return {
            "page": str(self.page),
            "frames": len(self.layout.frames),
            "doubtful": doubtful,
            "models": {
                label(one.answers): {
                    "raw": _by_value(ids, one.raw.scores),
                    "corrected": _by_value(ids, one.corrected.scores),
                    "centred": _by_value(ids, one.corrected.centred),
                    "lean": as_json(one.lean),
                    "missing": dict(one.answers.missing),
                }
                for one in self.spectra
            },
        }

    def text(self) -> str:
        """The scores for a person at a terminal."""
        head = ["value", *(label(one.answers) for one in self.spectra)]
        rows = [
            [value.name, *(_cell(one.corrected.scores[place]) for one in self.spectra)]
            for place, value in enumerate(self.layout.retrieval.values)
        ]
        rows.append(["tendency to yes", *(f"{one.lean.value:+.0f}" for one in self.spectra)])
        return columns(tuple(head), [tuple(row) for row in rows], left=1)


def write_spectrum(
    retrieval: Retrieval,
    answers: Sequence[tuple[Path, Path | None]],
    data: DataFolder,
    folder: Path,
    now: datetime,
) -> Written:
    """Score the models and write their report.

    Parameters
    ----------
    answers
        For each model its file of answers, and of explanations where there is one.
    folder
        Gets ``index.html`` and ``tables/``. An older report is replaced.

    Raises
    ------
    DataUnwritable
        The folder cannot be written.
    """
    layout = Layout.of(retrieval)
    spectra = tuple(spectrum(layout, read_answers(layout, *paths)) for paths in answers)
    pairs = tuple(differences(layout, spectra))
    html = render(layout, spectra, pairs, FrameStore(data.frames_dir), now)
    try:
        write_tables([_scores(layout, spectra), _keywords(layout)], folder / TABLES)
        write_whole(folder / PAGE, html.encode(), sync=False)
    except OSError as error:
        raise DataUnwritable(folder, error.strerror or str(error)) from None
    return Written(folder / PAGE, layout, spectra, pairs)


def _by_value(ids: Sequence[str], estimates: Sequence[Estimate]) -> dict[str, Any]:
    return {name: as_json(each) for name, each in zip(ids, estimates, strict=True)}


def _cell(score: Estimate) -> str:
    if not score.exists:
        return "no answer"
    ends = f" ({score.low:.0f} to {score.high:.0f})" if score.bounded else ""
    return f"{score.value:.0f}{ends}"


def _scores(layout: Layout, spectra: Sequence[Spectrum]) -> Table:
    rows = []
    for one in spectra:
        kinds = {
            "question": one.raw.scores, "corrected": one.corrected.scores,
            "centred": one.corrected.centred, "stands_out": one.sure.scores,
        }  # fmt: skip
        rows += [
            (label(one.answers), value.id, kind, score.value, score.low, score.high, score.clusters)
            for kind, scores in kinds.items()
            for value, score in zip(layout.retrieval.values, scores, strict=True)
        ]
    return Table("scores", ("model", "value", "kind", "score", "low", "high", "videos"), rows)


def _keywords(layout: Layout) -> Table:
    rows = [
        (each.value, each.keyword, hit.rank, hit.platform, hit.video, hit.frame,
         hit.similarity, each.lift, each.chance, each.doubtful)
        for each in layout.retrieval.keywords
        for hit in each.found
    ]  # fmt: skip
    names = ("value", "keyword", "rank", "platform", "video", "frame", "similarity", "lift",
             "chance", "doubtful")  # fmt: skip
    return Table("retrieved", names, rows)
