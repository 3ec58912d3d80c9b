"""Strangers' Excel files: the cells of one sheet as text, read piece by piece within limits.

A sheet is XML in a zip (ECMA-376). Of it nothing is kept but the row that is being read, and the
texts that cells share.
Dates stay what Excel keeps: days since 1900, which are in order.
"""

from __future__ import annotations

import lzma
import posixpath
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from store.untrusted.size_limits import MOST_TABLE_BYTES, ForeignFault
from store.untrusted.zip_members import METHODS

MOST_ROWS, MOST_COLUMNS = 2**20, 2**14
"""What Excel itself takes."""
MOST_SHARED = 2**23
LONGEST_CELL = 2**15
"""Characters that Excel takes in a cell."""
MOST_RATIO = 100
"""How many times its size a part may unpack to; sheets with little in them reach 40."""
_SMALL = 2**24  # bytes that a part may unpack to whatever its ratio
_PIECE = 2**16
_WORKBOOK = "xl/workbook.xml"
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    expat.ExpatError,
    ValueError,
    LookupError,
    EOFError,
    NotImplementedError,
    RuntimeError,
)
"""What damaged zips and XML raise; an encrypted zip is a ``RuntimeError``."""
_MOST_REMEMBERED = 10_000

Attributes = dict[str, str]


class BadSheet(ForeignFault):
    """An Excel file that cannot be read, or holds more than is taken."""


class _LocalNames(dict[str, str]):
    """Names of elements without their prefix, worked out once each."""

    def __missing__(self, name: str) -> str:
        if len(self) > _MOST_REMEMBERED:
            self.clear()
        return self.setdefault(name, name.rpartition(":")[2])


class _Columns(dict[str, int]):
    """Numbers of columns by their letters, from 0, worked out once each."""

    def __missing__(self, letters: str) -> int:
        if not re.fullmatch(r"[A-Z]{1,3}", letters):
            raise ValueError(f"a cell is called {letters[:20]!r}")
        number = 0
        for letter in letters:
            number = 26 * number + ord(letter) - ord("A") + 1
        return self.setdefault(letters, number - 1)


_LOCAL, _INDEX = _LocalNames(), _Columns()


