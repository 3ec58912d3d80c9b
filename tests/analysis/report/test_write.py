"""The command, the folder that it writes, and the tables in it."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from analysis.cli.main import main
from analysis.examples.study import STUDY
from analysis.report.group_measures import Measures
from analysis.report.page_files import Rendered, ReportTable, write_tables
from analysis.report.tables import tables
from store.runs.data_folder import DataFolder
from tests.analysis import made_results
from tests.analysis.report.html_reader import tree


def run(*arguments: str) -> Any:
    return CliRunner().invoke(main, ["report", *arguments])


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def folder(
    measures: Measures, rendered: Rendered, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    made_in = tmp_path_factory.mktemp("tables")
    write_tables(tables(measures, rendered), made_in)
    return made_in


def test_a_report_of_a_study(example: DataFolder, tmp_path: Path) -> None:
    told = run(STUDY, "--data", str(example.root), "--out", str(tmp_path / "r"))
    assert told.exit_code == 0, told.output
    assert "There is a difference, but it cannot be attributed to the feed" in told.stdout
    assert told.stdout.rstrip().endswith(str(tmp_path / "r" / "index.html"))
    assert told.stderr == ""
    tree((tmp_path / "r" / "index.html").read_text(encoding="utf-8"))
    names = {path.name for path in (tmp_path / "r" / "tables").iterdir()}
    assert {"views.csv", "views.parquet", "numbers.csv", "matrix.parquet"} <= names
    assert not any(name.endswith(".tmp") for name in names)


def test_the_report_goes_beside_what_it_is_about(tmp_path: Path) -> None:
    made_results.paper_run(tmp_path / "data", 10, 20)
    told = run("latest", "--data", str(tmp_path / "data"), "--json")
    assert told.exit_code == 0, told.output
    said = json.loads(told.stdout)
    assert said["page"] == str(tmp_path / "data" / "runs" / "r1" / "report" / "index.html")
    assert Path(said["page"]).is_file()
    assert all(Path(path).is_file() for path in said["tables"])
    (finding,) = said["findings"]
    assert (finding["design"], finding["declared"]) == ("paired", False)
    assert finding["estimate"]["value"] == pytest.approx(20)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["exampel"], "There is no study and no run 'exampel'. Nearest: example"),
        (["example-kim-passive", "example-kim-treatment"], "--out report"),
        (["latest", "nothing"], "There is no study and no run 'nothing'."),
    ],
)
def test_bad_names_are_one_sentence(example: DataFolder, arguments: list[str], words: str) -> None:
    told = run(*arguments, "--data", str(example.root))
    assert told.exit_code == 2
    assert words in told.stderr
    assert "Type: python -m" in told.stderr
    assert "Traceback" not in told.stderr


def test_a_folder_that_cannot_be_written_is_said(example: DataFolder, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file", encoding="utf-8")
    told = run(STUDY, "--data", str(example.root), "--out", str(tmp_path / "taken" / "r"))
    assert told.exit_code == 2
    assert "cannot be written" in told.stderr


def test_the_same_seed_makes_the_same_report(example: DataFolder, tmp_path: Path) -> None:
    for name in ("a", "b"):
        told = run(STUDY, "--data", str(example.root), "--out", str(tmp_path / name), "--seed", "5")
        assert told.exit_code == 0
    one, two = (tmp_path / name / "tables" / "numbers.csv" for name in ("a", "b"))
    assert one.read_bytes() == two.read_bytes()
    assert "--seed 5" in (tmp_path / "a" / "index.html").read_text(encoding="utf-8")


def test_csv_and_parquet_hold_the_same(folder: Path) -> None:
    import pyarrow.parquet

    for path in sorted(folder.glob("*.csv")):
        arrow = pyarrow.parquet.read_table(path.with_suffix(".parquet"))
        plain = rows(path)
        assert arrow.num_rows == len(plain) > 0, path.name
        assert arrow.column_names == list(plain[0])
        for name in arrow.column_names:
            for cell, text in zip(arrow.column(name).to_pylist(), plain, strict=True):
                assert text[name] == ("" if cell is None else str(cell))


def test_the_headline_can_be_made_from_the_views_table_alone(
    folder: Path, measures: Measures
) -> None:
    counts: dict[tuple[str, str], dict[str, list[int]]] = {}
    for row in rows(folder / "views.csv"):
        if row["use"] in ("before", "after"):
            cell = counts.setdefault((row["persona"], row["arm"]), {"before": [], "after": []})
            cell[row["use"]].append(int(row["answer"] == "yes"))
    sway = {
        key: 100 * (np.mean(cell["after"]) - np.mean(cell["before"]))
        for key, cell in counts.items()
    }
    personas = {persona for persona, _ in sway}
    contrast = np.mean([sway[p, "treatment"] - sway[p, "passive"] for p in personas])
    assert contrast == pytest.approx(measures.groups[0].primary.estimate.value)
    told = {row["name"]: row for row in rows(folder / "estimates.csv")}
    assert float(told["primary"]["value"]) == pytest.approx(contrast)


def test_every_number_of_the_page_is_in_a_table(folder: Path, rendered: Rendered) -> None:
    told = rows(folder / "numbers.csv")
    assert len(told) == len(rendered.numbers) > 200
    assert all(row["function"] and row["used"] and row["left_out"] for row in told)
    root = tree(rendered.html)
    shown = {a.text for a in root.iter("a") if a.get("class") == "n"}
    assert shown == {row["text"] for row in told}


def test_what_does_not_exist_is_an_empty_cell(tmp_path: Path) -> None:
    import pyarrow.parquet

    table = ReportTable(
        "t", ("a", "b", "c"), [("x", math.nan, None), ('with "quotes", é', 1.5, True)]
    )
    write_tables([table, ReportTable("empty", ("a",), [])], tmp_path)
    assert rows(tmp_path / "t.csv") == [
        {"a": "x", "b": "", "c": ""},
        {"a": 'with "quotes", é', "b": "1.5", "c": "True"},
    ]
    assert pyarrow.parquet.read_table(tmp_path / "t.parquet").to_pylist() == [
        {"a": "x", "b": None, "c": None},
        {"a": 'with "quotes", é', "b": 1.5, "c": True},
    ]
    assert (tmp_path / "empty.csv").read_text(encoding="utf-8").strip() == "a"
    assert pyarrow.parquet.read_table(tmp_path / "empty.parquet").num_rows == 0
