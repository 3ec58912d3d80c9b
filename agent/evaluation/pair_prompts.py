"""The questions behind preference pairs and misalignment probes: prompts from one file.

Refuses to know models, and what is done with a reply.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from string import Template
from typing import Any, Literal

from personas.strategies import Prompt
from store.results.preference_pairs import ErrorKind

_FILE = Path(__file__).with_name("data") / "preferences.toml"
_Kind = Literal["choice", "pick", "text"]


def hashes() -> dict[str, str]:
    """Return the SHA-256 of the prompt file, by its name."""
    return {_FILE.name: hashlib.sha256(_FILE.read_bytes()).hexdigest()}


def describe() -> Prompt:
    """Ask for a description."""
    return _prompt("text", _sheet()["describe"]["user"])


def speak(traits: Sequence[str], decision: str | None = None) -> Prompt:
    """Ask a persona whether it would watch; with what it has decided, where that is known."""
    sheet = _sheet()["speak"]
    told = [sheet["user"]]
    if decision is not None:
        told.insert(0, _filled(sheet["decided"], decision=decision))
    return _prompt("text", "\n".join(told), sheet["system"], traits)


def edit(text: str, error: ErrorKind, traits: Sequence[str] = ()) -> Prompt:
    """Ask for the same text with one error of a kind in it."""
    sheet = _sheet()["edit"]
    what = _filled(sheet["what"][error], traits=" ".join(traits))
    return _prompt("text", _filled(sheet["user"], text=text, error=error, what=what))


def differs(first: str, second: str, error: ErrorKind) -> Prompt:
    """Ask whether two statements differ in one thing of a kind, and in nothing else."""
    named = "what the speaker feels" if error == "persona" else error
    asked = _filled(_sheet()["differs"]["user"], first=first, second=second, error=named)
    return _prompt("choice", asked)


def holds(text: str, *, mirrored: bool = False) -> Prompt:
    """Ask whether a statement is true of the frame, or the other way round."""
    sheet = _sheet()["holds"]
    user = _filled(sheet["mirrored" if mirrored else "user"], text=text)
    return _prompt("choice", user, mirrored=mirrored)


def fits(text: str, traits: Sequence[str]) -> Prompt:
    """Ask whether a person would say that."""
    sheet = _sheet()["fits"]
    return _prompt("choice", _filled(sheet["user"], text=text), sheet["system"], traits)


def choice(true: str, false: str, *, turned: bool, explain: bool = False) -> Prompt:
    """Ask which of two statements is true; ``turned`` puts the true one second."""
    sheet = _sheet()["choice"]
    first, second = (false, true) if turned else (true, false)
    asked = _filled(sheet["user"], first=first, second=second)
    user = f"{asked}\n{sheet['explain' if explain else 'answer'].strip()}"
    return _prompt("pick", user, mirrored=turned)


@cache
def _sheet() -> dict[str, Any]:
    return tomllib.loads(_FILE.read_text("utf-8"))


def _prompt(
    kind: _Kind, user: str, system: str = "", traits: Sequence[str] = (), *, mirrored: bool = False
) -> Prompt:
    listed = "\n".join(f"- {trait}" for trait in traits)
    return Prompt(
        strategy="preferences",
        kind=kind,
        system=_filled(system, traits=listed),
        user=user.strip(),
        traits=tuple(traits),
        mirrored=mirrored,
        sha256=hashes()[_FILE.name],
    )


def _filled(template: str, **parts: str) -> str:
    return Template(template.strip()).substitute(parts)