class _CellText:
    """Pieces of one cell's text, up to what Excel takes."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._length = 0

    def clear(self) -> None:
        self._pieces.clear()
        self._length = 0

    def add(self, piece: str) -> None:
        self._pieces.append(piece)
        self._length += len(piece)
        if self._length > LONGEST_CELL:
            raise BadSheet(f"has a cell of more than {LONGEST_CELL:,} characters")

    def __str__(self) -> str:
        return "".join(self._pieces)


Rows = Iterator[tuple[int, list[str]]]


def read_sheet(path: Path, name: str = "") -> Rows:
    """Give each row that is not empty with its number, from the first sheet or the named one.

    Raises ``BadSheet`` and ``OSError``.
    """
    with _reading(), zipfile.ZipFile(path) as book:
        _check_sizes(book)
        strings = list(_shared_strings(book))
        sheet = _Sheet(strings)
        for _ in _parse(book, _find_sheet(book, name), sheet.start, sheet.end, sheet.text):
            yield from sheet.rows
            sheet.rows.clear()


@contextmanager
def _reading() -> Iterator[None]:
    try:
        yield
    except ForeignFault:
        raise
    except _DAMAGED as error:
        raise BadSheet(f"is no Excel file that can be read ({error})") from None


def _check_sizes(book: zipfile.ZipFile) -> None:
    """Refuse what would unpack to too much, or take any memory.

    ``zipfile`` gives no more than these sizes say.
    """
    parts = book.infolist()
    whole = sum(part.file_size for part in parts)
    if whole > MOST_TABLE_BYTES:
        raise BadSheet(f"unpacks to {whole:,} bytes, more than the {MOST_TABLE_BYTES:,} taken")
    for part in parts:
        if part.compress_type not in METHODS:
            raise BadSheet("is packed in an unusual way. Save it anew from Excel")
        if part.file_size > max(_SMALL, MOST_RATIO * part.compress_size):
            raise BadSheet(f"unpacks to {part.file_size:,} bytes from {part.compress_size:,}")


def _parse(
    book: zipfile.ZipFile,
    part: str,
    start: Callable[[str, Attributes], None],
    end: Callable[[str], None] | None = None,
    text: Callable[[str], None] | None = None,
) -> Iterator[None]:
    """Parse a part piece by piece, and pause after each; names come as they are written."""
    parser = expat.ParserCreate()
    parser.buffer_text = True

    def refuse(*_: object) -> None:
        raise BadSheet("declares a document type, which no Excel file does")

    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = start
    if end is not None and text is not None:
        parser.EndElementHandler = end
        parser.CharacterDataHandler = text
    with book.open(part) as stream:
        while piece := stream.read(_PIECE):
            parser.Parse(piece, False)
            yield
        parser.Parse(b"", True)
        yield


def _find_sheet(book: zipfile.ZipFile, wanted: str) -> str:
    """Return the part that holds a sheet, by its name; of an empty name, the first."""
    sheets: list[tuple[str, str]] = []
    targets: dict[str, str] = {}

    def see_sheet(tag: str, given: Attributes) -> None:
        if _LOCAL[tag] == "sheet":
            number = next((v for k, v in given.items() if _LOCAL[k] == "id"), "")
            sheets.append((given.get("name", ""), number))

    def see_target(tag: str, given: Attributes) -> None:
        if _LOCAL[tag] == "Relationship":
            targets[given.get("Id", "")] = given.get("Target", "")

    for _ in _parse(book, _WORKBOOK, see_sheet):
        pass
    for _ in _parse(book, "xl/_rels/workbook.xml.rels", see_target):
        pass
    names = [name for name, _ in sheets]
    if not names or (wanted and wanted not in names):
        there = ", ".join(repr(name[:40]) for name in names[:12]) or "none"
        raise BadSheet(f"has no sheet {wanted!r}; its sheets are {there}")
    number = sheets[names.index(wanted) if wanted else 0][1]
    return posixpath.normpath(posixpath.join("/xl", targets[number])).lstrip("/")


def _shared_strings(book: zipfile.ZipFile) -> list[str]:
    """Texts that cells refer to by number; what is spoken (``rPh``) is no part of them."""
    if "xl/sharedStrings.xml" not in book.namelist():
        return []
    strings: list[str] = []
    now = _CellText()
    inside, spoken = False, False

    def start(name: str, _: Attributes) -> None:
        nonlocal inside, spoken
        tag = _LOCAL[name]
        if tag == "si":
            now.clear()
        spoken = spoken or tag == "rPh"
        inside = tag == "t" and not spoken

    def end(name: str) -> None:
        nonlocal inside, spoken
        tag = _LOCAL[name]
        inside = False
        spoken = spoken and tag != "rPh"
        if tag == "si":
            strings.append(str(now))
            if len(strings) > MOST_SHARED:
                raise BadSheet(f"has more than {MOST_SHARED:,} different texts")

    def text(piece: str) -> None:
        if inside:
            now.add(piece)

    for _ in _parse(book, "xl/sharedStrings.xml", start, end, text):
        pass
    return strings


@dataclass
class _Sheet:
    """The rows of a sheet, gathered while it is parsed."""

    strings: list[str]
    rows: list[tuple[int, list[str]]] = field(default_factory=list)
    _row: int = 0
    _cells: list[str] = field(default_factory=list)
    _kind: str = ""
    _now: _CellText = field(default_factory=_CellText)
    _inside: bool = False

    def start(self, name: str, given: Attributes) -> None:
        tag = _LOCAL[name]
        if tag == "c":
            place = given.get("r", "").rstrip("0123456789")
            column = _INDEX[place] if place else len(self._cells)
            if column != len(self._cells) or column >= MOST_COLUMNS:
                self._pad(column)
            self._kind = given.get("t", "n")
            self._now.clear()
        elif tag in ("v", "t"):
            self._inside = True
        elif tag == "row":
            self._row = int(given.get("r", self._row + 1))
            if not 0 < self._row <= MOST_ROWS:
                raise BadSheet(f"has a row {self._row}, and Excel's last is {MOST_ROWS:,}")
            self._cells = []

    def end(self, name: str) -> None:
        tag = _LOCAL[name]
        if tag in ("v", "t"):
            self._inside = False
        elif tag == "c":
            self._cells.append(self._value(str(self._now)))
        elif tag == "row" and any(self._cells):
            self.rows.append((self._row, self._cells))

    def text(self, piece: str) -> None:
        if self._inside:
            self._now.add(piece)

    def _pad(self, column: int) -> None:
        missing = column - len(self._cells)
        if missing < 0 or column >= MOST_COLUMNS:
            raise BadSheet(f"has a cell out of its place in row {self._row}")
        self._cells += [""] * missing

    def _value(self, text: str) -> str:
        if self._kind == "s" and text:
            if (number := int(text)) < 0:
                raise BadSheet(f"has no text {number}")
            return self.strings[number]
        if self._kind == "b":
            return {"1": "true", "0": "false"}.get(text, text)
        return "" if self._kind == "e" else text
