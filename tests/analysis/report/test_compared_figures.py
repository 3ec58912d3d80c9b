"""Figures compare exactly first, then within what platforms round otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.report.compared_figures import FigureComparison, compare_figures
from store.bundle.bundle_manifest import BundledFile, BundleManifest
from store.bundle.report_record import Environment, ReportOptions


def manifest_of(name: str) -> BundleManifest:
    return BundleManifest(
        study="s",
        runs=(),
        handles="kept",
        frames=False,
        options=ReportOptions(seed=0),
        environment=Environment(feedsway="1", code="0" * 64, python="3", system="x", packages={}),
        prompts=(),
        files=(BundledFile(place=f"figures/{name}.csv", bytes=1, sha256="0" * 64),),
    )


def compare(folder: Path, bundled: str, derived: str, name: str = "x") -> FigureComparison:
    (folder / "figures").mkdir()
    (folder / "derived").mkdir()
    (folder / "figures" / f"{name}.csv").write_text(bundled, "utf-8")
    (folder / "derived" / f"{name}.csv").write_text(derived, "utf-8")
    return compare_figures(manifest_of(name), folder, folder / "derived")


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


def test_numbers_are_compared_without_their_count(tmp_path: Path) -> None:
    """Those of contact sheets had stood among them when the report was made."""
    head = "id,source,text,value,function\n"
    bundled = f"{head}n-2,2,7,7.0,f\nn-5,4,8,8.0,g\nn-6,2,7,7.0,f\n"
    derived = f"{head}n-1,1,7,7.0,f\nn-2,2,8,8.0,g\nn-3,1,7,7.0,f\n"
    (table,) = compare(tmp_path, bundled, derived, name="numbers").tables
    assert (table.equal, table.different) == (6, 0)


@pytest.mark.parametrize(
    "row",
    [
        "n-2,1,7,7.0,analysis.report.example_frames.sheets",  # frames are left out, and their rows
        "n-2",
    ],
)
def test_a_number_that_the_report_does_not_have_differs(tmp_path: Path, row: str) -> None:
    head = "id,source,text,value,function\n"
    first = "n-1,1,7,7.0,f\n"
    found = compare(tmp_path, f"{head}{first}{row}\n", f"{head}{first}", name="numbers")
    assert found.different == 1


@pytest.mark.parametrize("sources", [("1", "1"), ("x", "y"), ("2", "1")])
def test_a_number_keeps_its_source(tmp_path: Path, sources: tuple[str, str]) -> None:
    head = "id,source,value\n"
    forged = "".join(f"n-{n},{source},7.0\n" for n, source in enumerate(sources, 1))
    found = compare(tmp_path, f"{head}{forged}", f"{head}n-1,1,7.0\nn-2,2,7.0\n", name="numbers")
    assert found.different >= 1


@pytest.mark.parametrize(
    "bundled",
    ["n,v\na,1.0,5\n", "n,v\na\n", "n\na\n", "n,v,w\na,1.0,2\n", "v,n\n1.0,a\n", "n,n\na,a\n", ""],
)
def test_a_column_or_a_cell_more_or_less_differs(tmp_path: Path, bundled: str) -> None:
    assert compare(tmp_path, bundled, "n,v\na,1.0\n").different >= 1


def test_only_what_names_stood_in_may_be_left_out(tmp_path: Path) -> None:
    found = compare(tmp_path, "run,sway\nr,1.0\n", "run,account,sway\nr,a,1.0\n", name="runs")
    assert found.different == 1, "with handles, no column is left out"
    assert found.differences[0].column == "the header"


@pytest.mark.parametrize("side", ["figures", "derived"])
def test_a_table_of_one_side_alone_differs(tmp_path: Path, side: str) -> None:
    compare(tmp_path, "n,v\na,1.0\n", "n,v\na,1.0\n")
    name = "y" if side == "derived" else "x"
    (tmp_path / side / f"{name}.csv").write_text("n,v\na,1.0\n", "utf-8")
    if side == "figures":
        (tmp_path / "derived" / "x.csv").unlink()
    found = compare_figures(manifest_of("x"), tmp_path, tmp_path / "derived")
    assert [(one.table, one.column) for one in found.differences] == [(name, "the whole table")]


def test_other_packages_estimators_need_not_be_here(tmp_path: Path) -> None:
    compare(tmp_path, "n,v\na,1.0\n", "n,v\na,1.0\n", name="estimators_of_others")
    (tmp_path / "derived" / "estimators_of_others.csv").unlink()
    found = compare_figures(manifest_of("estimators_of_others"), tmp_path, tmp_path / "derived")
    assert (found.different, found.figures) == (0, 0)
    assert "not derived here" in found.unchecked[0]


@pytest.mark.parametrize(("name", "different"), [("p", 1), ("p_holm", 1), ("value", 0)])
def test_small_probabilities_are_told_apart(tmp_path: Path, name: str, different: int) -> None:
    found = compare(tmp_path, f"{name}\n3e-13\n", f"{name}\n9e-13\n")
    assert found.different == different
