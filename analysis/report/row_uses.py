"""What became of every row: the use that a number's source quotes, and the tables print."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from analysis.data.before_after_windows import compared
from analysis.data.exposures import AFTER, BEFORE, NONE, Views
from analysis.data.reported_uses import FIRST_EXCLUDED, FIRST_MISSING, USES
from analysis.report.number_sources import NumberSource
from analysis.statistics.estimate import Ints, Mask
from store.terminal.printing import count_of

BEFORE_ROW, AFTER_ROW, ADAPT_ROW, TOO_EARLY = range(4)


@dataclass(frozen=True, eq=False)
class AccountedRows:
    """The rows of a table with their uses."""

    views: Views
    use: Ints  # index into ``USES``, one per row
    why: Ints
    """The same, but a row without an answer says so even where its window is not compared: the
    reason why it cannot be used for anything."""

    @property
    def counted(self) -> Mask:
        """Rows that are compared and have an answer."""
        return np.isin(self.use, (BEFORE_ROW, AFTER_ROW))

    @property
    def compared(self) -> Mask:
        """Rows of the compared windows, answered or not."""
        return self.counted | (self.use >= FIRST_MISSING)

    def of(self, runs: Iterable[int]) -> Mask:
        return np.isin(self.views.run, list(runs))

    def source(
        self,
        function: str,
        wanted: Mask,
        used: Mask | None = None,
        *,
        noun: str = "judged video",
        otherwise: str = "not part of this number",
    ) -> NumberSource:
        """Say where a number comes from.

        ``wanted``: rows that it could rest on, such as those of an arm; ``used``: those that it
        does rest on (the counted ones if not given). ``otherwise``: why a row that counts elsewhere
        does not count here.
        """
        kept = wanted & (self.counted if used is None else used)
        runs = np.unique(self.views.run[kept])
        arms = ", ".join(dict.fromkeys(self.views.runs[run].arm for run in runs))
        told = (
            f"{count_of(int(kept.sum()), noun)} of {count_of(len(runs), 'run')}"
            f"{f' ({arms})' if arms else ''}"
        )
        return NumberSource(function, told, self._left_out(wanted & ~kept, otherwise))

    def _left_out(self, rows: Mask, otherwise: str) -> str:
        told: dict[str, int] = {}
        for code, count in enumerate(np.bincount(self.why[rows], minlength=len(USES))):
            name = otherwise if code in (BEFORE_ROW, AFTER_ROW) else USES[code]
            told[name] = told.get(name, 0) + int(count)
        return ", ".join(f"{count:,} {name}" for name, count in told.items() if count) or "nothing"


def account(views: Views) -> AccountedRows:
    """Give every row its use: why it does not count, or the window that it counts in.

    A row has one use. The platform's reasons come first (an ad without an answer is an ad), then
    the windows, then missing answers.
    """
    use = np.full(len(views), ADAPT_ROW)
    for index in range(len(views.runs)):
        start, stop = np.searchsorted(views.run, [index, index + 1])
        rows = compared(views.one(index))
        part = use[start:stop]
        part[rows.before] = BEFORE_ROW
        part[rows.after] = AFTER_ROW
        part[rows.too_early] = TOO_EARLY
    out = ~views.eligible
    use[out] = FIRST_EXCLUDED + views.excluded[out] - 1
    unanswered = views.eligible & (views.answer == NONE)
    missing = FIRST_MISSING + views.missing - 1
    lost = np.isin(use, (BEFORE_ROW, AFTER_ROW)) & unanswered
    why = np.where(unanswered, missing, use)
    return AccountedRows(views, np.where(lost, missing, use), why)


def window_rows(rows: AccountedRows, window: int) -> Mask:
    """Counted and answered rows of one window (``BEFORE`` or ``AFTER``)."""
    wanted = {BEFORE: BEFORE_ROW, AFTER: AFTER_ROW}[window]
    mask: Mask = rows.use == wanted
    return mask
