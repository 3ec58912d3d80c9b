"""``python -m agent run``: one persona watches one feed."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from agent.cli.options import (
    adapter_option,
    browser_option,
    cap_options,
    data_option,
    data_to_type,
    declare_headed,
    explain_option,
    frame_options,
    json_option,
    live_options,
    missing_option,
    model_option,
    order_option,
    revision_option,
    settings_option,
    site_options,
)
from agent.cli.privacy_notice import announce, announce_repeats
from agent.drivers import DRIVERS
from store.cli.configured_group import ConfigOption
from store.cli.options import url_option
from store.terminal.command_words import spell_commands
from store.terminal.printing import echo

if TYPE_CHECKING:
    from agent.judge.spending_cap import SpendingCap
    from agent.run.start_or_resume import LiveOptions, RunFolder, RunWatcher
    from agent.run_config import RunConfig
    from store.runs.data_folder import DataFolder

NEED_MIB = 200
"""Free space without which no run starts; 100 videos take about 10 MiB."""
DESKTOP = (
    "Desktop: leave the feed's window uncovered and click beside its video if a pause is not seen. "
    "Esc, or the pointer in a corner of the screen, ends the run."
)
EPILOG = """
\b
Examples:
  python -m agent run --persona p12
  python -m agent run --persona p12 --feed random --before 10 --after 10 --json
"""


@click.command(epilog=EPILOG)
@click.option("--persona", metavar="ID|FILE", help="Who watches, such as p12.  [required]")
@click.option(
    "--platform",
    default="playground",
    show_default=True,
    help="What is watched: playground, tiktok, youtube, instagram, replay or recording.",
)
@click.option(
    "--strategy", default="simple", show_default=True, help="plain, simple, isq, or a plug-in's."
)
@model_option
@click.option(
    "--arm",
    type=click.Choice(["treatment", "yoked", "passive"]),
    default="treatment",
    show_default=True,
    help="treatment: the judgement decides; yoked: an earlier run's dwells, shuffled; "
    "passive: a constant short dwell.",
)
@click.option(
    "--of",
    metavar="RUN|FOLDER",
    help="The run that --platform replay shows again, or what --platform recording plays back.",
)
@click.option("--yoke", metavar="RUN", help="The treatment run that a yoked run takes over.")
@click.option("--account", help="Slot with its own profile.  [default: a fresh visitor]")
@click.option("--before", type=click.IntRange(0), default=50, show_default=True)
@click.option("--adapt", type=click.IntRange(0), default=0, show_default=True)
@click.option("--after", type=click.IntRange(0), default=50, show_default=True)
@click.option(
    "--baseline",
    type=click.Choice(["active", "passive"]),
    default="active",
    show_default=True,
    help="Whether the before window is reacted to.",
)
@click.option("--like", is_flag=True, help="Also like what is answered with yes.")
@click.option(
    "--photos",
    type=click.Choice(["judge", "pass"]),
    default="judge",
    show_default=True,
    help="Photo posts: judge them as videos are, or leave them after the dwell of a swipe.",
)
@click.option(
    "--max-excluded",
    type=click.IntRange(1),
    default=50,
    show_default=True,
    help="Videos in a row that may not count, ads say, before the run ends.",
)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True)
@frame_options
@site_options
@live_options
@adapter_option
@explain_option
@order_option
@cap_options
@missing_option
@revision_option
@settings_option
@click.option(
    "--driver",
    type=click.Choice(["playwright", "desktop"]),
    default="playwright",
    show_default=True,
    help="desktop: a window on this screen, by keyboard and screenshots alone.",
)
@declare_headed("Show the browser's window.")
@click.option(
    "--encoder",
    cls=ConfigOption,
    default="conse",
    show_default=True,
    help="Encoder of the index.",
)
@url_option
@click.option("--no-index", is_flag=True, help="Leave indexing to python -m store index.")
@click.option("--skin", "switches", metavar="SWITCHES", hidden=True, help="Watch its skin instead.")
@click.option("--study", type=click.Path(path_type=Path), hidden=True, help="Folder of a study.")
@click.option("--cell", hidden=True, help="Cell of the study that this run is.")
@click.option("--shards", type=click.IntRange(1), default=1, hidden=True, help="Of its study.")
@click.option("--occurrence", hidden=True, help="Due time of the daemon that this run is for.")
@click.option("--tethered", is_flag=True, hidden=True, help="End when stdin closes.")
@click.option("--new", "fresh", is_flag=True, help="Do not resume an unfinished run.")
@browser_option
@data_option
@json_option
@click.pass_context
def run(context: click.Context, /, as_json: bool, **options: Any) -> None:
    """Watch a feed as a persona, and print how far it swayed.

    The same command resumes an unfinished run with the same configuration.
    """
    from agent.cli.run_display import Display
    from agent.models import check_access
    from store.runs.data_folder import DataFolder

    config = _config(context, DataFolder(options["data"]))
    check_access(config.model, os.environ)
    place = _place(options, config.platform)
    announce(config.model, place.cap)
    announce_repeats(config.site, config.windows)
    if DRIVERS[config.driver].on_screen:
        echo(DESKTOP, err=True)
    with _cell_held(options["study"], options["cell"]):
        if options["study"] is not None and _is_complete(config, place.data):
            return  # by the child of a conductor that was killed
        with Display() as display:
            run_id = _interruptible(config, place, display, tethered=options["tethered"])
    _summarise(run_id, place, as_json=as_json)


def _config(context: click.Context, data: DataFolder) -> RunConfig:
    from agent.run.run_options import RunRequest, config_of_request

    options = context.params
    if options["study"] is not None:
        return _cell_config(options)
    given: dict[str, Any] = {}
    for option in context.command.params:
        name = option.opts[0].removeprefix("--").replace("-", "_")
        source = context.get_parameter_source(option.name or "")
        if name in RunRequest.model_fields and source is not ParameterSource.DEFAULT:
            given[name] = options[option.name or ""]
    return config_of_request(RunRequest(**given), data, options["occurrence"])


def _cell_config(options: dict[str, Any]) -> RunConfig:
    from agent.study.conductor import configure_cell
    from agent.study.preparation import read_study
    from store.runs.data_folder import DataFolder

    study = read_study(DataFolder(options["data"]), options["study"])
    cells = {cell.key: cell for cell in study.cells}
    config = configure_cell(study, cells[options["cell"]])
    return config.model_copy(update={"yoke": options["yoke"]})


def _cell_held(study: Path | None, cell: str) -> AbstractContextManager[None]:
    """Hold the cell of a study; a run of no study holds nothing."""
    from agent.study.process_locks import held_cell

    return nullcontext() if study is None else held_cell(study, cell)


def _is_complete(config: RunConfig, data: DataFolder) -> bool:
    return any(
        run.status == "complete"
        and run.started is not None
        and (run.started.config.get("study"), run.started.config.get("cell"))
        == (config.study, config.cell)
        for run in data.runs()
    )


def _place(options: dict[str, Any], platform: str) -> RunFolder:
    from agent.drivers.web.browser import find_browser
    from agent.platforms import load_platform
    from agent.run.start_or_resume import RunFolder
    from store.encoders import check as check_encoder
    from store.runs.data_folder import DataFolder

    watched = load_platform(platform)
    own_window = DRIVERS[options["driver"]].on_screen and watched.live
    blind = watched.recorded or own_window  # neither opens a browser
    check_encoder(options["encoder"])
    data = DataFolder(options["data"])
    data.prepare(NEED_MIB)
    return RunFolder(
        data=data,
        browser=None if blind else find_browser(options["browser"]),
        headed=options["headed"],
        fresh=options["fresh"],
        encoder=None if options["no_index"] else options["encoder"],
        index_url=options["url"],
        cap=_cap(options),
        live=_live(options, platform),
    )


def _cap(options: dict[str, Any]) -> SpendingCap:
    """The cap of the command, or for a cell the budget of its study, or this shard's part of it."""
    from agent.judge.spending_cap import SpendingCap
    from agent.study.study_file import load_study

    if options["study"] is None:
        return SpendingCap(options["max_cost"], options["max_tokens"])
    return load_study(options["study"] / "study.toml").cap.divided(options["shards"])


