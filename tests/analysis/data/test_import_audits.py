"""An audit's own table goes in by one command, whatever program has written it."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from datetime import datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from analysis.cli.main import main
from analysis.data.before_after_windows import counts_by_run
from analysis.data.imported_views import ImportOptions, read_imported_views
from analysis.estimators.contrasts import pair_up, sways
from analysis.examples.study import STUDY, write_example
from analysis.report.report_inputs import read_study
from store.cli.main import main as store_main
from store.runs.data_folder import DataFolder
from store.runs.ledger_lines import Windows
from store.untrusted.foreign_tables import BadTable, read_table

HEADER = ("userID", "videoID", "timestamp", "order", "category", "liked", "caption")
MAP = "run=userID, video=videoID, position=timestamp, answer=category==12"
Rows = list[tuple[Any, ...]]


def audit(runs: int, videos: int = 100, arm: str = "user") -> Rows:
    """Rows as audits publish them: by no order, category codes, repeats, no position from 0."""
    rng = np.random.default_rng(runs)
    began = datetime.fromisoformat("2024-01-31 18:05:00")
    rows: Rows = []
    for run, rate in enumerate(np.linspace(0.03, 0.3, runs)):
        for order in range(videos):
            fits = bool(rng.random() < rate)
            category = 12 if fits else int(rng.integers(0, 12))
            at = began + timedelta(days=run, seconds=order * 13)
            video = 7_300_000_000_000_000_000 + int(rng.integers(0, 400))
            rows.append(
                (f"{arm}{run}", str(video), str(at), order + 1, category, int(fits), "Grüße; „x“")
            )
    return [rows[at] for at in rng.permutation(len(rows))]


def text_of(rows: Rows, separator: str = ";", header: tuple[str, ...] = HEADER) -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=separator).writerows([header, *rows])
    return text.getvalue()


def by_hand(rows: Rows) -> str:
    """The same in our columns, as a converter would write it."""
    runs = list(dict.fromkeys(row[0] for row in rows))
    made = [(row[0], row[3] - 1, row[1], int(row[4] == 12)) for row in rows]
    made.sort(key=lambda row: (runs.index(row[0]), row[1]))
    return text_of(made, ",", ("run", "position", "video", "answer"))


def imported(path: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["import", str(path), *words])


def figures(path: Path, *words: str) -> Any:
    told = imported(path, *words, "--json")
    assert told.exit_code == 0, told.output
    return json.loads(told.stdout)


def refused(path: Path, *words: str) -> str:
    told = imported(path, *words)
    assert (told.exit_code, "Traceback" in told.output) == (2, False), told.output
    assert re.search(r"Type:? ", told.stderr), told.stderr
    return told.stderr


def test_76_control_runs_of_an_audit_go_in_by_one_command(tmp_path: Path) -> None:
    rows = audit(76)
    (tmp_path / "audit.csv").write_text(text_of(rows), encoding="utf-8-sig")
    (tmp_path / "hand.csv").write_text(by_hand(rows), encoding="utf-8")
    one_persona = MAP + ", persona=:anyone"  # I_avg's null is drawn for each
    told = imported(tmp_path / "audit.csv", "--map", one_persona, "--json")
    assert json.loads(told.stdout) == figures(tmp_path / "hand.csv", "--map", "persona=:anyone")
    assert json.loads(told.stdout)[0]["arms"][0]["sway"]["clusters"] == 76
    assert "Columns not used: order, liked, caption." in told.stderr
    assert "had been shown before in the same run" in told.stderr


@pytest.mark.parametrize(
    "encoded",
    [
        text_of(audit(3), ",").encode(),
        text_of(audit(3), "\t").encode("utf-16"),
        text_of(audit(3)).replace("\r\n", "\n").encode("cp1252"),
        ("sep=;\r\n" + text_of(audit(3)) + ";;;;;;\r\n").encode("utf-8-sig"),
    ],
    ids=["commas", "Unicode text", "Windows-1252", "sep="],
)
def test_whatever_a_spreadsheet_writes_is_read_alike(tmp_path: Path, encoded: bytes) -> None:
    (tmp_path / "audit.csv").write_bytes(encoded)
    (tmp_path / "hand.csv").write_text(by_hand(audit(3)), encoding="utf-8")
    assert figures(tmp_path / "audit.csv", "--map", MAP) == figures(tmp_path / "hand.csv")
    captions = read_table(tmp_path / "audit.csv").column("caption").values
    assert captions == ["Grüße; „x“"]


def test_a_sheet_and_a_parquet_file_are_read_alike(tmp_path: Path) -> None:
    rows = audit(3)
    book = openpyxl.Workbook()
    book.create_sheet("Views")
    book["Sheet"].append(["notes"])
    views = book["Views"]
    views.append(HEADER)
    for row in rows:  # dates as Excel keeps them
        views.append([*row[:2], datetime.fromisoformat(row[2]), *row[3:5], bool(row[5]), row[6]])
    book.save(tmp_path / "audit.xlsx")
    columns = dict(zip(HEADER, map(list, zip(*rows, strict=True)), strict=True))
    columns["timestamp"] = [datetime.fromisoformat(text) for text in columns["timestamp"]]
    pq.write_table(pa.table(columns), tmp_path / "audit.parquet")
    (tmp_path / "hand.csv").write_text(by_hand(rows), encoding="utf-8")
    told = figures(tmp_path / "hand.csv")
    assert figures(tmp_path / "audit.xlsx", "--sheet", "Views", "--map", MAP) == told
    assert figures(tmp_path / "audit.parquet", "--map", MAP) == told
    assert "its sheets are 'Sheet', 'Views'" in refused(tmp_path / "audit.xlsx", "--sheet", "x")
    assert "lacks the column 'run'" in refused(tmp_path / "audit.xlsx")


def test_a_report_s_own_views_are_read_back(tmp_path: Path) -> None:
    (tmp_path / "hand.csv").write_text(by_hand(audit(3)), encoding="utf-8")
    out = tmp_path / "out"
    told = figures(tmp_path / "hand.csv", "--report", str(out))
    again = figures(out / "tables" / "views.parquet", "--map", "dwell=dwell_s")
    assert again[0]["arms"] == told[0]["arms"]


@pytest.mark.parametrize("name", ["views.parquet", "views.csv"])
def test_a_study_s_own_views_give_its_estimates_again(tmp_path: Path, name: str) -> None:
    data, out = write_example(tmp_path / "data").root, tmp_path / "out"
    told = CliRunner().invoke(main, ["report", "example", "--data", str(data), "--out", str(out)])
    assert told.exit_code == 0, told.output
    estimates = (out / "tables" / "estimates.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(io.StringIO(estimates))
    wanted = {row["name"]: float(row["value"]) for row in rows if row["value"]}
    (result,) = figures(out / "tables" / name, "--map", "dwell=dwell_s")
    treatment = next(arm for arm in result["arms"] if arm["arm"] == "treatment")
    (contrast,) = result["contrasts"]
    assert treatment["sway"]["value"] == pytest.approx(wanted["sway, treatment"])
    assert contrast["estimate"]["value"] == pytest.approx(wanted["treatment minus passive"])
    assert treatment["sway"]["value"] == pytest.approx(27.1, abs=0.05)
    assert contrast["estimate"]["value"] == pytest.approx(21.2, abs=0.05)
    assert "Windows are those of the column use" in imported(out / "tables" / name).stderr


def test_a_column_use_of_others_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("run,position,answer,use\nr,0,1,before\nr,1,0,daily\n", encoding="utf-8")
    assert "Column not used: use." in imported(path, "--before", "1", "--after", "1").stderr


def test_a_list_in_a_parquet_file_is_refused_only_where_it_is_mapped(tmp_path: Path) -> None:
    columns = {"run": ["u", "u"], "position": [0, 1], "answer": ["yes", "no"]}
    tags = {"hashtags": [["a"], ["b", "c"]], "place": [{"x": 1}, {"x": 2}]}
    pq.write_table(pa.table(columns | tags), tmp_path / "a.parquet")
    path, words = tmp_path / "a.parquet", ("--before", "1", "--after", "1")
    told = imported(path, *words)
    assert (told.exit_code, "Columns not used: hashtags, place." in told.stderr) == (0, True)
    said = refused(path, *words, "--map", "video=hashtags")
    assert "holds lists or structures in the column 'hashtags'" in said


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("60,1.5", "csv:3: p_yes is '1.5', not a number from 0 to 1."),
        ("101,0.5", "csv:3: score is '101', not a number from 0 to 100."),
        ("-1,0.5", "csv:3: score is '-1', not a number from 0 to 100."),
    ],
)
def test_a_number_off_its_scale_is_refused(tmp_path: Path, row: str, words: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"run,position,score,p_yes\nr,0,0,1\nr,1,{row}\nr,2,100,0\n", encoding="utf-8")
    assert words in refused(path)


def test_scores_from_0_to_1_under_a_threshold_of_60_are_remarked(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("run,position,score\nr,0,0.2\nr,1,1\n", encoding="utf-8")
    words = ("--before", "1", "--after", "1")
    assert "No score is above 1, and a score is a yes from 60 on" in imported(path, *words).stderr
    assert "No score" not in imported(path, *words, "--threshold", "0.6").stderr


def test_a_threshold_is_printed_as_it_was_typed_to_the_last_digit(tmp_path: Path) -> None:
    path, out = tmp_path / "a.csv", tmp_path / "out"
    path.write_text("run,position,score\nr,0,20\nr,1,70\n", encoding="utf-8")
    words = ("--before", "1", "--after", "1", "--report", str(out))
    assert imported(path, *words, "--threshold", "59.12345678").exit_code == 0
    assert "--threshold 59.12345678 " in (out / "index.html").read_text(encoding="utf-8")
    assert "--report without --primary" in refused(path, *words, "--primary", "permutation")


def test_the_page_s_command_makes_the_report_again(tmp_path: Path) -> None:
    (tmp_path / "audit.csv").write_text(text_of(audit(3)), encoding="utf-8")
    words = ("--map", MAP, "--baseline", "passive", "--adapt", "24")
    figures(tmp_path / "audit.csv", *words, "--report", str(tmp_path / "out"))
    page = unescape((tmp_path / "out" / "index.html").read_text(encoding="utf-8"))
    assert f"--adapt 24 --baseline passive --map '{MAP}' --report out" in page


def test_null_runs_are_read_by_the_same_map_or_their_own(tmp_path: Path) -> None:
    header = tuple("u" if name == "userID" else name for name in HEADER)
    for name, runs, columns in (("own", 3, HEADER), ("same", 25, HEADER), ("other", 25, header)):
        text = text_of(audit(runs, arm=name), header=columns)
        (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
    own, words = tmp_path / "own.csv", ("--map", MAP, "--null-from")
    (same,) = figures(own, *words, str(tmp_path / "same.csv"))
    assert same["averages"][0]["null"]["null_runs"] == 25
    said = refused(own, *words, str(tmp_path / "other.csv"))
    assert "other.csv:1: lacks the column 'userID'" in said
    mapped = ("--null-map", MAP.replace("userID", "u"))
    (other,) = figures(own, *words, str(tmp_path / "other.csv"), *mapped)
    assert other["averages"][0]["null"]["null_runs"] == 25
    said = refused(own, *words, str(tmp_path / "other.csv"), "--null-map", "run=v")
    assert "Type: --null-map run=" in said


def xlsx(path: Path, sheet: bytes, strings: bytes = b"<sst/>") -> Path:
    """A workbook by hand, as no program writes it."""
    about = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns:r="{about}"><sheets><sheet name="a" r:id="x"/></sheets></workbook>',
        )
        book.writestr(
            "xl/_rels/workbook.xml.rels",
            '<Relationships><Relationship Id="x" Target="worksheets/s.xml"/></Relationships>',
        )
        book.writestr("xl/sharedStrings.xml", strings)
        book.writestr("xl/worksheets/s.xml", sheet)
    return path


def sheet(rows: str) -> bytes:
    return f"<worksheet><sheetData>{rows}</sheetData></worksheet>".encode()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (sheet("<row/>" * 2**22), "unpacks to"),
        (b'<!DOCTYPE x [<!ENTITY a "b">]><worksheet>&a;</worksheet>', "declares a document type"),
        (sheet('<row r="9999999999"/>'), "row 9999999999"),
        (sheet('<row><c r="ZZZ1"/></row>'), "out of its place"),
        (sheet('<row><c t="s"><v>7</v></c></row>'), "no Excel file that can be read"),
        (sheet(f"<row><c><v>{'1' * 40_000}</v></c></row>"), "more than 32,768 characters"),
        (sheet("<row><c>"), "no Excel file that can be read"),
    ],
    ids=["bomb", "entities", "row", "column", "string", "cell", "cut"],
)
def test_a_hostile_workbook_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    assert words in refused(xlsx(tmp_path / "x.xlsx", content))


def test_texts_of_a_workbook_may_be_shared_rich_or_spoken(tmp_path: Path) -> None:
    strings = "<sst><si><t>run</t></si><si><r><t>U</t></r><r><t>1</t></r><rPh><t>you</t></rPh></si>"
    rows = '<row r="2"><c r="B2" t="s"><v>0</v></c><c r="D2" t="inlineStr"><is><t>x</t></is></c>'
    rows += '</row><row r="7"><c r="B7" t="s"><v>1</v></c><c r="D7" t="b"><v>1</v></c></row>'
    table = read_table(xlsx(tmp_path / "x.xlsx", sheet(rows), f"{strings}</sst>".encode()))
    assert table.names == ("", "run", "", "x")
    assert (table.column("run").values, table.column("x").values) == (["U1"], ["true"])
    assert table.lines.tolist() == [7]


def test_a_parquet_file_cannot_grow_without_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pq.write_table(pa.table({"run": ["r" * 1000] * 10_000}), tmp_path / "x.parquet")
    monkeypatch.setattr("store.untrusted.foreign_tables.MOST_TABLE_ROWS", 9_999)
    assert "has more than" in refused(tmp_path / "x.parquet")
    (tmp_path / "x.parquet").write_bytes(b"PAR1" + b"\0" * 100)
    assert "no Parquet file that can be read" in refused(tmp_path / "x.parquet")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("userID;order;category\nu;1;12\nu;2;12;fell apart\n", "csv:3: has 4 cells, and the"),
        ("userID;order;category\nu;1;12\nu;1.0;12\n", "csv:3: position (order) is '1.0', as in li"),
        ("userID;order;category\nu;soon;12\n", "csv:2: position (order) is 'soon', not a number"),
        ("userID;order;category\nu;1;12\nu;2024-01-31;12\n", "csv:3: position (order) is '2024-01"),
        ("userID;order;category\nu;1;3\n", "no row has category==12; category holds 3"),
        ("userID;order;category;order\nu;1;12;1\n", "two columns called 'order'"),
        ("userID;order;category\n7,30018E+18;1;12\n", "a spreadsheet has rounded it"),
        ("userID;order;category\nu;1,234;12\n", "a decimal comma or one of thousands"),
        ("PK\x03\x04 is what it begins with", "no Excel file that can be read (File is not a zip"),
        ("\xd0\xcf\x11\xe0", "Save it as .xlsx or CSV"),
        ("userID;order\0;category", "is no text"),
        ("", "csv: is empty: it has no header"),
        ("userID|order|category\nu|1|12\n", "separated by a comma, a semicolon or a tab"),
    ],
)
def test_an_awkward_file_is_refused_in_words(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "a.csv").write_bytes(text.encode("latin-1"))
    said = refused(tmp_path / "a.csv", "--map", "run=userID,position=order,answer=category==12")
    assert words in said


def test_damaged_bytes_make_a_table_or_a_clear_error(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.create_sheet("a", 0).append(["run", 1, 2.5, True])
    book.save(tmp_path / "a.xlsx")
    pq.write_table(pa.table({"run": ["a", "b"], "n": [[1], [2]]}), tmp_path / "a.parquet")
    (tmp_path / "a.csv").write_bytes("run;n\nu;1\n".encode("utf-16"))
    rng, read, bad = np.random.default_rng(4), 0, 0
    for trial in range(240):
        whole = (tmp_path / f"a.{('xlsx', 'parquet', 'csv')[trial % 3]}").read_bytes()
        raw = bytearray(whole[: rng.integers(8, len(whole)) if trial % 5 == 0 else len(whole)])
        for at in rng.integers(4, len(raw), rng.integers(1, 9)):
            raw[at] = rng.integers(0, 256)
        (tmp_path / "damaged").write_bytes(raw)
        try:
            read += len(read_table(tmp_path / "damaged").names) > 0
        except BadTable:
            bad += 1
    assert read > 20
    assert bad > 60


def test_an_export_of_steps_comes_back_with_the_same_numbers(tmp_path: Path) -> None:
    """Without ``--map``, of a study with a control."""
    data = tmp_path / "data"
    write_example(data)
    views = read_study(DataFolder(data), STUDY).views
    windows = Windows(before=1, after=1, baseline=views.runs[0].windows.baseline)
    known = zip(views.runs, sways(counts_by_run(views)), strict=True)
    ours = {run.run_id: sway for run, sway in known}
    assert len(ours) > 10
    (control,) = {run.arm for run in views.runs} - {"treatment"}
    for kind in ("csv", "xlsx"):
        out = tmp_path / kind
        words = ["export", str(out), "--format", kind, "--study", STUDY, "--data", str(data)]
        assert CliRunner().invoke(store_main, words).exit_code == 0
        back = read_imported_views(out / f"steps.{kind}", ImportOptions(windows)).views
        theirs = sways(counts_by_run(back))
        told = {run.run_id: sway for run, sway in zip(back.runs, theirs, strict=True)}
        assert told == pytest.approx(ours, abs=1e-12, nan_ok=True)
        pairs = [{views.runs[at].run_id for at in pair} for pair in pair_up(views.runs, control)]
        again = [{back.runs[at].run_id for at in pair} for pair in pair_up(back.runs, control)]
        assert sorted(map(sorted, again)) == sorted(map(sorted, pairs))
        assert len(pairs) > 1
