"""Numbers that may not exist: an estimate with its interval, or ``nan`` and the reason.

Also what arrays of numbers are called.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from store.terminal.printing import share_text

NAN = math.nan
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Estimate:
    """A number with its interval.

    ``value``, ``low``, ``high``: in ``unit``; ``nan`` where it does not exist, and then ``reason``
    says why.
    """

    value: float
    low: float = NAN
    high: float = NAN
    unit: str = "pp"  # ``pp`` (percentage points), ``%``, or empty for a plain number
    method: str = ""  # how the interval was made, in words that a report can print
    clusters: int = 0
    """Number of independent units (batches of one run, or runs) behind the interval."""
    df: float = NAN  # degrees of freedom of Student's t
    se: float = NAN
    p: float = NAN  # two-sided p-value of "no difference", where the method gives one
    level: float = 0.95  # nominal coverage of the interval
    reason: str = ""

    @property
    def exists(self) -> bool:
        return not math.isnan(self.value)

    @property
    def bounded(self) -> bool:
        return math.isfinite(self.low) and math.isfinite(self.high)

    def within(self, floor: float, ceiling: float) -> Estimate:
        """The same estimate, its interval cut at the least and largest value that can exist.

        Student's t knows no end of a scale, and a cut costs no coverage: the truth lies within.
        """
        if not (self.bounded and floor <= self.value <= ceiling):
            return self
        low, high = max(self.low, floor), min(self.high, ceiling)
        if (low, high) == (self.low, self.high):
            return self
        method = f"{self.method}, cut at what can exist"
        return dataclasses.replace(self, low=low, high=high, method=method)


def percentile_text(percentile: float) -> str:
    """A percentile with as many decimals as tell it from 0 and from 100."""
    whole = 1 <= percentile <= 99 or percentile in (0, 100)
    return share_text(percentile, 0 if whole else 1)


def as_json(value: object) -> Any:
    """Turn values into what ``json.dumps`` takes; a number that does not exist becomes null."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {field.name: as_json(getattr(value, field.name)) for field in fields}
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True)
    if isinstance(value, Mapping):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | list | tuple):
        return [as_json(item) for item in value]
    if isinstance(value, np.generic):
        return as_json(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value.isoformat() if isinstance(value, datetime) else value
