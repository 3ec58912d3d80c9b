"""The parts of a report, against what can be counted by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from analysis.data.before_after_windows import counts_by_run
from analysis.data.exposures import PHASES, RunInfo
from analysis.data.reported_uses import USES
from analysis.estimators.contrasts import pair_up
from analysis.report.breakdown import by_persona, drift
from analysis.report.diversity import rarefied, varieties
from analysis.report.feeds import lost_runs, missing_rows, uses
from analysis.report.group_measures import Measures
from analysis.report.ledger_rows import RowDetails
from analysis.report.number_sources import Name
from analysis.report.report_group import GroupRows
from analysis.report.row_uses import account
from analysis.statistics.intervals import difference_over_batches
from store.runs.ledger_lines import Windows
from tests.analysis import made_results


def test_every_row_has_one_use(measures: Measures) -> None:
    views, rows = measures.material.views, measures.rows
    told = {name: int((rows.use == code).sum()) for code, name in enumerate(USES)}
    assert sum(told.values()) == len(views)
    assert {name: count for name, count in told.items() if name in ("ad", "repeat")} == (
        views.exclusions()
    )
    counted = told["before"] + told["after"]
    assert counted == sum(int(unit.n.sum()) for unit in measures.groups[0].counts)
    assert rows.counted.sum() == counted


def test_a_source_counts_what_went_in_and_what_did_not() -> None:
    views = made_results.views([np.array([1, 0, -1, 1]), np.array([0, 0, 1, 1])], before=2)
    views.excluded[7] = 1
    views.phase[0] = PHASES.index("adapt")
    rows = account(views)
    source = rows.source("analysis.x", rows.of([0, 1]))
    assert source.used == "5 judged videos of 2 runs (treatment)"
    assert source.left_out == "1 adapt window, 1 ad, 1 no answer (refused)"
    one = rows.source("analysis.x", rows.of([0, 1]), rows.counted & rows.of([0]), otherwise="other")
    assert one.used == "2 judged videos of 1 run (treatment)"
    assert one.left_out.startswith("3 other, 1 adapt window")


def test_the_table_of_uses_adds_up(measures: Measures) -> None:
    table = uses(GroupRows(measures, measures.groups[0]))
    for column, total in enumerate(table.totals):
        assert sum(row.counts[column].value for row in table.rows) == total.value
    assert sum(total.value for total in table.totals) == len(measures.material.views)


def test_missing_answers_are_counted_by_window_and_arm(measures: Measures) -> None:
    group = measures.groups[0]
    rows = missing_rows(GroupRows(measures, group))
    for row, arm in zip(rows, group.result.arms, strict=True):
        assert row.before.value + row.after.value == arm.unanswered > 0
        assert row.low.value < row.sway.value < row.high.value
        assert row.reasons == "unreadable"


def test_lost_runs_are_named_with_what_became_of_them(measures: Measures) -> None:
    losses = lost_runs(GroupRows(measures, measures.groups[0]))
    by_arm = {row.arm: row for row in losses.rows}
    assert by_arm["treatment"].lost == ()
    passive = by_arm["passive control"]
    assert passive.lost == ((Name("example-pia-passive"), Name("interrupted")),)
    assert (passive.planned.value, passive.complete.value) == (6, 5)
    assert losses.superseded is None


def test_the_curve_holds_every_answer_and_no_bin_straddles_windows(measures: Measures) -> None:
    group, views = measures.groups[0], measures.material.views
    told = group.drift
    assert told.length == 100
    assert [part.phase for part in told.bins] == ["before"] * 2 + ["adapt"] * 2 + ["after"] * 4
    assert told.bins[0].first == 0
    assert told.bins[-1].last == 99
    for earlier, later in zip(told.bins[:-1], told.bins[1:], strict=True):
        assert later.first == earlier.last + 1
    treated = next(curve for curve in told.curves if curve.arm == "treatment")
    shares = []
    for index in group.members:
        run = views.one(index)
        if run.runs[0].arm == "treatment":
            rows = np.flatnonzero(run.eligible & (run.phase == PHASES.index("after")))[:13]
            answers = run.answer[rows]
            shares.append(100 * (answers == 1).sum() / (answers >= 0).sum())
    assert treated.points[4].value == pytest.approx(np.mean(shares))
    assert treated.points[4].clusters == 6


def test_a_curve_of_runs_of_unequal_length() -> None:
    views = made_results.views([np.ones(30, dtype=int), np.zeros(18, dtype=int)], before=12)
    told = drift(views, [0, 1], ["treatment"])
    assert told.length == 30
    assert [(part.first, part.last) for part in told.bins] == [(0, 11), (12, 20), (21, 29)]
    points = told.curves[0].points
    assert [point.clusters for point in points] == [2, 2, 1]
    assert [point.value for point in points] == [50, 50, 100]


def test_the_forest_is_made_of_the_runs_own_intervals(measures: Measures) -> None:
    group = measures.groups[0]
    for row in group.forest:
        mine = [i for i, run in enumerate(group.runs) if run.persona == row.persona]
        over = {group.runs[i].arm: difference_over_batches(group.counts[i].in_points) for i in mine}
        one, two = over["treatment"], over["passive"]
        assert row.estimate.value == pytest.approx(one.value - two.value)
        assert row.estimate.se == pytest.approx(np.hypot(one.se, two.se))
        assert min(one.df, two.df) <= row.estimate.df <= one.df + two.df
    mean = np.mean([row.estimate.value for row in group.forest])
    assert mean == pytest.approx(group.result.contrasts[0].estimate.value)


def test_replicates_of_a_persona_are_averaged() -> None:
    rng = np.random.default_rng(3)
    infos = [
        RunInfo(f"{arm}{number}", "p1", arm=arm, replicate=number)
        for number in (1, 2)
        for arm in ("treatment", "passive")
    ]
    views = made_results.views([(rng.random(100) < 0.4).astype(int) for _ in infos], 50, infos)
    from analysis.data.before_after_windows import counts_by_run

    counts = counts_by_run(views)
    (row,) = by_persona(infos, counts, "passive")
    sway = [100 * (unit.share[1] - unit.share[0]) for unit in counts]
    pairs = pair_up(infos, "passive")
    assert row.runs == len(pairs) == 2
    assert row.estimate.value == pytest.approx(np.mean([sway[t] - sway[c] for t, c in pairs]))
    assert row.estimate.bounded
    (lonely,) = by_persona(infos[:1], counts[:1], "passive")
    assert lonely.estimate.reason == "no run with a partner"


def test_rarefaction_by_hand() -> None:
    # of two videos drawn from a, a, b: ab twice in three draws, aa once
    assert rarefied((2, 1), 2) == pytest.approx(2 * 2 / 3 + 1 / 3)
    assert rarefied((1, 1, 1), 3) == pytest.approx(3)
    assert rarefied((5,), 4) == pytest.approx(1)
    assert np.isnan(rarefied((2,), 3))
    assert np.isnan(rarefied((2,), 0))


def seen(views: Any, authors: list[str | None], hashes: list[str | None]) -> RowDetails:
    empty = np.full(len(views), None, dtype=object)
    return RowDetails(
        np.array(authors, dtype=object), np.array(hashes, dtype=object), empty, empty, empty
    )


def test_variety_by_hand() -> None:
    views = made_results.views([np.zeros(12, dtype=int), np.zeros(12, dtype=int)], before=6)
    views.excluded[5] = 3  # a repeat in the first run's before window
    authors: list[str | None] = ["a", "a", "b", "b", "c", "c", *["a"] * 6, *"abcdef", *"abcdef"]
    one, other = "0" * 16, "f" * 16
    hashes = [one, one, other, other, other, other, *[one] * 6, *[None] * 12]
    rows = varieties(views, seen(views, authors, hashes), [0, 1], ["treatment"])
    before, after = rows
    assert (before.window, before.videos, before.sample) == ("before", 11, 5)
    assert before.repeats.value == pytest.approx(100 / 6 / 2)
    # 3 of 5 frames of the first run's window look like an earlier one; the second has none
    assert before.near.value == pytest.approx(60)
    assert after.near.value == pytest.approx(100)
    # the first run: 5 videos of 3 creators; the second: any 5 of 6
    assert before.creators.value == pytest.approx((3 + 5) / 2)
    assert after.creators.value == pytest.approx((1 + 5) / 2)
    assert before.shared == pytest.approx(100)  # both runs showed v0 to v4
    silent = varieties(views, None, [0, 1], ["treatment"])
    assert np.isnan(silent[0].creators.value)
    assert silent[0].shared == pytest.approx(100)


def test_shares_beside_the_variety_are_of_the_rows_that_the_sway_compares() -> None:
    """What was requested before the change is shown, and is in neither share."""
    answers = np.array([0, 1] * 6 + [1] * 6 + [0, 0, 0, 1, 1, 1])
    run = RunInfo("r1", "p1", windows=Windows(before=12, adapt=0, after=12, baseline="passive"))
    views = made_results.views([answers], before=12, infos=[run])
    views.batch[:] = np.arange(24) // 6
    views.requested_at[:] = np.repeat([0, 2, 8, 14], 6)  # the third batch before the change
    views.repeat[23] = 1
    before, after = varieties(views, None, [0], ["treatment"])
    (counts,) = counts_by_run(views)
    assert (before.yes.value, after.yes.value) == tuple(100 * counts.share)
    assert after.yes.value == pytest.approx(50)
    assert after.yes_new.value == pytest.approx(40)
    assert after.videos == 12


def test_creators_are_not_counted_where_some_are_unknown() -> None:
    views = made_results.views([np.zeros(12, dtype=int)], before=6)
    rows = varieties(views, seen(views, [None, *["a"] * 11], [None] * 12), [0], ["treatment"])
    assert np.isnan(rows[0].creators.value)
    assert np.isnan(rows[0].shared)
