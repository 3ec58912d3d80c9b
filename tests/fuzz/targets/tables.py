"""Doors of tables: CSV, Excel, Parquet, what is made of their columns, and people's answers."""

from __future__ import annotations

import csv
import io
import math
import zipfile
from pathlib import Path

from agent.errors import BadConfig
from agent.evaluation.label_exchange import read_labels
from agent.playground.clip_folder import count_videos, load_folder
from agent.playground.errors import BadCatalogue
from analysis.cli.map_words import read_mapping
from analysis.data.column_mapping import number_of
from analysis.data.imported_views import ImportOptions, read_imported_views
from analysis.errors import AnalysisError
from store.dataset.import_screenshots import Collection, bring_in
from store.errors import StoreError
from store.runs.data_folder import DataFolder
from store.runs.ledger_lines import Windows
from store.untrusted.clean_text import clean_json, clean_text, show_cell, show_line, show_text
from store.untrusted.excel_sheets import BadSheet, read_sheet
from store.untrusted.foreign_tables import BadTable, read_table
from store.untrusted.studio_tasks import BadStudioFile, read_studio
from tests.fuzz.guard import Target
from tests.store.samples import START, jpeg


def _columns_of(path: Path) -> object:
    table = read_table(path)
    told = {}
    for name in dict.fromkeys(table.names):
        try:
            column = table.column(name)
        except BadTable:
            continue
        assert len(column.codes) == len(table)
        told[name] = [clean_text(text) for text in column.values[:50]]
    return told


def _read_csv(content: bytes, place: Path) -> object:
    (place / "a.csv").write_bytes(content)
    return _columns_of(place / "a.csv")


def _read_parquet(content: bytes, place: Path) -> object:
    (place / "a.parquet").write_bytes(b"PAR1" + content[4:])
    return _columns_of(place / "a.parquet")


_WORKBOOK = (
    '<workbook xmlns:r="r"><sheets><sheet name="A" sheetId="1" r:id="r1"/></sheets></workbook>'
)
_RELATIONS = '<Relationships><Relationship Id="r1" Target="worksheets/s.xml"/></Relationships>'


def _read_sheet(content: bytes, place: Path) -> object:
    """Read a sheet and its shared texts, which a NUL parts, in the zip around them."""
    sheet, _, shared = content.partition(b"\0")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr("xl/workbook.xml", _WORKBOOK)
        book.writestr("xl/_rels/workbook.xml.rels", _RELATIONS)
        book.writestr("xl/worksheets/s.xml", sheet)
        if shared:
            book.writestr("xl/sharedStrings.xml", shared)
    return _read_excel(packed.getvalue(), place)


def _read_excel(content: bytes, place: Path) -> object:
    path = place / "a.xlsx"
    path.write_bytes(content)
    rows = [(number, cells[:20]) for number, cells in read_sheet(path)][:50]
    assert all(number > 0 for number, _ in rows)
    return rows


def _import_views(content: bytes, place: Path) -> object:
    """Read a table by what was typed after ``--map``, which is the first line."""
    typed, _, table = content.partition(b"\n")
    path = place / "a.csv"
    path.write_bytes(table)
    mapping = read_mapping([typed.decode("utf-8", "replace")] if typed.strip() else [])
    options = ImportOptions(Windows(before=1, adapt=0, after=1), mapping=mapping)
    views = read_imported_views(path, options).views
    for name in ("p_yes", "score", "dwell"):
        assert not any(map(math.isinf, getattr(views, name)))
    assert (views.position >= 0).all()
    return [run.run_id for run in views.runs], views.answer.tolist()[:50]


def _read_number(content: bytes, _: Path) -> object:
    """A number is finite, whatever spells it."""
    text = content.decode("utf-8", "replace")
    try:
        number = number_of(text, comma=len(content) % 2 == 1)
    except ValueError:
        return None
    assert math.isfinite(number), text
    return str(number)


def _read_labels(content: bytes, place: Path) -> object:
    (place / "a.csv").write_bytes(content)
    return read_labels(place / "a.csv", "anna", {1: "ben"})


def _read_studio(content: bytes, place: Path) -> object:
    (place / "a.json").write_bytes(content)
    return read_studio(place / "a.json")


def _read_clips(content: bytes, place: Path) -> object:
    (place / "captions.csv").write_bytes(content)
    (place / "a.jpg").write_bytes(jpeg("red"))
    assert all(count >= 0 for count in count_videos(place).values())
    return [item.caption for item in load_folder(place).items]


def _bring_in(content: bytes, place: Path) -> object:
    pictures = place / "pictures"
    pictures.mkdir()
    (pictures / "a.jpg").write_bytes(jpeg("red"))
    (place / "a.csv").write_bytes(content)
    given = Collection(pictures, place / "a.csv", "mine", "CC0", "1")
    data = DataFolder(place / "data")
    told = bring_in(data, given, START)
    assert bring_in(data, given, START).added == 0
    return told


def _clean(content: bytes, _: Path) -> object:
    """What is cleaned stays clean, and steers nothing."""
    text = content.decode("utf-8", "surrogatepass" if len(content) % 2 else "replace")
    cleaned = clean_text(text, 1000)
    assert clean_text(cleaned, 1000) == cleaned
    assert len(cleaned) <= 1000
    tree = clean_json({text: [text, (text,)]})
    assert clean_json(tree) == tree
    for shown in (show_text(text), show_line(text), show_line(show_cell(text))):
        assert show_text(shown) == shown
    assert "\n" not in show_line(text)
    return [cleaned, show_text(text), show_cell(cleaned)]


def seed_csv() -> bytes:
    """Return a small table of views."""
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerow(
        ("run", "position", "answer", "score", "persona", "arm", "window", "dwell", "video")
    )
    for position in range(6):
        rows.writerow(
            ("r1", position, ("yes", "no")[position % 2], 50, "p1", "treatment", "", 1.5, "v")
        )
    return out.getvalue().encode()


TARGETS = (
    Target("table_csv", ("store/untrusted/foreign_tables.py",), _read_csv, (BadTable,), "text"),
    Target("table_parquet", ("store/untrusted/foreign_tables.py",), _read_parquet, (BadTable,)),
    Target("sheet", ("store/untrusted/excel_sheets.py",), _read_sheet, (BadSheet,), "text"),
    Target("sheet_zip", ("store/untrusted/excel_sheets.py",), _read_excel, (BadSheet, OSError)),
    Target(
        "views",
        (
            "analysis/data/imported_views.py",
            "analysis/data/imported_cells.py",
            "analysis/data/column_mapping.py",
            "analysis/cli/map_words.py",
        ),
        _import_views,
        (AnalysisError,),
        "text",
    ),
    Target("number", ("analysis/data/column_mapping.py",), _read_number, (), "text"),
    Target(
        "labels_file", ("agent/evaluation/label_exchange.py",), _read_labels, (BadConfig,), "text"
    ),
    Target("studio", ("store/untrusted/studio_tasks.py",), _read_studio, (BadStudioFile,), "json"),
    Target(
        "clip_folder", ("agent/playground/clip_folder.py",), _read_clips, (BadCatalogue,), "text"
    ),
    Target(
        "screenshots", ("store/dataset/import_screenshots.py",), _bring_in, (StoreError,), "text"
    ),
    Target("clean_text", ("store/untrusted/clean_text.py",), _clean, (UnicodeDecodeError,), "text"),
)
