"""The base of every line that is kept: a frozen value, and how a fault in one is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from store.untrusted.clean_text import show_line

_FAULTS = {"json_invalid": "it is no JSON", "union_tag_invalid": "it is of no known kind"}


class Record(BaseModel):
    """A frozen value that refuses unknown fields, and numbers that JSON has no word for."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Copy; what is changed is checked and cleaned as in a new record."""
        copied = super().model_copy(deep=deep)
        return type(self).model_validate(dict(copied) | dict(update)) if update else copied


def tell_fault(error: ValidationError) -> str:
    """Say where the first fault of a line is, what is wrong, and how the text there begins."""
    first = error.errors(include_url=False, include_context=False)[0]
    where = show_line(".".join(str(part)[:100] for part in first["loc"])) or "line"
    words = first["msg"].removeprefix("Value error, ")[:200]
    problem = _FAULTS.get(first["type"]) or show_line(words)
    if first["type"] == "string_pattern_mismatch":
        problem = f"{first['input'][:80]!a} is none. {problem}"
    return f"{where}: {problem}"
