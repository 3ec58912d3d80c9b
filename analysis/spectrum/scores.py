"""Preference scores by value, 0 to 100, with intervals over videos.

The score of a value is the mean over its frames of the share of wordings in which the model likes
the frame. Answers about frames of one video hang together, so the video is the cluster: the
standard error comes from leaving one out at a time (``intervals.jackknife``), and a score's
interval is Wilson's with that error (``intervals.score_interval``). The corrected score takes the
mean of the question and its opposite: a model that says yes whatever is asked likes half of
everything then.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.spectrum.answer_arrays import Layout, SpectrumAnswers
from analysis.statistics.estimate import NAN, Estimate, Floats, Ints, Mask
from analysis.statistics.intervals import binomial_interval, jackknife, score_interval
from analysis.statistics.permutation import holm

_ENDS = (0.0, 100.0)
_SPAN = 100.0  # what a difference of two scores cannot pass


@dataclass(frozen=True)
class ValueProfile:
    """A score for each value, in the order of the set."""

    scores: tuple[Estimate, ...]
    centred: tuple[Estimate, ...]
    """Each less the mean over the values, so that profiles of different models compare."""
    level: Estimate  # mean over the values
    range: float  # highest less lowest score. Noise makes it larger, never smaller
    sd: float  # standard deviation of the scores over the values
    sd_of_noise: float
    """What it would be if all values were liked alike: the scores' standard errors, pooled."""


@dataclass(frozen=True)
class Spectrum:
    """What one model likes."""

    answers: SpectrumAnswers
    raw: ValueProfile  # raw, corrected: from the question alone; from the question and its opposite
    corrected: ValueProfile
    sure: ValueProfile  # as ``corrected``, from the frames only that are taken to fit
    low: Floats  # low, high: raw scores if every missing answer were no, and yes; shape ``(V,)``
    high: Floats
    lean: Estimate
    """Likes when asked whether it likes, less likes when asked the opposite, in points: how far it
    tends to yes."""
    steady: float  # share of frames with the same answer in every wording of the question, in %
    like_paper: float  # rank correlation of the corrected scores with the paper's mean over models


@dataclass(frozen=True)
class Difference:
    """Second less first by value, on frames that both answered for, and Holm's p-values."""

    first: str
    second: str
    by_value: tuple[Estimate, ...]
    level: Estimate  # mean over the values
    scores: tuple[tuple[Estimate, ...], tuple[Estimate, ...]]
    """Of the first and of the second, on the frames that both answered for."""
    p: tuple[float, ...]
    frames: int


@dataclass(frozen=True)
class SpectrumFindings:
    """All that a report tells."""

    layout: Layout
    spectra: tuple[Spectrum, ...]
    pairs: tuple[Difference, ...]  # between models
    modality: tuple[Difference, ...]  # of models that were asked in words too: words less pictures


def spectrum(layout: Layout, answers: SpectrumAnswers) -> Spectrum:
    liked, opposite = (_mean(side) for side in (answers.plain, answers.opposite))
    corrected = (liked + opposite) / 2
    everything = np.ones((len(layout.frames), 1), dtype=bool)
    scores = profile(corrected, layout.members, layout.cluster)
    return Spectrum(
        answers=answers,
        raw=profile(liked, layout.members, layout.cluster),
        corrected=scores,
        sure=profile(corrected, layout.sure, layout.cluster),
        low=_value_means(_mean(np.nan_to_num(answers.plain, nan=0.0)), layout.members),
        high=_value_means(_mean(np.nan_to_num(answers.plain, nan=1.0)), layout.members),
        lean=profile(liked - opposite, everything, layout.cluster, None).scores[0],
        steady=_steady(answers.plain),
        like_paper=like_paper(layout, scores),
    )


