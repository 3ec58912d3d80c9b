"""A dear judge of few questions beside a cheap one of all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from analysis.errors import NotOffered
from analysis.estimators.rejudged_matrix import persona_matrix
from analysis.estimators.rejudged_replies import RejudgedReplies, replies
from analysis.estimators.two_judges import JointCounts, TwoJudgeMatrix, two_judge_matrix
from analysis.statistics.estimate import Floats
from store.runs.rejudgements import Judgements, QuestionSample
from tests.analysis.estimators.test_rejudged_matrix import Says, file_of, own, table

SIZE, VIDEOS, SPLIT = 6, 96, 48
OF_OWN, OF_OTHERS = 0.6, 0.25
"""Parts of the own and of the others' questions that are drawn."""


CHANCE = np.random.default_rng(7).random((3, SIZE, SIZE, VIDEOS))


def fixed(stream: int, share: float = 0.3, sway: float = 0.3) -> Says:
    """Answers that are the same whenever they are asked for."""

    def says(persona: str, run: int, position: int, *_: object) -> str:
        rate = share + sway * (own(persona, run) and position >= VIDEOS // 2)
        return "yes" if CHANCE[stream, int(persona[1:]), run, position] < rate else "no"

    return says


DEAR = fixed(1)


def everything(says: Says) -> RejudgedReplies:
    """All that a judge says of all videos."""
    return replies(
        table(SIZE), {run: file_of(run, SIZE, range(VIDEOS), says) for run in range(SIZE)}
    )


def sample(says: Says, without: Callable[[int, int], bool] = lambda *_: False) -> RejudgedReplies:
    """What a judge says of drawn questions, but for those of some runs and positions."""
    return replies(table(SIZE), sampled_files(says, without))


def sampled_files(
    says: Says, without: Callable[[int, int], bool] = lambda *_: False
) -> dict[int, Judgements]:
    files: dict[int, Judgements] = {}
    for run in range(SIZE):
        file = file_of(run, SIZE, range(SPLIT, VIDEOS), says)
        drawn = QuestionSample(questions=500, here=1, own=OF_OWN, others=OF_OTHERS)
        judge = file.judge.model_copy(update={"sample": drawn, "personas": ("x~",)})
        lines = [
            line
            for line in file.lines
            if judge.draw(line.persona, [line.position], own=own(line.persona, run))
        ]
        judge = judge.model_copy(update={"sample": {**drawn.model_dump(), "here": len(lines)}})
        kept = [line for line in lines if not without(run, line.position)]
        files[run] = replace(file, sittings=(judge,), lines=tuple(kept))
    return files


def both(cheap: RejudgedReplies, dear: RejudgedReplies) -> TwoJudgeMatrix:
    return two_judge_matrix(cheap, persona_matrix(cheap, np.random.default_rng(0)), dear)


def d(told: RejudgedReplies) -> float:
    return persona_matrix(told, np.random.default_rng(0)).sway.estimate.value


def test_judges_that_agree_give_what_either_gives_everywhere() -> None:
    told = both(everything(DEAR), sample(DEAR))
    assert told.tuning == pytest.approx(1)
    assert told.estimate.value == pytest.approx(d(everything(DEAR)))
    compared = sample(DEAR).after
    own_ones = sample(DEAR).own & compared
    assert (told.own, told.others) == (own_ones.sum(), (compared & ~own_ones).sum())
    assert told.own == pytest.approx(OF_OWN * SIZE * 36, rel=0.15)
    assert told.bounds == (told.estimate.value, told.estimate.value)


def test_a_cheap_judge_that_says_the_same_of_everything_is_left_aside() -> None:
    told = both(everything(lambda *_: "yes"), sample(DEAR))
    assert told.tuning == 0
    answers = _answers(sample(DEAR))[1]
    diagonal = np.eye(SIZE, dtype=bool)
    expected = 100 * (np.nanmean(answers[diagonal]) - np.nanmean(answers[~diagonal]))
    assert told.estimate.value == pytest.approx(expected)
    assert told.narrower == pytest.approx(0)


def test_what_the_cheap_judge_adds_in_own_feeds_is_taken_out() -> None:
    """Half of what it sees there it says yes to, whatever it is: the sample puts it right."""

    def lenient(persona: str, run: int, position: int, *_: object) -> str:
        more = own(persona, run) and position >= SPLIT and position % 2
        return "yes" if more else DEAR(persona, run, position, False, 0) or "no"

    cheap, truth = everything(lenient), d(everything(DEAR))
    told = both(cheap, sample(DEAR))
    assert d(cheap) > truth + 12
    assert abs(told.estimate.value - truth) < 8
    assert told.estimate.low < truth < told.estimate.high
    assert told.estimate.p < 0.01


def test_estimate_and_interval_are_those_of_tables_made_by_hand() -> None:
    cheap_says, dear_says = fixed(2, 0.4, 0.2), DEAR

    def noisy(persona: str, run: int, position: int, *_: object) -> str | None:
        good = (persona, run, position, False, 0)
        return cheap_says(*good) if position % 5 == 0 else dear_says(*good)

    cheap, dear = everything(noisy), sample(DEAR)
    told = both(cheap, dear)
    a, b = _answers(cheap), _answers(dear)[1]
    value, tuning = _by_hand(a, b)
    assert (told.estimate.value, told.tuning) == pytest.approx((value, tuning))
    left_out = []
    for gone in range(SIZE):
        kept = np.delete(np.arange(SIZE), gone)
        part = np.ix_(kept, kept)
        left_out.append(_by_hand(a[:, part[0], part[1]], b[part])[0])
    se = np.sqrt((SIZE - 1) * np.var(left_out))
    assert told.estimate.se == pytest.approx(se)


def _by_hand(cheap: Floats, dear: Floats) -> tuple[float, float]:
    """D and tuning: the cheap judge's by window, cell and position; the dear one's after."""
    diagonal = np.eye(cheap.shape[1], dtype=bool)
    joint = spread = 0.0
    means = []
    for part in (diagonal, ~diagonal):
        drawn = ~np.isnan(dear[part])
        first, second = cheap[1][part][drawn], dear[part][drawn]
        joint += ((first - first.mean()) * (second - second.mean())).sum()
        spread += ((first - first.mean()) ** 2).sum()
        means.append((first.mean(), second.mean()))
    tuning = joint / spread
    (own_first, own_second), (other_first, other_second) = means
    late, early = (_centred(100 * np.nanmean(cheap[window], axis=-1)) for window in (1, 0))
    left = late - (late * early).sum() / (early**2).sum() * early
    size = len(late)
    sway = tuning * np.diag(left).mean() * size / (size - 1)
    more = own_second - tuning * own_first - other_second + tuning * other_first
    return sway + 100 * more, tuning


def _answers(told: RejudgedReplies) -> Floats:
    """Answers by window, persona, run and position; nan where nothing was asked."""
    found = np.full((2, SIZE, SIZE, VIDEOS), np.nan)
    persona = np.array([int(name[1:]) for name in told.persona])
    found[told.after.astype(int), persona, told.run, told.position] = told.answer
    return found


def _centred(cells: Floats) -> Floats:
    rows, columns = cells.mean(1, keepdims=True), cells.mean(0, keepdims=True)
    centred: Floats = cells - rows - columns + cells.mean()
    return centred


def test_missing_answers_of_the_sample_are_bounded_and_of_the_cheap_judge_need_not_be() -> None:
    def refusing(persona: str, run: int, position: int, *_: object) -> str | None:
        return None if position % 7 == 1 else DEAR(persona, run, position, False, 0)

    told = both(everything(DEAR), sample(refusing))
    low, high = told.bounds
    assert low < told.estimate.value < high
    assert high - low < 100
    other = both(everything(refusing), sample(DEAR))
    assert other.bounds[0] == other.bounds[1] == other.estimate.value


def test_where_there_are_no_two_judges() -> None:
    whole = everything(DEAR)
    matrix = persona_matrix(whole, np.random.default_rng(0))
    begun = sample(DEAR, without=lambda run, position: run == 2 and position == 90)
    with pytest.raises(NotOffered, match="Not every question of the sample"):
        two_judge_matrix(whole, matrix, begun)
    grown = {run: one for run, one in sampled_files(DEAR).items() if run != 3}
    with pytest.raises(NotOffered, match="or runs came after it was drawn"):
        two_judge_matrix(whole, matrix, replies(table(SIZE), grown))
    twice = sampled_files(DEAR)
    judge = twice[1].judge
    other = judge.model_copy(update={"sample": {**judge.sample.model_dump(), "questions": 300}})  # type: ignore[union-attr]
    twice[1] = replace(twice[1], sittings=(other,))
    with pytest.raises(NotOffered, match="drawn several times under one name"):
        two_judge_matrix(whole, matrix, replies(table(SIZE), twice))
    with pytest.raises(NotOffered, match="no matrix of its own"):
        persona_matrix(sample(DEAR), np.random.default_rng(0))
    part = {run: file_of(run, SIZE, range(80), DEAR) for run in range(SIZE)}
    with pytest.raises(NotOffered, match="no judge of all videos was asked"):
        two_judge_matrix(replies(table(SIZE), part), matrix, sample(DEAR))


def test_levels_of_draws_that_differ_in_size_fall_out() -> None:
    """Nothing sways; in the feeds and tastes of one draw there is more to say yes to."""
    sizes, videos = (9, 5), 50.0
    blocks = np.repeat([0, 1], sizes)
    size = len(blocks)
    level = np.where(blocks == 0, 0.2, 0.5)
    whole = np.full((2, 1, size, size), videos)
    dear = np.broadcast_to(level[:, None], (size, size))[None]
    cheap = dear * np.where(blocks == 0, 1.0, 0.6)[None, :, None]
    drawn = np.where(np.eye(size, dtype=bool), 20.0, 4.0)[None]
    counts = JointCounts(
        blocks[None],
        whole,
        np.stack([cheap, cheap]) * videos,
        drawn=drawn,
        first=drawn * cheap,
        squares=drawn * cheap,
        second=drawn * dear,
        both=drawn * cheap,
        lost=np.zeros_like(drawn),
        lost_first=np.zeros_like(drawn),
    )
    for tuning in (0.0, 0.5, 1.0):
        for part in (counts, *counts.without_each()):
            assert part.sway(np.array(tuning), passive=True) == pytest.approx(0, abs=1e-9)
