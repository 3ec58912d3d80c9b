"""Which designs fit the runs that there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.data.exposures import RunInfo
from analysis.estimators.persona_matrix import LEAST_PERSONAS
from store.foreign.printing import count_of

BORROWED = "borrowed base"
NO_FRAMES = "no frame was kept that could be judged again"


@dataclass(frozen=True)
class DesignOffer:
    """A design, whether these runs allow it, and why or why not."""

    design: str
    offered: bool
    why: str


def offers(runs: Sequence[RunInfo], pairs: int, *, frames: bool = True) -> tuple[DesignOffer, ...]:
    """Say which designs these runs allow, the one that fits best first.

    A control arm gives the sway itself, so it comes first where there is one. Without it the
    matrix tells the specific sway with the most power, adjusted where the before window was
    passive; the borrowed base comes last, since drift passes for a sway in it.

    ``pairs``: pairs of a treatment and a control run that both have their windows.
    ``frames``: whether frames were kept, without which nothing can be judged again.
    """
    treated = [run for run in runs if run.arm == "treatment"]
    personas = len({run.persona for run in treated})
    passive = bool(treated) and all(run.windows.baseline == "passive" for run in treated)
    told = [
        _paired(pairs),
        *(
            _rejudged(*design) if frames else DesignOffer(design[0], False, NO_FRAMES)
            for design in (
                ("adjusted matrix", personas, passive, "a placebo comes with it"),
                ("persona matrix", personas, True, "after windows alone"),
                (BORROWED, personas, passive, "where the feed does not drift"),
            )
        ),
    ]
    return tuple(sorted(told, key=lambda offer: not offer.offered))


def _paired(pairs: int) -> DesignOffer:
    counted = f"{count_of(pairs, 'pair')} of treatment and control"
    needs = "" if pairs >= 2 else ", and 2 are needed for an interval"
    return DesignOffer("paired with control", pairs >= 2, counted + needs)


def _rejudged(design: str, personas: int, baseline_fits: bool, note: str) -> DesignOffer:
    if personas < LEAST_PERSONAS:
        return DesignOffer(
            design, False, f"{count_of(personas, 'persona')}, and {LEAST_PERSONAS} are needed"
        )
    if not baseline_fits:
        return DesignOffer(design, False, "the before windows were watched actively")
    return DesignOffer(
        design, True, f"{count_of(personas, 'persona')}, judged again as each other; {note}"
    )
