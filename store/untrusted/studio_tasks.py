"""Strangers' Label Studio files: tasks with annotations, read as single answers.

The format is that of Label Studio's "JSON" export: a list of tasks, each with the ``data`` that was
imported and ``annotations``, whose ``result`` holds what was chosen under a control's name.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from store.untrusted.clean_text import clean_text
from store.untrusted.size_limits import ForeignFault, TooManyBytes, read_file

MOST_STUDIO_BYTES = 256 * 2**20
"""Of an export: a hundred thousand tasks of two kilobytes are within."""
CONTROL = "answer"
"""Name of the control whose choices are read."""
LABELLER = "labeller"
"""Under ``meta``, who answered, as an export of ours has it; ``text`` is an annotator's remark."""
_LONGEST = 200


class BadStudioFile(ForeignFault):
    """A file that is no Label Studio export, or holds nothing of ours."""


@dataclass(frozen=True)
class ForeignLabel:
    """An answer as a file tells it; nothing of it is checked but that it is text."""

    question: str
    answer: str
    by: str = ""
    """Who answered; empty where the file does not say."""
    at: datetime | None = None
    user: int | None = None
    """Number of a user of Label Studio, where that is all that tells who answered."""


def read_studio(path: Path) -> list[ForeignLabel]:
    """Read the answers of an export; annotations that were skipped are left out.

    Raises ``BadStudioFile`` and ``OSError``.
    """
    try:
        tasks = json.loads(read_file(path, MOST_STUDIO_BYTES))
    except TooManyBytes as error:
        raise BadStudioFile(f"cannot be read: {error}.") from None
    except (ValueError, RecursionError):
        raise BadStudioFile("is no JSON that can be read.") from None
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        raise BadStudioFile("is no list of Label Studio's tasks.")
    found = [label for task in tasks for label in _read_task(task)]
    if not found:
        raise BadStudioFile(f"holds no task with data.question and a choice named {CONTROL!r}.")
    return found


def _read_task(task: dict[str, Any]) -> Iterator[ForeignLabel]:
    data, annotations = task.get("data"), task.get("annotations")
    question = data.get("question") if isinstance(data, dict) else None
    if not isinstance(question, str) or not isinstance(annotations, list):
        return
    for one in annotations:
        if not isinstance(one, dict) or one.get("was_cancelled"):
            continue
        results = one.get("result")
        for result in results if isinstance(results, list) else ():
            answer = _choice(result)
            if answer is not None:
                by, user = _who(one, result)
                at = parse_time(one.get("created_at"))
                yield ForeignLabel(clean_text(question, _LONGEST), answer, by, at, user)


def _choice(result: Any) -> str | None:
    if not isinstance(result, dict) or result.get("from_name") != CONTROL:
        return None
    value = result.get("value")
    choices = value.get("choices") if isinstance(value, dict) else None
    if not isinstance(choices, list) or len(choices) != 1 or not isinstance(choices[0], str):
        return None
    return clean_text(choices[0], _LONGEST)


def _who(annotation: dict[str, Any], result: dict[str, Any]) -> tuple[str, int | None]:
    """Name of who answered, as an export of ours tells it, else as Label Studio does."""
    meta = result.get("meta")
    noted = meta.get(LABELLER) if isinstance(meta, dict) else None
    if isinstance(noted, str) and noted:
        return clean_text(noted, _LONGEST), None
    user = annotation.get("completed_by")
    if isinstance(user, dict):
        email, user = user.get("email"), user.get("id")
        if isinstance(email, str) and email:
            return clean_text(email, _LONGEST), None
    return "", user if isinstance(user, int) and not isinstance(user, bool) else None


def parse_time(text: object) -> datetime | None:
    """Return a time that has a zone; ``None`` for all else."""
    try:
        at = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return at if at is not None and at.tzinfo is not None else None
