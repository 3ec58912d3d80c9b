"""Commands whose usual values stand in ``feedsway.toml``, where their options say so."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from store.terminal.config_file import read_config, tell_others_file
from store.terminal.exit_codes import HELP, CommandGroup
from store.terminal.printing import echo


class ConfigOption(click.Option):
    """An option that ``feedsway.toml`` may give, by its long name."""

    def config_key(self) -> str:
        return self.opts[0].removeprefix("--")


def is_from_config(context: click.Context, name: str) -> bool:
    """Return whether ``feedsway.toml`` gave this parameter."""
    return context.get_parameter_source(name) is ParameterSource.DEFAULT_MAP


class ConfiguredGroup(CommandGroup):
    """A package's commands; what nobody typed or set, ``feedsway.toml`` says."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        needs_file = self.needs_file(args)
        context = super().make_context(info_name, args, parent, **extra)
        if needs_file and not context.resilient_parsing:
            with context.scope(cleanup=False):
                context.default_map = self._read_defaults()
        return context

    def needs_file(self, args: Sequence[str]) -> bool:
        """Return whether such a call takes values of the file: not for help or the version."""
        return {*HELP, "--version"}.isdisjoint(args)

    def _read_defaults(self) -> dict[str, dict[str, Any]]:
        """Return the values of the file, by command and parameter."""
        config = read_config(os.environ, Path())
        for path in config.passed_over:
            echo(tell_others_file(path), err=True)
        return {
            name: {
                param.name: config.values[param.config_key()].value
                for param in command.params
                if isinstance(param, ConfigOption) and param.name
                if param.config_key() in config.values
            }
            for name, command in self.commands.items()
        }
