"""The command line of everything that acts. Only here are argv and the environment read.

Each command turns options into values and calls one function.
"""

from __future__ import annotations

import click

from agent.cli.align import align
from agent.cli.bench import bench
from agent.cli.calibrate import calibrate
from agent.cli.config import config
from agent.cli.daemon import daemon
from agent.cli.doctor import doctor
from agent.cli.eval_log import eval_log
from agent.cli.import_history import import_history
from agent.cli.judge_check import judge_check
from agent.cli.label import label
from agent.cli.login import login
from agent.cli.open import open_explorer
from agent.cli.pairs import pairs
from agent.cli.plan import plan
from agent.cli.playground import playground
from agent.cli.probe import probe
from agent.cli.record import record
from agent.cli.rejudge import rejudge
from agent.cli.run import run
from agent.cli.spectrum import spectrum
from agent.cli.status import status
from agent.cli.study import study
from agent.errors import EXIT_CODES
from analysis.errors import EXIT_CODES as OF_ANALYSIS
from personas.errors import EXIT_CODES as OF_PERSONAS
from store.cli.configured_group import ConfiguredGroup
from store.errors import EXIT_CODES as OF_STORE
from store.terminal.exit_codes import ErrorReporter

REPORTER = ErrorReporter(
    {**EXIT_CODES, **OF_ANALYSIS, **OF_PERSONAS, **OF_STORE},
    interrupted="\nInterrupted. The same command goes on where this one stopped.",
)


@click.group(cls=ConfiguredGroup, reporter=REPORTER, context_settings={"max_content_width": 100})
def cli() -> None:
    """Let a vision-language model watch short-video feeds as a given persona.

    \b
    Examples:
      python -m agent run --persona p12
      python -m agent playground
      python -m agent doctor
    """


for command in (
    run,
    plan,
    study,
    daemon,
    status,
    open_explorer,
    login,
    rejudge,
    label,
    eval_log,
    import_history,
    spectrum,
    pairs,
    probe,
    judge_check,
    align,
    playground,
    doctor,
    record,
    config,
    bench,
    calibrate,
):
    cli.add_command(command)
