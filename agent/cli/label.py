"""``python -m agent label``: people answer a sample of the judge's questions."""

from __future__ import annotations

import json
import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agent.cli.options import data_option, data_to_type, json_option
from store.terminal.command_words import spell_commands
from store.terminal.printing import count_of, echo

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agent.evaluation.label_draw import LabelPlan
    from agent.evaluation.label_session import LabelSession
    from store.runs.data_folder import DataFolder
    from store.runs.labels import LabelDraw
    from store.runs.ledger import Ledger

QUESTIONS = 300
EPILOG = """
\b
Examples:
  python -m agent label first-study --by anna
  python -m agent label first-study --by anna --sheet sheet
  python -m agent label first-study --by anna --import answers.csv
  python -m agent label first-study --export labels.csv
  python -m agent label first-study --everyone --by anna
"""
_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command(epilog=EPILOG)
@click.argument("runs", nargs=-1, metavar="RUN...|STUDY", required=True)
@click.option("--by", metavar="NAME", help="Who answers; any name that a file may have.")
@click.option(
    "--questions",
    type=click.IntRange(1),
    default=QUESTIONS,
    show_default=True,
    help="How many are drawn.",
)
@click.option(
    "--strata",
    default="run,window",
    show_default=True,
    metavar="NAMES",
    help="What the draw is even over: run, arm, window, persona.",
)
@click.option(
    "--everyone",
    is_flag=True,
    help="As the personas of all runs, about after windows alone: for the persona matrix.",
)
@click.option("--labellers", metavar="NAMES", help="Who shares the questions.  [default: nobody]")
@click.option(
    "--overlap",
    type=click.FloatRange(0.05, 1),
    default=1.0,
    show_default=True,
    help="With --labellers: the share of the questions that each of them is asked.",
)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Of the draw.")
@click.option("--sheet", type=_FOLDER, help="Write a page without a server to answer on.")
@click.option("--studio", type=_FOLDER, help="Write tasks for Label Studio.")
@click.option(
    "--import",
    "answers",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Keep the answers of a CSV file, or of Label Studio's JSON export.",
)
@click.option(
    "--as",
    "users",
    metavar="NUMBER=NAME,...",
    help="With --import: who the users of Label Studio are that are known by number alone.",
)
@click.option(
    "--export",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write all labels: as Label Studio's JSON to a .json file, else as CSV.",
)
@data_option
@json_option
def label(runs: tuple[str, ...], *, data: Path, as_json: bool, **options: Any) -> None:
    """Have people answer a sample of the judge's questions, blind to the judge.

    Draws the questions once, and then says how far everybody is. What was answered is read with
    python -m analysis labels.
    """
    from agent.errors import BadConfig
    from agent.evaluation.label_draw import name_draw
    from agent.evaluation.label_exchange import list_damage
    from agent.evaluation.label_session import LabelSession, check_labeller
    from agent.evaluation.named_ledgers import find_ledgers
    from store.runs.data_folder import DataFolder
    from store.runs.labels import draw_path

    folder = DataFolder(data)
    plan, users = _plan(options), _users(options["users"])
    if users and options["answers"] is None:
        raise BadConfig("Whose answers are these? Type: the same with --import export.json")
    left_out: list[str] = []
    arms = ("treatment",) if plan.everyone else None
    ledgers = find_ledgers(folder, runs, left_out, arms)
    name = name_draw(folder, runs[0], ledgers, plan.seed)
    by, again = options["by"], _again(runs, options, folder)
    if by is None and (options["sheet"] or options["studio"]):
        raise BadConfig("Who is to answer? Type: the same with --by anna")
    if by is not None:
        check_labeller(by, () if draw_path(folder, name).exists() else plan.labellers)
    draw = _open_draw(folder, name, ledgers, plan)
    session = None if by is None else LabelSession(folder, draw, by)
    if session is not None:
        left_out += session.drawn.left_out
        if options["sheet"] or options["studio"]:
            _hand_out(session, options["sheet"], options["studio"], again)
    if options["answers"] is not None:
        _import(folder, draw, options["answers"], by, users)
    if options["export"] is not None:
        _export(folder, draw, options["export"])
    _tell_progress(folder, draw, by, as_json=as_json)
    left_out += list_damage(folder, draw)
    for problem in left_out:
        echo(f"Left out: {problem}", err=True)
    if left_out:
        raise click.exceptions.Exit(1)


