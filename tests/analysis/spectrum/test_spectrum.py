"""Scores by value: the mean over videos, centring, missing answers, differences."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from analysis.spectrum.answer_arrays import Layout, SpectrumAnswers, read_answers
from analysis.spectrum.scores import (
    PAPER_MEAN,
    Spectrum,
    between,
    differences,
    like_paper,
    paper_spread,
    profile,
    spectrum,
)
from analysis.statistics.intervals import score_interval, t_interval
from personas.values import values
from store.results.value_spectrum import RUN_ID, Keyword, Retrieval, RetrievedFrame, ValueRecord
from store.runs.ledger_lines import Judgement
from store.runs.rejudgements import JudgementWriter, RejudgedAnswer, RejudgementHeader
from tests.store.samples import START

SHARED = "shared"


def hit(frame: str, *, fits: bool = False) -> RetrievedFrame:
    return RetrievedFrame(
        rank=1,
        similarity=0.5,
        words=None,
        match=4.0 if fits else 1.0,
        fits=fits,
        entry=frame,
        platform="tiktok",
        video=frame,
        frame=frame,
        caption="",
    )


def layout(frames: int = 3, ids: tuple[str, ...] = ("power", "security")) -> Layout:
    """Values with frames of their own, and one frame that all share; the first keyword's fit."""
    keywords = tuple(
        Keyword(
            value=name,
            keyword=f"{name} {part}",
            found=(
                *(hit(f"{name}-{part}-{n}", fits=part == 0) for n in range(frames)),
                hit(SHARED, fits=part == 0),
            ),
        )
        for name in ids
        for part in (0, 1)
    )
    return Layout.of(
        Retrieval(
            at=START,
            set_id="own",
            sha256="0" * 64,
            encoder="e",
            platform=None,
            per_keyword=frames,
            by="both",
            frames=100,
            unique=100,
            videos=100,
            keywords=keywords,
            values=tuple(ValueRecord(id=name, name=name, definition=name) for name in ids),
        )
    )


def answers(plain: np.ndarray, opposite: np.ndarray, model: str = "m") -> SpectrumAnswers:
    return SpectrumAnswers(model, "", plain, opposite, {}, {})


def said(at: Layout, likes: np.ndarray, model: str = "m") -> Spectrum:
    grid = np.repeat(likes[:, None].astype(float), 3, axis=1)
    return spectrum(at, answers(grid, grid, model))


def test_a_score_is_the_mean_over_frames_with_wilson_s_interval() -> None:
    rng = np.random.default_rng(3)
    liked = rng.random(40)
    members = np.ones((40, 1), dtype=bool)
    mine = profile(liked, members, np.arange(40)).scores[0]
    known = t_interval(100 * liked)
    assert (mine.value, mine.se) == pytest.approx((known.value, known.se))
    low, high = score_interval(known.value / 100, known.se / 100, 39)
    assert (mine.low, mine.high) == pytest.approx((100 * low, 100 * high))


def test_frames_of_one_video_count_as_one() -> None:
    liked = np.repeat([0.0, 1.0, 1.0, 0.5], 5)
    members = np.ones((20, 1), dtype=bool)
    doubled = profile(liked, members, np.repeat(np.arange(4), 5)).scores[0]
    alone = t_interval(100 * liked[::5])
    assert (doubled.value, doubled.se) == pytest.approx((alone.value, alone.se))
    assert 0 < doubled.low < doubled.value < doubled.high < 100
    assert doubled.clusters == 4


def test_intervals_cover_what_they_estimate() -> None:
    """Frames in twos of a video, alike; a level of its own for each value."""
    rng = np.random.default_rng(11)
    truth = np.linspace(0.3, 0.7, 5)
    members = np.repeat(np.eye(5, dtype=bool), 40, axis=0)
    cluster = np.repeat(np.arange(100), 2)
    covered = []
    for _ in range(200):
        video = rng.beta(2 * np.repeat(truth, 20), 2 * (1 - np.repeat(truth, 20)))
        liked = (rng.random((200, 1)) < np.repeat(video, 2)[:, None]).astype(float)[:, 0]
        told = profile(liked, members, cluster)
        for scores, aim in ((told.scores, truth), (told.centred, truth - truth.mean())):
            covered += [e.low <= 100 * a <= e.high for e, a in zip(scores, aim, strict=True)]
    assert 0.92 < np.mean(covered) < 0.98


@pytest.mark.parametrize(
    ("videos", "together"),
    [
        (20, 0.5),
        (40, 0.9),
        *(
            pytest.param(*more, marks=pytest.mark.drill)
            for more in ((20, 0.1), (20, 0.9), (40, 0.5))
        ),
    ],
)
def test_intervals_cover_shares_near_the_ends(videos: int, together: float) -> None:
    """One to three frames a video, whose answers hang together by beta-binomial draws."""
    shares = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95)
    rng = np.random.default_rng([videos, int(10 * together)])
    covered = dict.fromkeys(shares, 0)
    for share in shares:
        for _ in range(500):
            frames = rng.integers(1, 4, size=videos)
            tastes = (share * (1 - together) / together, (1 - share) * (1 - together) / together)
            liked = rng.random(frames.sum()) < np.repeat(rng.beta(*tastes, size=videos), frames)
            cluster = np.repeat(np.arange(videos), frames)
            everything = np.ones((len(liked), 1), dtype=bool)
            (score,) = profile(liked.astype(float), everything, cluster).scores
            covered[share] += score.low <= 100 * share <= score.high
    rates = np.array(list(covered.values())) / 500
    # each within three and a half errors of simulation of 0.93 to 0.98
    assert 0.935 <= rates.mean() <= 0.98
    assert rates.min() >= 0.93 - 0.04
    assert rates[shares.index(0.85) :].mean() >= 0.925


