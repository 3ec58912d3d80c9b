"""Figures compare exactly first, then within what platforms round otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.report.compared_figures import FigureComparison, TableComparison, compare_figures
from store.bundle.bundle_manifest import BundledFile, BundleManifest
from store.bundle.report_record import Environment, ReportOptions


def compare(folder: Path, bundled: str, derived: str, name: str = "x") -> FigureComparison:
    (folder / "figures").mkdir()
    (folder / "derived").mkdir()
    (folder / "figures" / f"{name}.csv").write_text(bundled, "utf-8")
    (folder / "derived" / f"{name}.csv").write_text(derived, "utf-8")
    manifest = BundleManifest(
        study="s",
        runs=(),
        handles="kept",
        frames=False,
        options=ReportOptions(seed=0),
        environment=Environment(feedsway="1", code="0" * 64, python="3", system="x", packages={}),
        prompts=(),
        files=(BundledFile(place=f"figures/{name}.csv", bytes=1, sha256="0" * 64),),
    )
    return compare_figures(manifest, folder, folder / "derived")


@pytest.mark.parametrize(
    ("one", "other", "counts"),
    [
        ("0.1", "0.1", (1, 0, 0)),
        ("0.1", "0.10000000000000002", (0, 1, 0)),
        ("0.0", "-1e-17", (0, 1, 0)),
        ("1000000.0", "1000000.0000005", (0, 1, 0)),
        ("1.0", "1.0000000021", (0, 0, 1)),
        ("1e-30", "2e-10", (0, 0, 1)),
        ("", "0.5", (0, 0, 1)),
        ("0.5", "", (0, 0, 1)),
        ("yes", "no", (0, 0, 1)),
        ("yes", "yes", (0, 0, 0)),
    ],
)
def test_a_cell_is_equal_close_or_different(
    tmp_path: Path, one: str, other: str, counts: tuple[int, int, int]
) -> None:
    (table,) = compare(tmp_path, f"n,v\na,{one}\n", f"n,v\na,{other}\n").tables
    assert (table.equal, table.close, table.different) == counts


def test_the_worst_comes_first_and_names_row_and_column(tmp_path: Path) -> None:
    found = compare(tmp_path, "n,v,w\na,1.0,2.0\nb,3.0,4.0\n", "n,v,w\na,1.1,2.0\nb,9.0,4.5\n")
    told = [(one.row, one.column, one.bundled, one.derived) for one in found.differences]
    assert told == [
        ("b, row 2", "v", "3.0", "9.0"),
        ("b, row 2", "w", "4.0", "4.5"),
        ("a, row 1", "v", "1.0", "1.1"),
    ]


@pytest.mark.parametrize("derived", ["n,v\na,1.0\n", "n,v\na,1.0\nb,2.0\nc,3.0\n"])
def test_a_row_more_or_less_differs(tmp_path: Path, derived: str) -> None:
    found = compare(tmp_path, "n,v\na,1.0\nb,2.0\n", derived)
    assert [one.column for one in found.differences] == ["the whole row"]


def test_a_table_that_no_reader_takes_differs_as_a_whole(tmp_path: Path) -> None:
    found = compare(tmp_path, 'n,v\na,"1.0\n', "n,v\na,1.0\n")
    assert found.different >= 1


def test_numbers_are_compared_without_their_count_and_without_frames(tmp_path: Path) -> None:
    head = "id,source,text,value,function\n"
    sheet = "n-1,1,5,5.0,analysis.report.example_frames.sheets\n"
    bundled = f"{head}{sheet}n-2,2,7,7.0,f\n"
    found = compare(tmp_path, bundled, f"{head}n-1,1,7,7.0,f\n", name="numbers")
    assert found.tables == [
        TableComparison("numbers", equal=2, unchecked=found.tables[0].unchecked)
    ]
    assert "contact sheets" in found.unchecked[0]
