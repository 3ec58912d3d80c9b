"""What can go wrong with personas, drawn once.

::

    PersonaError             exit code 2: one sentence that ends in what to type
    ├─ NotInLibrary          a name that nothing here answers to
    │  ├─ UnknownPersona        no such id, with the nearest ones
    │  ├─ UnknownStrategy       no such strategy
    │  ├─ UnknownValue          no such Schwartz value
    │  ├─ UnknownValueSet       neither a set of values nor a file of one
    │  └─ UnknownTheme          no persona has this theme
    ├─ BadPersonaFile        a file that is not what it should be, with what is wrong
    │  ├─ BadValueSet           a file that is not a set of values
    │  └─ BadPersona            a file that is not a persona
    │     └─ BadPersonaChat        a file that is not in Persona-Chat's format
    └─ PersonaNotWritten     a persona cannot be given out
       ├─ BadPersonaId          an id under which it cannot be exported
       └─ CannotWrite           its file cannot be written, or would replace another
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """Return up to three of ``known`` that look like ``name``, best first."""
    return difflib.get_close_matches(name.lower(), list(known), n=3, cutoff=0.4)


def _hint(names: list[str]) -> str:
    return f" Nearest: {', '.join(names)}." if names else ""


class PersonaError(Exception):
    """Root of everything that personas raise on purpose."""


EXIT_CODES: dict[type[Exception], int] = {PersonaError: 2}


class NotInLibrary(PersonaError):
    """A name that nothing here answers to."""


class BadPersonaFile(PersonaError):
    """A file that is not what it should be."""


class PersonaNotWritten(PersonaError):
    """A persona cannot be given out."""


class UnknownPersona(NotInLibrary):
    """No persona has this id."""

    def __init__(self, name: str, nearest: list[str]) -> None:
        self.name = name
        self.nearest = nearest
        super().__init__(
            f"There is no persona {name!r}.{_hint(nearest)} Type: python -m personas list"
        )


class BadPersonaId(PersonaNotWritten):
    """An id under which a persona cannot be exported."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"{name!r} cannot be its id: {problem}. Type: --as me")


class UnknownStrategy(NotInLibrary):
    """No strategy has this name."""

    def __init__(self, name: str, known: list[str]) -> None:
        super().__init__(f"There is no strategy {name!r}. Type: --strategy {'|'.join(known)}")


class UnknownValue(NotInLibrary):
    """No Schwartz value has this id."""

    def __init__(self, name: str, known: list[str]) -> None:
        hint = _hint(nearest(name, known))
        super().__init__(f"There is no value {name!r}.{hint} Type: python -m personas values")


class UnknownValueSet(NotInLibrary):
    """No set of values has this name, and no file either."""

    def __init__(self, name: str, known: list[str]) -> None:
        super().__init__(
            f"There is no set of values {name!r}. Type: --values {'|'.join(known)}|FILE.toml"
        )


class BadValueSet(BadPersonaFile):
    """A file that is not a set of values."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(
            f"{path} is not a set of values: {problem.rstrip('.')}. "
            "For an example, type: python -m personas values --set foundations --toml"
        )


class UnknownTheme(NotInLibrary):
    """No persona has this theme."""

    def __init__(self, name: str, known: list[str]) -> None:
        super().__init__(f"No persona has the theme {name!r}. Type: --theme {'|'.join(known)}")


class BadPersona(BadPersonaFile):
    """A file that is not a persona."""

    kind = "a persona"
    fix = "python -m personas show p12 --toml --as me"

    def __init__(self, path: str, problem: str, line: int | None = None) -> None:
        self.path = path
        self.line = line
        where = path if line is None else f"{path}:{line}"
        super().__init__(f"{where} is not {self.kind}: {problem} Type: {self.fix}")


class BadPersonaChat(BadPersona):
    """A file that is not in Persona-Chat's format."""

    kind = "a Persona-Chat file"
    fix = "python -m personas import --help"


class CannotWrite(PersonaNotWritten):
    """A file cannot be written."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path} cannot be written: {problem}. Type: --out with another folder")
