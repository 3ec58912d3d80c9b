"""The report of a spectrum: one page that needs nothing else, and the tables behind it.

Every number goes through ``report.number_sources``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from markupsafe import Markup

from analysis.report.example_frames import jpeg_tag, small_jpeg
from analysis.report.figures import AxisScale, axis, ends, interval, radar, span
from analysis.report.number_sources import Name, NumberSource, PrintedEstimate, TracedNumber, Traces
from analysis.report.page_files import page_environment, time_stamp
from analysis.spectrum.answer_arrays import NEEDED, Layout
from analysis.spectrum.scores import (
    PAPER_MEAN,
    Difference,
    Spectrum,
    SpectrumFindings,
    label,
    paper_spread,
)
from analysis.statistics.estimate import NAN, Estimate
from store.frames.frame_store import FrameStore
from store.results.value_spectrum import FITS, Keyword, RetrievedFrame

TEMPLATES = Path(__file__).with_name("templates")
_SCALE = AxisScale(0, 100, 25)
_PICTURE = (108, 192)


@dataclass(frozen=True)
class ValueRow:
    """One value of one model."""

    name: Name
    bar: Markup
    raw: PrintedEstimate
    corrected: PrintedEstimate
    centred: PrintedEstimate
    sure: PrintedEstimate
    found: TracedNumber
    sought: TracedNumber
    thin: bool  # too few keywords found what fits
    frames: TracedNumber
    low: TracedNumber
    high: TracedNumber
    paper: TracedNumber
    paper_low: TracedNumber
    paper_high: TracedNumber


@dataclass(frozen=True)
class ModelView:
    """One model."""

    name: Name
    radar: Markup
    rows: tuple[ValueRow, ...]
    level: PrintedEstimate
    lean: PrintedEstimate
    steady: TracedNumber
    range: TracedNumber
    sd: TracedNumber
    noise: TracedNumber
    like_paper: TracedNumber
    missing: tuple[tuple[Name, TracedNumber], ...]


@dataclass(frozen=True)
class PairView:
    """Two models on the same frames: value, difference, p after Holm's correction."""

    first: Name
    second: Name
    rows: tuple[tuple[Name, Markup, PrintedEstimate, TracedNumber], ...]
    frames: TracedNumber


@dataclass(frozen=True)
class ModalityView:
    """One model on pictures and on descriptions: value, both scores, difference, p."""

    model: Name
    rows: tuple[
        tuple[Name, PrintedEstimate, PrintedEstimate, Markup, PrintedEstimate, TracedNumber], ...
    ]
    level: PrintedEstimate
    frames: TracedNumber


@dataclass(frozen=True)
class KeywordView:
    """What was found for a keyword."""

    keyword: Name
    match: TracedNumber
    fitting: TracedNumber
    of: TracedNumber
    doubtful: bool
    pictures: tuple[Markup, ...]
    described: tuple[Name, ...]


@dataclass(frozen=True)
class SheetView:
    """The contact sheet of a value."""

    name: Name
    definition: Name
    keywords: tuple[KeywordView, ...]


@dataclass(frozen=True)
class SpectrumPage:
    """The whole report."""

    set_id: Name
    over: Name
    encoder: Name
    made: Markup
    by: Name
    indexed: TracedNumber
    unique: TracedNumber
    frames: TracedNumber
    videos: TracedNumber
    doubtful: TracedNumber
    doubtful_words: tuple[Name, ...]
    keywords: TracedNumber
    fits: TracedNumber
    needed: TracedNumber
    thin: tuple[Name, ...]
    models: tuple[ModelView, ...]
    pairs: tuple[PairView, ...]
    modality: tuple[ModalityView, ...]
    sheets: tuple[SheetView, ...]
    axis: Markup
    gap_axis: Markup
    words_axis: Markup


def render(findings: SpectrumFindings, frames: FrameStore, now: datetime) -> str:
    traces = Traces()
    template = page_environment(traces, TEMPLATES).get_template("spectrum.html")
    style = Markup((TEMPLATES / "spectrum.css").read_text(encoding="utf-8"))
    return template.render(page=_page(findings, frames, now), own_style=style)


