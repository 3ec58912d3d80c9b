"""Holds each figure of a bundle against the one that was derived from it again."""

from __future__ import annotations

import heapq
import itertools
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from store.bundle.bundle_manifest import FIGURES, BundledFile, BundleManifest
from store.bundle.figure_tables import read_rows
from store.untrusted.foreign_tables import BadTable

TOLERANCE = 1e-9
"""Share by which figures may differ that two platforms round otherwise."""
NOTHING = 1e-12
"""Difference that is none, as of two sums that come to 0."""
MOST_DIFFERENCES = 1000
"""Differences that are kept, the worst ones."""
_NUMBER = re.compile(r"-?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?")
_PAGE_NUMBERS = "numbers"
_COUNTED = ("id", "source")
"""Columns of the page's numbers that count them, sections that need frames included."""
_FRAMED = "analysis.report.example_frames.sheets"
"""What makes numbers of the page that need frames."""
_LABEL = 4
"""Cells that tell a row from others."""


@dataclass(frozen=True)
class FigureDifference:
    """One figure that was derived otherwise than the bundle has it."""

    table: str
    row: str
    column: str
    bundled: str
    derived: str
    gap: float
    """Difference as a share of the larger one; infinite where either is no number."""


@dataclass
class TableComparison:
    """How the figures of one table compare."""

    name: str
    equal: int = 0
    close: int = 0
    """Within ``TOLERANCE``, and not equal."""
    different: int = 0
    unchecked: str = ""
    """Why some or all of it could not be compared."""

    @property
    def figures(self) -> int:
        return self.equal + self.close + self.different


@dataclass
class FigureComparison:
    """How all figures of a bundle compare."""

    tables: list[TableComparison] = field(default_factory=list)
    _worst: list[tuple[float, int, FigureDifference]] = field(default_factory=list)
    _count: int = 0

    @property
    def figures(self) -> int:
        return sum(table.figures for table in self.tables)

    @property
    def close(self) -> int:
        return sum(table.close for table in self.tables)

    @property
    def different(self) -> int:
        return sum(table.different for table in self.tables)

    @property
    def unchecked(self) -> list[str]:
        return [f"{table.name}: {table.unchecked}" for table in self.tables if table.unchecked]

    @property
    def differences(self) -> list[FigureDifference]:
        """The worst ones, worst first."""
        return [told for _, _, told in sorted(self._worst, reverse=True)]

    def add(self, told: FigureDifference) -> None:
        self._count += 1
        entry = (told.gap, -self._count, told)
        if len(self._worst) < MOST_DIFFERENCES:
            heapq.heappush(self._worst, entry)
        else:
            heapq.heappushpop(self._worst, entry)


def compare_figures(manifest: BundleManifest, folder: Path, derived: Path) -> FigureComparison:
    """Compare the tables of a bundle, unpacked in a folder, with those derived from it."""
    found = FigureComparison()
    for member in manifest.below(FIGURES):
        name = member.place.removeprefix(FIGURES).removesuffix(".csv")
        table = TableComparison(name)
        found.tables.append(table)
        other = derived / f"{name}.csv"
        if not other.is_file():
            table.unchecked = "it could not be derived here: a plug-in or a label is missing"
            continue
        table.unchecked = _tell_unchecked(member, framed=manifest.frames)
        _Comparing(found, table, framed=manifest.frames).compare(folder / member.place, other)
    return found


def _tell_unchecked(member: BundledFile, *, framed: bool) -> str:
    if member.columns_left_out:
        columns = " and ".join(member.columns_left_out)
        return f"{columns}, which names stood in, are not in the bundle"
    if not framed and member.place == f"{FIGURES}{_PAGE_NUMBERS}.csv":
        return "numbers of the contact sheets, whose frames are not in the bundle"
    return ""


class _Comparing:
    """Goes through one table and its counterpart, row by row."""

    def __init__(self, found: FigureComparison, table: TableComparison, *, framed: bool) -> None:
        self._found, self._table, self._framed = found, table, framed

    def compare(self, bundled: Path, derived: Path) -> None:
        mine, theirs = self._rows(bundled), self._rows(derived)
        try:
            header, other = next(mine, []), next(theirs, [])
            places = [other.index(name) if name in other else None for name in header]
            for number, (row, its) in enumerate(itertools.zip_longest(mine, theirs), 1):
                picked = its and ["" if at is None else its[at] for at in places]
                self._compare_row(number, header, row, picked)
        except (BadTable, IndexError) as error:
            self._differ("", "the whole table", "", f"cannot be read ({error})")

    def _rows(self, path: Path) -> Iterator[list[str]]:
        """Rows of a table; of the page's numbers those that can be compared."""
        rows = read_rows(path)
        if self._table.name != _PAGE_NUMBERS:
            yield from rows
            return
        header = next(rows, [])
        kept = [at for at, name in enumerate(header) if name not in _COUNTED]
        by = header.index("function") if "function" in header else None
        yield [header[at] for at in kept]
        for row in rows:
            if self._framed or by is None or row[by] != _FRAMED:
                yield [row[at] for at in kept]

    def _compare_row(
        self,
        number: int,
        header: Sequence[str],
        bundled: Sequence[str] | None,
        derived: Sequence[str] | None,
    ) -> None:
        if bundled is None or derived is None:
            there = ("a row", "no row") if derived is None else ("no row", "a row")
            self._differ(_label(number, bundled or derived or ()), "the whole row", *there)
            return
        if bundled == derived:
            self._table.equal += sum(_NUMBER.fullmatch(cell) is not None for cell in bundled)
            return
        for name, mine, its in zip(header, bundled, derived, strict=True):
            if mine == its:
                self._table.equal += _NUMBER.fullmatch(mine) is not None
            elif _gap(mine, its) <= TOLERANCE:
                self._table.close += 1
            else:
                self._differ(_label(number, bundled), name, mine, its)

    def _differ(self, row: str, column: str, bundled: str, derived: str) -> None:
        self._table.different += 1
        gap = _gap(bundled, derived)
        self._found.add(FigureDifference(self._table.name, row, column, bundled, derived, gap))


def _label(number: int, row: Sequence[str]) -> str:
    """What tells a row: its first words, and which it is."""
    words = [cell for cell in row if cell and not _NUMBER.fullmatch(cell)]
    return ", ".join([*words[:_LABEL], f"row {number}"])


def _gap(one: str, other: str) -> float:
    if not (_NUMBER.fullmatch(one) and _NUMBER.fullmatch(other)):
        return math.inf
    first, second = float(one), float(other)
    gap = abs(first - second)
    return gap if gap < NOTHING else gap / max(abs(first), abs(second))
