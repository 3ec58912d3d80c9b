"""Which cases of a long test run always, and which in ``make test-all`` alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def drills_but(quick: Iterable[Any], cases: Iterable[Any]) -> list[Any]:
    """Return the cases; all but the quick ones become drills."""
    kept = list(quick)
    return [one if one in kept else _drill(one) for one in cases]


def _drill(case: Any) -> Any:
    values = case if isinstance(case, tuple) else (case,)
    return pytest.param(*values, marks=pytest.mark.drill)
