"""The commands that make a collection of what is kept: export, import, stats, forget."""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from store.cli.options import bar, data_option, epilog, json_option, kept, url_option
from store.errors import ForgettingPending
from store.terminal.exit_codes import name_data_folder
from store.terminal.printing import count_of, echo

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from store.privacy.derived_files import DerivedEntry
    from store.privacy.forget_plan import ForgetPlan, Request
    from store.runs.data_folder import DataFolder

_FORMATS = ("parquet", "jsonl", "datasets", "webdataset")
_STEP_FORMATS = ("csv", "xlsx", "zeeschuimer")
_day = click.DateTime(["%Y-%m-%d"])


@click.command(
    epilog=epilog(
        "export exported",
        "export exported-yes --format datasets --answer yes --since 2025-01-01",
        "export steps --format csv --run latest",
        "export --check exported",
    )
)
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--format",
    "kind",
    type=click.Choice([*_FORMATS, *_STEP_FORMATS]),
    default="parquet",
    show_default=True,
    help="csv, xlsx and zeeschuimer have a row a step and no pictures.",
)
@click.option("--platform", help="Only from this platform.")
@click.option("--persona", help="Only seen by this persona.")
@click.option("--answer", type=click.Choice(["yes", "no", "missing"]), help="Only judged so.")
@click.option("--run", help="Only from this run.")
@click.option("--study", help="Only from runs of this study.")
@click.option("--since", type=_day, help="Only seen on this day (UTC) or later.")
@click.option("--until", type=_day, help="Only seen on this day (UTC) or earlier.")
@click.option(
    "--split-by",
    type=click.Choice(["runs", "creators", "videos"]),
    default="runs",
    show_default=True,
    help="What is never divided between splits; near-duplicates never are.",
)
@click.option("--keep-handles", is_flag=True, help="Leave creators' handles, ids and addresses in.")
@click.option("--blur", is_flag=True, help="Blur faces and handles that are found in the pictures.")
@click.option("--check", is_flag=True, help="Compare an export with its manifest, and write none.")
@data_option
@json_option
def export(folder: Path, check: bool, root: Path, as_json: bool, **options: Any) -> None:
    """Make a dataset of what is kept, in a new FOLDER.

    Loads with datasets.load_dataset(FOLDER); handles are pseudonyms unless told otherwise.
    """
    if check:
        _check(folder, as_json)
        return
    from store.dataset.export import export as make

    data, kind = kept(root), options["kind"]
    if kind in _STEP_FORMATS and (options["blur"] or options["split_by"] != "runs"):
        raise click.UsageError(f"{kind} has no pictures and splits. Type: no --blur, no --split-by")
    choice = _choice(data.find_run, options)
    if kind in _STEP_FORMATS:
        from store.dataset.step_export import export_steps

        done, what = export_steps(data, folder, kind, choice), "row"
    else:
        done, what = make(data, folder, kind, choice, bar("Exporting")), "screenshot"
    for problem in done.problems:
        echo(f"Left out: {name_data_folder(problem)}", err=True)
    if as_json:
        fields = {"folder": str(folder), "rows": done.splits, "problems": done.problems}
        echo(json.dumps(fields, indent=2))
    else:
        link = "in" if what == "row" else "for"
        told = ", ".join(f"{count} {link} {part}" for part, count in done.splits.items())
        echo(f"{count_of(sum(done.splits.values()), what)} in {folder}: {told}.")
    if done.problems:
        raise click.exceptions.Exit(1)


def _choice(find_run: Any, options: dict[str, Any]) -> Any:
    from datetime import timedelta

    from store.dataset.rows import RowChoice
    from store.index.entries import Filters

    run = find_run(options["run"]).parent.name if options["run"] else None
    since, until = options["since"], options["until"]
    return RowChoice(
        Filters(options["platform"], options["persona"], options["answer"], run),
        since and since.replace(tzinfo=UTC),
        until and until.replace(tzinfo=UTC) + timedelta(days=1),
        options["keep_handles"],
        options["split_by"],
        options["blur"],
        options["study"],
    )


def _check(folder: Path, as_json: bool) -> None:
    from store.dataset import manifest

    wrong = manifest.check(folder)
    if as_json:
        echo(json.dumps({"sound": not wrong, "problems": wrong}, indent=2))
    else:
        for problem in wrong:
            echo(f"WRONG: {problem}")
        echo("Something is wrong." if wrong else "Every file is as it was written.")
    if wrong:
        raise click.exceptions.Exit(1)