def _page(told: SpectrumFindings, frames: FrameStore, now: datetime) -> SpectrumPage:
    layout = told.layout
    found = layout.retrieval
    source = NumberSource(
        "store.results.value_spectrum.Retrieval", f"{found.frames:,} indexed frames"
    )
    gaps, words = _gap_scale(told.pairs), _gap_scale(told.modality)
    names = [value.name for value in found.values]
    return SpectrumPage(
        set_id=Name(found.set_id),
        over=Name(found.platform or "every platform"),
        encoder=Name(found.encoder),
        made=time_stamp(now),
        by=Name("picture and caption" if found.by == "both" else "picture alone"),
        indexed=source.count(found.frames, "indexed frames that were looked through"),
        unique=source.count(found.unique, "of these, no near-duplicates"),
        frames=source.count(len(layout.frames), "frames that were found, each once"),
        videos=source.count(len(set(layout.cluster.tolist())), "videos that they are of"),
        doubtful=source.count(sum(k.doubtful for k in found.keywords), "doubtful keywords"),
        doubtful_words=tuple(Name(k.keyword) for k in found.keywords if k.doubtful),
        keywords=source.count(len(found.keywords), "keywords"),
        fits=source.decimal(FITS[found.by], "standard deviations from which a frame fits", 1),
        needed=source.count(NEEDED, "keywords with fitting frames that a value needs"),
        thin=tuple(Name(name) for place, name in enumerate(names) if layout.thin(place)),
        models=tuple(_model(layout, each) for each in told.spectra),
        pairs=tuple(_pair(layout, each, gaps) for each in told.pairs),
        modality=tuple(_modality(layout, each, words) for each in told.modality),
        sheets=_sheets(layout, told.spectra, frames, source),
        axis=axis(_SCALE),
        gap_axis=axis(gaps, "points"),
        words_axis=axis(words, "points"),
    )


def _model(layout: Layout, told: Spectrum) -> ModelView:
    asked = told.answers.plain.size + told.answers.opposite.size
    missing = sum(told.answers.missing.values())
    source = NumberSource(
        "analysis.spectrum.scores.spectrum",
        f"{asked - missing:,} answers of {label(told.answers)} about {len(layout.frames):,} frames",
        f"{missing:,} missing answers" if missing else "nothing",
    )
    names = [value.name for value in layout.retrieval.values]
    scores = told.corrected
    return ModelView(
        name=Name(label(told.answers)),
        radar=radar(names, scores.scores, told.raw.scores),
        rows=tuple(_row(layout, told, place, source) for place in range(len(names))),
        level=source.estimate(scores.level, "mean over the values"),
        lean=source.estimate(told.lean, "tendency to yes"),
        steady=source.percent(told.steady, "same answer in every wording", "one wording"),
        range=source.percent(scores.range, "highest less lowest score"),
        sd=source.percent(scores.sd, "standard deviation over values"),
        noise=source.percent(scores.sd_of_noise, "what sampling alone makes", "no interval"),
        like_paper=source.decimal(
            told.like_paper,
            "rank correlation with the paper's means",
            reason="other values, or all alike",
        ),
        missing=tuple(
            (Name(reason), source.count(count, f"answers missing: {reason}"))
            for reason, count in told.answers.missing.items()
        ),
    )


def _row(layout: Layout, told: Spectrum, place: int, source: NumberSource) -> ValueRow:
    value = layout.retrieval.values[place]
    score = told.corrected.scores[place]
    reported = NumberSource(
        "analysis.spectrum.scores.paper_spread", "scores that the paper reports"
    )
    mean = PAPER_MEAN.get(value.id, NAN)
    spread = paper_spread(value.id) or (NAN, NAN)
    what = f"{value.id}"
    return ValueRow(
        name=Name(value.name),
        bar=interval(span(score), _SCALE),
        raw=source.estimate(told.raw.scores[place], f"{what}, the question alone"),
        corrected=source.estimate(score, f"{what}, question and opposite"),
        centred=source.estimate(told.corrected.centred[place], f"{what}, less the mean"),
        sure=source.estimate(told.sure.scores[place], f"{what}, fitting frames only"),
        found=source.count(layout.found[place], f"{what}: keywords with fitting frames"),
        sought=source.count(layout.sought[place], f"{what}: keywords"),
        thin=layout.thin(place),
        frames=source.count(int(layout.members[:, place].sum()), f"{what}: frames"),
        low=source.percent(float(told.low[place]), f"{what}, missing taken for no"),
        high=source.percent(float(told.high[place]), f"{what}, missing taken for yes"),
        paper=reported.percent(mean, f"{what}: mean over models", "not reported"),
        paper_low=reported.whole(spread[0], f"{what}: lowest model", "not reported"),
        paper_high=reported.whole(spread[1], f"{what}: highest model", "not reported"),
    )


