"""Personas from the published Persona-Chat and ConvAI2 files.

Both hold numbered lines in blocks that restart at 1, one block a dialogue::

    1 your persona: i like to ski.
    2 partner's persona: i have two dogs.
    3 hello , how are you ?<TAB>fine , and you ?

A block gives one persona, or two where the partner's is told as well. Sentences are kept as they
were published. Their licence is Creative Commons Attribution 4.0, as ParlAI states for both:
``parlai/tasks/personachat/LICENSE_DOCUMENTATION`` (added by facebookresearch/ParlAI pull requests
911 and 912) and ``parlai/tasks/convai2/README.md`` ("CC 4.0 BY"). Cite Zhang et al., 2018 (arXiv
1801.07243) for the first, Dinan et al., 2019 (arXiv 1902.00098) for the second. They carry no
values and no themes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from personas.errors import BadPersonaChat, CannotWrite
from personas.library import to_toml
from personas.persona import Persona
from store.foreign.limits import TooManyBytes, open_table

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
    """Read the distinct personas of a file, each of which keeps ``source`` and ``licence``.

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


def write(personas: Iterable[Persona], folder: Path) -> list[Path]:
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
            path.write_text(text, encoding="utf-8", newline="\n")
        except OSError as error:
            raise CannotWrite(str(path), error.strerror or "unknown reason") from None
        written.append(path)
    return written


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
