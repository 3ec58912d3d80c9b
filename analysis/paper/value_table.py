"""The second table: what models like of each value, with the paper's scores beneath."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.paper.i_avg_table import PAPER
from analysis.report.number_sources import Name, NumberSource, PrintedEstimate, TracedNumber
from analysis.report.page_files import Cell, ReportTable
from analysis.spectrum.answer_arrays import NEEDED
from analysis.spectrum.scores import PAPER_MEAN, PAPER_MODELS, Spectrum, SpectrumFindings, label
from analysis.statistics.estimate import NAN

PANEL = 5
"""Values that a printed page has room for side by side."""
_MEAN = "mean over its models"
_KINDS = ("question", "corrected")


@dataclass(frozen=True)
class ValueTable:
    """Models by values; ``panels`` are slices of the values that fit a printed page."""

    set_id: Name
    frames: TracedNumber
    videos: TracedNumber
    values: tuple[tuple[Name, bool], ...]
    """Name of each value, and whether too few keywords found what fits to speak of it."""
    rows: tuple[tuple[Name, tuple[PrintedEstimate, ...], tuple[PrintedEstimate, ...]], ...]
    """Of each model the scores of the question alone, and with the tendency to yes removed."""
    published: tuple[tuple[Name, tuple[TracedNumber, ...]], ...]
    needed: TracedNumber

    @property
    def panels(self) -> tuple[slice, ...]:
        return tuple(slice(at, at + PANEL) for at in range(0, len(self.values), PANEL))


def value_table(told: SpectrumFindings) -> ValueTable:
    layout = told.layout
    values = layout.retrieval.values
    found = NumberSource(
        "store.results.value_spectrum.Retrieval", f"{layout.retrieval.frames:,} indexed frames"
    )
    ids = [value.id for value in values]
    return ValueTable(
        set_id=Name(layout.retrieval.set_id),
        frames=found.count(len(layout.frames), "frames that were found, each once"),
        videos=found.count(len(set(layout.cluster.tolist())), "videos that they are of"),
        values=tuple((Name(value.name), layout.thin(at)) for at, value in enumerate(values)),
        rows=tuple(_row(one, ids, len(layout.frames)) for one in told.spectra),
        published=_published(ids),
        needed=found.count(NEEDED, "keywords with fitting frames that a value needs"),
    )


def _row(
    one: Spectrum, ids: Sequence[str], frames: int
) -> tuple[Name, tuple[PrintedEstimate, ...], tuple[PrintedEstimate, ...]]:
    missing = sum(one.answers.missing.values())
    asked = one.answers.plain.size + one.answers.opposite.size
    source = NumberSource(
        "analysis.spectrum.scores.spectrum",
        f"{asked - missing:,} answers of {label(one.answers)} about {frames:,} frames",
        f"{missing:,} missing answers" if missing else "nothing",
    )
    raw, corrected = (
        tuple(
            source.estimate(score, f"{label(one.answers)}, {name}, {kind}", source.whole)
            for name, score in zip(ids, profile.scores, strict=True)
        )
        for kind, profile in zip(_KINDS, (one.raw, one.corrected), strict=True)
    )
    return Name(label(one.answers)), raw, corrected


def _published(ids: Sequence[str]) -> tuple[tuple[Name, tuple[TracedNumber, ...]], ...]:
    """The paper's rows, where it has any of these values."""
    if not set(ids) & set(PAPER_MEAN):
        return ()
    source = NumberSource("analysis.spectrum.scores.PAPER_MODELS", f"{PAPER}: its table of scores")

    def row(name: str, scores: dict[str, float]) -> tuple[Name, tuple[TracedNumber, ...]]:
        digits = int(name == _MEAN)
        cells = (
            source.decimal(
                scores.get(each, NAN), f"{name}, {each}, as published", digits, "not reported"
            )
            for each in ids
        )
        return Name(name), tuple(cells)

    return tuple(row(name, scores) for name, scores in (*PAPER_MODELS.items(), (_MEAN, PAPER_MEAN)))


def value_rows(told: SpectrumFindings) -> ReportTable:
    """The same as rows of a file, unrounded, the paper's beneath."""
    values = told.layout.retrieval.values
    columns = ("source", "model", "value", "kind", "score", "low", "high", "videos")
    rows: list[tuple[Cell, ...]] = [
        (
            "this study",
            label(one.answers),
            value.id,
            kind,
            each.value,
            each.low,
            each.high,
            each.clusters,
        )
        for one in told.spectra
        for kind, profile in zip(_KINDS, (one.raw, one.corrected), strict=True)
        for value, each in zip(values, profile.scores, strict=True)
    ]
    rows += [
        (PAPER, name, value.id, "question", scores[value.id], None, None, None)
        for name, scores in (*PAPER_MODELS.items(), (_MEAN, PAPER_MEAN))
        for value in values
        if value.id in scores
    ]
    return ReportTable("values", columns, rows)