@click.command("import", epilog=epilog("import screenshots --captions screenshots/captions.csv"))
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--captions",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="CSV: file, and if known caption, author, video, url, hashtags, at.",
)
@click.option("--name", help="Of the collection; the folder's unless given.")
@click.option("--licence", default="not told", help="Terms of the pictures, for exports.")
@data_option
@json_option
def bring_in(
    folder: Path, captions: Path, name: str | None, licence: str, root: Path, as_json: bool
) -> None:
    """Keep other people's screenshots, as a run of platform imported.

    Pictures lose their metadata; other formats become JPEG.
    """
    from importlib.metadata import version

    from store.dataset.import_screenshots import Collection
    from store.dataset.import_screenshots import bring_in as keep
    from store.runs.data_folder import DataFolder

    given = Collection(
        folder, captions, name or folder.resolve().name, licence, version("feedsway")
    )
    data = DataFolder(root)
    data.prepare()
    done = keep(data, given, datetime.now(UTC), bar("Importing"))
    if as_json:
        echo(json.dumps(asdict(done), indent=2))
    else:
        echo(f"{count_of(done.added, 'picture')} added; run {done.run_id} holds {done.present}.")
        echo("To search in them, type: python -m store index", err=True)


@click.command(epilog=epilog("stats", "stats --quick --json"))
@click.option("--quick", is_flag=True, help="Leave out what the indexes' vectors tell.")
@url_option
@data_option
@json_option
def stats(quick: bool, url: str | None, root: Path, as_json: bool) -> None:
    """Count what is kept, how much of it is unique, and how long the disk lasts."""
    from store.maintenance import stats as counts

    now = datetime.now(UTC)
    found = counts.stats(kept(root), now, bar("Comparing"), quick=quick, url=url)
    if as_json:
        echo(json.dumps(asdict(found), indent=2))
    else:
        echo("\n".join(counts.rows(found)))
    for problem in found.problems:
        echo(f"Left out: {name_data_folder(problem)}", err=True)
    if found.problems:
        raise click.exceptions.Exit(1)


