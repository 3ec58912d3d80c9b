"""One check of the gate before a verdict, and what its failure does to the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from analysis.report.primary_outcome import Primary
from analysis.report.report_inputs import Material

Outcome = Literal["holds", "fails", "open"]
BLIND = ("matrix", "borrowed")
"""Designs whose answers were all given blind, about stored frames."""


@dataclass(frozen=True)
class GateCheck:
    """One other cause that was looked for.

    ``outcome``: ``fails`` where it may have made the difference, ``open`` where nothing tells.
    ``finding``: a clause in words; where the check fails, it follows "because".
    """

    name: str
    outcome: Outcome
    finding: str


@dataclass(frozen=True, eq=False)
class GatedGroup:
    """A group's primary estimate, with the runs that it rests on.

    ``members``: runs of the group, as indices into the material's. ``alpha``: level at which the
    estimate has to be found again.
    """

    material: Material
    members: tuple[int, ...]
    told: Primary
    alpha: float

    @property
    def arms(self) -> tuple[str, ...]:
        """The arms that are compared."""
        return ("treatment", self.told.control) if self.told.control else ("treatment",)

    @property
    def compared(self) -> tuple[int, ...]:
        """Runs of the arms that are compared."""
        runs = self.material.views.runs
        return tuple(index for index in self.members if runs[index].arm in self.arms)


def cap(verdict: str, checks: Sequence[GateCheck]) -> str:
    """``capped`` in place of ``up`` and ``down`` where a check fails; else the verdict itself."""
    failed = any(check.outcome == "fails" for check in checks)
    return "capped" if failed and verdict in ("up", "down") else verdict


def because(checks: Sequence[GateCheck]) -> str:
    """Why the difference cannot be attributed to the feed; empty where nothing fails."""
    return ", and ".join(check.finding for check in checks if check.outcome == "fails")
