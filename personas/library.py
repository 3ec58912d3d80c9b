"""Personas in their files: found, read, checked, written, and imported from Persona-Chat."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from personas.errors import (
    BadPersona,
    BadPersonaChat,
    BadPersonaId,
    CannotWrite,
    UnknownPersona,
    nearest,
)
from personas.persona import Persona
from personas.values import values
from store.untrusted.size_limits import BadToml, TooManyBytes, open_table, read_toml

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


LICENCE = "CC BY 4.0"

_TRAIT = re.compile(r"(?:(?P<number>\d+) )?(?P<who>your|partner['’]s) persona: ?(?P<trait>.*)")
_TURN = re.compile(r"(?P<number>\d+) .*")


@dataclass(frozen=True)
class ImportedPersonas:
    """What a file held."""

    personas: tuple[Persona, ...]
    repeats: int
    """Further blocks with the same sentences, in whatever order."""
    unusable: tuple[int, ...]
    """First lines of blocks that are no persona here, such as those with fewer than 3 traits."""


@dataclass(frozen=True)
class _Block:
    line: int
    traits: tuple[str, ...]


def read_dialogues(path: Path | str, *, source: str, licence: str = LICENCE) -> ImportedPersonas:
    """Read the distinct personas of a published Persona-Chat or ConvAI2 file.

    Both hold numbered lines in blocks that restart at 1, one block a dialogue::

        1 your persona: i like to ski.
        2 partner's persona: i have two dogs.
        3 hello , how are you ?<TAB>fine , and you ?

    A block gives one persona, or two where the partner's is told as well. Sentences are kept as
    they were published, with ``source`` and ``licence``. The licence is Creative Commons
    Attribution 4.0, as ParlAI states for both: ``parlai/tasks/personachat/LICENSE_DOCUMENTATION``
    (added by facebookresearch/ParlAI pull requests 911 and 912) and
    ``parlai/tasks/convai2/README.md`` ("CC 4.0 BY"). Cite Zhang et al., 2018 (arXiv 1801.07243) for
    the first, Dinan et al., 2019 (arXiv 1902.00098) for the second. Values and themes stay empty.

    Raises ``BadPersonaChat`` where the file cannot be read, a line has neither form, or no line
    tells a persona.
    """
    path = Path(path)
    seen: set[frozenset[str]] = set()
    personas: list[Persona] = []
    unusable: list[int] = []
    repeats = 0
    for block in _blocks(path):
        key = frozenset(trait.casefold().rstrip(" .") for trait in block.traits)
        if key in seen:
            repeats += 1
            continue
        seen.add(key)
        try:
            personas.append(
                Persona(
                    id=f"pc{len(personas) + 1:04}",
                    traits=block.traits,
                    source=source,
                    licence=licence,
                )
            )
        except ValidationError:
            unusable.append(block.line)
    if not seen:
        raise BadPersonaChat(str(path), "no line says 'your persona: ...'.")
    return ImportedPersonas(tuple(personas), repeats, tuple(unusable))


def write_personas(personas: Iterable[Persona], folder: Path) -> list[Path]:
    """Write one TOML file a persona into a folder, which is made if need be.

    Raises ``CannotWrite``, also where a file there holds something else already.
    """
    written = []
    for persona in personas:
        path = folder / f"{persona.id}.toml"
        text = to_toml(persona)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if path.exists() and path.read_bytes() != text.encode("utf-8"):
                raise CannotWrite(str(path), "it holds another persona already")
            _write_whole(path, text)
        except OSError as error:
            raise CannotWrite(str(path), error.strerror or "unknown reason") from None
        written.append(path)
    return written


def _write_whole(path: Path, text: str) -> None:
    """Write a file under another name beside its place, then rename it: it is never half there."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8", newline="\n")
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def _blocks(path: Path) -> Iterator[_Block]:
    sides: dict[str, list[tuple[int, str]]] = {}
    talked = False  # a persona line after the talk begins a block, even where nothing is numbered
    for number, line in _lines(path):
        trait = _TRAIT.fullmatch(line)
        turn = trait or _TURN.fullmatch(line)
        if turn is None and line:
            problem = "the line is neither a persona's sentence nor a numbered turn of the talk."
            raise BadPersonaChat(str(path), problem, number)
        if not line or (turn is not None and turn["number"] == "1") or (talked and trait):
            yield from _told(sides)
            sides, talked = {}, False
        if trait is not None:
            sides.setdefault(trait["who"], []).append((number, trait["trait"].strip()))
        else:
            talked = bool(line)
    yield from _told(sides)


def _told(sides: dict[str, list[tuple[int, str]]]) -> Iterator[_Block]:
    for sentences in sides.values():
        yield _Block(sentences[0][0], tuple(trait for _, trait in sentences))


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        with open_table(path) as file:
            for number, line in enumerate(file, start=1):
                yield number, line.strip()
    except FileNotFoundError:
        raise BadPersonaChat(str(path), "there is no such file.") from None
    except OSError as error:
        raise BadPersonaChat(str(path), f"it cannot be read ({error.strerror}).") from None
    except TooManyBytes as error:
        raise BadPersonaChat(str(path), f"{error}.") from None
    except UnicodeDecodeError:
        raise BadPersonaChat(str(path), "it is not UTF-8 text.") from None
