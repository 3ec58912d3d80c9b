"""``python -m agent eval-log``: judgements as logs that ``inspect view`` opens."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from agent.cli.options import data_option
from store.terminal.printing import count_of, echo

EPILOG = """
\b
Examples:
  python -m agent eval-log latest
  python -m agent eval-log first-study --out logs
"""


@click.command("eval-log", epilog=EPILOG)
@click.argument("runs", nargs=-1, metavar="RUN...|STUDY", required=True)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the logs.  [default: in the data folder]",
)
@data_option
def eval_log(runs: tuple[str, ...], *, out: Path | None, data: Path) -> None:
    """Write the judgements of runs as logs of inspect_ai.

    One log for the judge that acted, and one for each judge that was asked again. `inspect view`
    shows every question with a preview of its pictures, the reply and how it was read.
    """
    from agent.evaluation.judgement_log import JudgementLogs
    from agent.evaluation.named_ledgers import find_ledgers
    from store.errors import StoreError
    from store.frames.frame_store import FrameStore
    from store.jsonl.paths import is_name
    from store.privacy.derived_files import register, seal_derived
    from store.runs.data_folder import DataFolder

    folder = DataFolder(data)
    left_out: list[str] = []
    ledgers = find_ledgers(folder, runs, left_out, arms=None)
    name = runs[0] if is_name(runs[0]) else ledgers[0].started.run_id
    place = out or folder.root / "eval-logs" / name
    register(folder, place, "report", runs=[run.started.run_id for run in ledgers])
    place.mkdir(parents=True, exist_ok=True)
    logs = JudgementLogs(ledgers, FrameStore(folder.frames_dir), place)
    made = 0
    for run in ledgers:
        try:
            made += sum(1 for _ in logs.write(run))
        except StoreError as error:
            left_out.append(str(error))
    seal_derived(folder, place)
    echo(f"{count_of(made, 'log')} of {count_of(len(ledgers), 'run')}: {place}")
    echo(f"Look at them: inspect view --log-dir {shlex.quote(str(place))}")
    for problem in left_out:
        echo(f"Left out: {problem}", err=True)
    if left_out:
        raise click.exceptions.Exit(1)
