"""The sway as people would find it: a computation by hand, and the truth where it is known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from analysis.data.before_after_windows import batch_sums, compared, counts_by_run
from analysis.data.exposures import RunInfo, Views
from analysis.data.people_labels import LabelRows, count_chanceless, place_labels
from analysis.estimators.contrasts import sways
from analysis.estimators.people_results import measure_people
from analysis.estimators.peoples_sway import measure_sways
from analysis.statistics.intervals import difference_over_batches
from store.runs.labels import DrawQuestion, DrawStratum
from tests.analysis import made_results
from tests.analysis.made_labels import people_answers

WINDOW = 24
T5 = 2.570581835636314  # Student's t of 5 degrees of freedom


def infos(runs: int, arms: Sequence[str] = ("treatment",)) -> list[RunInfo]:
    return [
        RunInfo(f"r{run}", f"p{run // len(arms)}", arm=arms[run % len(arms)], identity=f"p{run}~t")
        for run in range(runs)
    ]


def labelled(
    views: Views, truth: Sequence[np.ndarray], chosen: Sequence[Sequence[int]], answers: int = 1
) -> LabelRows:
    """Rows of questions about chosen positions, drawn by run and window, answered truly."""
    questions, given = [], []
    for run, positions in enumerate(chosen):
        rows = compared(views.one(run))
        for at in positions:
            window = rows.after if rows.after[at] else rows.before
            of_window = [one for one in positions if window[one]]
            questions.append(
                DrawQuestion(
                    id=f"q{run:03}{at:03}",
                    run_id=views.runs[run].run_id,
                    position=at,
                    arm=views.runs[run].arm,
                    window="after" if rows.after[at] else "before",
                    persona=views.runs[run].identity.partition("~")[0],
                    traits="t",
                    own=True,
                    probability=len(of_window) / int(window.sum()),
                )
            )
            given.append(int(truth[run][at]))
    ids = tuple(run.run_id for run in views.runs)
    people = people_answers(np.array([given] * answers), tuple(questions), ids)
    return place_labels(people, views, range(len(views.runs)))


def sway_by_hand(
    judge: Sequence[np.ndarray],
    truth: Sequence[np.ndarray],
    chosen: Sequence[Sequence[int]],
    runs: Sequence[int],
) -> tuple[float, float]:
    """The estimate and its tuning, question by question."""
    windows = (range(WINDOW), range(WINDOW, 2 * WINDOW))
    sample = [
        [
            (truth[run][at], judge[run][at], WINDOW / sum(one in window for one in chosen[run]))
            for run in runs
            for at in chosen[run]
            if at in window and truth[run][at] >= 0
        ]
        for window in windows
    ]
    joint = spread = 0.0
    for part in sample:
        whole = sum(w for _, _, w in part)
        mean_y = sum(w * y for y, _, w in part) / whole
        mean_f = sum(w * f for _, f, w in part) / whole
        joint += sum(w * (y - mean_y) * (f - mean_f) for y, f, w in part)
        spread += sum(w * (f - mean_f) ** 2 for _, f, w in part)
    tuning = min(max(joint / spread, 0), 1)
    shares = []
    for part, window in zip(sample, windows, strict=True):
        guess = np.mean([judge[run][at] for run in runs for at in window])
        whole = sum(w for _, _, w in part)
        shares.append(tuning * guess + sum(w * (y - tuning * f) for y, f, w in part) / whole)
    return 100 * (shares[1] - shares[0]), tuning


def made(runs: int, seed: int) -> tuple[list[np.ndarray], list[np.ndarray], list[list[int]]]:
    """What people would say, what the judge said, and about which positions people were asked."""
    rng = np.random.default_rng(seed)
    truth = [
        (rng.random(2 * WINDOW) < np.repeat([0.3, 0.5], WINDOW)).astype(int) for _ in range(runs)
    ]
    judge = [np.where(rng.random(2 * WINDOW) < 0.8, one, 1 - one) for one in truth]
    chosen = [
        sorted(
            [
                *rng.choice(WINDOW, 5 + run % 3, replace=False).tolist(),
                *(WINDOW + rng.choice(WINDOW, 8, replace=False)).tolist(),
            ]
        )
        for run in range(runs)
    ]
    return truth, judge, chosen


def test_it_equals_a_computation_by_hand() -> None:
    truth, judge, chosen = made(6, 1)
    views = made_results.views(judge, WINDOW, infos(6))
    (told,) = measure_sways(views, range(6), labelled(views, truth, chosen))
    value, tuning = sway_by_hand(judge, truth, chosen, range(6))
    assert told.sway.value == pytest.approx(value)
    assert told.tuning == pytest.approx(tuning)
    assert 0 < told.tuning < 1
    left = [
        sway_by_hand(judge, truth, chosen, [one for one in range(6) if one != out])[0]
        for out in range(6)
    ]
    se = math.sqrt(5 / 6 * sum((one - np.mean(left)) ** 2 for one in left))
    assert told.sway.high - told.sway.low == pytest.approx(2 * T5 * se)
    assert told.labels == sum(map(len, chosen))
    assert told.after - told.before == pytest.approx(value)
    judged = 100 * np.mean([one[WINDOW:].mean() - one[:WINDOW].mean() for one in judge])
    assert told.judge == pytest.approx(judged)


def test_with_every_label_it_is_what_people_say() -> None:
    truth, judge, _ = made(6, 2)
    views = made_results.views(judge, WINDOW, infos(6))
    every = [list(range(2 * WINDOW))] * 6
    (told,) = measure_sways(views, range(6), labelled(views, truth, every))
    people = 100 * np.mean([one[WINDOW:].mean() - one[:WINDOW].mean() for one in truth])
    assert told.sway.value == pytest.approx(people)
    assert told.alone.value == pytest.approx(people)


def test_a_judge_of_no_use_is_left_aside_and_a_biased_one_put_right() -> None:
    """Mean over 300 samples of one study, whose truth is known; the judge sees no rise at all."""
    rng = np.random.default_rng(4)
    truth, _, _ = made(6, 3)
    people = 100 * np.mean([one[WINDOW:].mean() - one[:WINDOW].mean() for one in truth])
    judge = [np.where(np.arange(2 * WINDOW) < WINDOW, one, one * 0) for one in truth]
    views = made_results.views(judge, WINDOW, infos(6))
    found = []
    for _ in range(300):
        chosen = [
            sorted(
                [
                    *rng.choice(WINDOW, 8, replace=False).tolist(),
                    *(WINDOW + rng.choice(WINDOW, 8, replace=False)).tolist(),
                ]
            )
            for _ in range(6)
        ]
        (told,) = measure_sways(views, range(6), labelled(views, truth, chosen))
        found.append(told.sway.value)
    assert told.judge < 0 < people
    assert np.mean(found) == pytest.approx(people, abs=4 * float(np.std(found)) / math.sqrt(300))


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """200 made studies of runs that differ; docs/labels.md has longer ones."""
    rng = np.random.default_rng(11)
    held = 0
    for _ in range(200):
        before = np.clip(rng.normal(0.3, 0.08, 6), 0.05, 0.6)
        rates = np.stack([before, before + rng.normal(0.15, 0.08, 6)], axis=1)
        truth = [(rng.random(2 * WINDOW) < np.repeat(rate, WINDOW)).astype(int) for rate in rates]
        judge = [np.where(rng.random(2 * WINDOW) < 0.8, one, 1 - one) for one in truth]
        chosen = [
            sorted(
                at
                for window in (0, WINDOW)
                for at in (window + rng.choice(WINDOW, 8, replace=False)).tolist()
            )
            for _ in range(6)
        ]
        views = made_results.views(judge, WINDOW, infos(6))
        (told,) = measure_sways(views, range(6), labelled(views, truth, chosen))
        held += told.sway.low <= 15 <= told.sway.high
    assert 0.90 <= held / 200 <= 0.995


def test_treatment_less_control_is_over_pairs() -> None:
    truth, judge, chosen = made(12, 5)
    views = made_results.views(judge, WINDOW, infos(12, ("treatment", "passive")))
    told = {one.arm: one for one in measure_sways(views, range(12), labelled(views, truth, chosen))}
    assert list(told) == ["treatment", "passive", "treatment minus passive"]
    treated, control = range(0, 12, 2), range(1, 12, 2)
    assert told["passive"].sway.value == pytest.approx(
        sway_by_hand(judge, truth, chosen, control)[0]
    )
    difference = told["treatment minus passive"]
    assert difference.sway.clusters == 6
    both = [sway_by_hand(judge, truth, chosen, arm)[0] for arm in (treated, control)]
    assert difference.sway.value == pytest.approx(both[0] - both[1], abs=6), "one tuning for both"
    assert math.isnan(difference.before)


def test_missing_answers_have_bounds() -> None:
    truth, judge, chosen = made(6, 6)
    silent = [one.copy() for one in truth]
    for run, positions in enumerate(chosen):
        silent[run][positions[-1]] = -1
    views = made_results.views(judge, WINDOW, infos(6))
    (told,) = measure_sways(views, range(6), labelled(views, silent, chosen))
    low, high = told.bounds
    assert low < told.sway.value < high
    (known,) = measure_sways(views, range(6), labelled(views, truth, chosen))
    assert low <= known.sway.value + 2
    assert known.sway.value - 2 <= high
    assert known.bounds == (known.sway.value, known.sway.value)


def test_what_is_not_labelled_yet_is_said() -> None:
    truth, judge, chosen = made(6, 7)
    views = made_results.views(judge, WINDOW, infos(6))
    before = [[at for at in positions if at < WINDOW] for positions in chosen]
    rows = labelled(views, truth, before)
    (told,) = measure_sways(views, range(6), rows)
    assert told.sway.reason == "a window has no label yet"
    result = measure_people(rows.people, views, range(6), {})
    assert result.labelled == sum(map(len, before))
    one = views.one(0)
    assert measure_people(rows.people, one, [0], {}).outside == sum(map(len, before[1:]))


def every(views: Views) -> list[list[int]]:
    """All compared positions, by run."""
    rows = [compared(views.one(run)) for run in range(len(views.runs))]
    return [np.flatnonzero(one.before | one.after).tolist() for one in rows]


def unequal(seed: int, sizes: Sequence[int]) -> list[np.ndarray]:
    """Answers of runs of unlike rates, with after windows of these sizes."""
    rng = np.random.default_rng(seed)
    return [
        (rng.random(WINDOW + size) < np.repeat(rng.random(2), (WINDOW, size))).astype(int)
        for size in sizes
    ]


def test_where_people_agree_with_the_judge_it_is_the_judges_sway() -> None:
    """After windows of unlike sizes, and two runs without one: each whole run counts alike."""
    truth = unequal(1, (24, 60, 12, 72, 0, 0))
    views = made_results.views(truth, WINDOW, infos(6))
    (told,) = measure_sways(views, range(6), labelled(views, truth, every(views)))
    by_run = sways(counts_by_run(views))
    assert np.isnan(by_run).sum() == 2
    assert told.sway.value == pytest.approx(np.nanmean(by_run))
    assert told.judge == pytest.approx(np.nanmean(by_run))
    assert (told.units, told.sway.clusters) == (4, 4)
    assert [(one.why, one.runs) for one in told.left_out] == [
        ("without both windows", ("r4", "r5"))
    ]


def test_answers_that_both_lack_change_nothing() -> None:
    """Neither the judge nor people can tell a sixth of the videos; they agree on all others."""
    truth = unequal(8, (24, 60, 12, 72))
    gone = [np.where(np.arange(len(one)) % 6 == run, -1, one) for run, one in enumerate(truth)]
    views = made_results.views(gone, WINDOW, infos(4))
    (told,) = measure_sways(views, range(4), labelled(views, gone, every(views)))
    assert told.sway.value == pytest.approx(np.mean(sways(counts_by_run(views))))
    assert told.judge == pytest.approx(told.sway.value)


def test_two_arms_are_compared_over_whole_pairs() -> None:
    """Of five pairs one lacks an after window, and one control was not drawn of."""
    truth = unequal(2, (24, 60, 12, 72, 36, 0, 24, 24, 48, 12))
    views = made_results.views(truth, WINDOW, infos(10, ("treatment", "passive")))
    rows = labelled(views, truth, [*every(views)[:9], []])
    header = rows.people.header.model_copy(update={"runs": tuple(f"r{run}" for run in range(9))})
    rows = replace(rows, people=replace(rows.people, header=header))
    told = {one.arm: one for one in measure_sways(views, range(10), rows)}
    difference = told["treatment minus passive"]
    by_run = sways(counts_by_run(views))
    pairs = [by_run[0] - by_run[1], by_run[2] - by_run[3], by_run[6] - by_run[7]]
    assert difference.sway.value == pytest.approx(np.mean(pairs))
    assert difference.alone.value == pytest.approx(np.mean(pairs))
    assert difference.judge == pytest.approx(np.mean(pairs))
    assert difference.units == 3
    assert [(one.why, one.runs) for one in difference.left_out] == [
        ("not in the draw", ("r9",)),
        ("without both windows", ("r5",)),
        ("without a partner that counts", ("r4", "r8")),
    ]
    assert told["treatment"].units == 5


def test_a_sample_of_unlike_windows_has_no_bias() -> None:
    """Mean over 300 samples; sixteen labels a window whatever its size, and a judge that errs."""
    rng = np.random.default_rng(5)
    truth = unequal(3, (24, 60, 24, 72, 36, 60))
    judge = [np.where(np.arange(len(one)) % 5 == 0, 1, one) for one in truth]
    views = made_results.views(judge, WINDOW, infos(6))
    found = []
    for _ in range(300):
        chosen = [
            sorted(
                [
                    *rng.choice(WINDOW, 10, replace=False).tolist(),
                    *(rng.choice(len(one) - WINDOW, 10, replace=False) + WINDOW).tolist(),
                ]
            )
            for one in truth
        ]
        (told,) = measure_sways(views, range(6), labelled(views, truth, chosen))
        found.append(told.sway.value)
    people = 100 * np.mean([one[WINDOW:].mean() - one[:WINDOW].mean() for one in truth])
    assert np.mean(found) == pytest.approx(people, abs=4 * float(np.std(found)) / math.sqrt(300))


def test_the_interval_of_one_run_is_as_wide_as_that_of_the_judge() -> None:
    truth = unequal(4, (96,))
    views = made_results.views(truth, WINDOW, infos(1))
    (told,) = measure_sways(views, range(1), labelled(views, truth, every(views)))
    one = views.one(0)
    judge = difference_over_batches(batch_sums(one, compared(one), 100.0 * truth[0], one.judged))
    assert judge.method.endswith("for a feed that wanders")
    for each in (told.sway, told.alone):
        assert each.low == pytest.approx(judge.low, abs=0.1)
        assert each.high == pytest.approx(judge.high, abs=0.1)


def test_one_pair_has_no_interval_and_no_pair_no_sway() -> None:
    truth = unequal(5, (24, 36))
    views = made_results.views(truth, WINDOW, infos(2, ("treatment", "passive")))
    told = measure_sways(views, range(2), labelled(views, truth, every(views)))[-1]
    assert told.sway.exists
    assert not told.sway.bounded
    views = made_results.views([truth[0], truth[1][:WINDOW]], WINDOW, views.runs)
    told = measure_sways(views, range(2), labelled(views, truth, every(views)))[-1]
    assert told.sway.reason == "no pair has its four windows"


def test_a_window_that_the_judge_did_not_answer_is_said() -> None:
    truth = unequal(6, (24, 36, 48))
    judge = [truth[0], np.r_[truth[1][:WINDOW], np.full(36, -1)], truth[2]]
    views = made_results.views(judge, WINDOW, infos(3))
    (told,) = measure_sways(views, range(3), labelled(views, truth, every(views)))
    assert (told.units, told.unjudged) == (3, ("r1",))
    assert told.judge == pytest.approx(np.nanmean(sways(counts_by_run(views))))
    people = 100 * np.mean([one[WINDOW:].mean() - one[:WINDOW].mean() for one in truth])
    assert told.alone.value == pytest.approx(people)


def test_videos_that_came_after_the_draw_are_counted() -> None:
    truth = unequal(7, (36, 48))
    views = made_results.views(truth, WINDOW, infos(2))
    people = labelled(views, truth, every(views)).people

    def count(names: tuple[str, ...], sizes: dict[tuple[str, ...], int]) -> int | None:
        strata = tuple(
            DrawStratum.model_validate(
                {"of": dict(zip(names, key, strict=True)), "population": size, "sample": 1}
            )
            for key, size in sizes.items()
        )
        header = people.header.model_copy(update={"strata": names})
        return count_chanceless(replace(people, header=header, strata=strata), views)

    by_run: dict[tuple[str, ...], int] = {
        ("r0", "before"): 24,
        ("r0", "after"): 30,
        ("r1", "before"): 24,
    }
    assert count(("run", "window"), by_run) == 6 + 48
    assert count(("run", "window"), by_run | {("r0", "after"): 36, ("r1", "after"): 48}) == 0
    assert count(("arm",), {("treatment",): 100}) == 24 + 36 + 24 + 48 - 100
