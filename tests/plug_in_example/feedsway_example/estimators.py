"""An estimator: the share of yes in the first batch of each run, with a bootstrap over runs."""

from collections.abc import Mapping

import numpy as np

from analysis.estimators.custom_estimators import Estimate, Views

DRAWS = 1000


def first_batch(views: Views, rng: np.random.Generator) -> Mapping[str, Estimate]:
    """Return the mean over runs of the share of yes among the first 12 videos with an answer."""
    judged = views.select(views.judged)
    runs = [judged.one(run) for run in range(len(judged.runs))]
    shares = np.array([100 * run.answer[:12].mean() for run in runs if len(run)])
    if len(shares) < 2:
        why = "an interval over runs needs two" if len(shares) else "no video has an answer"
        value = shares[0] if len(shares) else np.nan
        return {"yes in the first batch": Estimate(value, unit="%", reason=why)}
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