def test_a_yes_sayer_s_corrected_profile_is_flat() -> None:
    at = layout()
    shape = (len(at.frames), 3)
    flat = spectrum(at, answers(np.ones(shape), np.zeros(shape)))
    assert [score.value for score in flat.raw.scores] == [100, 100]
    assert flat.raw.scores[0].low < 100, "certainty is not had from a handful of frames"
    assert [score.value for score in flat.corrected.scores] == [50, 50]
    assert [score.value for score in flat.corrected.centred] == [0, 0]
    assert flat.lean.value == 100
    assert flat.corrected.range == 0


def test_only_frames_that_fit_count_in_their_own_column() -> None:
    at = layout()
    likes = np.array([float("-0-" in frame) for frame in at.frames])
    told = said(at, likes)
    assert told.corrected.scores[0].value == pytest.approx(100 * 3 / 7)
    assert told.sure.scores[0].value == pytest.approx(100 * 3 / 4)
    assert (at.found, at.sought) == ((1, 1), (2, 2))
    assert at.thin(0), "one keyword does not speak for a value"


def test_missing_answers_are_left_out_and_bounded() -> None:
    at = layout()
    plain = np.ones((len(at.frames), 3))
    plain[at.frames.index("power-0-0")] = np.nan
    told = spectrum(at, answers(plain, plain))
    assert told.raw.scores[0].value == 100
    assert (told.low[0], told.high[0]) == (pytest.approx(100 * 6 / 7), 100)
    assert (told.low[1], told.high[1]) == (100, 100)
    nothing = spectrum(at, answers(np.full_like(plain, np.nan), plain))
    assert not nothing.raw.scores[0].exists
    assert nothing.raw.scores[0].reason


def test_models_are_compared_on_the_same_frames() -> None:
    at = layout(frames=10)
    loves = np.array([float(frame.startswith("power")) for frame in at.frames])
    noise = np.random.default_rng(1).random(len(at.frames)) < 0.2
    two = [said(at, loves, "a"), said(at, noise.astype(float), "b")]
    (pair,) = differences(at, between(two))
    assert (pair.first, pair.second, pair.frames) == ("a", "b", len(at.frames))
    assert pair.by_value[0].high < 0
    assert pair.p[0] < 0.01
    (same,) = differences(at, between([said(at, loves, "a"), said(at, loves, "b")]))
    assert [gap.value for gap in same.by_value] == [0, 0]


def test_words_and_pictures_are_compared_where_both_were_answered_for() -> None:
    at = layout(frames=10)
    seen = said(at, np.array([float(name.startswith("power")) for name in at.frames])).answers
    read = said(at, np.zeros(len(at.frames))).answers
    read.plain[at.frames.index("power-0-0")] = np.nan
    read.opposite[at.frames.index("power-0-0")] = np.nan
    (gap,) = differences(at, [(seen, read)])
    assert gap.frames == len(at.frames) - 1
    assert gap.scores[0][0].value == pytest.approx(100 * 19 / 20), "19 of power's own, one shared"
    assert gap.by_value[0].value == pytest.approx(-100 * 19 / 20)
    assert gap.by_value[0].high < 0
    assert gap.by_value[1].value == 0
    assert gap.level.value == pytest.approx(-100 * 19 / 40)


def test_likeness_to_the_paper_is_a_rank_correlation() -> None:
    ids = tuple(value.id for value in values())
    at = layout(frames=1, ids=ids)
    means = np.array([PAPER_MEAN[name] for name in ids]) / 100
    own = profile(means, np.eye(10, dtype=bool), np.arange(10))
    assert like_paper(at, own) == pytest.approx(1)
    assert like_paper(at, profile(1 - means, np.eye(10, dtype=bool), np.arange(10))) < -0.99
    assert np.isnan(like_paper(layout(), own)), "other values have no counterpart"


def test_the_paper_s_models_agree_with_its_means_on_what_is_known() -> None:
    assert set(PAPER_MEAN) == {value.id for value in values()}
    assert paper_spread("power") == (28, 94)
    assert paper_spread("tradition") is None


def test_answers_to_the_opposite_are_turned_round(tmp_path: Path) -> None:
    at = layout()
    judge = RejudgementHeader(
        run_id=RUN_ID, model="m", strategy="plain", prompts={}, seed=1, at=START, code_version="1"
    )
    lines = [
        RejudgedAnswer(
            persona="",
            position=0,
            frame=SHARED,
            mirrored=mirrored,
            paraphrase=wording,
            judgement=Judgement(answer=answer, missing=None if answer else "refused"),
        )
        for mirrored, wording, answer in (
            (False, 0, "yes"),
            (False, 1, None),
            (True, 0, "no"),
            (True, 1, "yes"),
        )
    ]
    path = tmp_path / "a.jsonl"
    with JudgementWriter(path, judge) as writer:
        writer.append(lines)
    read = read_answers(at, path)
    row = at.frames.index(SHARED)
    np.testing.assert_array_equal(read.plain[row], [1, np.nan])
    np.testing.assert_array_equal(read.opposite[row], [1, 0])
    assert read.missing == {"refused": 1}
    assert np.isnan(read.plain).sum() == read.plain.size - 1
