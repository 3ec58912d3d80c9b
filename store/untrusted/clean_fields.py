"""Fields of records that hold strangers' words and numbers; cleaned when a record is made."""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from store.untrusted.clean_text import clean_json, clean_text

ForeignText = Annotated[str, AfterValidator(clean_text)]
ForeignJson = Annotated[dict[str, Any], AfterValidator(clean_json)]

MOST_COUNT = 2**63 - 1
"""What a column of a table takes."""
MOST_USD = 1e9
"""US dollars of a call; sums of them stay numbers."""


def known_count(told: int | None) -> int | None:
    return told if told is not None and 0 <= told <= MOST_COUNT else None


def known_cost(told: float | None) -> float | None:
    """Return a cost in US dollars that can be added up; of another, ``None``."""
    known = told is not None and math.isfinite(told) and 0 <= told <= MOST_USD
    return told if known else None


ForeignCount = Annotated[int | None, AfterValidator(known_count)]
ForeignCost = Annotated[
    Annotated[float, Field(allow_inf_nan=True)] | None, AfterValidator(known_cost)
]
