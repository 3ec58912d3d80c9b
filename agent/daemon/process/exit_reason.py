"""How a child ended, from its exit code, its ledgers, and what we ended it for."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.daemon.journal.events import Outcome
from agent.daemon.journal.run_tally import RunTally
from agent.daemon.machine_clock import OF_THE_MACHINE
from agent.daemon.redact_secrets import SecretRedactor
from agent.daemon.schedule.past_runs import PastRuns, WallMet
from agent.errors import is_of_model

INTERRUPTED, YOURS = 130, 2
_LONGEST = 300


@dataclass(frozen=True)
class ExitReason:
    """What became of a child."""

    outcome: Outcome
    code: int | None = None
    reason: str = ""
    walls: tuple[WallMet, ...] = ()
    later: bool = False
    """Whether its pace wants it to go on much later."""
    site_to_blame: bool = True
    """Whether the site may be to blame: not for what a model did, or cost."""


def explain_exit(
    code: int,
    told: tuple[Outcome, str] | None,
    log: Path,
    evidence: PastRuns,
    runs: Sequence[RunTally],
) -> ExitReason:
    """Return how a child ended; ``told`` is what we ended it for, if we did."""
    if code == 0:
        return ExitReason("complete", code)
    faults = evidence.faults(runs) if code == 1 else []
    walls = tuple(wall for _, wall in faults if wall is not None)
    if walls:
        return ExitReason("wall", code, faults[-1][0].message, walls)
    if told is not None:
        return ExitReason(told[0], code, told[1])
    if code < 0:
        return ExitReason("killed", code, f"ended by {_signal(-code)}")
    if code == INTERRUPTED:
        return ExitReason("interrupted", code, "interrupted from outside")
    if faults and faults[-1][0].fault == "PaceReached":
        return ExitReason("interrupted", code, faults[-1][0].message, later=True)
    reason = SecretRedactor().text(faults[-1][0].message if faults else last_words(log))[:_LONGEST]
    if code == YOURS:
        return ExitReason("refused", code, reason)
    to_blame = not faults or any(not is_of_model(fault.fault) for fault, _ in faults)
    return ExitReason("fault", code, reason, site_to_blame=to_blame)


def last_words(log: Path) -> str:
    """Return the last line of a log, without secrets; "" where there is no log."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 4096))
            lines = file.read().decode(errors="replace").split("\n")
    except OSError as error:
        if error.errno in OF_THE_MACHINE:
            raise
        return ""
    told = [line.strip() for line in lines if line.strip()]
    return SecretRedactor().text(told[-1])[:_LONGEST] if told else ""


def _signal(number: int) -> str:
    return signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
