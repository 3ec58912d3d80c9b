"""Ways to break a null: studies in which no feed reacts, read and judged as a report does it.

Each way draws such a study and breaks it. ``python -m tests.analysis.report.broken_nulls`` prints
how often it is headlined as a sway, and how often it would be without the check: the rates of
``docs/measurement.md``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial

import numpy as np

from analysis.estimators.rejudged_matrix import persona_matrix
from analysis.report.report_inputs import Material
from store.runs.ledger_lines import Windows
from tests.analysis.report.made_nulls import (
    ALPHA,
    LONG,
    WINDOWS,
    Nature,
    Rng,
    Way,
    judged,
    make,
    own_minus_others,
    rates,
    run_of,
    sway,
)
from tests.analysis.report.made_study import (
    MadeStudy,
)

# The ways


def leaning(lean: float, windows: Windows = WINDOWS) -> Callable[[Rng], MadeStudy]:
    return lambda rng: make(rng, "matrix", nature=Nature(lean=lean), windows=windows)


def refusing(rng: Rng, primary: str, *, acting: bool) -> MadeStudy:
    """Half of the own noes after the change are refused, in treatment runs."""
    study = make(rng, primary)
    for run in study.runs:
        late = np.arange(LONG) >= WINDOWS.before + WINDOWS.adapt
        if run.arm == "treatment":
            own = run.acting if acting else run.blind[study.personas.index(run.persona)]
            own[late & (own == 0) & (rng.random(LONG) < 0.5)] = -1
    return study


def drifting_and_refusing(rng: Rng) -> MadeStudy:
    """The acting judge drifts, and the blind one refuses own noes after the change."""
    study = make(rng, "paired", nature=Nature(judge=0.3))
    for run in study.runs:
        own = run.blind[study.personas.index(run.persona)]
        late = np.arange(LONG) >= WINDOWS.before + WINDOWS.adapt
        own[late & (own == 0) & (rng.random(LONG) < 0.5)] = -1
    return study


def losing(rng: Rng, primary: str, personas: int, lost: int, arms: tuple[str, ...]) -> MadeStudy:
    """The worst runs of these arms end within the after window, and are judged again by no one."""
    study = make(rng, primary, personas)
    if primary == "matrix":
        worth = {run.persona: own_minus_others(study, run) for run in study.runs}
    else:
        worth = {}
        for run in study.runs:
            side = 1 if run.arm == "treatment" else -1
            worth[run.persona] = worth.get(run.persona, 0) + side * sway(run, WINDOWS)
    gone = sorted(worth, key=worth.__getitem__)[:lost]
    for run in study.runs:
        if run.persona in gone and run.arm in arms:
            run.cut = WINDOWS.before + WINDOWS.adapt if primary != "matrix" else WINDOWS.total - 2
            run.judged_again = False
    return study


def unjudged(rng: Rng) -> MadeStudy:
    """Two of eight complete runs are judged again by no one: those that would spoil the finding."""
    study = make(rng, "matrix", 8)
    for run in sorted(study.runs, key=lambda run: own_minus_others(study, run))[:2]:
        run.judged_again = False
    return study


def begun_again(rng: Rng, primary: str) -> MadeStudy:
    """Each treatment run that is worse than the middle is begun once more."""
    study = make(rng, primary)
    treated = [run for run in study.runs if run.arm == "treatment"]
    worth = [
        own_minus_others(study, run) if primary == "matrix" else sway(run, WINDOWS)
        for run in treated
    ]
    middle = float(np.median(worth))
    for run, value in zip(treated, worth, strict=True):
        if value < middle:
            place = study.personas.index(run.persona)
            fresh = run_of(rng, place, study.personas, run.slot - 1, run.arm, Nature(), WINDOWS)
            study.runs.append(
                replace(fresh, attempt=2, at=run.at + timedelta(days=9), slot=run.slot)
            )
            run.judged_again = False
    return study


def versions(rng: Rng, *, recorded: bool) -> MadeStudy:
    """The model changes in the treatment's after windows, or for the controls."""
    study = make(rng, "controlled", nature=Nature(judge=0.15))
    for run in study.runs:
        run.fingerprint = "new" if run.arm == "passive" and recorded else "old"
        if run.arm == "treatment" and not recorded:
            run.served_after = "another"
    return study


def several_sittings(rng: Rng) -> MadeStudy:
    """Own cells are judged in a sitting that is more lenient."""
    study = lenient_diagonal(rng)
    study.sittings = 2
    return study


def lenient_diagonal(rng: Rng) -> MadeStudy:
    study = make(rng, "matrix")
    for run in study.runs:
        own = run.blind[study.personas.index(run.persona)]
        own |= (rng.random(LONG) < 0.2) & (np.arange(LONG) >= WINDOWS.before)
    return study


