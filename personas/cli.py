"""The command line of the personas: list, show, import and values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from personas.errors import EXIT_CODES
from store.terminal.exit_codes import CommandGroup, ErrorReporter, examples, json_option
from store.terminal.printing import Styled, console, count_of, echo, words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rich.table import Table

    from personas.persona import Persona

_WIDE = 200
"""Columns of a table that goes to a file or a pipe, so that no row is broken."""

_ROOMY = 100
"""Columns of a terminal from which on the list shows the values too."""


@click.group(cls=CommandGroup, reporter=ErrorReporter(EXIT_CODES))
def main() -> None:
    """Who is watching: the personas and the values that they hold."""


@main.command(
    "list",
    epilog=examples(
        "python -m personas list", "python -m personas list --value power --theme cars"
    ),
)
@click.option("--value", help="Only those that hold this value, such as universalism.")
@click.option("--theme", help="Only those with this planted theme, such as animals.")
@json_option
def list_(value: str | None, theme: str | None, as_json: bool) -> None:
    """List the personas that come with feedsway."""
    from personas.errors import UnknownTheme
    from personas.library import all_personas
    from personas.values import value as known_value

    personas = all_personas()
    if value is not None:
        value = known_value(value).id
    themes = sorted({name for persona in personas for name in persona.themes})
    if theme is not None and theme not in themes:
        raise UnknownTheme(theme, themes)
    chosen = [
        persona
        for persona in personas
        if (value is None or value in persona.values) and (theme is None or theme in persona.themes)
    ]
    if as_json:
        _print_json([persona.model_dump() for persona in chosen])
        return
    _print_personas(chosen)
    hint = f" Type: python -m personas show {chosen[0].id}" if chosen else ""
    echo(f"{len(chosen)} of {count_of(len(personas), 'persona')}.{hint}", err=True)


@main.command(
    epilog=examples(
        "python -m personas show p12",
        "python -m personas show p12 --json",
        "python -m personas show p12 --toml --as me > me.toml",
    )
)
@click.argument("persona", metavar="ID|FILE")
@click.option("--json", "form", flag_value="json", help="Print JSON.")
@click.option("--toml", "form", flag_value="toml", help="Print its file, to make one's own from.")
@click.option("--as", "name", metavar="ID", help="Under an id of its own, to be changed then.")
def show(persona: str, form: str | None, name: str | None) -> None:
    """Show one persona, by its id or from a file of one's own."""
    from personas.library import find, renamed, to_toml

    found = find(persona)
    if name is not None:
        found = renamed(found, name)
    elif form == "toml":
        echo(
            f"It keeps the id {found.id}, which stands for these traits. To change them, "
            f"type: python -m personas show {persona} --toml --as me",
            err=True,
        )
    if form == "json":
        _print_json(found.model_dump())
    elif form == "toml":
        echo(to_toml(found), nl=False)
    else:
        echo(*_portrait(found))


@main.command(
    "import",
    epilog=examples("python -m personas import train_self_original.txt --out mine"),
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--out",
    "folder",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder for the personas' files; it is made if need be.",
)
@click.option("--licence", default="CC BY 4.0", show_default=True, help="Licence of the file.")
@click.option("--source", help="Where the file comes from.  [default: Persona-Chat, file name]")
def import_(file: Path, folder: Path, licence: str, source: str | None) -> None:
    """Import the personas of a published Persona-Chat or ConvAI2 text file."""
    from personas.library import read_dialogues, write_personas

    source = source or f"Persona-Chat, {file.name}"
    imported = read_dialogues(file, source=source, licence=licence)
    paths = write_personas(imported.personas, folder)
    for path in paths:
        echo(str(path))
    left_out = ""
    if imported.unusable:
        left_out = (
            f" Left out {len(imported.unusable)} that are no 3 to 6 sentences of usual length,"
            f" the first at line {imported.unusable[0]}."
        )
    hint = f" Type: python -m personas show {paths[0]}" if paths else ""
    told = f"{count_of(len(paths), 'persona')}; {count_of(imported.repeats, 'repeat')} of them."
    echo(f"{told}{left_out}{hint}", err=True)


@main.command(
    epilog=examples(
        "python -m personas values",
        "python -m personas values --set refined --json",
        "python -m personas values --set foundations --toml",
    )
)
@click.option(
    "--set",
    "name",
    default="schwartz",
    show_default=True,
    help="schwartz, refined, foundations, or a TOML file.",
)
@click.option("--toml", "as_toml", is_flag=True, help="Print the file, to make one's own of.")
@json_option
def values(name: str, as_toml: bool, as_json: bool) -> None:
    """List a set of values, Schwartz's ten basic ones unless told otherwise."""
    from dataclasses import asdict

    from personas.values import text_of, value_set

    found = value_set(name).values
    if as_toml:
        echo(text_of(name), nl=False)
        return
    if as_json:
        _print_json([asdict(value) for value in found])
        return
    table = _table("id", "what it means", "what shows it")
    for value in found:
        table.add_row(value.id, value.definition, ", ".join(value.keywords))
    console(width=_width()).print(table)


def _portrait(persona: Persona) -> Iterator[str | Styled]:
    yield Styled(persona.id, bold=True)
    yield from (f"\n  {trait}" for trait in persona.traits)
    facts = [("values", ", ".join(persona.values)), ("themes", ", ".join(persona.themes))]
    facts.append(("source", f"{persona.source} ({persona.licence})"))
    yield "\n"
    for name, text in facts:
        if text:
            yield from ("\n", Styled(name, dim=True), f"  {text}")


def _print_json(data: object) -> None:
    echo(json.dumps(data, indent=2, ensure_ascii=False))


def _print_personas(personas: Iterable[Persona]) -> None:
    width = _width()
    roomy = width >= _ROOMY
    table = _table("id", "in their words", *(("values", "themes") if roomy else ("themes",)))
    for column in table.columns[2:]:
        column.no_wrap = True  # it is the words that give way
    for persona in personas:
        traits = words(persona.traits[0], no_wrap=True, overflow="ellipsis")
        held = [", ".join(persona.values)] if roomy else []
        table.add_row(persona.id, traits, *held, ", ".join(persona.themes))
    console(width=width).print(table)


def _table(*heads: str) -> Table:
    from rich.table import Column, Table

    first = Column(heads[0], style="bold", no_wrap=True)
    return Table(first, *heads[1:], box=None, pad_edge=False, padding=(0, 2, 0, 0))


def _width() -> int:
    shown = console()
    return shown.width if shown.is_terminal else _WIDE
