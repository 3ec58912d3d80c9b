"""A study that is tested after each replicate, and that ends when the answer is in.

A replicate is run, judged again as every persona by the model that acted, and looked at. The error
that all looks may spend was declared with the study.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from agent.cli.options import data_to_type
from store.terminal.command_words import spell_commands
from store.terminal.printing import count_of, echo

if TYPE_CHECKING:
    from agent.study.conductor import Study
    from store.runs.study_looks import StudyLook


def conduct_by_looks(study: Study, file: Path, *, tethered: bool, leave_failed: bool) -> None:
    """Run replicate after replicate until a look finds something, or all were looked at."""
    from agent.cli.study_cells import conduct_cells
    from store.runs.study_looks import keep_look, read_looks

    looks, of = read_looks(study.folder), study.declared.matrix.replicates
    while len(looks) < of and not (looks and looks[-1].stands):
        number = len(looks) + 1
        cells = tuple(cell for cell in study.cells if cell.replicate == number)
        echo(f"Replicate {number} of {of}: {count_of(len(cells), 'run')}", err=True)
        left = conduct_cells(replace(study, cells=cells), file, tethered=tethered)
        if left.resting or (left.failed and not leave_failed):
            if left.failed:
                echo("To look without them, type: the same with --leave-failed", err=True)
            sys.exit(1)
        keep_look(study.folder, _look(study, number, _judge_again(study, number, tethered)))
        looks = read_looks(study.folder)
        echo(_look_text(looks[-1], study.declared.test.alpha))
    name, last = study.declared.name, looks[-1]
    why = "all its replicates were looked at"
    if last.stands:
        why = "a look has found something, and it stands"
    report = f"python -m analysis report {name}{data_to_type(study.data.root)}"
    echo(spell_commands(f"Study {name} is over: {why}. Type: {report}"))


def _judge_again(study: Study, number: int, tethered: bool) -> tuple[str, ...]:
    """Ask the acting model about the replicate's complete treatment runs; return their names."""
    from agent.cli.privacy_notice import announce
    from agent.cli.signals import interruptible
    from agent.evaluation.rejudge import rejudge
    from agent.evaluation.rejudged_sitting import RejudgePlan
    from store.runs.ledger import read
    from store.runs.study_looks import SITTING_SEED
    from store.terminal.printing import counting

    (model,), (strategy,) = study.declared.matrix.models, study.declared.matrix.strategies
    keys = {cell.key for cell in study.cells if (cell.replicate, cell.arm) == (number, "treatment")}
    runs = [run for key, run in study.runs().items() if key in keys and run.status == "complete"]
    how = study.declared.rejudge
    asking = RejudgePlan(
        model,
        strategy,
        everyone=True,
        others=how.others,
        mirrored=how.mirrored,
        explain=how.explain,
        batch=how.batch,
        seed=SITTING_SEED,
        cap=study.declared.cap,
        on=study.on,
    )
    announce(model, asking.cap)
    with counting("asked again") as tell:
        ledgers = [read(run.path) for run in runs]
        work = rejudge(ledgers, asking, study.data, datetime.now(UTC), tell)
        did = interruptible(work, tethered=tethered)
    if did.open:
        what = f"{count_of(did.open, 'question')} about replicate {number}"
        echo(f"{what} had no reply. Type the same command to ask again.", err=True)
        sys.exit(1)
    if did.given_up:
        what = f"{count_of(did.given_up, 'question')} about replicate {number}"
        echo(f"{what} had no reply in any attempt, and count as missing answers.", err=True)
    return tuple(run.run_id for run in runs)


def _look(study: Study, number: int, runs: tuple[str, ...]) -> StudyLook:
    import numpy as np

    from analysis.report.group_measures import measure
    from analysis.report.report_inputs import read_study
    from store.runs.study_looks import StudyLook

    name = study.declared.name
    material = read_study(study.data, name, upto=number)
    (group,) = measure(material, np.random.default_rng(study.declared.seed)).groups
    look = group.primary.look
    if look is None:
        echo(
            f"Replicate {number} cannot be looked at: {group.primary.estimate.reason}. For a study "
            'of more personas, type in a new file: name = "ANOTHER". Its runs are kept: '
            f"python -m analysis iavg {' '.join(runs)}{data_to_type(study.data.root)}",
            err=True,
        )
        sys.exit(1)
    return StudyLook(
        number=number,
        of=look.of,
        at=datetime.now(UTC),
        runs=runs,
        statistic=look.statistic,
        p=look.p,
        spent=look.spent,
        found=look.found,
        stands=group.verdict(material.test.alpha) in ("up", "down"),
    )


def _look_text(look: StudyLook, alpha: float) -> str:
    what = "finds nothing yet"
    if look.found:
        what = "finds a specific sway" + ("" if look.stands else ", which does not stand yet")
    return (
        f"Look {look.number} of {look.of} {what}: D = {look.statistic:+.1f} pp, p = {look.p:.2g}, "
        f"where {look.spent:.2g} of the error of {alpha:g} may be spent by now."
    )