def by_hand(rng: Rng, *, drawn: bool) -> MadeStudy:
    """Accounts that lean after the before window are chosen for the personas that they suit."""
    study = make(rng, "matrix", nature=Nature())
    for run in study.runs:
        late = np.arange(LONG) >= WINDOWS.before
        run.blind[study.personas.index(run.persona)] |= late & (rng.random(LONG) < 0.2)
        if drawn:
            run.account = f"slot{1 + run.slot % len(study.personas):03d}-treatment-r1"
    if not drawn:
        study.draws = None
    return study


def hours(rng: Rng) -> MadeStudy:
    """Personas start at hours that suit them, which change their feeds after the before window."""
    windows = WINDOWS
    study = make(rng, "matrix", tied=True)
    for run in study.runs:
        place = study.personas.index(run.persona)
        late = np.arange(LONG) >= windows.before
        run.blind[place] |= late & (rng.random(LONG) < 0.2)
    return study


def added_later(rng: Rng) -> MadeStudy:
    study = make(rng, "matrix", 8, blocks=2)
    late = np.arange(LONG) >= WINDOWS.before
    for run in study.runs:
        if run.block == 2:
            run.blind[4:] |= late & (rng.random((4, LONG)) < 0.45)
    return study


def account_again(rng: Rng) -> MadeStudy:
    """The controls' accounts had served treatment runs, and forget it during the study."""
    study = make(rng, "controlled")
    for run in study.runs:
        if run.arm == "passive":
            early = np.arange(LONG) < WINDOWS.before
            run.acting |= early & (rng.random(LONG) < 0.3)
            run.account = f"slot{run.slot:03d}-passive-r1"
            study.extra.append(
                replace(
                    run, persona="pilot" + run.persona, at=run.at - timedelta(days=30), study=None
                )
            )
    return study


def one_short_column(rng: Rng) -> MadeStudy:
    """One run has three videos after the change, as its after window was cut."""
    study = make(rng, "matrix")
    study.runs[0].cut = WINDOWS.before + WINDOWS.adapt + 3
    return study


def acting_lenient(rng: Rng) -> MadeStudy:
    return make(rng, "matrix", nature=Nature(lenience=0.15))


def repeats(rng: Rng, primary: str) -> MadeStudy:
    """All runs show videos of one small catalogue, whose answers are the persona's own."""
    study = make(rng, primary)
    size = len(study.personas)
    taste = (rng.random((size, 12)) < 0.3).astype(np.int64)
    for run in study.runs:
        shown = rng.integers(12, size=LONG)
        run.videos = tuple(f"v{number}" for number in shown)
        run.blind[:] = taste[:, shown]
        run.acting[:] = run.blind[study.personas.index(run.persona)]
    return study


def forged(rng: Rng) -> MadeStudy:
    """Ledgers do not tell of some noes that the site has shown after the change."""
    study = make(rng, "controlled")
    for run in study.runs:
        if run.arm == "treatment":
            late = np.arange(LONG) >= WINDOWS.before + WINDOWS.adapt
            run.acting |= late & (rng.random(LONG) < 0.3)
            run.disputed = True
    return study


def leaving_out(rng: Rng) -> MadeStudy:
    """A third of the noes after the change is called advertisement, once they were answered."""
    study = make(rng, "controlled")
    for run in study.runs:
        if run.arm == "treatment":
            noes = np.flatnonzero((run.acting == 0) & (rng.random(LONG) < 0.4))
            late = noes[noes >= WINDOWS.before + WINDOWS.adapt]
            run.excluded = frozenset(late.tolist())
    return study


def two_judges(rng: Rng) -> MadeStudy:
    study = make(rng, "matrix")
    study.second_judge = rng
    return study


def crashed(rng: Rng, primary: str, personas: int, lost: int) -> MadeStudy:
    """A true sway of 15 pp; some treatment runs end at a random video, whatever was answered."""
    windows = Windows(before=24, adapt=24, after=52, baseline="passive")
    study = make(rng, primary, personas, Nature(base=0.2, effect=0.15), windows)
    treated = [run for run in study.runs if run.arm == "treatment"]
    for place in rng.choice(personas, lost, replace=False):
        treated[place].cut = int(rng.integers(1, windows.total))
    return study


def not_again(study: MadeStudy) -> MadeStudy:
    for run in study.runs:
        run.judged_again = False
    return study


# What would be said without the protection


def better_matrix(study: MadeStudy, material: Material, rng: Rng) -> bool:
    found = judged(material, rng)
    return any(
        one.matrix is not None and one.matrix.sway.test.p_greater < ALPHA for one in found.rejudged
    )


def mixed_diagonal(study: MadeStudy, material: Material, rng: Rng) -> bool:
    """Acting answers in the own cells."""
    (first,) = (one for one in judged(material, rng).rejudged)
    told = first.told
    mixed = replace(told, answer=np.where(told.own, told.acting, told.answer))
    return persona_matrix(mixed, rng).sway.test.p_greater < ALPHA


