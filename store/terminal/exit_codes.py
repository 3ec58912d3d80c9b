"""What the command lines share: errors become words and exit codes, and options that all have.

0 done, 1 a fault in the run, 2 yours to fix, 130 interrupted. What a person can mend is one
sentence without a traceback; what nobody foresaw keeps its traceback.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from store.terminal.command_words import spell_commands
from store.terminal.printing import echo

INTERRUPTED = 130
DATA_TO_TYPE = "feedsway.data"
"""Where a call keeps the option that names its data folder, if it isn't the usual one."""
_WANTS_DATA = re.compile(r"python -m store (?:runs|index|verify|stats)(?: --rebuild)?$")
YOURS = 2
_ROOM, _RIGHTS = "Make room", "Make rights on it"
_FILES = "Close other programs, or type: ulimit -n 4096"
MACHINE_FAULTS = {
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
    errno.EFBIG: _ROOM,
    errno.EROFS: _RIGHTS,
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
    errno.EMFILE: _FILES,
    errno.ENFILE: _FILES,
}
"""What the machine refuses, wherever it comes up, and what a person can do about it."""
HELP = ["-h", "--help"]
Command = TypeVar("Command", bound=Callable[..., Any])


def declare_json(name: str) -> Callable[[Command], Command]:
    """Return the option ``--json`` for a parameter of this name."""
    return click.option("--json", name, is_flag=True, help="Print the result as JSON.")


json_option = declare_json("as_json")
show_version = click.version_option(package_name="feedsway", prog_name="feedsway")


def examples(*lines: str) -> str:
    """Return commands as the end of a command's help."""
    return "\b\nExamples:\n" + "\n".join(f"  $ {line}" for line in lines)


@dataclass(frozen=True)
class ErrorReporter:
    """Which errors are words for a person, and with which code a command ends on them."""

    codes: Mapping[type[Exception], int]
    """By class; the nearest base class counts."""
    prefix: str = ""
    interrupted: str = ""
    """What is said of a Ctrl-C."""

    @contextmanager
    def reporting(self) -> Iterator[None]:
        """Print a known error of what is done within; raises ``click.exceptions.Exit``."""
        try:
            yield
        except tuple(self.codes) as error:
            echo(f"{self.prefix}{name_data_folder(str(error))}", err=True)
            kinds = (kind for kind in type(error).__mro__ if kind in self.codes)
            raise click.exceptions.Exit(self.codes[next(kinds)]) from error
        except OSError as error:
            advice = MACHINE_FAULTS.get(error.errno or 0)
            if advice is None:
                raise
            where = "" if error.filename is None else f"{error.filename}: "
            echo(
                f"{self.prefix}{where}{error.strerror}. {advice}, then type the same again.",
                err=True,
            )
            raise click.exceptions.Exit(YOURS) from error
        except KeyboardInterrupt:
            if self.interrupted:
                echo(self.interrupted, err=True)
            raise click.exceptions.Exit(INTERRUPTED) from None


def name_data_folder(problem: str) -> str:
    """Have a command to type at a sentence's end look into the caller's data folder."""
    context = click.get_current_context(silent=True)
    option = context.meta.get(DATA_TO_TYPE, "") if context is not None else ""
    return problem + option if _WANTS_DATA.search(problem) else problem


class HelpInCallersWords(click.HelpFormatter):
    """Lays out help whose commands begin as the caller's did."""

    def write_text(self, text: str) -> None:
        super().write_text(spell_commands(text))

    def write_dl(
        self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2
    ) -> None:
        spelled = [(term, spell_commands(meaning)) for term, meaning in rows]
        super().write_dl(spelled, col_max, col_spacing)


class CommandContext(click.Context):
    """What a command is called with; its help names commands in the caller's words."""

    formatter_class = HelpInCallersWords


class CommandGroup(click.Group):
    """A package's commands, with ``-h``, ``--version`` and its errors reported."""

    context_class = CommandContext

    def __init__(
        self, name: str | None = None, *, reporter: ErrorReporter, **settings: Any
    ) -> None:
        given = settings.pop("context_settings", None) or {}
        context = {"help_option_names": HELP, **given}
        super().__init__(name, context_settings=context, **settings)
        self.reporter = reporter
        show_version(self)

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """Give a command ``-h`` and ``--version``, and help in the caller's words."""
        cmd.context_settings.setdefault("help_option_names", HELP)
        cmd.context_class = CommandContext
        if not any("--version" in param.opts for param in cmd.params):
            show_version(cmd)
        super().add_command(cmd, name)

    def invoke(self, ctx: click.Context) -> Any:
        with self.reporter.reporting():
            return super().invoke(ctx)
