"""Fields of records that hold strangers' words; they are cleaned when a record is made."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator

from store.foreign.text import clean_json, clean_text

ForeignText = Annotated[str, AfterValidator(clean_text)]
ForeignJson = Annotated[dict[str, Any], AfterValidator(clean_json)]