def profile(
    liked: Floats, members: Mask, cluster: Ints, ends: tuple[float, float] | None = _ENDS
) -> ValueProfile:
    """Scores by value of what is known of each frame.

    ``liked``: from 0 to 1, or nan, shape ``(F,)``. ``members``: which values a frame was found for,
    shape ``(F, V)``. ``cluster``: shape ``(F,)``. ``ends``: what a score cannot pass.
    """
    known = ~np.isnan(liked)
    codes = np.unique(cluster, return_inverse=True)[1]
    onto = np.zeros((int(codes.max(initial=-1)) + 1, len(liked)))
    onto[codes, np.arange(len(liked))] = 1
    held = members & known[:, None]
    count, total = onto @ held, onto @ (held * np.nan_to_num(liked)[:, None])
    with np.errstate(invalid="ignore", divide="ignore"):
        means = 100 * total.sum(0) / count.sum(0)
        without = 100 * (total.sum(0) - total) / (count.sum(0) - count)
    level, level_without = _mean(means[None, :])[0], _mean(without)
    inside = [np.flatnonzero(column) for column in count.T]
    scores = tuple(_score(float(means[v]), without[rows, v], ends) for v, rows in enumerate(inside))
    centred = tuple(
        _estimate(float(means[v] - level), without[:, v] - level_without, len(rows) - 1)
        for v, rows in enumerate(inside)
    )
    errors = np.array([each.se for each in scores if not math.isnan(each.se)])
    there = means[~np.isnan(means)]
    return ValueProfile(
        scores,
        centred,
        level=_score(float(level), level_without, ends),
        range=float(np.ptp(there)) if len(there) else NAN,
        sd=float(there.std(ddof=1)) if len(there) > 1 else NAN,
        sd_of_noise=float(np.sqrt((errors**2).mean())) if len(errors) else NAN,
    )


def between(spectra: Sequence[Spectrum]) -> list[tuple[SpectrumAnswers, SpectrumAnswers]]:
    asked = [one.answers for one in spectra]
    return [(first, second) for at, second in enumerate(asked) for first in asked[:at]]


def differences(
    layout: Layout, pairs: Sequence[tuple[SpectrumAnswers, SpectrumAnswers]]
) -> list[Difference]:
    """Compare the two of each pair on the same frames, with Holm's correction over all."""
    found = [_difference(layout, *pair) for pair in pairs]
    p = holm(np.array([each.p for pair in found for each in pair.by_value]))
    width = len(layout.retrieval.values)
    return [
        dataclasses.replace(pair, p=tuple(p[place * width : (place + 1) * width].tolist()))
        for place, pair in enumerate(found)
    ]


def _difference(layout: Layout, first: SpectrumAnswers, second: SpectrumAnswers) -> Difference:
    liked = _liking(first), _liking(second)
    both = ~np.isnan(liked[0] + liked[1])
    gap = profile(liked[1] - liked[0], layout.members, layout.cluster, None)
    levels = [
        profile(np.where(both, one, np.nan), layout.members, layout.cluster).scores for one in liked
    ]
    by_value = tuple(each.within(-_SPAN, _SPAN) for each in gap.scores)
    return Difference(
        label(first),
        label(second),
        by_value,
        gap.level.within(-_SPAN, _SPAN),
        (levels[0], levels[1]),
        (),
        int(both.sum()),
    )


def label(answers: SpectrumAnswers) -> str:
    name = f"{answers.model} as {answers.persona}" if answers.persona else answers.model
    return f"{name}, by descriptions of {answers.read_of}" if answers.read_of else name


def like_paper(layout: Layout, scores: ValueProfile) -> float:
    """Spearman's rank correlation with the paper's means; nan where its values were not asked."""
    told: Mapping[str, float] = PAPER_MEAN
    ids = [value.id for value in layout.retrieval.values]
    if set(ids) != set(told):
        return NAN
    pairs = np.array(
        [(told[name], est.value) for name, est in zip(ids, scores.scores, strict=True)]
    )
    if np.isnan(pairs).any() or (pairs.std(axis=0) < 1e-9).any():
        return NAN
    from scipy.stats import rankdata  # heavy for a start-up

    ranks = np.apply_along_axis(rankdata, 0, pairs)
    return float(np.corrcoef(ranks.T)[0, 1])