def _plan(options: dict[str, Any]) -> LabelPlan:
    from agent.errors import UnknownName
    from agent.evaluation.label_draw import STRATA, LabelPlan
    from store.runs.labels import Stratum

    known: dict[str, Stratum] = {
        "run": "run",
        "arm": "arm",
        "window": "window",
        "persona": "persona",
    }
    strata = []
    for name in filter(None, options["strata"].split(",")):
        if name not in known:
            raise UnknownName("stratum", name, known, f"Type: --strata {','.join(STRATA)}")
        strata.append(known[name])
    plan = LabelPlan(
        questions=options["questions"],
        strata=tuple(dict.fromkeys(strata)) or STRATA,
        everyone=options["everyone"],
        seed=options["seed"],
        labellers=tuple(filter(None, map(str.strip, (options["labellers"] or "").split(",")))),
        overlap=options["overlap"],
    )
    plan.check()
    return plan


def _again(runs: Sequence[str], options: dict[str, Any], data: DataFolder) -> str:
    """The command that goes on with this draw."""
    again = spell_commands(f"python -m agent label {shlex.join(runs)}")
    again += f" --by {shlex.quote(options['by'])}" if options["by"] else ""
    again += f" --seed {options['seed']}" if options["seed"] != 1 else ""
    return f"{again}{data_to_type(data.root)}"


def _open_draw(
    data: DataFolder, name: str, ledgers: Sequence[Ledger], plan: LabelPlan
) -> LabelDraw:
    """The draw of this name, made if it is not there; says where it is not what was asked for."""
    from agent.evaluation.label_draw import draw_questions
    from store.runs.labels import draw_path, read_draw, write_draw

    path = draw_path(data, name)
    if not path.exists():
        draw = draw_questions(ledgers, plan, name, datetime.now(UTC))
        write_draw(data, draw)
        open_runs = [run.started.run_id for run in ledgers if run.status != "complete"]
        if open_runs:
            echo(
                f"Not complete: {', '.join(open_runs)}. Videos that come later are not asked "
                f"about. For a sample of all, type later: the same with --seed {plan.seed + 1}",
                err=True,
            )
        if len(draw.questions) < plan.questions:
            echo(f"There are no more than {count_of(len(draw.questions), 'question')}.", err=True)
        return draw
    draw = read_draw(path)
    for remark in _compare(draw, ledgers, plan):
        echo(f"{remark} For another sample, type: the same with --seed {plan.seed + 1}", err=True)
    return draw


def _compare(draw: LabelDraw, ledgers: Sequence[Ledger], plan: LabelPlan) -> Iterator[str]:
    """Say in what a draw is not what was asked for; what is as by default was not asked for."""
    from agent.evaluation.label_draw import LabelPlan

    header, usual = draw.header, LabelPlan()
    made = (header.strata, header.everyone, header.labellers, header.overlap)
    asked = (plan.strata, plan.everyone, plan.labellers, plan.overlap)
    plain = (usual.strata, usual.everyone, usual.labellers, usual.overlap)
    if any(
        one != other and one != default
        for one, other, default in zip(asked, made, plain, strict=True)
    ):
        yield "This was drawn in another way before, which stands."
    if plan.questions not in (len(draw.questions), usual.questions):
        yield f"Drawn with {len(draw.questions)} questions, not {plan.questions}."
    new = {
        run.started.run_id
        for run in ledgers
        if not header.everyone or run.started.arm == "treatment"
    } - set(header.runs)
    if new:
        yield f"Drawn before {count_of(len(new), 'run')} came."


