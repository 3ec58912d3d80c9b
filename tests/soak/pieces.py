"""Pieces of one long soak, held on several days: their figures, and the sum of them."""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from store.jsonl.append_only import LineFile
from tests.marked_text import replace_marked
from tests.soak.harness import Figures

FILE = Path("tests/soak/pieces.jsonl")
DOCUMENT = Path("docs/reliability.md")
MARK = "soak pieces"
WARM_UP = 5
"""Minutes of a daemon's life that are no part of the slope: it reads files and opens its page."""


def append_piece(file: Path, figures: Figures, seed: int, every: str) -> None:
    """Keep a piece's figures as one more line."""
    piece = {
        "on": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": f"{os.cpu_count()} cores",
        "seed": seed,
        "every": every,
        **asdict(figures),
    }
    kept = LineFile(file)
    try:
        kept.append(json.dumps(piece).encode() + b"\n")
    finally:
        kept.close()


@dataclass(frozen=True)
class Slope:
    """By how much memory grows in an hour, with its 95 % interval, in MiB."""

    per_hour: float
    low: float
    high: float


def memory_slope(lives: Sequence[Sequence[float]]) -> Slope | None:
    """Fit one slope through daemons' minutes, each with a level of its own.

    Neighbouring minutes are alike: their number is reduced by the residuals' correlation, which is
    corrected for short series (Kendall 1954).
    """
    parts = [np.array(life[WARM_UP:]) for life in lives if len(life) > 2 * WARM_UP]
    if not parts:
        return None
    hours = [np.arange(part.size) / 60 for part in parts]
    x = np.concatenate([each - each.mean() for each in hours])
    y = np.concatenate([part - part.mean() for part in parts])
    slope = float(x @ y / (x @ x))
    rest = y - slope * x
    spread = float(rest @ rest)
    alike = float(rest[1:] @ rest[:-1]) / spread if spread > 0 else 0.0
    alike += (1 + 3 * alike) * len(parts) / y.size
    alike = min(max(alike, 0.0), 0.95)
    used = len(parts) + 1  # a level each, and the slope
    count = max(used + 2.0, y.size * (1 - alike) / (1 + alike))
    error = math.sqrt(spread / (y.size - used) / float(x @ x) * y.size / count)
    half = float(stats.t.ppf(0.975, count - used)) * error
    return Slope(slope, slope - half, slope + half)


def read_pieces(file: Path) -> list[dict[str, Any]]:
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return [json.loads(line) for line in lines]


def sum_table(pieces: Sequence[dict[str, Any]]) -> str:
    """Return the sum of all pieces as a table."""

    def total(name: str) -> int:
        return sum(piece[name] for piece in pieces)

    faults = Counter[str]()
    for piece in pieces:
        faults.update(piece["faults"])
    slope = memory_slope([piece["memory_by_minute"] for piece in pieces])
    due, minutes = total("due"), sum(piece["minutes"] for piece in pieces)
    told = ", ".join(f"{name} {count}" for name, count in faults.most_common())
    marked = ", ".join(str(total(name)) for name in ("marked", "lost", "doubled"))
    wrong = sum(bool(piece["problems"]) for piece in pieces)
    measured = sum(len(piece["memory_by_minute"]) > 2 * WARM_UP for piece in pieces)
    rows = {
        "pieces": f"{len(pieces)}, of {', '.join(sorted({p['machine'] for p in pieces}))}",
        "hours": f"{minutes / 60:.1f}",
        "something is due every": ", ".join(sorted({piece["every"] for piece in pieces})),
        "faults": f"{faults.total()}: {told}",
        "due times begun, skipped": f"{total('occurrences')}, {total('skipped')}",
        "videos due": due,
        "complete": f"{total('complete')} ({100 * total('complete') / max(due, 1):.2f} %)",
        "marked, lost, doubled": marked,
        "runs that were resumed": total("resumed"),
        "orphans": sum(len(piece["orphans"]) for piece in pieces) or "none",
        "memory, MiB in an hour": _show_slope(slope, measured),
        "`store verify` or the index found something": f"in {wrong} pieces",
    }
    lines = [f"| {name} | {value} |" for name, value in rows.items()]
    return "\n".join(["| figure | value |", "|---|---|", *lines])


def _show_slope(slope: Slope | None, lives: int) -> str:
    if slope is None:
        return "no daemon lived long enough"
    return (
        f"{slope.per_hour:+.2f} (95 % CI {slope.low:+.2f} to {slope.high:+.2f}), "
        f"of {lives} {'life' if lives == 1 else 'lives'}"
    )


def write_document(file: Path, document: Path) -> None:
    """Put the sum between its marks."""
    replace_marked(document, MARK, sum_table(read_pieces(file)))