def one_sitting(study: MadeStudy, material: Material, rng: Rng) -> bool:
    whole = replace(judged(material, rng).rejudged[0].told, split=())
    return persona_matrix(whole, rng).sway.test.p_greater < ALPHA


def one_block(study: MadeStudy, material: Material, rng: Rng) -> bool:
    told = judged(material, rng).rejudged[0].told
    shuffled = replace(told, runs=tuple(replace(run, block=0) for run in told.runs))
    rows = np.unique(told.persona)
    assert len(rows)
    return persona_matrix(shuffled, rng).sway.test.p_greater < ALPHA


PAPER = Windows(before=18, adapt=0, after=18, baseline="active")
WAYS = (
    Way("nothing is broken: matrix", lambda rng: make(rng, "matrix")),
    Way("nothing is broken: control", lambda rng: make(rng, "controlled")),
    Way("profiles lean by 5 pp, passive before", leaning(0.05)),
    Way("profiles lean by 10 pp, passive before", leaning(0.10)),
    Way("profiles lean by 20 pp, passive before", leaning(0.20)),
    Way("profiles lean by 10 pp, active before", leaning(0.10, PAPER)),
    Way(
        "acting judge refuses noes in own feeds",
        lambda rng: refusing(rng, "controlled", acting=True),
    ),
    Way("blind judge refuses noes in own feeds", lambda rng: refusing(rng, "matrix", acting=False)),
    Way("acting judge drifts, blind one refuses", drifting_and_refusing),
    Way(
        "one arm loses 2 of 8 runs by its answers",
        lambda rng: losing(rng, "matrix", 8, 2, ("treatment",)),
    ),
    Way(
        "treatment loses 2 of 8 runs by answers",
        lambda rng: losing(rng, "controlled", 8, 2, ("treatment",)),
    ),
    Way(
        "both arms lose 2 of 8 runs by answers",
        lambda rng: losing(rng, "controlled", 8, 2, ("treatment", "passive")),
    ),
    Way("2 of 8 runs are judged again by no one", unjudged),
    Way("runs begun anew until good, matrix", lambda rng: begun_again(rng, "matrix")),
    Way("runs begun anew until good, control", lambda rng: begun_again(rng, "controlled")),
    Way(
        "judge drifts, no control, scored blind",
        lambda rng: make(rng, "paired", nature=Nature(judge=0.2)),
    ),
    Way(
        "judge drifts, no control, not scored again",
        lambda rng: not_again(make(rng, "paired", nature=Nature(judge=0.2))),
    ),
    Way("another version judges the controls", lambda rng: versions(rng, recorded=True)),
    Way("another model answers after the change", lambda rng: versions(rng, recorded=False)),
    Way("several sittings", several_sittings, one_sitting),
    Way("nobody drew", lambda rng: by_hand(rng, drawn=False), one_sitting),
    Way("accounts exchanged after the draw", lambda rng: by_hand(rng, drawn=True)),
    Way("start order by hand", hours),
    Way("personas added later", added_later, one_block),
    Way("accounts used before", account_again),
    Way("feed drifts, no control", lambda rng: make(rng, "paired", nature=Nature(drift=0.15))),
    Way("feed drifts, borrowed base", lambda rng: make(rng, "borrowed", nature=Nature(drift=0.05))),
    *(Way(f"{k} pairs", partial(make, primary="controlled", personas=k)) for k in (3, 4, 5)),
    Way("5 personas, matrix", lambda rng: make(rng, "matrix", 5)),
    Way("4 personas, matrix", lambda rng: make(rng, "matrix", 4)),
    Way("one short column", one_short_column),
    Way("lenient acting answers", acting_lenient, mixed_diagonal),
    Way("repeats across runs, matrix", lambda rng: repeats(rng, "matrix")),
    Way("repeats across runs, control", lambda rng: repeats(rng, "controlled")),
    Way("ledgers do not tell what was shown", forged),
    Way("the better of two matrices", two_judges, better_matrix),
    Way("exclusions by answer", leaving_out),
)


COSTS = tuple(
    Way(
        f"{primary}, {personas} personas, {lost} lost",
        partial(crashed, primary=primary, personas=personas, lost=lost),
    )
    for primary in ("matrix", "controlled")
    for personas in (6, 10)
    for lost in (0, 1)
)
"""What the checks cost where a sway of 15 pp is true."""


def main() -> None:
    """Print rates; arguments: how many studies, and which part of how many parts."""
    words = [*sys.argv[1:], *("300", "0", "1")[len(sys.argv) - 1 :]]
    studies, part, parts = map(int, words[:3])
    ways = COSTS if words[3:] == ["costs"] else WAYS
    for number, way in enumerate(ways):
        if number % parts != part % parts:
            continue
        told = rates(way, studies, number)
        counts = {"towards": told.towards, "bare": told.bare, "rose": told.rose}
        figures = "  ".join(f"{name} {100 * n / studies:.1f}" for name, n in counts.items())
        sys.stdout.write(f"{way.name}: {figures}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