def _liking(answers: SpectrumAnswers) -> Floats:
    return (_mean(answers.plain) + _mean(answers.opposite)) / 2


def _mean(side: Floats) -> Floats:
    known = ~np.isnan(side)
    with np.errstate(invalid="ignore"):
        means: Floats = np.nan_to_num(side).sum(1) / known.sum(1)
    return means


def _value_means(liked: Floats, members: Mask) -> Floats:
    with np.errstate(invalid="ignore"):
        means: Floats = 100 * (members * liked[:, None]).sum(0) / members.sum(0)
    return means


def _steady(plain: Floats) -> float:
    """Share of frames, in %, whose answer no wording changes; of frames with every answer."""
    whole = plain[~np.isnan(plain).any(axis=1)]
    if not len(whole) or plain.shape[1] < 2:
        return NAN
    return 100 * float((whole == whole[:, :1]).all(axis=1).mean())


def _score(value: float, left_out: Floats, ends: tuple[float, float] | None) -> Estimate:
    """A score with its interval: Wilson's, with as many answers as the videos are worth.

    Where every video says the same at an end, the interval is Clopper and Pearson's for as many
    answers as there are videos.
    """
    told = _estimate(value, left_out, len(left_out) - 1)
    if ends is None or math.isnan(value):
        return told
    told = dataclasses.replace(told, unit="%")
    if told.bounded and ends[0] < value < ends[1]:
        low, high = score_interval(value / 100, told.se / 100, told.df)
        method = f"Wilson's score over videos, {told.df:g} degrees of freedom"
        return dataclasses.replace(told, low=100 * low, high=100 * high, method=method)
    count = len(left_out)
    if count > 1 and any(abs(value - end) < 1e-9 for end in ends):
        low, high = binomial_interval(count if value > 50 else 0, count)
        return dataclasses.replace(
            told, low=100 * low, high=100 * high, reason="", method="Clopper and Pearson, by videos"
        )
    return told


def _estimate(value: float, left_out: Floats, df: int) -> Estimate:
    if math.isnan(value):
        return Estimate(NAN, unit="points", reason="no frame of it was answered for")
    return jackknife(value, left_out, df, unit="points")


PAPER_MEAN = {
    "universalism": 73.3,
    "benevolence": 73.3,
    "tradition": 72.8,
    "self-direction": 70.5,
    "conformity": 68.8,
    "hedonism": 66.8,
    "achievement": 64.5,
    "power": 64.0,
    "security": 60.5,
    "stimulation": 55.0,
}
"""Mean over models by value that Value-Spectrum reports (ACL 2025).

From other frames, of another time, found with another index: they compare as shapes, not as levels.
"""

_SIX = ("self-direction", "universalism", "benevolence", "stimulation", "power", "achievement")
_SCORES = {
    "GPT-4o": (78, 90, 88, 56, 80, 86),
    "Gemini 2.0 Flash": (84, 90, 86, 92, 94, 92),
    "Claude 3.5 Sonnet": (70, 70, 68, 34, 50, 60),
    "CogVLM2": (80, 80, 80, 74, 90, 72),
    "BLIP-2": (72, 78, 68, 48, 28, 48),
    "InternVL2": (44, 54, 44, 28, 32, 38),
}
PAPER_MODELS = {
    name: dict(zip(_SIX, map(float, scores), strict=True)) for name, scores in _SCORES.items()
}
"""Scores of single models, for the six values that are reported of them."""


def paper_spread(value: str) -> tuple[float, float] | None:
    """Lowest and highest score of a single model, where they are reported."""
    known = [scores[value] for scores in PAPER_MODELS.values() if value in scores]
    return (min(known), max(known)) if known else None
