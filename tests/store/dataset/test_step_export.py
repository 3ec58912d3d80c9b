"""Steps leave as tables and captures: formulas are inert, nobody is named, numbers come back."""

from __future__ import annotations

import csv
import json
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from store.cli.main import main
from store.dataset import step_tables
from store.dataset.step_tables import TooLongForExcel, write_csv, write_excel
from store.privacy import derived_files
from store.runs.data_folder import DataFolder
from store.runs.ledger import LedgerWriter
from store.runs.ledger_lines import Video
from store.runs.step_columns import STEP_COLUMNS
from store.untrusted.clean_text import show_cell, show_text
from store.untrusted.excel_sheets import LONGEST_CELL
from store.untrusted.foreign_tables import read_table
from tests.store.samples import finished, keep_run, started, step
from tests.store.untrusted.hostile import CAPTIONS

HOSTILE = (
    "=HYPERLINK(1)",
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "=cmd|' /C calc'!A0",
    "a\u2028b, \"quoted\"; 'x'\nand\x85more \ufffe\x07",
    "🌊" * 40_000,
)


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    """A run whose feed says all that a spreadsheet could work out, and one that is plain."""
    data = DataFolder(tmp_path / "data")
    with LedgerWriter(data.ledger_path("r1"), fsync=False) as writer:
        writer.append(started("r1", platform="tiktok", config={"study": "first", "replicate": 2}))
        for position, text in enumerate(HOSTILE):
            video = Video(
                id=f"-{7300000000000000000 + position}",
                caption=text,
                author="zanzibar.queen_7",
                hashtags=("=A1", "two"),
                likes=2**60,
                url="https://www.tiktok.com/@zanzibar.queen_7/video/1",
                created_at=datetime(2026, 1, 2, tzinfo=UTC),
            )
            writer.append(step(position, video=video))
        writer.append(finished(len(HOSTILE)))
    keep_run(data, "r2", ("red", "green", "blue"))
    return data


def typed(data: DataFolder, *words: str) -> Result:
    return CliRunner().invoke(main, [*words, "--data", str(data.root)])


def exported(data: DataFolder, kind: str, *words: str) -> Path:
    folder = data.root.parent / f"{kind}{len(words)}"
    done = typed(data, "export", str(folder), "--format", kind, *words)
    assert done.exit_code == 0, done.output
    assert typed(data, "export", "--check", str(folder)).exit_code == 0
    return folder


