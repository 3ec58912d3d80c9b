"""How much of what was shown is commercial, AI-generated or a photo post, by arm and window."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.data.content_labels import LABELLED, LABELS, NOT_KNOWN, NOT_LABELLED
from analysis.data.exposures import AFTER, BEFORE, PHASES, Views
from analysis.statistics.estimate import NAN, Estimate, Floats, Ints, Mask
from analysis.statistics.intervals import binomial_interval, score_interval

_EXACT = "Clopper and Pearson's exact interval over videos"
_SCORE = "Wilson's score interval, with the spread over runs"


@dataclass(frozen=True)
class LabelShare:
    """One label in one arm's window, of all videos that were shown in it, excluded ones too."""

    arm: str
    window: str
    label: str
    labelled: int
    not_labelled: int
    unknown: int
    share: Estimate  # labelled videos in % of those of which it is known


def label_shares(
    views: Views, codes: Ints | None, runs: Sequence[int], arms: Sequence[str]
) -> tuple[LabelShare, ...]:
    """Count each label by arm and window, also where nothing is known of it.

    Parameters
    ----------
    codes
        ``label_codes`` of each row, shape ``(rows, labels)``; ``None`` for views made elsewhere.
    """
    if codes is None:
        return ()
    shares = []
    for arm in arms:
        members = np.array([index for index in runs if views.runs[index].arm == arm], dtype=int)
        for phase in (BEFORE, AFTER):
            rows = views.phase == phase
            for number, label in enumerate(LABELS):
                yes, no, unknown = (
                    _by_run(views, rows & (codes[:, number] == code))[members]
                    for code in (LABELLED, NOT_LABELLED, NOT_KNOWN)
                )
                told = arm, PHASES[phase], label, int(yes.sum()), int(no.sum()), int(unknown.sum())
                shares.append(LabelShare(*told, share_of_runs(yes, yes + no)))
    return tuple(shares)


def _by_run(views: Views, rows: Mask) -> Floats:
    """Count some rows of each run; shape ``(runs,)``."""
    return np.bincount(views.run[rows], minlength=len(views.runs)).astype(np.float64)


def share_of_runs(yes: Floats, known: Floats) -> Estimate:
    """Return the share of all videos in %, with an interval that allows for unlike runs.

    The standard error is that of a ratio over runs (Cochran, Sampling Techniques 1977), and at
    least the binomial one. Where the share is none or all, or there is one run, the spread over
    runs tells nothing. The interval is then the exact one of so many videos.

    Parameters
    ----------
    yes, known
        Videos of each run that are labelled, and of which it is known; shape ``(K,)``.
    """
    used = known > 0
    yes, known = yes[used], known[used]
    runs, total = len(known), float(known.sum())
    if not runs:
        return Estimate(NAN, unit="%", reason="the site does not tell it")
    share = float(yes.sum()) / total
    if runs == 1 or share in (0.0, 1.0):
        low, high = binomial_interval(int(yes.sum()), int(total))
        return Estimate(100 * share, 100 * low, 100 * high, "%", _EXACT, runs)
    residue = yes - share * known
    se = math.sqrt(runs / (runs - 1) * float((residue**2).sum())) / total
    se = max(se, math.sqrt(share * (1 - share) / total))
    low, high = score_interval(share, se, runs - 1)
    return Estimate(100 * share, 100 * low, 100 * high, "%", _SCORE, runs, df=runs - 1, se=100 * se)
