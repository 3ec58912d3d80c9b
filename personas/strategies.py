"""How a persona is put to a model, and how the reply is read.

A prompt holds the persona's traits and nothing else of it: not its id, not its values, and not its
themes, which are planted truth.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from string import Template
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from personas.errors import UnknownStrategy
from personas.persona import Persona
from personas.questionnaire import form, read_isq
from personas.reply_parser import Reading, read_choice, read_pick, read_text
from store.plug_ins.entry_points import STRATEGIES, PlugIn, PlugInKind

__all__ = [
    "ORDERS",
    "Order",
    "Prompt",
    "Reading",
    "build",
    "described",
    "described_hash",
    "hashes",
    "paraphrases",
    "read",
    "read_prompt_file",
    "schema",
    "strategies",
]

_FOLDER = Path(__file__).with_name("prompts")
_STRATEGIES = ("plain", "simple", "isq")
PLUG_INS = PlugInKind(STRATEGIES, _STRATEGIES)
"""Strategies that other people's packages add: prompt files like those of this package."""
_SWITCHES = ("p_a", "a_d")
_DESCRIBED = "described.txt"

Order = Literal["persona-first", "picture-first"]
"""What a model reads first. The persona comes in the system message, before the picture; or the
picture begins the user's message, and the same sentences follow it there: first those that are the
same for every persona, then the persona, then the question."""
ORDERS: tuple[Order, ...] = ("persona-first", "picture-first")


@dataclass(frozen=True)
class Prompt:
    """One question, ready for a model."""

    strategy: str
    kind: Literal["choice", "isq", "pick", "text"]
    """What is to be replied: a yes or a no, the questionnaire, A or B, or free words."""
    system: str
    """Empty for ``plain``, whose traits are empty too, and where the picture comes first."""
    user: str
    traits: tuple[str, ...]
    mirrored: bool
    sha256: str
    """Of the prompt file's bytes."""


