"""Every figure of the example's report, recomputed from plain JSON with none of the analysis."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import fisher_exact

from analysis.report.group_measures import Measures
from analysis.report.page_files import Rendered, write_tables
from analysis.report.tables import tables
from store.runs.data_folder import DataFolder
from tests.analysis.report import by_hand
from tests.analysis.report.html_reader import links, text_of, tree

DECLARED = {
    "level of the primary test": 0.05,
    "seed of the draw of accounts": 7,
    "replicates": 1,
    "videos before": 24,
    "videos between": 24,
    "videos after": 52,
    "share of the draws between the ends, in %": 95,
}
"""Settings of ``study.toml`` and of the example's windows."""


@pytest.fixture(scope="module")
def figures(example: DataFolder) -> by_hand.Figures:
    return by_hand.everything(by_hand.read_json(example.root)) | DECLARED


@pytest.fixture(scope="module")
def folder(
    measures: Measures, rendered: Rendered, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    made_in = tmp_path_factory.mktemp("by_hand")
    write_tables(tables(measures, rendered), made_in)
    return made_in


def read(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def drawn(row: dict[str, str]) -> bool:
    return "what chance gives" in row["what"] or row["what"].startswith("percentile of")


def test_every_printed_number_is_what_the_ledgers_give(
    example: DataFolder, folder: Path, figures: by_hand.Figures
) -> None:
    compared, found = 0, list[str]()
    for row in read(folder, "numbers"):
        if drawn(row) or row["function"] == "analysis.estimators.study_results.offers":
            continue
        if row["function"] == "analysis.report.verdict_gate.gate":
            found += re.findall(r"bounds .* pp|Fisher p = [0-9.]+", row["text"])
            continue
        if row["what"].endswith("nominal coverage of the interval"):
            assert row["text"] == "95"
            continue
        assert row["what"] in figures, row
        value = figures[row["what"]]
        assert float(row["value"]) == pytest.approx(value, rel=1e-9, abs=1e-9), row
        near = {as_printed(value + slack, row["text"]) for slack in (-1e-9, 1e-9)}
        assert row["text"] in near, row  # two where it is a half of the last digit
        compared += 1
    assert compared > 300
    low, high = (
        figures[f"{end} bound of the sway, treatment minus control for missing answers"]
        for end in ("lower", "upper")
    )
    assert set(found) == {
        f"bounds {low:+.1f} to {high:+.1f} pp",
        f"Fisher p = {excluded_otherwise(example):.2g}",
    }


def excluded_otherwise(data: DataFolder) -> float:
    """Fisher's test that ads were answered as other videos were, from the ledgers' lines."""
    table = np.zeros((2, 2), dtype=int)
    for path in data.ledgers():
        for line in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
            if line["kind"] != "step" or line["excluded"] == "repeat":
                continue
            if line["judgement"]["answer"]:
                table[int(not line["excluded"]), int(line["judgement"]["answer"] == "yes")] += 1
    return float(fisher_exact(table).pvalue)


def as_printed(value: float, like: str) -> str:
    """The value with as many digits, and in the manner, of a printed text."""
    if like.startswith("= "):
        return f"= {value:.2g}"
    digits = len(like.partition(".")[2])
    sign = "+" if like[0] in "+\N{MINUS SIGN}" else ""
    text = f"{value:{sign},.{digits}f}"
    return text.replace("-", "\N{MINUS SIGN}") if re.search("[1-9]", text) else text.lstrip("+-")


def test_a_figure_of_the_page_is_one_row_with_its_name(folder: Path, rendered: Rendered) -> None:
    rows = read(folder, "numbers")
    shown = {str(link.get("id")): text_of(link) for link in links(tree(rendered.html))}
    assert {row["id"]: row["text"] for row in rows} == shown
    assert len(rows) == len(shown) > 300
    values: dict[tuple[str, str, str], set[str]] = {}
    for row in rows:
        if row["what"] != "in words":
            values.setdefault((row["what"], row["function"], row["used"]), set()).add(row["text"])
    assert [name for name, said in values.items() if len(said) > 1] == []
    personas = [row["what"] for row in rows if re.fullmatch("sway of [a-z]+", row["what"])]
    assert len(personas) == len(set(personas)) == 6


def test_the_table_of_estimates_is_what_the_ledgers_give(
    folder: Path, figures: by_hand.Figures
) -> None:
    judge = "simple x scripted/example"
    headline, matrix = "the sway, treatment minus control", "specific sway"
    named = {
        "primary": (headline, f"p-value of {headline}, Student's t over pairs, two-sided"),
        "primary, by exchanging the arms within pairs": (
            headline,
            f"p-value of {headline}, exchanging the arms within pairs, two-sided",
        ),
        "without the first 1 batch": ("sway, without the first batch", ""),
        "without the first 2 batches": ("sway, without the first two batches", ""),
        "without the first 3 batches": ("sway, without the first three batches", ""),
        "graded": ("graded sway, points of a hundred", ""),
        f"{matrix}, {judge}": (matrix, "p-value, permuting which run belongs to whom, two-sided"),
        f"placebo, {judge}": (
            "placebo, the before windows alone",
            "p-value of the placebo, two-sided",
        ),
        f"{matrix}, graded, {judge}": (
            "specific sway of the graded answers, points",
            "p-value of the specific sway of the graded answers, two-sided",
        ),
        f"borrowed base, {judge}": ("borrowed sway", ""),
        f"sway scored blind, {judge}": ("sway the feed's part: the same videos, scored blind", ""),
        f"judge's part, {judge}": ("sway the judge's part: the rest", ""),
        f"lenience of acting, {judge}": ("acting minus blind share of yes, mean over runs", ""),
        f"acquiescence bias, {judge}": ("acquiescence bias, mean over runs", ""),
    }
    rows = {row["name"]: row for row in read(folder, "estimates")}
    for name, (what, p) in named.items():
        row = rows[name]
        for column, of in (
            ("value", what),
            ("low", f"{what}: lower end"),
            ("high", f"{what}: upper end"),
        ):
            assert float(row[column]) == pytest.approx(figures[of], rel=1e-9), name
        assert row["sides"] == "two"
        if p:
            assert float(row["p"]) == pytest.approx(figures[p], rel=1e-9), name
    assert float(rows["primary"]["p_holm"]) == float(rows["primary"]["p"])
    assert {rows[f"{name}, {judge}"]["test"] for name in (matrix, "placebo")} == {
        "permuting which run belongs to whom"
    }
    assert len(rows) == len(named) + 4  # both arms, the contrast once more, and agreement


def test_the_null_lies_where_other_draws_put_it(example: DataFolder, measures: Measures) -> None:
    (group,) = measures.groups
    study, rng = by_hand.read_json(example.root), np.random.default_rng(1)
    for one in group.result.averages:
        null = one.null
        told, width = (null.low, null.high, null.mean), null.high - null.low
        assert told == pytest.approx(by_hand.null_of_average(study, one.arm, rng), abs=width / 20)
    ends, width = (group.primary.null.low, group.primary.null.high), 25
    assert ends == pytest.approx(by_hand.null_of_contrast(study, rng), abs=width / 20)
