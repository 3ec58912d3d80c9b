"""The one door at which errors become words and exit codes.

0 done, 1 a fault in the run, 2 yours to fix, 130 interrupted. What a person can mend is one
sentence without a traceback; what nobody foresaw keeps its traceback.
"""

from __future__ import annotations

import sys

import click

from agent.errors import AgentError
from analysis.errors import AnalysisError
from personas.errors import PersonaError
from store.errors import StoreError
from store.foreign.printing import echo

INTERRUPTED = 130


def open_door(command: click.Command) -> None:
    try:
        code = command.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (AgentError, AnalysisError, PersonaError, StoreError) as error:
        echo(str(error), err=True)
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):  # click turns the one into the other
        echo("Interrupted. The same command goes on where this one stopped.", err=True)
        sys.exit(INTERRUPTED)
    sys.exit(code if isinstance(code, int) else 0)
