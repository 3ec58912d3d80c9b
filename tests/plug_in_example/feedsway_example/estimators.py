"""An estimator: the share of yes in the first batch of each run, with a bootstrap over runs."""

from collections.abc import Mapping

import numpy as np

from analysis.estimators.custom_estimators import Estimate, Views

DRAWS = 1000


def first_batch(views: Views, rng: np.random.Generator) -> Mapping[str, Estimate]:
    """Return the mean over runs of the share of yes among the first 12 judged videos."""
    shares = np.array([100 * views.one(run).answer[:12].clip(0).mean() for run in runs_of(views)])
    if len(shares) < 2:
        value = float(shares.mean()) if len(shares) else float("nan")
        return {"yes in the first batch": Estimate(value, unit="%", reason="one run only")}
    drawn = rng.choice(shares, (DRAWS, len(shares))).mean(axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    made = Estimate(
        float(shares.mean()),
        float(low),
        float(high),
        unit="%",
        method="percentile bootstrap over runs",
        clusters=len(shares),
    )
    return {"yes in the first batch": made}


def runs_of(views: Views) -> list[int]:
    """Return the runs that have a row."""
    return [run for run in range(len(views.runs)) if len(views.one(run))]
