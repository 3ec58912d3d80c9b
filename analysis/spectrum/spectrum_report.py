"""Writes the report of a spectrum: read, scored, rendered and put into a folder."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from analysis.errors import NothingToCompare, UnknownSpectrum
from analysis.report.page_files import PAGE, TABLES, ReportTable, write_folder
from analysis.spectrum.answer_arrays import NEEDED, Layout, Paths, kept_answers, read_answers
from analysis.spectrum.scores import (
    Difference,
    Spectrum,
    SpectrumFindings,
    between,
    differences,
    label,
    spectrum,
)
from analysis.spectrum.spectrum_page import render
from analysis.statistics.estimate import Estimate, as_json
from analysis.terminal.runs_table import columns
from store.frames.frame_store import FrameStore
from store.results.value_spectrum import RETRIEVAL, Retrieval, read_retrieval
from store.runs.data_folder import DataFolder
from store.runs.rejudgements import FOLDER, read_judgements


@dataclass(frozen=True)
class SpectrumReport:
    """A report that was written."""

    page: Path
    findings: SpectrumFindings

    def as_dict(self) -> dict[str, Any]:
        layout, told = self.findings.layout, self.findings
        ids = [value.id for value in layout.retrieval.values]
        return {
            "page": str(self.page),
            "indexed": {"frames": layout.retrieval.frames, "unique": layout.retrieval.unique},
            "frames": len(layout.frames),
            "doubtful": [k.keyword for k in layout.retrieval.keywords if k.doubtful],
            "keywords": {
                name: {"fitting": found, "of": sought, "enough": not layout.thin(place)}
                for place, (name, found, sought) in enumerate(
                    zip(ids, layout.found, layout.sought, strict=True)
                )
            },
            "models": {
                label(one.answers): {
                    "raw": _by_value(ids, one.raw.scores),
                    "corrected": _by_value(ids, one.corrected.scores),
                    "centred": _by_value(ids, one.corrected.centred),
                    "fitting": _by_value(ids, one.sure.scores),
                    "lean": as_json(one.lean),
                    "missing": dict(one.answers.missing),
                }
                for one in told.spectra
            },
            "words_less_pictures": {
                one.first: {"by_value": _by_value(ids, one.by_value), "mean": as_json(one.level)}
                for one in told.modality
            },
        }

    def text(self) -> str:
        layout, spectra = self.findings.layout, self.findings.spectra
        head = ["value", *(label(one.answers) for one in spectra)]
        thin = [layout.thin(place) for place in range(len(layout.found))]
        rows = [
            [
                value.name + (" *" if thin[place] else ""),
                *(_cell(one.corrected.scores[place]) for one in spectra),
            ]
            for place, value in enumerate(layout.retrieval.values)
        ]
        rows.append(["tendency to yes", *(f"{one.lean.value:+.0f}" for one in spectra)])
        table = columns(tuple(head), [tuple(row) for row in rows], left=1)
        if not any(thin):
            return table
        return f"{table}\n* not scored by enough: fitting frames for under {NEEDED} keywords"


def find(retrieval: Retrieval, answers: Sequence[Paths]) -> SpectrumFindings:
    layout = Layout.of(retrieval)
    spectra = tuple(spectrum(layout, read_answers(layout, *paths[:2])) for paths in answers)
    in_words = [
        (one.answers, read_answers(layout, words))
        for one, (*_, words) in zip(spectra, answers, strict=True)
        if words is not None
    ]
    pairs = differences(layout, between(spectra))
    return SpectrumFindings(layout, spectra, tuple(pairs), tuple(differences(layout, in_words)))


def read_spectrum(data: DataFolder, name: str) -> tuple[SpectrumFindings, tuple[str, ...]]:
    """Score the models that were asked about every frame of a spectrum.

    ``name``: its folder below ``spectra``, or the beginning of just one. Also returns the models
    that were asked about some of its frames only, and are left out. Raises ``UnknownSpectrum``, and
    ``NothingToCompare`` where no model was asked about all.
    """
    folders = {path.parent.name: path for path in sorted(data.spectra_dir.glob(f"*/{RETRIEVAL}"))}
    begun = [known for known in folders if name and known.startswith(name)]
    if name not in folders and len(begun) != 1:
        near = difflib.get_close_matches(name, folders, 3, 0.4)
        raise UnknownSpectrum(name, begun[:5] or near or list(folders)[:5])
    retrieval = read_retrieval(folders[name if name in folders else begun[0]])
    shown, whole, partly = set(retrieval.shown), [], []
    for paths in kept_answers(data.spectra_dir / FOLDER):
        kept = read_judgements(paths[0])
        asked = {line.frame for line in kept.asked} & shown
        if asked == shown:
            whole.append(paths)
        elif asked:
            partly.append(kept.judge.model)
    if not whole:
        raise NothingToCompare(
            f"No model was asked about every frame of {retrieval.slug}. "
            "Type: python -m agent spectrum --model MODEL"
        )
    return find(retrieval, whole), tuple(partly)


def write_spectrum(
    retrieval: Retrieval, answers: Sequence[Paths], data: DataFolder, folder: Path, now: datetime
) -> SpectrumReport:
    """Score the models, and write ``index.html`` and ``tables/`` in place of an older report."""
    findings = find(retrieval, answers)
    html = render(findings, FrameStore(data.frames_dir), now)
    layout = findings.layout
    tables = [
        _scores(layout, findings.spectra),
        _keywords(layout),
        _modality(layout, findings.modality),
    ]
    write_folder(folder, {PAGE: html.encode()}, tables, TABLES)
    return SpectrumReport(folder / PAGE, findings)


def _by_value(ids: Sequence[str], estimates: Sequence[Estimate]) -> dict[str, Any]:
    return {name: as_json(each) for name, each in zip(ids, estimates, strict=True)}


def _cell(score: Estimate) -> str:
    if not score.exists:
        return "no answer"
    ends = f" ({score.low:.0f} to {score.high:.0f})" if score.bounded else ""
    return f"{score.value:.0f}{ends}"


def _scores(layout: Layout, spectra: Sequence[Spectrum]) -> ReportTable:
    rows = []
    for one in spectra:
        kinds = {
            "question": one.raw.scores,
            "corrected": one.corrected.scores,
            "centred": one.corrected.centred,
            "fitting": one.sure.scores,
        }
        rows += [
            (label(one.answers), value.id, kind, score.value, score.low, score.high, score.clusters)
            for kind, scores in kinds.items()
            for value, score in zip(layout.retrieval.values, scores, strict=True)
        ]
    return ReportTable("scores", ("model", "value", "kind", "score", "low", "high", "videos"), rows)


def _keywords(layout: Layout) -> ReportTable:
    rows = [
        (
            each.value,
            each.keyword,
            hit.rank,
            hit.platform,
            hit.video,
            hit.frame,
            hit.similarity,
            hit.words,
            hit.match,
            hit.fits,
            each.doubtful,
        )
        for each in layout.retrieval.keywords
        for hit in each.found
    ]
    names = (
        "value",
        "keyword",
        "rank",
        "platform",
        "video",
        "frame",
        "similarity",
        "words",
        "match",
        "fits",
        "doubtful",
    )
    return ReportTable("retrieved", names, rows)


def _modality(layout: Layout, modality: Sequence[Difference]) -> ReportTable:
    rows = [
        (pair.first, value.id, seen.value, read.value, gap.value, gap.low, gap.high, p)
        for pair in modality
        for value, seen, read, gap, p in zip(
            layout.retrieval.values, *pair.scores, pair.by_value, pair.p, strict=True
        )
    ]
    names = ("model", "value", "pictures", "words", "difference", "low", "high", "p")
    return ReportTable("modality", names, rows)
