import numpy as np
import pytest

from analysis.data.before_after_windows import batches, batches_assumed, change_position, compared
from analysis.data.exposures import ADAPT, AFTER, BEFORE, UNKNOWN, RunInfo, Views, table
from store.runs.ledger_lines import Windows


def run(
    baseline: str, adapt: int = 0, known: bool = True, excluded: dict[int, int] | None = None
) -> Views:
    """24 videos before and 36 later in batches of 12, each requested 4 videos ahead."""
    rows = []
    for at in range(60):
        phase = BEFORE if at < 24 else ADAPT if at < 24 + adapt else AFTER
        rows.append(
            (
                0,
                at,
                at // 12,
                max(0, at // 12 * 12 - 4) if known else UNKNOWN,
                phase,
                1,
                0,
                (excluded or {}).get(at, 0),
                0.5,
                None,
                1.0,
                15.0,
                0.1,
                f"v{at}",
                0,
            )
        )
    windows = Windows(before=24, adapt=adapt, after=36 - adapt, baseline=baseline)
    return table([RunInfo("r", "p", windows=windows)], rows)


def test_the_papers_windows_are_compared_as_they_are() -> None:
    rows = compared(run("active"))
    assert rows.before.sum() == 24
    assert rows.after.sum() == 36
    assert not rows.too_early.any()


def test_a_passive_baseline_drops_what_was_requested_before_the_change() -> None:
    rows = compared(run("passive"))
    # the change is at 24; the batch of 24 to 35 was requested at 20, that of 36 to 47 at 32
    assert np.flatnonzero(rows.too_early).tolist() == list(range(24, 36))
    assert rows.after.sum() == 24


def test_an_adapt_phase_takes_the_place_of_the_drop() -> None:
    rows = compared(run("passive", adapt=12))
    assert not rows.too_early.any()
    assert np.flatnonzero(rows.after)[0] == 36


def test_without_request_positions_at_least_one_batch_is_dropped() -> None:
    rows = compared(run("passive", known=False))
    assert np.flatnonzero(rows.too_early).tolist() == list(range(24, 36))


@pytest.mark.parametrize("baseline", ["active", "passive"])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_sensitivity_drops_whole_batches_whatever_the_baseline(
    baseline: str, count: int
) -> None:
    rows = compared(run(baseline), count)
    assert rows.too_early.sum() == 12 * count
    assert rows.before.sum() == 24


def test_a_batch_is_counted_when_it_is_first_shown() -> None:
    shuffled = run("active")
    shuffled.batch[24:36], shuffled.batch[36:48] = 3, 2
    assert np.flatnonzero(compared(shuffled, 1).too_early).tolist() == list(range(24, 36))


def test_excluded_videos_are_in_no_window() -> None:
    rows = compared(run("passive", excluded={3: 1, 30: 2, 50: 3}))
    assert (rows.before.sum(), rows.after.sum(), rows.too_early.sum()) == (23, 23, 11)


def test_unknown_batches_are_blocks_of_twelve() -> None:
    made = run("active")
    made.batch[:] = UNKNOWN
    assert batches_assumed(made)
    assert np.bincount(batches(made)).tolist() == [12] * 5
    made.batch[:12] = 7
    assert len(set(batches(made))) == 5
    assert not batches_assumed(run("active"))


def test_a_run_that_never_left_the_before_window() -> None:
    short = run("passive").select(np.arange(60) < 20)
    assert change_position(short) is None
    rows = compared(short, 2)
    assert rows.before.sum() == 20
    assert not rows.after.any()