def _live(options: dict[str, Any], platform: str) -> LiveOptions:
    from agent.errors import BadConfig
    from agent.platforms import load_platform
    from agent.run.pacing import Hours, PaceLimits, zone_of
    from agent.run.start_or_resume import LiveOptions
    from agent.study.study_file import load_study

    if not load_platform(platform).live:
        return LiveOptions()
    if options["study"] is not None:
        declared = load_study(options["study"] / "study.toml").live
        named = {"timezone": declared.timezone or options["timezone"]}
        options = {**options, **declared.model_dump(), **named}
    patient = options["on_wall"] == "pause" if options["on_wall"] else options["headed"]
    if patient and not options["headed"]:
        raise BadConfig("A person answers a wall in the window. Type: --headed --on-wall pause")
    quiet = options["quiet_hours"]
    zone = zone_of(options["timezone"]) if options["timezone"] else None
    limits = PaceLimits(options["per_day"] or None, Hours.parse(quiet) if quiet else None, zone)
    return LiveOptions(limits, patient, options["renew_after"])


def _interruptible(
    config: RunConfig, place: RunFolder, onlooker: RunWatcher, *, tethered: bool
) -> str:
    from agent.cli.signals import interruptible
    from agent.errors import FeedEmpty
    from agent.run.run_options import propose_windows
    from agent.run.start_or_resume import execute_run

    work = execute_run(config, place, onlooker, lambda: datetime.now(UTC))
    try:
        return interruptible(work, tethered=tethered)
    except FeedEmpty as fault:
        if config.recording is None:
            raise
        raise FeedEmpty(
            f"{fault}: fewer of them counted than the {config.windows.total} that were asked for. "
            f"Type: the same with {propose_windows(config.windows.total)}",
            **fault.details,
        ) from None


def _summarise(run_id: str, place: RunFolder, *, as_json: bool) -> None:
    import numpy as np

    from analysis.data.run_columns import read_run
    from analysis.estimators.one_run import summarise
    from analysis.terminal.run_text import render

    path: Path = place.data.ledger_path(run_id)
    summary = summarise(read_run(path), np.random.default_rng(0))
    if as_json:
        echo(json.dumps(summary.as_dict(), indent=2))
        return
    width = shutil.get_terminal_size((88, 24)).columns
    trait = summary.traits[0] if summary.traits else "two people shaking hands"
    option = data_to_type(place.data.root)
    commands = [
        (f'python -m store search "{_words(trait)}"{option}', "find what it saw"),
        (f"python -m store show latest{option}", "read its steps"),
        (f"python -m agent open{option}", "look at it in a browser"),
        ("python -m agent study --example", "a study of eight personas, which can show more"),
    ]
    spelled = [(spell_commands(command), what) for command, what in commands]
    echo(render(summary, width, where=str(path.parent), commands=spelled))


def _words(trait: str) -> str:
    """Return the beginning of a trait, as a text to search for."""
    return " ".join(trait.rstrip(".").replace('"', "").split()[:8])
