"""A dear judge of a sample beside a cheap one of all videos."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from analysis.errors import NotOffered
from analysis.estimators.persona_matrix import estimate
from analysis.estimators.rejudged_matrix import persona_matrix
from analysis.estimators.rejudged_replies import RejudgedReplies, replies
from analysis.estimators.two_judges import TwoJudgeMatrix, beside_whole, two_judge_matrix
from analysis.statistics.estimate import Floats
from store.runs.rejudgements import Judgements
from tests.analysis.estimators.test_rejudged_matrix import Says, file_of, own, table

SIZE, VIDEOS, SHARE = 6, 96, 0.25


CHANCE = np.random.default_rng(7).random((3, SIZE, SIZE, VIDEOS))


def fixed(stream: int, share: float = 0.3, sway: float = 0.3) -> Says:
    """Answers that are the same whenever they are asked for."""

    def says(persona: str, run: int, position: int, *_: object) -> str:
        rate = share + sway * (own(persona, run) and position >= VIDEOS // 2)
        return "yes" if CHANCE[stream, int(persona[1:]), run, position] < rate else "no"

    return says


DEAR = fixed(1)


def asked(
    says: Says, share: float = 1.0, without: Callable[[int], bool] = lambda _: False
) -> RejudgedReplies:
    """All that a judge says, of a share of the videos, but for some positions."""
    files: dict[int, Judgements] = {}
    for run in range(SIZE):
        file = file_of(run, SIZE, range(VIDEOS), says)
        judge = file.judge.model_copy(update={"sample": share})
        drawn = judge.draw("", range(VIDEOS), own=True)
        kept = [
            line for line in file.lines if line.position in drawn and not without(line.position)
        ]
        files[run] = replace(file, sittings=(judge,), lines=tuple(kept))
    return replies(table(SIZE), files)


def both(cheap: RejudgedReplies, dear: RejudgedReplies) -> TwoJudgeMatrix:
    alone = persona_matrix(dear, np.random.default_rng(0))
    return two_judge_matrix(cheap, dear, alone, np.random.default_rng(0))


def d(told: RejudgedReplies) -> float:
    return persona_matrix(told, np.random.default_rng(0)).sway.estimate.value


def test_judges_that_agree_give_what_either_gives_everywhere() -> None:
    sample = asked(DEAR, SHARE)
    told = both(asked(DEAR), sample)
    assert told.tuning == pytest.approx(1)
    assert told.estimate.value == pytest.approx(d(asked(DEAR)))
    assert told.share == pytest.approx(SHARE, abs=0.03)
    alone, whole = (persona_matrix(one, np.random.default_rng(0)) for one in (sample, asked(DEAR)))
    widths = [
        one.high - one.low
        for one in (estimate(part.after, part.before, part.blocks) for part in (whole, alone))
    ]
    assert told.narrower == pytest.approx(100 * (1 - widths[0] / widths[1]))
    assert told.bounds == (told.estimate.value, told.estimate.value)


def test_a_cheap_judge_that_says_the_same_of_everything_is_left_aside() -> None:
    sample = asked(DEAR, SHARE)
    told = both(asked(lambda *_: "yes"), sample)
    assert told.tuning == 0
    assert told.estimate.value == pytest.approx(d(sample))
    assert told.narrower == pytest.approx(0)


def test_what_the_cheap_judge_adds_in_own_feeds_is_taken_out() -> None:
    """Half of what it sees there it says yes to, whatever it is: the sample puts it right."""

    def lenient(persona: str, run: int, position: int, *_: object) -> str:
        more = own(persona, run) and position >= VIDEOS // 2 and position % 2
        return "yes" if more else DEAR(persona, run, position, False, 0) or "no"

    cheap, truth = asked(lenient), d(asked(DEAR))
    told = both(cheap, asked(DEAR, SHARE))
    assert d(cheap) > truth + 12
    assert abs(told.estimate.value - truth) < 8
    assert told.estimate.low < truth < told.estimate.high
    assert told.test.p < 0.01


def test_the_estimate_is_that_of_a_table_made_by_hand() -> None:
    cheap_says, dear_says = fixed(2, 0.4, 0.2), DEAR

    def noisy(persona: str, run: int, position: int, *_: object) -> str | None:
        good = (persona, run, position, False, 0)
        return cheap_says(*good) if position % 5 == 0 else dear_says(*good)

    cheap, dear = asked(noisy), asked(DEAR, SHARE)
    told = both(cheap, dear)
    a = _answers(cheap)
    b = _answers(dear)
    drawn = ~np.isnan(b)
    joint, spread = 0.0, 0.0
    for where in np.ndindex(2, SIZE, SIZE):
        kept = drawn[where]
        first, second = a[where][kept], b[where][kept]
        joint += ((first - first.mean()) * (second - second.mean())).sum()
        spread += ((first - first.mean()) ** 2).sum()
    tuning = joint / spread
    assert told.tuning == pytest.approx(tuning)
    cells = tuning * np.nanmean(a, axis=-1) + np.nanmean(
        np.where(drawn, b - tuning * a, np.nan), axis=-1
    )
    late, early = (_centred(100 * cells[window]) for window in (1, 0))
    left = late - (late * early).sum() / (early**2).sum() * early
    expected = np.diag(left).mean() * SIZE / (SIZE - 1)
    assert told.estimate.value == pytest.approx(expected)


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

    told = both(asked(DEAR), asked(refusing, SHARE))
    low, high = told.bounds
    assert low < told.estimate.value < high
    other = both(asked(refusing), asked(DEAR, SHARE))
    assert other.bounds[0] == other.bounds[1] == other.estimate.value


def test_where_there_are_no_two_judges() -> None:
    rng = np.random.default_rng(0)
    sample = asked(DEAR, SHARE)
    alone = persona_matrix(sample, rng)
    part = asked(DEAR, without=lambda position: position == min(sample.position[sample.after]))
    with pytest.raises(NotOffered, match="no judge of all videos was asked"):
        two_judge_matrix(part, sample, alone, rng)
    assert beside_whole(part, sample, alone, rng) is None
    assert beside_whole(None, sample, alone, rng) is None
    assert beside_whole(asked(DEAR), asked(DEAR), alone, rng) is None
    assert beside_whole(asked(DEAR), sample, alone, rng) is not None
