"""Personas in their files: found, read, checked, and written as TOML."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from personas.errors import BadPersona, BadPersonaId, UnknownPersona, nearest
from personas.persona import Persona
from personas.values import values
from store.foreign.limits import BadToml, read_toml

HOME = Path(__file__).with_name("data")
"""Folder of the personas that come with feedsway."""

OWN_SOURCE = "feedsway"
_NOT_A_PERSONA = "values.toml"
_FIELDS = ", ".join(Persona.model_fields)


def load(path: Path | str) -> Persona:
    """Read one persona from its TOML file; raises ``BadPersona``."""
    path = Path(path)
    fields = _read_toml(path)
    try:
        persona = Persona.model_validate(fields)
    except ValidationError as error:
        raise BadPersona(str(path), _in_words(error)) from None
    known = [value.id for value in values()]
    for name in persona.values:
        if name not in known:
            near = nearest(name, known) or known
            problem = f"{name!r} is not one of the ten values (nearest: {', '.join(near)})."
            raise BadPersona(str(path), problem)
    if path.resolve().parent != HOME.resolve():
        _check_foreign(persona, path)
    return persona


def _check_foreign(persona: Persona, path: Path) -> None:
    """Refuse a file that passes for a persona of feedsway's own and is another one."""
    own = HOME / f"{persona.id}.toml"
    if not own.exists():
        if persona.source == OWN_SOURCE:
            problem = (
                "its source is given as feedsway, which has no such persona: let `source` say "
                "whose it is."
            )
            raise BadPersona(str(path), problem)
    elif load(own).traits != persona.traits:
        problem = (
            f"its id {persona.id} belongs to a persona that comes with feedsway, and its traits "
            "are others: give it an `id` of its own."
        )
        raise BadPersona(str(path), problem)


def find(name_or_path: str, folder: Path | None = None) -> Persona:
    """Return the persona with this id (in ``folder``, else feedsway's own), or the one in this
    file.

    A path ends in ``.toml`` or holds a slash. Raises ``UnknownPersona``, which names the nearest,
    and ``BadPersona``.
    """
    if name_or_path.endswith(".toml") or Path(name_or_path).name != name_or_path:
        return load(name_or_path)
    files = {path.stem: path for path in _files(folder)}
    if name_or_path not in files:
        raise UnknownPersona(name_or_path, nearest(name_or_path, files))
    return load(files[name_or_path])


def all_personas(folder: Path | None = None) -> tuple[Persona, ...]:
    """Return every persona of a folder (feedsway's own by default), sorted by id."""
    return tuple(sorted(map(load, _files(folder)), key=lambda persona: persona.id))


def to_toml(persona: Persona) -> str:
    """Return the persona as the text of a file that `load` reads back to an equal one."""
    traits = "".join(f"    {_quoted(trait)},\n" for trait in persona.traits)
    return (
        f"id = {_quoted(persona.id)}\n"
        f"traits = [\n{traits}]\n"
        f"values = {_row(persona.values)}\n"
        f"themes = {_row(persona.themes)}\n"
        f"source = {_quoted(persona.source)}\n"
        f"licence = {_quoted(persona.licence)}\n"
    )


def renamed(persona: Persona, name: str) -> Persona:
    """Return a copy to make one's own from, under another id; raises ``BadPersonaId``."""
    if (HOME / f"{name}.toml").exists() and name != persona.id:
        raise BadPersonaId(name, "it belongs to a persona that comes with feedsway")
    source = persona.source
    if source == OWN_SOURCE:
        source = f"made from {persona.id} of feedsway"
    try:
        return Persona.model_validate(persona.model_dump() | {"id": name, "source": source})
    except ValidationError as error:
        raise BadPersonaId(name, _in_words(error).rstrip(".").replace("`id`", "an id")) from None


def _files(folder: Path | None) -> list[Path]:
    return sorted(path for path in (folder or HOME).glob("*.toml") if path.name != _NOT_A_PERSONA)


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return read_toml(path)
    except FileNotFoundError:
        raise BadPersona(str(path), "there is no such file.") from None
    except OSError as error:
        raise BadPersona(str(path), f"it cannot be read ({error.strerror}).") from None
    except BadToml as error:
        raise BadPersona(str(path), f"its TOML is broken ({error}).", error.line) from None


def _in_words(error: ValidationError) -> str:
    """Say the first thing that is wrong, as one sentence for the person who wrote the file."""
    first = error.errors()[0]
    name, *inside = first["loc"]
    where = f"trait {inside[0] + 1}" if inside and isinstance(inside[0], int) else f"`{name}`"
    if name != "traits" and inside:
        where = f"an entry of `{name}`"
    context = first.get("ctx", {})
    match first["type"]:
        case "missing":
            return f"`{name}` is missing."
        case "extra_forbidden":
            return f"`{name}` is not one of its fields ({_FIELDS})."
        case "too_short" | "too_long":
            return f"it has {context['actual_length']} traits, where 3 to 6 are needed."
        case "string_too_short":
            return f"{where} is shorter than {context['min_length']} characters."
        case "string_too_long":
            return f"{where} is longer than {context['max_length']} characters."
        case "string_type":
            return f"{where} must be text in quotes."
        case "tuple_type":
            return f"`{name}` must be a list, in square brackets."
        case "string_pattern_mismatch":
            return "`id` must be 1 to 64 of a-z, 0-9, - and _, starting with a letter or digit."
    return f"{where}: {first['msg']}."


def _quoted(text: str) -> str:
    # A JSON string is a TOML string, but for DEL, which TOML wants escaped.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _row(texts: tuple[str, ...]) -> str:
    return f"[{', '.join(map(_quoted, texts))}]"