class _Wording(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    system: str = ""
    scene: str = ""
    question: str
    mirrored: str | None = None
    items: dict[str, str] = {}


class _Sheet(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    answer: str
    explain: str
    paraphrase: tuple[_Wording, ...]


def strategies() -> tuple[str, ...]:
    """Return every name that can be typed after ``--strategy``."""
    return (*_STRATEGIES, *PLUG_INS.names())


def paraphrases(strategy: str) -> int:
    """Return how many wordings a strategy has; `build` takes 0 (the default one) up to one less."""
    return len(_sheet(strategy).paraphrase)


def hashes(strategy: str) -> dict[str, str]:
    """Return the SHA-256 of each prompt file that a strategy uses, by file name.

    Raises ``UnknownStrategy``, and ``PlugInFault`` for one of a package that cannot be used.
    """
    _sheet(strategy)
    return {f"{strategy}.toml": hashlib.sha256(_bytes(strategy)).hexdigest()}


def read_prompt_file(strategy: str) -> bytes:
    """Return the bytes of a strategy's file of prompts; raises as ``hashes``."""
    return _bytes(strategy)


def build(
    strategy: str,
    persona: Persona | None,
    *,
    mirrored: bool = False,
    paraphrase: int = 0,
    explain: bool = False,
    order: Order = "persona-first",
) -> Prompt:
    """Return the question that a strategy asks about one video.

    The strategy is ``plain`` (what the model likes itself, whoever watches), ``simple`` (yes or no
    as the persona) or ``isq`` (the questionnaire as the persona). ``mirrored`` asks the opposite,
    whose yes `read` takes for no; the questionnaire has no opposite: its items are asked last to
    first, and their scores read as they are. ``paraphrase`` is the wording, from 0; ``explain``
    asks for a reason and a description too. With the ``order`` picture-first all words come in the
    user's message, which the frames begin; without a persona both orders are the same.

    Raises ``UnknownStrategy``, and ``ValueError`` where a persona is lacking or there is no such
    wording.
    """
    sheet = _sheet(strategy)
    if not 0 <= paraphrase < len(sheet.paraphrase):
        raise ValueError(f"{strategy} has wordings 0 to {len(sheet.paraphrase) - 1}")
    if strategy != "plain" and persona is None:
        raise ValueError(f"{strategy} needs a persona")
    traits = persona.traits if persona is not None and strategy != "plain" else ()
    wording = sheet.paraphrase[paraphrase]
    ending = sheet.explain if explain else sheet.answer
    if strategy == "isq":
        user = _questionnaire(wording, ending, mirrored=mirrored, explain=explain)
    else:
        question = wording.mirrored if mirrored and wording.mirrored else wording.question
        user = f"{question}\n{ending.strip()}"
    system = _filled(wording.system, {"traits": "\n".join(f"- {trait}" for trait in traits)})
    if order == "picture-first" and system:
        system, user = "", f"{wording.scene}\n\n{system}\n\n{user}"
    elif system:
        system = f"{system} {wording.scene}"
    return Prompt(
        strategy=strategy,
        kind="isq" if strategy == "isq" else "choice",
        system=system,
        user=user,
        traits=traits,
        mirrored=mirrored,
        sha256=hashes(strategy)[f"{strategy}.toml"],
    )


def described(prompt: Prompt, description: str) -> Prompt:
    told = _filled(_bytes(_DESCRIBED).decode("utf-8"), {"description": description.strip()})
    return replace(prompt, user=f"{told}\n\n{prompt.user}")


def described_hash() -> str:
    """Return the SHA-256 of what is put around a description."""
    return hashlib.sha256(_bytes(_DESCRIBED)).hexdigest()


def read(prompt: Prompt, reply: str) -> Reading:
    """Read the reply to a prompt: an answer, or the reason why there is none.

    A reading speaks of the question as it was meant: ``yes`` is always "likes it" or "stays". Of
    two to pick from ``yes`` is A, or B where the prompt is mirrored; free words have no answer.
    """
    match prompt.kind:
        case "isq":
            return read_isq(reply)
        case "text":
            return read_text(reply)
        case "pick":
            return read_pick(reply, mirrored=prompt.mirrored)
    return read_choice(reply, mirrored=prompt.mirrored)


def schema(prompt: Prompt, *, explain: bool) -> dict[str, Any] | None:
    """Return the JSON schema of the reply that is asked for; ``None`` where it is a word."""
    if prompt.kind != "isq":
        return None
    return form(backwards=prompt.mirrored, explain=explain)


@cache
def _bytes(strategy: str) -> bytes:
    if strategy == _DESCRIBED:
        return (_FOLDER / _DESCRIBED).read_bytes()
    plug_in = PLUG_INS.find(strategy)
    if plug_in is not None:
        return _read_file(plug_in)
    if strategy not in _STRATEGIES:
        raise UnknownStrategy(strategy, list(strategies()))
    return (_FOLDER / f"{strategy}.toml").read_bytes()


def _read_file(plug_in: PlugIn) -> bytes:
    path = plug_in.load()
    if not isinstance(path, Path):
        raise plug_in.refuse("it is no pathlib.Path of a prompt file")
    try:
        return path.read_bytes()
    except OSError as error:
        raise plug_in.refuse(f"its prompt file cannot be read: {error.strerror}") from error


@cache
def _sheet(strategy: str) -> _Sheet:
    content, plug_in = _bytes(strategy), PLUG_INS.find(strategy)
    try:
        sheet = _Sheet.model_validate(tomllib.loads(content.decode("utf-8")))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, ValidationError) as error:
        if plug_in is None:
            raise
        raise plug_in.refuse(f"its prompt file makes no sense: {_tell_fault(error)}") from error
    if plug_in is not None:
        _check_wordings(plug_in, sheet)
    return sheet


def _check_wordings(plug_in: PlugIn, sheet: _Sheet) -> None:
    """Refuse a prompt file that lacks what every wording of a persona's question has."""
    if not sheet.paraphrase:
        raise plug_in.refuse("its prompt file has no [[paraphrase]]")
    for number, wording in enumerate(sheet.paraphrase, 1):
        where = f"of its paraphrase {number}"
        if wording.items:
            raise plug_in.refuse(f"items {where} are the questionnaire's, which has its own form")
        if set(Template(wording.system).get_identifiers()) != {"traits"}:
            raise plug_in.refuse(f"the system text {where} has placeholders other than $traits")
        if not (Template(wording.system).is_valid() and wording.scene.strip()):
            raise plug_in.refuse(f"the system text {where} has a lone $, or there is no scene")
        if wording.mirrored is None:
            raise plug_in.refuse(f"there is no opposite question (mirrored) {where}")


def _tell_fault(error: ValueError) -> str:
    """Say in one line where a prompt file is wrong."""
    if not isinstance(error, ValidationError):
        return str(error).rstrip(".")
    first = error.errors(include_url=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"


def _questionnaire(wording: _Wording, ending: str, *, mirrored: bool, explain: bool) -> str:
    keys = list(reversed(wording.items)) if mirrored else list(wording.items)
    items = "\n".join(f"{key}: {wording.items[key]}" for key in keys)
    slots = [f'"{key}": {"0 or 1" if key in _SWITCHES else "number"}' for key in keys]
    if explain:
        slots += ['"reason": "text"', '"description": "text"']
    form = "{" + ", ".join(slots) + "}"
    return f"{_filled(wording.question, {'items': items})}\n\n{_filled(ending, {'form': form})}"


def _filled(template: str, parts: Mapping[str, str]) -> str:
    """Put the parts in; a part that looks like a placeholder itself stays as it is."""
    return Template(template.strip()).substitute(parts)
