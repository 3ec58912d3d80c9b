"""Files of TOML in which a person declares something: read, validated, with the line at fault."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from store.untrusted.size_limits import BadToml, read_toml

Declared = TypeVar("Declared", bound=BaseModel)


def read_declared(
    path: Path, kind: type[Declared], bad: Callable[[Path, str, int | None], Exception]
) -> Declared:
    """Read and validate a declared file; what is wrong is raised as ``bad``, with its line."""
    try:
        data = read_toml(path)
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise bad(path, f"it cannot be read ({error}).", None) from None
    except BadToml as error:
        raise bad(path, f"it cannot be read as TOML ({error}).", error.line) from None
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        problem = first["msg"].removeprefix("Value error, ")
        named = ".".join(str(part) for part in first["loc"])
        line = line_of(text, first["loc"], problem.split()[0])
        raise bad(path, f"{named + ': ' if named else ''}{problem}.", line) from None


def line_of(text: str, where: Sequence[str | int], first_word: str = "") -> int | None:
    """Line of the key that the sentence begins with, else of the key at fault or its table.

    Within a list of tables, or a table of a table, the lines before the one at fault do not count.
    """
    keys = [part for part in where if isinstance(part, str)]
    lines = list(enumerate(text.splitlines(), 1))
    if len(where) > 1 and isinstance(where[1], str):
        head = f"[{where[0]}.{where[1]}]"
        lines = lines[next((n for n, (_, line) in enumerate(lines) if line.strip() == head), 0) :]
    elif len(where) > 1 and isinstance(where[1], int):
        heads = [
            place for place, (_, line) in enumerate(lines) if line.strip() == f"[[{where[0]}]]"
        ]
        lines = lines[heads[where[1]] :] if where[1] < len(heads) else lines
    for key in [first_word, *reversed(keys)]:
        pattern = re.compile(rf"^\s*(?:\[+\s*(?:\w+\.)?{re.escape(key)}\s*\]|{re.escape(key)}\s*=)")
        for number, line in lines:
            if key and pattern.match(line):
                return number
    return None
