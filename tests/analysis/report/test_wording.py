"""What the page says is what its numbers are: words, sides, designs, and what is compared."""

from __future__ import annotations

import csv
import functools
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from analysis.cli.main import main
from analysis.estimators.study_results import BORROWED, NO_FRAMES
from analysis.report.breakdown import drift
from analysis.report.feeds import missing_rows
from analysis.report.group_measures import Measures, measure
from analysis.report.methods import methods
from analysis.report.page_files import Rendered, write_tables
from analysis.report.report_group import GroupRows
from analysis.report.report_inputs import Material, find_runs, read_runs
from analysis.report.report_page import compose, findings_text, render, write_report
from analysis.report.tables import tables
from analysis.statistics import permutation
from analysis.statistics.estimate import Estimate, percentile_text
from store.runs.data_folder import DataFolder
from store.runs.ledger_lines import Windows
from store.terminal.printing import count_of
from tests.analysis import made_results
from tests.analysis.report.conftest import NOW
from tests.analysis.report.html_reader import text_of, tree
from tests.analysis.report.test_primary_outcome import declared


@functools.cache
def page_of(
    data: Path, primary: str = "controlled", sides: str = "two"
) -> tuple[Measures, Rendered]:
    """The example with this declared test, measured and rendered."""
    measures = measured(declared(DataFolder(data), primary=primary, sides=sides))
    return measures, render(compose(measures, 0, NOW))


def said_of(data: Path, primary: str = "controlled", sides: str = "two") -> str:
    """What that page says."""
    return text_of(tree(page_of(data, primary, sides)[1].html))


def said(material: Material) -> str:
    return text_of(tree(render(compose(measured(material), 0, NOW)).html))


def measured(material: Material) -> Measures:
    return measure(material, np.random.default_rng(0))


def passive_run(folder: Path, run_id: str = "r1", **changes: Any) -> Path:
    """24 videos before and 36 after, batches of 12 asked for 4 ahead; the first 12 are too early.

    Every answer of the first batch after the change is missing; of the later ones one is.
    """
    lost = {30: "refused", **dict.fromkeys(range(24, 30), "refused"), 50: "timed_out"}
    steps = [
        made_results.step(
            at,
            "before" if at < 24 else "after",
            lost.get(at, "yes" if at % (4 if at < 24 else 2) == 0 else "no"),
        )
        for at in range(60)
    ]
    windows = Windows(before=24, after=36, baseline="passive")
    return made_results.write(
        folder, made_results.started(run_id, windows=windows, **changes), steps
    )


def read(data: Path, *names: str) -> Material:
    folder = DataFolder(data)
    return read_runs(folder, find_runs(folder, names), names)


# What is counted


def test_missing_answers_are_those_that_the_shares_are_made_of(tmp_path: Path) -> None:
    passive_run(tmp_path)
    measures = measured(read(tmp_path, "r1"))
    (row,) = missing_rows(GroupRows(measures, measures.groups[0]))
    (arm,) = measures.groups[0].result.arms
    assert (row.before.value, row.after.value) == (0, 1)
    assert arm.unanswered == 1
    assert row.share.value == pytest.approx(100 / (24 + 24))
    assert row.reasons == "timed out"
    assert row.after.source.used == "48 compared videos of 1 run (treatment)"


def test_the_curve_leaves_out_what_is_not_compared(tmp_path: Path) -> None:
    passive_run(tmp_path)
    material = read(tmp_path, "r1")
    told = drift(material.views, [0], ["treatment"])
    assert [(part.first, part.last) for part in told.bins] == [
        (0, 11),
        (12, 23),
        (24, 35),
        (36, 47),
        (48, 59),
    ]
    points = told.curves[0].points
    assert [point.exists for point in points] == [True, True, False, True, True]
    assert "requested before the change, or have no answer, are not in the curve" in said(material)


