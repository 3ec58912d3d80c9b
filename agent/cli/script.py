"""The console script ``feedsway``: the commands of ``agent``, and the other packages as groups.

A group's package is loaded when the group is used, not for the script's own help.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import click

from agent.cli import REPORTER, cli
from store.cli.configured_group import ConfiguredGroup
from store.terminal.command_words import SCRIPT
from store.terminal.printing import echo

COMPLETE_VARIABLE = "_FEEDSWAY_COMPLETE"
SHELLS = ("bash", "zsh", "fish")


def _load_store() -> click.Command:
    from store.cli.main import main

    return main


def _load_analysis() -> click.Command:
    from analysis.cli.main import main

    return main


def _load_personas() -> click.Command:
    from personas.cli import main

    return main


@dataclass(frozen=True)
class LazyGroup:
    """The commands of another package, which are loaded when they are used."""

    load: Callable[[], click.Command]
    meaning: str


GROUPS = {
    "store": LazyGroup(_load_store, "What is kept: list, search, index, export, back up."),
    "analysis": LazyGroup(_load_analysis, "What it means: sway, I_avg, reports, planning."),
    "personas": LazyGroup(_load_personas, "Who is watching: list, show, import."),
}
SHORTCUTS = {"bundle": "store", "reproduce": "analysis"}
"""Commands of groups that can be typed without their group, as papers print them."""


class ScriptGroup(ConfiguredGroup):
    """The tree of all commands."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*super().list_commands(ctx), *SHORTCUTS, *GROUPS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in GROUPS:
            return GROUPS[cmd_name].load()
        if cmd_name in SHORTCUTS:
            group = GROUPS[SHORTCUTS[cmd_name]].load()
            return group.get_command(ctx, cmd_name) if isinstance(group, click.Group) else None
        return super().get_command(ctx, cmd_name)

    def needs_file(self, args: Sequence[str]) -> bool:
        """A group's own commands read the file for themselves."""
        return super().needs_file(args) and GROUPS.keys().isdisjoint(args[:1])

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = formatter.width - 6 - max(map(len, self.commands))
        with formatter.section("Commands"):
            formatter.write_dl(
                [
                    (name, self.commands[name].get_short_help_str(width))
                    for name in super().list_commands(ctx)
                    if not self.commands[name].hidden
                ]
            )
        with formatter.section("Groups of commands"):
            formatter.write_dl([(name, group.meaning) for name, group in GROUPS.items()])
        with formatter.section("Commands of groups that need no group's name"):
            formatter.write_dl([(name, f"{group} {name}") for name, group in SHORTCUTS.items()])


script = ScriptGroup(
    SCRIPT,
    reporter=REPORTER,
    help=cli.help,
    commands=dict(cli.commands),
    context_settings=dict(cli.context_settings),
)


@script.command(
    epilog="\b\nExamples:\n"
    '  $ eval "$(feedsway completion bash)"\n'
    "  $ feedsway completion fish > ~/.config/fish/completions/feedsway.fish\n"
)
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print what has a shell complete commands, options, personas, runs and studies.

    To have it in every new shell, add the first example's line to ~/.bashrc or ~/.zshrc.
    """
    from click.shell_completion import get_completion_class

    complete = get_completion_class(shell)
    if complete is None:
        raise click.UsageError(f"There is no completion for {shell}.")
    echo(complete(script, {}, SCRIPT, COMPLETE_VARIABLE).source())


def main() -> None:
    import os

    if COMPLETE_VARIABLE in os.environ:
        from agent.cli.completed_values import complete_values

        groups = [group.load() for group in GROUPS.values()]
        complete_values([*script.commands.values(), *groups])
    script(prog_name=SCRIPT, complete_var=COMPLETE_VARIABLE)