@click.command(
    epilog=epilog(
        "forget --author some.handle --dry-run",
        "forget --video 7312345678901234567 --yes",
        "forget --before 2025-01-01 --yes",
        "forget --donation imported-tiktok-donor7 --yes",
    )
)
@click.option("--video", help="Id of a video.")
@click.option("--author", help="Handle of a creator; its mentions go as well.")
@click.option("--before", type=_day, help="Everything that was seen before this day (UTC).")
@click.option("--donation", metavar="RUN", help="All of a donation or capture, its times too.")
@click.option("--resume", is_flag=True, help="Go on with a request that was cut off.")
@click.option(
    "--remove-copies", is_flag=True, help="Delete exports and trainings that hold it as well."
)
@click.option("--dry-run", is_flag=True, help="Say what would go, and touch nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@url_option
@data_option
@json_option
def forget(root: Path, as_json: bool, dry_run: bool, yes: bool, **options: Any) -> None:
    """Remove frames, vectors and text of a video, of a creator, or by age.

    Measurements stay, and the ledger says that something was forgotten. There is no way back.
    """
    from store.privacy import forget as forgetting
    from store.privacy import forget_plan

    data = kept(root)
    if options["donation"]:
        _forget_donation(data, options, as_json=as_json, ask=not (yes or dry_run), dry_run=dry_run)
        return
    request = _request(options, forgetting.pending(data))
    if dry_run:
        todo = forget_plan.plan(data, request)
        told = [f"{_told(todo)} to go.", *_tell_made(data, todo.derived, todo.reports(data))]
        echo(json.dumps(_plan_fields(data, todo), indent=2) if as_json else "\n".join(told))
        _tell_unread(todo.unread)
        return

    def ask(todo: ForgetPlan) -> None:
        if not yes:
            for line in _tell_made(data, todo.derived, todo.reports(data)):
                echo(line, err=True)
            click.confirm(f"{_told(todo)}: forget for good?", abort=True, err=True)

    done = forgetting.forget(data, request, ask)
    if as_json:
        echo(json.dumps(asdict(done), indent=2))
    else:
        echo(
            f"Forgotten: {count_of(done.videos, 'video')} in {count_of(done.steps, 'step')} of "
            f"{count_of(done.runs, 'run')}, {count_of(done.frames, 'frame')}, "
            f"{count_of(done.vectors, 'vector')}, {count_of(done.replies, 'kept reply')}, "
            f"{count_of(done.reports, 'report')}. Names taken out of further steps: {done.edited}. "
            f"Frames that stay for other videos: {done.shared}."
        )
    echo(
        "Exports and reports that were deleted were made of it: make them again. "
        "Copies elsewhere still hold it.",
        err=True,
    )
    _tell_unread(done.unread)


def _forget_donation(
    data: DataFolder, options: dict[str, Any], *, as_json: bool, ask: bool, dry_run: bool
) -> None:
    from store.privacy.forget_donation import find_donation, find_made, forget_donation

    if any(options[name] for name in ("video", "author", "before", "resume")):
        raise click.UsageError("Give --donation alone.")
    run = find_donation(data, options["donation"])
    count = count_of(run.steps, "video")
    made = find_made(data, run)
    if ask:
        for line in _tell_made(data, made):
            echo(line, err=True)
        click.confirm(f"{run.run_id}, {count}: delete for good?", abort=True, err=True)
    if not dry_run:
        made = forget_donation(data, run, remove_copies=options["remove_copies"])
    if as_json:
        fields = {"run": run.run_id, "videos": run.steps, "reports": len(made)}
        fields["made_of_it"] = [str(entry.place(data)) for entry in made]
        echo(json.dumps(fields, indent=2))
        return
    things = f" and {count_of(len(made), 'thing')} made of it" if made else ""
    echo(f"{run.run_id}: {count}{things}, {'to go' if dry_run else 'deleted'}.")
    for line in _tell_made(data, made) if dry_run else ():
        echo(line)
    echo("The file that it came in, backups and merged folders still hold it.", err=True)


def _tell_unread(problems: Sequence[str]) -> None:
    for problem in problems:
        echo(f"This may still tell of it: {problem}", err=True)
    if problems:
        echo("Restore them from a copy, or delete them. Then type the same again.", err=True)
        raise click.exceptions.Exit(1)


def _request(options: dict[str, Any], pending: Request | None) -> Request:
    from store.privacy.forget_plan import Request

    asked = {name: options[name] for name in ("video", "author", "before") if options[name]}
    if len(asked) + options["resume"] != 1:
        raise click.UsageError("Give one of --video, --author, --before and --resume.")
    if options["resume"]:
        if pending is None:
            raise click.UsageError("No request was cut off.")
        return pending.model_copy(update=_copies(options))
    ((name, value),) = asked.items()
    told = value.replace(tzinfo=UTC).isoformat() if name == "before" else value
    if pending is not None:
        if (pending.asked, pending.value) != (name, told):
            raise ForgettingPending
        return pending.model_copy(update=_copies(options))
    fields = {"asked": name, "value": told, "at": datetime.now(UTC), "url": options["url"]}
    return Request.model_validate(fields | _copies(options))


def _copies(options: dict[str, Any]) -> dict[str, Any]:
    return {"remove_copies": True} if options["remove_copies"] else {}


def _plan_fields(data: DataFolder, todo: ForgetPlan) -> dict[str, Any]:
    return {
        "videos": len(todo.videos),
        "steps": todo.emptied,
        "edited": todo.edited,
        "runs": len(todo.runs),
        "frames": len(todo.frames),
        "shared": len(todo.shared),
        "unread": todo.unread,
        "made_of_it": [
            *(str(entry.place(data)) for entry in todo.derived if entry.is_there(data)),
            *map(str, todo.reports(data)),
        ],
    }


def _tell_made(
    data: DataFolder, derived: Sequence[DerivedEntry], reports: Sequence[Path] = ()
) -> Iterator[str]:
    """Say of each thing that was made of it, or may be, what becomes of it."""
    from store.privacy.derived_files import APART

    for entry in (entry for entry in derived if entry.is_there(data)):
        place, fate = shlex.quote(str(entry.place(data))), "goes with it"
        if not entry.is_ours(data):
            fate = f"lies outside the data folder. First type: rm -r {place}"
        elif entry.kind in APART:
            fate = "goes only with --remove-copies, and holds up the rest without"
        yield f"  {entry.kind} {place}: {fate}"
    for path in reports:
        yield f"  report {shlex.quote(str(path))}: goes with it"


def _told(todo: ForgetPlan) -> str:
    return (
        f"{count_of(len(todo.videos), 'video')} in {count_of(todo.emptied, 'step')} of "
        f"{count_of(len(todo.runs), 'run')}, {count_of(len(todo.frames), 'frame')}, "
        f"names in {count_of(todo.edited, 'further step')}"
    )