def _pair(layout: Layout, pair: Difference, scale: AxisScale) -> PairView:
    source = NumberSource(
        "analysis.spectrum.scores.differences", f"{pair.frames:,} frames that both answered for"
    )

    def row(
        name: str, gap: Estimate, p: float
    ) -> tuple[Name, Markup, PrintedEstimate, TracedNumber]:
        told = source.estimate(gap, f"{name}: second less first")
        drawn = interval(span(gap), scale)
        return Name(name), drawn, told, source.p(p, f"{name}: after Holm's correction", gap.reason)

    names = [value.name for value in layout.retrieval.values]
    rows = zip(names, pair.by_value, pair.p, strict=True)
    return PairView(
        Name(pair.first),
        Name(pair.second),
        tuple(row(*each) for each in rows),
        source.count(pair.frames, "frames that both answered for"),
    )


def _modality(layout: Layout, pair: Difference, scale: AxisScale) -> ModalityView:
    source = NumberSource(
        "analysis.spectrum.scores.differences",
        f"{pair.frames:,} frames that {pair.first} answered for as pictures and in words",
    )
    names = [value.name for value in layout.retrieval.values]
    rows = tuple(
        (
            Name(name),
            source.estimate(seen, f"{name}: pictures"),
            source.estimate(read, f"{name}: descriptions"),
            interval(span(gap), scale),
            source.estimate(gap, f"{name}: words less pictures"),
            source.p(p, f"{name}: after Holm's correction", gap.reason),
        )
        for name, seen, read, gap, p in zip(names, *pair.scores, pair.by_value, pair.p, strict=True)
    )
    level = source.estimate(pair.level, "mean over the values: words less pictures")
    frames = source.count(pair.frames, "frames that it answered for in both ways")
    return ModalityView(Name(pair.first), rows, level, frames)


def _gap_scale(pairs: Sequence[Difference]) -> AxisScale:
    return AxisScale.around(ends([gap for pair in pairs for gap in pair.by_value]))


def _sheets(
    layout: Layout, spectra: Sequence[Spectrum], frames: FrameStore, source: NumberSource
) -> tuple[SheetView, ...]:
    told = next((each.answers.described for each in spectra if each.answers.described), {})

    def view(keyword: Keyword) -> KeywordView:
        return KeywordView(
            keyword=Name(keyword.keyword),
            match=source.decimal(keyword.match, "standard deviations by which it stands out", 1),
            fitting=source.count(keyword.fitting, "frames that are taken to fit"),
            of=source.count(len(keyword.found), "frames that were found"),
            doubtful=keyword.doubtful,
            pictures=_pictures(keyword.found, frames),
            described=tuple(
                _described(hit, told[hit.frame]) for hit in keyword.found if hit.frame in told
            ),
        )

    return tuple(
        SheetView(
            Name(value.name),
            Name(value.definition),
            tuple(view(each) for each in layout.retrieval.keywords if each.value == value.id),
        )
        for value in layout.retrieval.values
    )


def _described(hit: RetrievedFrame, text: str) -> Name:
    return Name(f"{hit.rank}. {text}")


def _pictures(found: Sequence[RetrievedFrame], frames: FrameStore) -> tuple[Markup, ...]:
    """What was found as small pictures, best first; a frame that is lost is a gap."""
    return tuple(_picture(hit, small_jpeg(frames, hit.frame, _PICTURE)) for hit in found)


def _picture(hit: RetrievedFrame, small: bytes | None) -> Markup:
    told = f"{hit.rank}. {hit.caption or 'no caption'} (stands out by {hit.match:.1f})"
    if small is None:
        return Markup('<span class="lost" title="{}">lost</span>').format(told)
    style = "fits" if hit.fits else "unfit"
    return jpeg_tag(small, hit.caption or "no caption", told, style)