def cells(folder: Path) -> list[dict[str, str]]:
    with (folder / "steps.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_no_cell_of_a_csv_begins_a_formula(data: DataFolder) -> None:
    rows = cells(exported(data, "csv", "--keep-handles"))
    assert len(rows) == len(HOSTILE) + 3
    captions = [row["caption"] for row in rows]
    for at in (0, 1, 2, 3, 4, 6):
        assert captions[at] == f"'{HOSTILE[at]}"
    assert captions[5] == "\\r=1"
    assert rows[0]["likes"] == str(2**60)
    assert rows[0]["hashtags"] == "'=A1 two"


def test_an_excel_file_holds_the_texts_as_they_are_and_as_texts(data: DataFolder) -> None:
    path = exported(data, "xlsx", "--keep-handles") / "steps.xlsx"
    book = openpyxl.load_workbook(path)
    head, *rows = list(book["steps"].iter_rows())
    place = {cell.value: at for at, cell in enumerate(head)}
    assert [cell.value for cell in head] == [column.name for column in STEP_COLUMNS]
    first = [row for row in rows if row[place["run"]].value == "r1"]
    assert len(first) == len(HOSTILE)
    assert all(cell.data_type != "f" for row in rows for cell in row)
    assert [row[place["caption"]].value for row in first[:4]] == list(HOSTILE[:4])
    assert first[-1][place["caption"]].value is not None
    assert len(str(first[-1][place["caption"]].value)) < LONGEST_CELL
    assert first[0][place["likes"]].value == str(2**60), "a number would be rounded"
    assert first[0][place["position"]].value == 0
    units = {row[0].value: row[2].value for row in book["columns"].iter_rows(min_row=2)}
    assert units["dwell_s"] == "s"
    table = read_table(path)  # what reads strangers' files takes it, too
    assert len(table) == len(rows)


def test_more_steps_than_a_sheet_has_rows_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = started("r")
    monkeypatch.setattr(step_tables, "MOST_ROWS", 4)
    assert write_excel(tmp_path, [(run, step(at)) for at in range(3)]) == {"steps.xlsx": 3}
    with pytest.raises(TooLongForExcel, match="--format csv"):
        write_excel(tmp_path, [(run, step(at)) for at in range(4)])


@settings(max_examples=25, deadline=None)
@given(texts=st.lists(st.text(max_size=60) | st.sampled_from(CAPTIONS), min_size=1, max_size=8))
def test_any_text_can_be_read_again(
    texts: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """From Excel as it was shown, from CSV with an apostrophe where a formula could begin."""
    folder = tmp_path_factory.mktemp("any")
    steps = [(started("r"), step(at, video=Video(id="v", caption=t))) for at, t in enumerate(texts)]
    shown = [show_text(each.video.caption or "") for _, each in steps]
    write_csv(folder, steps)
    write_excel(folder, steps)
    (folder / "columns.csv").unlink()
    with (folder / "steps.csv").open(encoding="utf-8", newline="") as file:
        read = [row["caption"] for row in csv.DictReader(file)]
    assert read == [show_cell(text) for text in shown]
    book = openpyxl.load_workbook(folder / "steps.xlsx")
    place = [column.name for column in STEP_COLUMNS].index("caption")
    told = [str(row[place].value or "") for row in book["steps"].iter_rows(min_row=2)]
    assert told == [re.sub("[\ufffe\uffff]", "\ufffd", text) for text in shown]
    column = read_table(folder / "steps.xlsx").column("caption")
    assert column.at(list(range(len(texts)))) == [text.strip() for text in told]


@pytest.mark.parametrize("kind", ["csv", "xlsx", "zeeschuimer"])
def test_nobody_is_named_unless_that_is_asked_for(data: DataFolder, kind: str) -> None:
    def texts(folder: Path) -> str:
        if kind == "xlsx":
            table = read_table(folder / "steps.xlsx")
            return str([table.column(name).values for name in table.names])
        return "".join(p.read_text("utf-8") for p in folder.iterdir() if p.suffix != ".md")

    hidden, told = texts(exported(data, kind)), texts(exported(data, kind, "--keep-handles"))
    for name in ("zanzibar", "7300000000000000001"):
        assert name not in hidden
        assert name in told
    entered = [entry for entry in derived_files.entries(data) if entry.kind == "export"]
    assert {run for entry in entered for run in entry.runs} >= {"r1"}


@pytest.mark.parametrize("words", [("--study", "first"), ("--run", "r1"), ("--platform", "tiktok")])
def test_a_study_or_a_run_can_be_chosen(data: DataFolder, words: tuple[str, ...]) -> None:
    assert {row["run"] for row in cells(exported(data, "csv", *words))} == {"r1"}
    none = typed(data, "export", str(data.root.parent / "x"), "--format", "csv", "--study", "other")
    assert none.exit_code == 2
    assert not (data.root.parent / "x").exists()


def test_captures_have_the_envelope_and_leave_out_what_4cat_cannot_place(data: DataFolder) -> None:
    """r2 is of the playground, which no such file knows."""
    folder = exported(data, "zeeschuimer", "--keep-handles")
    lines = (folder / "tiktok.com.ndjson").read_bytes().splitlines()
    assert len(lines) == len(HOSTILE)
    first: dict[str, Any] = json.loads(lines[0])
    assert set(first) == {
        "nav_index",
        "item_id",
        "timestamp_collected",
        "source_platform",
        "source_platform_url",
        "source_url",
        "user_agent",
        "data",
    }
    assert first["source_platform"] == "tiktok.com"
    assert first["data"]["createTime"] == 1767312000
    assert first["data"]["stats"]["playCount"] is None, "not known is not 0"
    only = typed(data, "export", str(folder / "x"), "--format", "zeeschuimer", "--run", "r2")
    assert only.exit_code == 2


def test_lines_of_json_are_told_apart_by_line_feeds_only(data: DataFolder, tmp_path: Path) -> None:
    """A text may hold U+2028, which Python takes for the end of a line."""
    keep_run(data, "r3", ("red",))
    with LedgerWriter(data.ledger_path("r4"), fsync=False) as writer:
        writer.append(started("r4"))
        (frame,) = _frames(data)
        writer.append(step(0, frame, video=Video(id="v", caption="one\u2028two\x85three")))
        writer.append(finished(1))
    done = typed(data, "export", str(tmp_path / "lines"), "--format", "jsonl", "--run", "r4")
    assert done.exit_code == 0, done.exception


def _frames(data: DataFolder) -> Any:
    from store.runs.ledger import read

    return read(data.ledger_path("r3")).steps[0].frames


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--format", "xlsx"), "pip install 'feedsway[excel]'"),
        (("--format", "csv", "--blur"), "no --blur"),
        (("--format", "zeeschuimer", "--split-by", "videos"), "no --split-by"),
    ],
)
def test_what_cannot_be_made_is_refused_and_leaves_nothing(
    data: DataFolder, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], said: str
) -> None:
    monkeypatch.setitem(sys.modules, "openpyxl", None)  # as where it is not installed
    before = sorted(path.name for path in data.root.parent.iterdir())
    refused = typed(data, "export", str(data.root.parent / "out"), *words)
    assert refused.exit_code == 2
    assert said in refused.output.replace("\n", " ")
    assert sorted(path.name for path in data.root.parent.iterdir()) == before
