"""``python -m agent label``: a person answers a sample of the judge's questions."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agent.cli.options import data_option, data_to_type
from agent.cli.rejudge import find_ledgers
from store.terminal.command_words import spell_commands
from store.terminal.printing import count_of, echo

if TYPE_CHECKING:
    from agent.evaluation.label_sheet import LabelQuestion
    from store.runs.data_folder import DataFolder

QUESTIONS = 300
EPILOG = """
\b
Examples:
  python -m agent label first-study --by anna
  python -m agent label first-study --by anna --answers answers.csv
"""


@click.command(epilog=EPILOG)
@click.argument("runs", nargs=-1, metavar="RUN...|STUDY", required=True)
@click.option("--by", required=True, metavar="NAME", help="Who answers; any name without blanks.")
@click.option(
    "--questions",
    type=click.IntRange(100),
    default=QUESTIONS,
    show_default=True,
    help="How many are drawn, of all that a judge is asked about after windows.",
)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Of the draw.")
@click.option(
    "--answers",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Keep the answers of this file, which the sheet's page has saved.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the sheet.  [default: in the data folder]",
)
@data_option
def label(runs: tuple[str, ...], *, by: str, data: Path, **options: Any) -> None:
    """Have a person answer a sample of the judge's questions, blind to the judge.

    Makes a page to answer them on, in any browser and without a server. With --answers, keeps what
    the page has saved; the report then tells the sway as this person would judge it.
    """
    from agent.errors import BadConfig
    from agent.evaluation.label_sheet import keep_draw, list_questions, read_draw
    from agent.evaluation.rejudged_sitting import RejudgePlan, plan_sitting, refuse_unaskable
    from store.jsonl.paths import is_name
    from store.runs.data_folder import DataFolder

    if not is_name(by):
        raise BadConfig(f"The name {ascii(by)[:40]} is none for a file. Type: --by anna")
    folder = DataFolder(data)
    left_out: list[str] = []
    ledgers = find_ledgers(folder, runs, left_out)
    questions, seed = options["questions"], options["seed"]
    plan = RejudgePlan(f"human/{by}", everyone=True, sample=questions, seed=seed)
    refuse_unaskable(ledgers, plan)
    name = f"{runs[0] if is_name(runs[0]) else ledgers[0].started.run_id}-{by}-{seed}"
    draw = folder.root / "labels" / f"{name}.jsonl"
    if draw.exists():
        planned = read_draw(draw, ledgers)
        drawn = {each.header.sample.questions for each in planned if each.header.sample}
        if drawn - {questions}:
            echo(
                f"Drawn with {max(drawn)} questions, not {questions}. For another sample, type: "
                f"the same with --seed {seed + 1}",
                err=True,
            )
        if len(planned) < len(ledgers):
            echo(
                f"Drawn before {count_of(len(ledgers) - len(planned), 'run')} came. For a sample "
                f"of all, type: the same with --seed {seed + 1}",
                err=True,
            )
    else:
        planned = plan_sitting(ledgers, plan, None, datetime.now(UTC))
        draw.parent.mkdir(parents=True, exist_ok=True)
        keep_draw(planned, draw)
    asked = list_questions(planned)
    again = spell_commands(f"python -m agent label {' '.join(runs)} --by {by}")
    again += f" --questions {questions}" if questions != QUESTIONS else ""
    again += f" --seed {seed}" if seed != 1 else ""
    if options["answers"] is None:
        place = options["out"] or folder.root / "labels" / name
        _write(folder, asked, place, f"{again} --answers answers.csv{data_to_type(folder.root)}")
    else:
        left_out += _keep(folder, asked, options["answers"], f"{again}{data_to_type(folder.root)}")
    for problem in left_out:
        echo(f"Left out: {problem}", err=True)
    if left_out:
        raise click.exceptions.Exit(1)


def _write(data: DataFolder, asked: list[LabelQuestion], place: Path, after: str) -> None:
    from agent.evaluation.label_sheet import write_sheet
    from store.frames.frame_store import FrameStore
    from store.privacy.derived_files import register

    frames = {frame.sha256 for one in asked for frame in one.step.frames}
    out = register(data, place, "sheet", frames=sorted(frames))
    page = write_sheet(asked, FrameStore(data.frames_dir), out)
    echo(f"{count_of(len(asked), 'question')} about {count_of(len(frames), 'picture')}.")
    echo(f"Open {page} in a browser, answer, and save the answers. Then type: {after}")


def _keep(data: DataFolder, asked: list[LabelQuestion], answers: Path, again: str) -> list[str]:
    """Keep answers; return why some could not be."""
    from agent.evaluation.label_sheet import keep_answers, read_answers

    did = keep_answers(asked, read_answers(answers), data)
    unsure = f" ({did.unsure} unsure)" if did.unsure else ""
    echo(f"{count_of(did.kept, 'new answer')} kept{unsure}, {did.open} still open.")
    if did.changed:
        echo(
            f"Differing from what was answered before, which stands: {did.changed}.",
            err=True,
        )
    if did.strange:
        echo(
            f"Of no use: {did.strange}, to no question of this sheet, or about videos that were "
            "forgotten.",
            err=True,
        )
    if did.open:
        echo(f"The report takes them once all are answered. For the sheet, type: {again}")
    return list(did.left_out)
