import numpy as np
import pytest

from analysis.errors import NotOffered
from analysis.estimators.persona_matrix import specific_sway
from analysis.estimators.persona_matrix_cells import (
    RejudgedColumns,
    count_cells,
    graded_cells,
    missing_shares,
)
from analysis.statistics.intervals import share_variance


def asked(size: int, videos: int, sway: float = 0.0) -> RejudgedColumns:
    """Every video of both windows of every run put to every persona; base 0.3."""
    rng = np.random.default_rng(4)
    persona, run, after, video = np.meshgrid(
        np.arange(size), np.arange(size), [False, True], np.arange(videos), indexing="ij"
    )
    rate = 0.3 + sway * (persona == run) * after
    answer = (rng.random(rate.shape) < rate).astype(np.int64)
    columns = (persona, run, after, video // 12, answer, 50.0 + 20 * answer)
    return RejudgedColumns(*(column.ravel() for column in columns))


def test_cells_are_counted_by_persona_and_run() -> None:
    rows = RejudgedColumns(
        persona=np.array([0, 1, 0, 1, 0, 1]),
        run=np.array([0, 0, 1, 1, 1, 1]),
        after=np.array([True, True, True, True, False, False]),
        batch=np.zeros(6, dtype=np.int64),
        answer=np.array([1, 0, -1, 1, 0, 1]),
    )
    cells = count_cells(rows, 2)
    assert cells.asked[1].tolist() == [[1, 1], [1, 1]]
    assert cells.judged[1].tolist() == [[1, 0], [1, 1]]
    assert cells.yes[1].tolist() == [[1, 0], [0, 1]]
    assert cells.before[:, 1].tolist() == [0, 100]
    assert np.isnan(cells.before[:, 0]).all()
    assert np.allclose(missing_shares([cells]), [0, 100 / 3])


def test_where_nothing_was_asked_no_share_is_known() -> None:
    none = np.zeros(0, dtype=np.int64)
    cells = count_cells(RejudgedColumns(none, none, none > 0, none, none), 2)
    assert (cells.asked == 0).all()
    assert np.isnan([cells.before, cells.after]).all()
    assert np.isnan(cells.within).all()
    assert missing_shares([cells]) == (0, 0)


def test_graded_cells_are_means_over_what_was_judged() -> None:
    rows = RejudgedColumns(
        persona=np.array([0, 0, 0, 1, 1, 1]),
        run=np.array([0, 0, 0, 1, 1, 1]),
        after=np.array([True, True, True, True, False, False]),
        batch=np.zeros(6, dtype=np.int64),
        answer=np.array([1, 0, -1, 1, 0, 1]),
        grade=np.array([80.0, 10, np.nan, 60, 20, np.nan]),
    )
    cells = graded_cells(rows, 2)
    assert np.diagonal(cells[1]).tolist() == [45, 60]
    assert np.isnan(cells[0]).all()  # one before answer has no grade, the others were not asked
    assert np.isnan(cells[1][~np.eye(2, dtype=bool)]).all()
    again = asked(5, 24)
    share = count_cells(again, 5).after
    assert np.allclose(graded_cells(again, 5)[1], 50 + 20 * share / 100)


def test_a_planted_sway_comes_through() -> None:
    cells = count_cells(asked(8, 96, 0.3), 8)
    told = specific_sway(cells.after, np.random.default_rng(0), cells.before)
    assert told.estimate.low < 30 < told.estimate.high
    assert told.test.p < 0.001
    assert told.placebo_test.p > 0.001
    assert np.allclose(cells.within.mean(), 0.3 * 0.7 / 96 * 1e4, rtol=0.3)


def test_frames_that_only_some_personas_judged_are_refused() -> None:
    rows = asked(5, 24)
    kept = ~((rows.persona == 2) & (rows.run == 3) & (rows.batch == 1))
    part = RejudgedColumns(*(getattr(rows, name)[kept] for name in rows.__dataclass_fields__))
    with pytest.raises(NotOffered, match="every frame"):
        count_cells(part, 5)


def test_the_variance_of_a_share_by_hand() -> None:
    # shares 0, 1/2, 1 of three batches of two: residuals -1, 0, 1 of six videos, factor 3 / 2
    n, yes = np.array([2.0, 2, 2, 0]), np.array([0.0, 1, 2, 0])
    assert share_variance(n, yes) == pytest.approx(2 / 36 * 1.5)
    assert np.isnan(share_variance(np.array([4.0, 0]), np.array([2.0, 0])))


def test_missing_answers_of_replicates_are_pooled() -> None:
    """A mean over replicates gave the small one as much say as the large one."""
    many, few = (
        RejudgedColumns(
            persona=np.zeros(count, dtype=np.int64),
            run=np.zeros(count, dtype=np.int64),
            after=np.ones(count, dtype=bool),
            batch=np.zeros(count, dtype=np.int64),
            answer=np.array([-1] * lost + [1] * (count - lost)),
        )
        for count, lost in ((90, 9), (10, 10))
    )
    assert missing_shares([count_cells(one, 1) for one in (many, few)]) == (19, 0)
