"""A run asked for as a table of values is the run that its words ask for, refusals included."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, get_args

import click
import pytest

from agent.cli.run import run
from agent.daemon.config.jobs import NOT_HERE, spell_options
from agent.errors import BadConfig
from agent.run.run_options import NumberRange, RunRequest, config_of_request, request_of_table
from agent.run_config import RunConfig
from store.runs.data_folder import DataFolder

COMMAND = {option.opts[0][2:].replace("-", "_"): option for option in run.params}
TABLES: tuple[dict[str, str | bool | int | float], ...] = (
    {"persona": "p12"},
    {"persona": "p12", "before": 2, "after": "3", "like": True, "sheet": False, "seed": 4},
    {"persona": "p05", "max-cost": 0.5, "max_tokens": 100, "gain": 1, "speed": 8.0},
    {"persona": "p05", "platform": "tiktok", "skin": "plain", "account": "a1", "photos": "pass"},
    {"persona": "p05", "platform": "youtube", "account": "a1", "pace": 4, "per_day": 0},
)
REFUSED: tuple[dict[str, str | bool | int | float], ...] = (
    {"persona": "p12", "max_excludet": 2},
    {"persona": "p12", "zzz": 2},
    {"persona": "p12", "before": -1},
    {"persona": "p12", "before": "many"},
    {"persona": "p12", "before": 2.5},
    {"persona": "p12", "photos": "skip"},
    {"persona": "p12", "gain": 1.5},
    {"persona": "p12", "speed": 0},
    {"persona": "p12", "pace": 0.1},
    {"persona": "p12", "frames": 17},
    {"persona": "p12", "arm": "tretment"},
    {"persona": "p12", "catalogue": __file__},
    {"persona": "p12", "like": "yes"},
    {"persona": "p12", "before": True},
)


def of_words(words: list[str]) -> RunConfig:
    """Let the command line read the words, and keep what it makes of them."""
    from agent.cli.run import _config

    with run.make_context("run", words) as context:
        return _config(context, DataFolder(Path("data")))


@pytest.mark.parametrize("table", TABLES)
def test_a_table_and_its_words_are_one_run(table: dict[str, Any]) -> None:
    mine = config_of_request(request_of_table(table), DataFolder(Path("data")))
    assert mine.digest() == of_words(spell_options(table)).digest()


@pytest.mark.parametrize("table", REFUSED)
def test_a_table_is_refused_in_the_words_of_the_command_line(table: dict[str, Any]) -> None:
    with pytest.raises(click.ClickException) as typed:
        of_words(spell_options(table))
    with pytest.raises(BadConfig) as declared:
        request_of_table(table)
    assert str(declared.value) == typed.value.format_message()


def test_a_catalogue_that_may_not_be_read_is_refused_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = {"persona": "p12", "catalogue": str(tmp_path)}
    request_of_table(table)
    monkeypatch.setattr(os, "access", lambda *_: False)  # root, as tests may be, reads everything
    test_a_table_is_refused_in_the_words_of_the_command_line(table)


def test_the_command_line_and_the_request_have_the_same_options() -> None:
    beside = {name.replace("-", "_") for name in (*NOT_HERE, "version")}
    beside -= {"driver", "of", "yoke", "help"}
    assert COMMAND.keys() - beside == RunRequest.model_fields.keys()
    with run.make_context("run", []) as context:
        typed = {
            name: context.params[option.name or ""]
            for name, option in COMMAND.items()
            if name in RunRequest.model_fields
        }
    assert typed == RunRequest().model_dump()


def test_both_have_the_same_ranges_and_choices() -> None:
    compared = 0
    for name, field in RunRequest.model_fields.items():
        kind = COMMAND[name].type
        if isinstance(kind, click.IntRange | click.FloatRange):
            (mine,) = (
                part.func
                for part in _parts(field.annotation, field.metadata)
                if isinstance(getattr(part, "func", None), NumberRange)
            )
            assert str(mine) == kind._describe_range(), name
        elif isinstance(kind, click.Choice):
            assert get_args(field.annotation) == tuple(kind.choices), name
        else:
            continue
        compared += 1
    assert compared == 23


def _parts(annotation: Any, metadata: list[Any]) -> list[Any]:
    """Everything that annotates a field, also within ``... | None``."""
    within = [part for each in get_args(annotation) for part in getattr(each, "__metadata__", ())]
    return [*metadata, *within]
