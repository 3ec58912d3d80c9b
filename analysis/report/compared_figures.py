"""Holds each figure of a bundle against the one that was derived from it again."""

from __future__ import annotations

import heapq
import itertools
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from store.bundle.bundle_manifest import FIGURES, BundledFile, BundleManifest
from store.bundle.figure_tables import PAGE_NUMBERS, SHOWN_BY_NAME, read_rows
from store.untrusted.foreign_tables import BadTable

TOLERANCE = 1e-9
"""Share by which figures may differ that two platforms round otherwise."""
NOTHING = 1e-12
"""Difference that is none, as of two sums that come to 0."""
MOST_DIFFERENCES = 1000
"""Differences that are kept, the worst ones."""
_NUMBER = re.compile(r"-?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?")
_OF_PLUG_INS = "estimators_of_others"
"""The one table that other packages make, which need not be installed here."""
_PROBABILITY = re.compile(r"p|p_.*|.*_p")
"""Columns of probabilities, of which the smallest are told apart too."""
_COUNT = re.compile(r"[1-9][0-9]{0,8}")
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
    """Compare the tables of a bundle, unpacked in a folder, with those derived from it.

    A table, a column or a row that stands on one side alone differs. What may be missing follows
    from the kind of the bundle, and is nothing that its manifest could say.
    """
    found = FigureComparison()
    members = {Path(member.place).stem: member for member in manifest.below(FIGURES)}
    for name in sorted(members.keys() | {path.stem for path in derived.glob("*.csv")}):
        table, member = TableComparison(name), members.get(name)
        found.tables.append(table)
        mine, its = folder / f"{FIGURES}{name}.csv", derived / f"{name}.csv"
        hidden = SHOWN_BY_NAME.get(name, ()) if manifest.handles == "pseudonyms" else ()
        comparing = _Comparing(found, table, hidden)
        if member is not None and its.is_file():
            table.unchecked = _tell_unchecked(member, hidden)
            comparing.compare(mine, its)
        elif name == _OF_PLUG_INS:
            where = "in the bundle" if member is None else "derived here"
            table.unchecked = f"it is not {where}: packages that estimate are installed otherwise"
        else:
            comparing.miss("no table" if member is None else "a table")
    return found


def _tell_unchecked(member: BundledFile, hidden: Sequence[str]) -> str:
    if hidden:
        return f"{' and '.join(hidden)}, which names stood in, are not in the bundle"
    if member.rows_left_out:
        count = f"{member.rows_left_out:,} numbers of contact sheets"
        return f"{count}, whose frames are not in the bundle, are not in it either"
    return ""


class _Comparing:
    """Goes through one table and its counterpart, row by row."""

    def __init__(
        self, found: FigureComparison, table: TableComparison, hidden: Sequence[str]
    ) -> None:
        self._found, self._table, self._hidden = found, table, hidden

    def compare(self, bundled: Path, derived: Path) -> None:
        try:
            mine, theirs = self._rows(bundled), self._rows(derived)
            header, other = next(mine, []), next(theirs, [])
            places = [at for at, name in enumerate(other) if name not in self._hidden]
            due = [other[at] for at in places]
            if header != due:
                self._differ("", "the header", ", ".join(header), ", ".join(due))
                return
            for number, (row, its) in enumerate(itertools.zip_longest(mine, theirs), 1):
                self._compare_row(number, header, row, its and [its[at] for at in places])
        except BadTable as error:
            self._differ("", "the whole table", "", f"cannot be read ({error})")

    def miss(self, bundled: str) -> None:
        """Note a table that stands on one side alone."""
        derived = "a table" if bundled == "no table" else "no table"
        self._differ("", "the whole table", bundled, derived)

    def _rows(self, path: Path) -> Iterator[list[str]]:
        """Rows of a table; those of the page's numbers are counted anew."""
        rows = read_rows(path)
        return _count_anew(rows) if self._table.name == PAGE_NUMBERS else rows

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
        if len(bundled) != len(header):
            cells = f"{len(bundled)} cells"
            self._differ(_label(number, bundled), "the whole row", cells, f"{len(header)} cells")
            return
        if bundled == derived:
            self._table.equal += sum(_NUMBER.fullmatch(cell) is not None for cell in bundled)
            return
        for name, mine, its in zip(header, bundled, derived, strict=True):
            if mine == its:
                self._table.equal += _NUMBER.fullmatch(mine) is not None
            elif _gap(mine, its, exact=_PROBABILITY.fullmatch(name) is not None) <= TOLERANCE:
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


def _count_anew(rows: Iterator[list[str]]) -> Iterator[list[str]]:
    """Give the page's numbers as if those of contact sheets had never been among them.

    They are numbered in the order of the page, and their sources in that of its notes.
    """
    header = next(rows, [])
    yield header
    if header[:2] != ["id", "source"]:
        yield from rows
        return
    numbers = list(rows)
    ids = _ranks(row[0].removeprefix("n-") for row in numbers if len(row) == len(header))
    sources = _ranks(row[1] for row in numbers if len(row) == len(header))
    for row in numbers:
        if len(row) == len(header):
            counted = ids.get(row[0].removeprefix("n-"), row[0]), sources.get(row[1], row[1])
            yield [*counted, *row[2:]]
        else:
            yield row


def _ranks(texts: Iterable[str]) -> dict[str, str]:
    """Return the place of each number among all of them; nothing of what is no number."""
    counted = sorted({int(text) for text in texts if _COUNT.fullmatch(text)})
    return {str(number): f"no. {rank}" for rank, number in enumerate(counted, 1)}


def _gap(one: str, other: str, *, exact: bool = False) -> float:
    """Return how far apart two cells are; ``exact`` where nothing is too small to count."""
    if not (_NUMBER.fullmatch(one) and _NUMBER.fullmatch(other)):
        return math.inf
    first, second = float(one), float(other)
    gap = abs(first - second)
    if math.isnan(gap):  # both are beyond what a number can be
        return math.inf
    return gap if gap < NOTHING and not exact else gap / max(abs(first), abs(second))