def _hand_out(session: LabelSession, sheet: Path | None, studio: Path | None, again: str) -> None:
    from agent.evaluation.label_sheet import list_frames, write_sheet, write_studio_tasks
    from store.privacy.derived_files import register, seal_derived

    frames = list_frames(session.list_cards())
    if sheet is not None:
        out = register(session.data, sheet, "sheet", frames=frames)
        page = write_sheet(session, out)
        seal_derived(session.data, out)
        echo(
            f"Open {page} in a browser, answer, and save the answers. Then type: "
            f"{again} --import answers.csv",
            err=True,
        )
    if studio is not None:
        out = register(session.data, studio, "sheet", frames=frames)
        tasks = write_studio_tasks(session, out)
        seal_derived(session.data, out)
        echo(
            f"Import {tasks} into a project of Label Studio, with the labelling interface beside "
            f"it. Then type: {again} --import export.json",
            err=True,
        )


def _users(typed: str | None) -> dict[int, str]:
    """Names of Label Studio's users by their number."""
    from agent.errors import BadConfig
    from agent.evaluation.label_session import check_labeller

    users: dict[int, str] = {}
    for part in filter(None, (typed or "").split(",")):
        number, _, name = (text.strip() for text in part.partition("="))
        if not number.isdecimal() or int(number) in users:
            raise BadConfig(f"{ascii(part)[:40]} names no user. Type: --as 10=anna,11=bo")
        check_labeller(name, ())
        users[int(number)] = name
    return users


def _import(
    data: DataFolder, draw: LabelDraw, answers: Path, by: str | None, users: dict[int, str]
) -> None:
    from agent.evaluation.label_exchange import keep_labels, read_labels

    did = keep_labels(data, draw, read_labels(answers, by, users), datetime.now(UTC))
    unsure = f" ({did.unsure} cannot tell)" if did.unsure else ""
    echo(f"{count_of(did.kept, 'new label')} by {', '.join(did.by)} kept{unsure}.", err=True)
    if did.changed:
        echo(
            f"Differing from what was answered before, which stands: {did.changed}.",
            err=True,
        )
    if did.strange:
        echo(f"Of no use: {did.strange}, to no question of this draw.", err=True)


def _export(data: DataFolder, draw: LabelDraw, path: Path) -> None:
    from agent.evaluation.label_exchange import write_labels

    count = write_labels(data, draw, path)
    echo(f"{count_of(count, 'label')} written to {path}.", err=True)


def _tell_progress(data: DataFolder, draw: LabelDraw, by: str | None, *, as_json: bool) -> None:
    from agent.evaluation.label_session import DrawnSteps, LabelSession
    from store.runs.labels import draw_path, list_labellers

    path = draw_path(data, draw.header.name)
    people = sorted({*list_labellers(path), *([by] if by else []), *draw.header.labellers})
    drawn = DrawnSteps.read(data, draw)
    told = {name: LabelSession(data, draw, name, drawn).count_progress() for name in people}
    if as_json:
        fields = {
            name: {
                "questions": one.questions,
                "labelled": one.labelled,
                "unsure": one.unsure,
                "gone": one.gone,
            }
            for name, one in told.items()
        }
        made = {"draw": draw.header.name, "questions": len(draw.questions), "by": fields}
        echo(json.dumps(made, indent=2))
        return
    strata = "own and others' questions" if draw.header.everyone else ", ".join(draw.header.strata)
    echo(f"{draw.header.name}: {count_of(len(draw.questions), 'question')}, drawn by {strata}")
    for name, one in told.items():
        gone = f", {one.gone} of forgotten videos" if one.gone else ""
        echo(f"  {name}: {one.labelled} of {one.questions} answered, {one.unsure} unsure{gone}")
    folder = data_to_type(data.root)
    if by is not None and told[by].open:
        echo(f"To answer, type: {spell_commands('python -m agent open')}{folder}", err=True)
    elif any(one.labelled for one in told.values()):
        command = spell_commands(f"python -m analysis labels {draw.header.name}")
        echo(f"To read what was answered, type: {command}{folder}", err=True)
