"""``python -m agent config``: which usual values are in force, and where each comes from."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agent.cli.options import json_option
from agent.cli.run import run
from store.cli.configured_group import ConfigOption
from store.terminal.config_file import (
    CONFIG_KEYS,
    FILE,
    example_file,
    read_config,
    tell_others_file,
)
from store.terminal.printing import echo

if TYPE_CHECKING:
    from store.terminal.config_file import ConfigFiles

EPILOG = """
\b
Examples:
  python -m agent config
  python -m agent config --example > feedsway.toml
"""


@click.command(epilog=EPILOG)
@click.option("--example", is_flag=True, help=f"Print a {FILE} to start from.")
@json_option
def config(example: bool, as_json: bool) -> None:
    """Show the usual values of options, and where each comes from.

    They stand in feedsway.toml of this folder, of one above it, or of the user's configuration
    folder. What is typed counts more, and so does the environment.
    """
    if example:
        echo(example_file(), nl=False)
        return
    config = read_config(os.environ, Path())
    rows = [(key.name, *_find_value(key.name, config)) for key in CONFIG_KEYS]
    if as_json:
        told = {name: {"value": value, "from": source} for name, value, source in rows}
        files = [str(path) for path in config.files]
        echo(json.dumps({"files": files, "options": told}, indent=2))
        return
    shown = [(name, _as_word(value), source) for name, value, source in rows]
    width = max(len(value) for _, value, _ in shown)
    for name, value, source in shown:
        echo(f"{name:<12} {value:<{width}}  {source}")
    for path in config.passed_over:
        echo(tell_others_file(path), err=True)
    if not config.files:
        echo(f"No {FILE} is read. Type: python -m agent config --example > {FILE}", err=True)


def _as_word(value: str | float | bool | None) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "-" if value is None else str(value)


def _find_value(name: str, config: ConfigFiles) -> tuple[str | float | bool | None, str]:
    """Return the value of an option that nobody typed, and who gives it.

    A password or a token in an address is hidden.
    """
    from agent.daemon.redact_secrets import SecretRedactor

    options = {one.config_key(): one for one in run.params if isinstance(one, ConfigOption)}
    option = options[name]
    variable = str(option.envvar or "")
    if os.environ.get(variable):
        return SecretRedactor().text(os.environ[variable]), variable
    if name in config.values:
        said = config.values[name]
        return said.value, str(said.file)
    default = option.default
    plain = default if isinstance(default, bool | int | float | str) else None
    return str(default) if isinstance(default, Path) else plain, "default"
