"""Views made elsewhere: a plain CSV of them becomes the same table that ledgers become.

One row per video that was shown, with a header. Columns:

- ``run``, ``position`` (counted from 0 within the run), and ``answer`` (yes, no, 1, 0; empty
  where there is none) or ``score`` (0 to 100; at or above the threshold is yes);
- if known: ``persona`` (default: the run), ``arm`` (treatment, yoked, passive), ``batch``,
  ``video``, ``window`` (before, adapt, after), ``platform``, ``strategy``, ``model``,
  ``replicate``, ``p_yes``, ``dwell`` (seconds), ``excluded`` (ad, live, repeat, not_shown).

Without a ``window`` column the windows go by position: the first ``before`` eligible videos, and
the last ``after``.
"""

from __future__ import annotations

import csv
import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.data.exposures import (
    EXCLUDED,
    MISSING,
    NO,
    NONE,
    PHASES,
    UNKNOWN,
    YES,
    RunInfo,
    Views,
    table,
)
from analysis.errors import BadViews
from analysis.statistics.estimate import NAN
from store.runs.ledger_lines import Windows
from store.untrusted.size_limits import TooManyBytes, open_table

ARMS = ("treatment", "yoked", "passive")
REQUIRED = ("run", "position")
OPTIONAL = (
    "answer",
    "score",
    "persona",
    "arm",
    "batch",
    "video",
    "window",
    "platform",
    "strategy",
    "model",
    "replicate",
    "p_yes",
    "dwell",
    "excluded",
)
_ANSWERS = {"yes": YES, "1": YES, "true": YES, "no": NO, "0": NO, "false": NO, "": NONE}
_MOST_DIGITS = 15
_FAILED = MISSING.index("failed")


@dataclass(frozen=True)
class CsvOptions:
    """How a CSV is read: windows and arm where it names none, and the score that counts as yes."""

    windows: Windows
    threshold: float = 60.0
    arm: str = "treatment"


def read_csv(path: Path, reading: CsvOptions) -> Views:
    """Read a CSV of views, or raise ``BadViews`` with the line at fault."""
    try:
        with open_table(path) as file:
            reader = csv.DictReader(file)
            _check_header(str(path), reader.fieldnames or [])
            rows = [_Row(str(path), reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, TooManyBytes, csv.Error) as error:
        raise BadViews(str(path), f"cannot be read ({error}).") from None
    if not rows:
        raise BadViews(str(path), "holds no rows.")
    return _assemble(rows, reading)


def _check_header(path: str, names: Iterable[str]) -> None:
    names = list(names)
    absent = [name for name in REQUIRED if name not in names]
    if absent:
        raise BadViews(path, f"lacks the column {absent[0]!r}.", 1)
    if not {"answer", "score"} & set(names):
        raise BadViews(path, "has neither an 'answer' nor a 'score' column.", 1)
    unknown = sorted(set(names) - {*REQUIRED, *OPTIONAL})
    if unknown:
        raise BadViews(path, f"has an unknown column {unknown[0]!r}.", 1)


@dataclass(frozen=True)
class _Row:
    """One line of the file, read field by field."""

    path: str
    line: int
    fields: Mapping[str, str | None]

    def text(self, name: str, default: str = "") -> str:
        return (self.fields.get(name) or "").strip() or default

    def choice(self, name: str, choices: tuple[str, ...], default: str) -> int:
        value = self.text(name, default)
        if value not in choices:
            raise self.bad(name, f"one of {', '.join(filter(None, choices))}")
        return choices.index(value)

    def whole(self, name: str, default: int | None = None) -> int:
        value = self.text(name)
        if not value and default is not None:
            return default
        if not value.isdecimal() or len(value) > _MOST_DIGITS:
            raise self.bad(name, f"a whole number from 0 on, of at most {_MOST_DIGITS} digits")
        return int(value)

    def number(self, name: str) -> float:
        value = self.text(name)
        try:
            found = float(value) if value else NAN
        except ValueError:
            raise self.bad(name, "a number") from None
        if math.isinf(found):
            raise self.bad(name, "a finite number")
        return found

    def answer(self, threshold: float) -> int:
        given = self.text("answer").lower()
        if given not in _ANSWERS:
            raise self.bad("answer", "yes, no, 1, 0 or empty")
        score = self.number("score")
        if given or math.isnan(score):
            return _ANSWERS[given]
        return YES if score >= threshold else NO

    def bad(self, name: str, wanted: str) -> BadViews:
        return BadViews(self.path, f"{name} is {self.text(name)[:80]!r}, not {wanted}.", self.line)


def _assemble(rows: list[_Row], reading: CsvOptions) -> Views:
    by_run: dict[str, list[_Row]] = {}
    for row in rows:
        name = row.text("run")
        if not name:
            raise row.bad("run", "a name")
        by_run.setdefault(name, []).append(row)
    infos, cells = [], []
    for index, (name, members) in enumerate(by_run.items()):
        members.sort(key=lambda row: row.whole("position"))
        _check_run(members)
        phases = _phases(members, reading.windows)
        infos.append(_info(name, members, phases, reading))
        cells += [
            _cells(index, row, phase, reading) for row, phase in zip(members, phases, strict=True)
        ]
    return table(infos, cells)


def _check_run(members: list[_Row]) -> None:
    """One row per position; one persona and arm per run."""
    first = members[0]
    for earlier, later in itertools.pairwise(members):
        if later.whole("position") == earlier.whole("position"):
            raise later.bad("position", "a position that this run has once")
        for name in ("persona", "arm", "platform", "strategy", "model", "replicate"):
            if later.text(name) != first.text(name):
                raise later.bad(name, f"{first.text(name)!r}, as in the run's first row")


def _info(name: str, members: list[_Row], phases: list[int], reading: CsvOptions) -> RunInfo:
    row = members[0]
    counted = [
        phase for phase, member in zip(phases, members, strict=True) if not member.text("excluded")
    ]
    sizes = {window: counted.count(place) for place, window in enumerate(PHASES)}
    return RunInfo(
        run_id=name,
        persona=row.text("persona", name),
        platform=row.text("platform", "elsewhere"),
        strategy=row.text("strategy", "imported"),
        model=row.text("model", "imported"),
        arm=ARMS[row.choice("arm", ARMS, reading.arm)],
        replicate=row.whole("replicate", 1),
        windows=reading.windows.model_copy(update=sizes),
    )


def _phases(members: list[_Row], windows: Windows) -> list[int]:
    """The window of each row: as the file says, else by position in eligible videos."""
    if any(row.text("window") for row in members):
        return [row.choice("window", PHASES, "adapt") for row in members]
    eligible = sum(not row.text("excluded") for row in members)
    between = max(0, eligible - windows.before - windows.after)
    fitted = windows.model_copy(update={"adapt": between})
    phases, seen = [], 0
    for row in members:
        phases.append(PHASES.index(fitted.phase(seen)))
        seen += not row.text("excluded")
    return phases


def _cells(run: int, row: _Row, phase: int, reading: CsvOptions) -> tuple[Any, ...]:
    answer = row.answer(reading.threshold)
    position = row.whole("position")
    return (
        run,
        position,
        row.whole("batch", UNKNOWN),
        UNKNOWN,
        phase,
        answer,
        0 if answer != NONE else _FAILED,
        row.choice("excluded", EXCLUDED, ""),
        row.number("p_yes"),
        row.number("score"),
        row.number("dwell"),
        NAN,
        NAN,
        row.text("video", f"{row.text('run')}/{position}"),
        0,
    )