def test_without_a_batch_nothing_comes_back_that_was_excluded(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    for persona in ("a", "b", "c"):
        steps = [
            made_results.step(
                at, "before" if at < 24 else "after", "yes" if rng.random() < 0.4 else "no"
            )
            for at in range(72)
        ]
        for at in range(24, 48):  # two batches had been asked for before the change
            late = steps[at].video.model_copy(update={"batch_requested_at": 20})
            steps[at] = steps[at].model_copy(update={"video": late})
        windows = Windows(before=24, after=48, baseline="passive")
        made_results.write(
            tmp_path, made_results.started(f"r-{persona}", persona, windows=windows), steps
        )
    (group,) = measured(read(tmp_path, "r-a", "r-b", "r-c")).groups
    whole = next(arm.sway for arm in group.result.arms)
    assert group.sensitivity[1] == group.sensitivity[2] == whole
    assert group.sensitivity[3] != whole


# Tests and their sides


def test_the_table_has_the_declared_test_with_its_side_and_holm(
    example: DataFolder, tmp_path: Path
) -> None:
    measures, page = page_of(example.root, "matrix", "one")
    write_tables(tables(measures, page), tmp_path)
    with (tmp_path / "estimates.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["name"]: row for row in csv.DictReader(file)}
    (group,) = measures.groups
    row = rows["primary"]
    assert float(row["p"]) == group.primary.p != group.primary.estimate.p
    assert (row["sides"], row["test"]) == ("one", "permuting which run belongs to whom")
    assert float(row["p_holm"]) == group.p_holm
    declared_too = {"primary", "specific sway, simple x scripted/example"}
    assert rows.keys() >= declared_too
    for name, row in rows.items():
        assert row["sides"] == ("one" if name in declared_too else "two" if row["p"] else "")
    assert all(bool(row["test"]) == bool(row["p"]) for row in rows.values())


@pytest.mark.parametrize("sides", ["one", "two"])
def test_a_p_value_of_the_matrix_has_the_headlines_side(example: DataFolder, sides: str) -> None:
    measures, page = page_of(example.root, "matrix", sides)
    told = {one.what: one.value for _, one in page.numbers}
    p = measures.groups[0].primary.p
    assert told[f"p-value, permuting which run belongs to whom, {sides}-sided"] == p
    words = said_of(example.root, "matrix", sides)
    assert len(re.findall(rf"p = [\d.]+, {sides}-sided", words)) >= 2
    assert re.findall(r"p [=<] [\d.e-]+(?!, (?:one|two)-sided|[\d.e-])", words) == []


def test_a_permutation_says_over_how_many_assignments(example: DataFolder) -> None:
    words = said_of(example.root)
    assert "two-sided, over all 720 assignments of runs to personas" in words
    assert "way of saying" not in words


def test_random_assignments_are_told_as_such(
    example: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(permutation, "_LISTED", 100)  # 720 are too many to list then
    words = said(declared(example, primary="matrix", sides="two"))
    drawn = f"{permutation.ARRANGEMENTS:,} random assignments of runs to personas"
    assert f"two-sided, over the observed and {drawn}" in words
    assert not re.search("over all [0-9,]+", words)


def test_the_figure_of_a_matrix_is_no_model_draw(example: DataFolder) -> None:
    matrix, controlled = (said_of(example.root, name) for name in ("matrix", "controlled"))
    drawn = "Drawn at these runs’ base rates before"
    random = "With runs given to personas at random, 95 of a hundred assignments fall between"
    assert (drawn in matrix, random in matrix) == (False, True)
    assert (drawn in controlled, random in controlled) == (True, False)


def test_no_effect_is_not_claimed_from_a_wide_interval(tmp_path: Path) -> None:
    for at, (before, after) in enumerate([(10, 25), (20, 12), (15, 30), (22, 20)]):
        persona, run_id = f"q{at}", f"r{at}"
        answers = [*made_results.spread(before, 50), *made_results.spread(after, 50)]
        steps = [
            made_results.step(i, "before" if i < 50 else "after", one)
            for i, one in enumerate(answers)
        ]
        made_results.write(tmp_path, made_results.started(run_id, persona), steps)
    material = read(tmp_path, "r0", "r1", "r2", "r3")
    words = said(material)
    (group,) = measured(material).groups
    assert group.primary.estimate.low < -10
    assert "No sway could be told from chance." in words
    assert "That is no evidence that there is none: these runs fit every value" in words
    assert "beyond chance" not in words
    written = write_report(material, tmp_path / "out", 0, NOW)
    assert "No sway could be told from chance." in findings_text(written.findings)


# What a row and a sentence are about


def test_a_row_of_the_forest_adds_up(rendered: Any, measures: Measures) -> None:
    numbers = {one.what: one.value for _, one in rendered.numbers}
    for row in measures.groups[0].forest:
        shares = {
            (arm, window): numbers[f"share of yes {window}, {arm} of {row.persona}"]
            for arm in ("treatment", "control")
            for window in ("before", "after")
        }
        rise = {
            arm: shares[arm, "after"] - shares[arm, "before"] for arm in ("treatment", "control")
        }
        told = numbers[f"sway of {row.persona}"]
        assert told == pytest.approx(rise["treatment"] - rise["control"])
    words = text_of(tree(rendered.html))
    assert re.search("treatment, % yes ?passive control, % yes", words)
    assert "difference in sway, pp" in words


def test_questions_are_no_frames(rendered: Any) -> None:
    words = text_of(tree(rendered.html))
    assert "was asked 4,584 questions about 249 stored frames" in words


def test_a_difference_is_told_without_a_direction_that_it_may_not_have(rendered: Any) -> None:
    words = text_of(tree(rendered.html))
    assert "more often by" not in words
    assert "Share of yes, acting minus blind, as a mean over runs: +0.5 pp" in words


def test_sums_are_no_means(rendered: Any) -> None:
    words = text_of(tree(rendered.html))
    assert "Videos are counted over all runs; shares and creators are means over runs" in words


def test_shares_beside_pooled_counts_are_pooled(measures: Measures, rendered: Any) -> None:
    again = measures.groups[0].rejudged[0]
    assert again.repeats is not None
    told = {one.what: one.value for _, one in rendered.numbers}
    same = "the same question again"
    share = told[f"equal answers in %, {same}"] * told[f"questions answered twice, {same}"] / 100
    assert share == pytest.approx(round(share))  # a whole number of answers
    assert again.repeats.agreement.value != again.repeats.equal


def test_windows_count_repeats_save_where_a_ledger_left_them_out(
    example: DataFolder, tmp_path: Path
) -> None:
    passive_run(tmp_path)
    assert "videos that were not shown do not count; repeats do. No window" in said(
        read(tmp_path, "r1")
    )
    assert "repeats do, save in the older runs here" in said_of(example.root)


# Designs


def test_a_design_that_is_refused_does_not_fit(example: DataFolder) -> None:
    material = declared(example)
    measures = measured(material)
    (group,) = measures.groups
    again = group.rejudged[0]
    assert again.matrix is not None
    why = "What personas find in the others' feeds changed."
    matrix = replace(again.matrix, borrowed=None, refused=why)
    group = replace(group, rejudged=(replace(again, matrix=matrix),))
    page = compose(replace(measures, groups=(group,)), 0, NOW)
    told = {offer.design: (offer.offered, offer.why) for offer, _ in page.chapters[0].offers}
    assert told[BORROWED] == (False, why)
    assert told["persona matrix"][0]
    fits = [item for item in tree(render(page).html).iter("li") if item.get("class") == "fits"]
    assert not any(BORROWED in text_of(item) for item in fits)


def test_an_import_has_no_frames_to_judge_again(tmp_path: Path) -> None:
    lines = ["run,persona,arm,position,answer"]
    lines += [f"r{p},q{p},treatment,{at},{at % 2}" for p in range(6) for at in range(20)]
    path = tmp_path / "views.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    words = [
        "import",
        str(path),
        "--before",
        "10",
        "--after",
        "10",
        "--report",
        str(tmp_path / "r"),
    ]
    told = CliRunner().invoke(main, words)
    assert told.exit_code == 0, told.output
    assert re.search(rf"no +persona matrix: {NO_FRAMES}", told.stdout)
    assert not re.search(r"yes +(persona matrix|adjusted matrix|borrowed base)", told.stdout)
    page = text_of(tree((tmp_path / "r" / "index.html").read_text(encoding="utf-8")))
    assert page.count(NO_FRAMES) == 3


@pytest.mark.parametrize(
    ("primary", "arms", "drift_told"),
    [
        ("matrix", ("treatment",), False),
        ("paired", ("treatment",), True),
        ("borrowed", ("treatment",), True),
        ("controlled", ("treatment", "passive"), False),
    ],
)
def test_drift_is_cautioned_where_it_passes_for_a_sway(
    example: DataFolder, primary: str, arms: tuple[str, ...], *, drift_told: bool
) -> None:
    material = declared(example, primary=primary)
    kept = [run.run_id for run in material.views.runs if run.arm in arms]
    fewer = replace(read_runs(example, find_runs(example, kept), kept), study=material.study)
    words = " ".join(methods(measured(fewer), 0).cautions)
    assert ("a feed that drifts towards what everyone likes looks the same" in words) == drift_told
    assert ("Drift does not pass for a specific sway" in words) == (primary == "matrix")


def test_a_replay_has_no_feed_that_could_react(tmp_path: Path) -> None:
    passive_run(tmp_path, platform="replay")
    words = said(read(tmp_path, "r1"))
    assert "A replay shows another run’s videos again" in words.replace("'", "’")
    assert "1 persona judged once more what other runs had been shown" in words
    assert "feed that drifts" not in words
    assert "one account on one day" not in words.lower()
    told = CliRunner().invoke(main, ["summary", "r1", "--data", str(tmp_path)])
    assert told.exit_code == 0, told.output
    plain = " ".join(told.stdout.split())
    assert "A replay shows another run's videos again" in plain
    assert "There is no control here" not in plain


# Numbers that cannot be


def test_one_is_one(tmp_path: Path) -> None:
    passive_run(tmp_path)
    words = said(read(tmp_path, "r1"))
    assert "1 persona 1 run " in words
    assert "1 persona watched its feed in 1 run:" in words
    assert not re.search(r"\b1 (personas|runs|pairs|batches|videos)\b", words)
    assert [count_of(n, "batch") for n in (0, 1, 2)] == ["0 batches", "1 batch", "2 batches"]


def test_no_interval_leaves_its_scale(tmp_path: Path) -> None:
    for at, (before, after) in enumerate([(0, 24), (23, 1)]):  # as far apart as can be
        answers = [*made_results.spread(before, 24), *made_results.spread(after, 24)]
        steps = [
            made_results.step(i, "before" if i < 24 else "after", one)
            for i, one in enumerate(answers)
        ]
        windows = Windows(before=24, after=24)
        made_results.write(
            tmp_path, made_results.started(f"r{at}", f"q{at}", windows=windows), steps
        )
    material = read(tmp_path, "r0", "r1")
    measures = measured(material)
    write_tables(tables(measures, render(compose(measures, 0, NOW))), tmp_path / "t")
    limits = {"pp": (-200, 200), "points": (-100, 100), "%": (0, 100), "s": (0, np.inf)}
    checked = 0
    for path in (tmp_path / "t").glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if row.get("low"):
                    floor, ceiling = limits[row["unit"]]
                    assert floor <= float(row["low"]) <= float(row["high"]) <= ceiling, row
                    checked += 1
    assert checked >= 4
    (group,) = measures.groups
    assert (group.primary.estimate.low, group.primary.estimate.high) == (-100, 100)
    assert group.primary.estimate.method.endswith("cut at what can exist")


def test_an_interval_is_cut_only_where_it_leaves_its_scale() -> None:
    inner = Estimate(3, low=-5, high=11, method="m")
    assert inner.within(-100, 100) is inner
    cut = Estimate(3, low=-322, high=328, method="m").within(-100, 100)
    assert (cut.value, cut.low, cut.high) == (3, -100, 100)
    assert Estimate(3).within(0, 1) == Estimate(3)


def test_no_summary_prints_a_change_that_cannot_be(tmp_path: Path) -> None:
    answers = ["yes" if i % 12 < yes else "no" for i, yes in enumerate(np.repeat([1, 1, 2, 9], 12))]
    steps = [
        made_results.step(i, "before" if i < 24 else "after", one) for i, one in enumerate(answers)
    ]
    made_results.write(
        tmp_path, made_results.started("r1", "q1", windows=Windows(before=24, after=24)), steps
    )
    told = CliRunner().invoke(main, ["summary", "r1", "--data", str(tmp_path)])
    assert told.exit_code == 0, told.output
    change = re.search(r"^I +\+450\.0 % +95% interval (-[\d.]+) to \+([\d.]+)$", told.stdout, re.M)
    assert change
    # one yes of 24 before, nothing but yes after
    assert (float(change[1]) > -100, float(change[2])) == (True, 2300)


@pytest.mark.parametrize(
    ("percentile", "text"),
    [
        (0, "0"),
        (0.0125, "0.01"),
        (0.005, "0.01"),
        (0.96, "1.0"),
        (1, "1"),
        (50.4, "50"),
        (99.4, "99.4"),
        (99.96, "99.96"),
        (99.975, "99.97"),
        (99.9999, "99.9999"),
        (100, "100"),
    ],
)
def test_a_percentile_is_never_rounded_to_an_end(percentile: float, text: str) -> None:
    assert percentile_text(percentile) == text
