"""The column ``use`` of a report's own table of views: written there, read back by an import."""

from __future__ import annotations

import numpy as np

from analysis.data.exposures import EXCLUDED, MISSING
from store.untrusted.foreign_tables import ForeignTable, TextColumn, merge_values

USES: tuple[str, ...] = (
    "before",
    "after",
    "adapt window",
    "requested before the change",
    *("not shown" if name == "not_shown" else name for name in EXCLUDED[1:]),
    *(f"no answer ({name})" for name in MISSING[1:]),
)
"""Before and after count and are answered; every other use is a reason why a row does not."""
FIRST_EXCLUDED = 4
FIRST_MISSING = FIRST_EXCLUDED + len(EXCLUDED) - 1
_WINDOWS = ("before", "after", "adapt", "adapt")


def read_uses(table: ForeignTable) -> dict[str, TextColumn]:
    """Return the columns ``window`` and ``excluded`` that uses tell; none if they are not ours.

    Rows that count are in the window that their use says. Excluded and unanswered rows keep the
    window that the table gives them. All others are in the adapt window, which is not compared.
    """
    use = table.column("use") if "use" in table.names else TextColumn([], np.array([]))
    if not use.values or not set(use.values) <= set(USES):
        return {}
    codes = np.array([USES.index(text) for text in use.values])[use.codes]
    said = merge_values(_WINDOWS, np.minimum(codes, len(_WINDOWS) - 1))
    own = table.column("window") if "window" in table.names else said
    texts = [*said.values, *own.values]
    window = np.where(codes < FIRST_EXCLUDED, said.codes, len(said.values) + own.codes)
    excluded = np.where((codes >= FIRST_EXCLUDED) & (codes < FIRST_MISSING), codes, 0)
    names = ["", *[""] * (FIRST_EXCLUDED - 1), *EXCLUDED[1:]]
    return {"window": merge_values(texts, window), "excluded": merge_values(names, excluded)}
