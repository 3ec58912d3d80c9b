"""The four command lines have the same help and version, and report errors with their codes."""

from __future__ import annotations

import errno
import os
from importlib.metadata import version

import click
import pytest
from click.testing import CliRunner

import agent.errors
import agent.playground.errors
import analysis.errors
import personas.errors
import store.errors
from agent.cli import cli as agent_commands
from analysis.cli.main import main as analysis_commands
from personas.cli import main as personas_commands
from store.cli.main import main as store_commands
from store.terminal.exit_codes import CommandGroup, ErrorReporter

GROUPS: tuple[click.Group, ...] = (
    agent_commands,
    analysis_commands,
    personas_commands,
    store_commands,
)
CODES: dict[type[Exception], int] = {
    agent.errors.AgentError: 1,
    agent.errors.UserError: 2,
    agent.errors.StudyChanged: 2,
    agent.errors.PaceReached: 1,
    agent.playground.errors.PortTaken: 2,
    agent.playground.errors.ClipFailed: 1,
    analysis.errors.NothingToCompare: 2,
    personas.errors.UnknownPersona: 2,
    store.errors.RunNotFound: 2,
    store.errors.DamagedLedger: 1,
    store.errors.DamagedFrame: 1,
    store.errors.LeakingExport: 1,
    store.errors.BadExport: 2,
    store.errors.IndexLocked: 2,
}
TABLE: dict[type[Exception], int] = {
    **agent.errors.EXIT_CODES,
    **agent.playground.errors.EXIT_CODES,
    **analysis.errors.EXIT_CODES,
    **personas.errors.EXIT_CODES,
    **store.errors.EXIT_CODES,
}


def told(reporter: ErrorReporter, error: BaseException) -> tuple[int, str]:
    """Let a command raise an error, and return its exit code and what stderr says."""

    @click.group(cls=CommandGroup, reporter=reporter)
    def group() -> None:
        """Commands."""

    @group.command()
    def fail() -> None:
        """Fail."""
        raise error

    done = CliRunner().invoke(group, ["fail"])
    assert done.stdout == ""
    return done.exit_code, done.stderr


def _made(kind: type[Exception]) -> Exception:
    error = kind.__new__(kind)
    error.args = ("It is so. Type: this",)
    return error


@pytest.mark.parametrize("group", GROUPS, ids=["agent", "analysis", "personas", "store"])
def test_every_command_line_has_short_help_and_a_version(group: click.Group) -> None:
    short, long = (CliRunner().invoke(group, [word]) for word in ("-h", "--help"))
    assert (short.exit_code, short.output) == (0, long.output)
    assert "Usage: " in short.output
    some = min(group.commands)
    assert CliRunner().invoke(group, [some, "-h"]).exit_code == 0
    shown = CliRunner().invoke(group, ["--version"])
    assert shown.output == f"feedsway, version {version('feedsway')}\n"


def test_a_command_that_ran_by_itself_has_short_help_still() -> None:
    """It depended on which of a process's tests came first."""

    @click.command()
    def alone() -> None: ...

    group = CommandGroup("group", reporter=ErrorReporter({}))
    group.add_command(alone)
    assert CliRunner().invoke(alone, []).exit_code == 0
    assert CliRunner().invoke(group, ["alone", "-h"]).exit_code == 0


@pytest.mark.parametrize(("kind", "code"), CODES.items())
def test_an_error_ends_with_its_code_and_its_words(kind: type[Exception], code: int) -> None:
    assert told(ErrorReporter(TABLE, "Error: "), _made(kind)) == (
        code,
        "Error: It is so. Type: this\n",
    )


def test_a_ctrl_c_is_told_and_what_nobody_foresaw_is_raised() -> None:
    assert told(ErrorReporter(TABLE), KeyboardInterrupt()) == (130, "")
    assert told(ErrorReporter(TABLE, interrupted="Over."), KeyboardInterrupt()) == (130, "Over.\n")
    with pytest.raises(ZeroDivisionError), ErrorReporter(TABLE).reporting():
        raise ZeroDivisionError


def test_what_is_damaged_or_leaks_in_the_store_is_no_fault_of_the_person() -> None:
    kinds: list[type[Exception]] = [store.errors.StoreError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    assert len(kinds) > 35
    ours = {store.errors.DamageFound, store.errors.DamagedLedger, store.errors.DamagedFrame}
    ours.add(store.errors.LeakingExport)
    for kind in kinds:
        code = told(ErrorReporter(store.errors.EXIT_CODES), _made(kind))[0]
        assert code == (1 if kind in ours else 2), kind


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "Make room, then type the same again."),
        (errno.EFBIG, "Make room"),
        (errno.EROFS, "Make rights"),
        (errno.EMFILE, "ulimit -n"),
    ],
)
def test_what_the_machine_refuses_is_said_in_words(number: int, advice: str) -> None:
    refused = OSError(number, os.strerror(number), "data/index/stamp")
    code, said = told(ErrorReporter({}), refused)
    assert code == 2
    assert said.startswith("data/index/stamp: ")
    assert advice in said
    assert told(ErrorReporter({}), OSError(errno.EMFILE, "Too many"))[1].startswith("Too many. ")


def test_another_fault_of_the_system_keeps_its_traceback() -> None:
    code, said = told(ErrorReporter({}), OSError(errno.EBADF, "Bad"))
    assert (code, said) == (1, "")
