"""The model that ships for tests and teaching: ``scripted/<script>?<settings>``.

It answers by rule, the same way every time, and can fail in every way in which real models fail.
Of a frame only its bytes count: it does not look.

=================================  ==============================================================
``scripted/yes``, ``scripted/no``  that word (or the highest or lowest scores), whatever is asked
``scripted/coin?p=0.3&seed=1``     likes a share ``p`` of all videos, drawn by their frames
``scripted/keywords?words=a,b``    likes a video whose caption contains one of the words
``scripted/editor?spoil=two``      describes and edits made-up scenes, well (``none``) or badly
``scripted/witness?confuses=…``    knows what is true of them, but for one kind of error
``scripted/refuse``                declines in words
``scripted/unreadable?then=yes``   answers neither yes nor no, and ``then`` when asked again
``scripted/empty``                 replies with nothing
``scripted/filter``                the provider's content filter holds the reply back
``scripted/fail``                  the service fails
``scripted/timeout``               never replies
=================================  ==============================================================

Each takes ``latency=SECONDS`` too.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from agent.errors import BadConfig, Filtered, ModelFailed, UnknownName
from agent.models import scripted_scenes
from agent.models.base import ATTEMPTS, SEVERAL, Question, Reply
from agent.models.fingerprint import fingerprint
from agent.models.providers import SCRIPTED, parse_model_name
from personas.questionnaire import ITEMS

VERSION = 1  # of the scripts; counted up where one would answer otherwise
SCRIPTS: dict[str, dict[str, str]] = {
    "yes": {},
    "no": {},
    "coin": {"p": "0.5", "seed": "1"},
    "keywords": {"words": ""},
    "editor": {"spoil": "none"},
    "witness": {"confuses": ""},
    "refuse": {},
    "unreadable": {"then": ""},
    "empty": {},
    "filter": {},
    "fail": {},
    "timeout": {},
}
"""The scripts, and their settings with defaults."""

_EVERY = {"latency": "0"}


class ScriptedModel:
    """A script, its settings and its answers."""

    capabilities = SCRIPTED
    meters = False
    at_once = SEVERAL
    about: str | None = None

    def __init__(self, name: str, script: str, settings: dict[str, str]) -> None:
        self.name = name
        self.settings: dict[str, Any] = {}  # they are part of the name
        self._script = script
        self._settings = settings

    @property
    def fingerprint(self) -> str:
        return fingerprint(["scripted", VERSION, self._script, self._settings])

    async def ask(self, question: Question) -> Reply:
        await asyncio.sleep(float(self._settings["latency"]))
        if self._script == "timeout":
            await asyncio.Event().wait()  # nobody sets it: only the caller's limit ends this
        if self._script == "filter":
            raise Filtered("the content filter held the reply back")
        if self._script == "fail":
            raise ModelFailed("the service failed, as scripted")
        return Reply(text=self._text(question))

    async def close(self) -> None:
        pass

    def _text(self, question: Question) -> str:
        match self._script:
            case "yes" | "no" as word:
                return _say(word, question)
            case "coin":
                key = self._settings["seed"].encode() + b"".join(question.frames)
                draw = int.from_bytes(hashlib.sha256(key).digest()[:8]) / 2**64
                return _prefer(draw < float(self._settings["p"]), question)
            case "keywords":
                caption = (question.caption or "").casefold()
                likes = any(word in caption for word in _words(self._settings["words"]))
                return _prefer(likes, question)
            case "editor" | "witness":
                prompt, frame = question.prompt, b"".join(question.frames)
                return scripted_scenes.reply(
                    prompt.user, bool(prompt.system), frame, self._settings
                )
            case "unreadable":
                again = question.repeat % ATTEMPTS > 0
                then = self._settings["then"]
                return _say(then, question) if again and then else "That depends on the day."
            case "refuse":
                return "I'm sorry, but I can't assist with that."
            case _:
                return ""


def load(name: str) -> ScriptedModel:
    """Read a name such as ``scripted/coin?p=0.3``; refuses scripts and settings there are not."""
    script, _, query = parse_model_name(name).model.partition("?")
    if script not in SCRIPTS:
        names = [f"scripted/{each}" for each in SCRIPTS]
        raise UnknownName("model", name, names, "Type: --model scripted/coin?p=0.3")
    allowed = SCRIPTS[script] | _EVERY
    choices = dict(parse_qsl(query, keep_blank_values=True))
    for key in choices:
        if key not in allowed:
            fix = "&".join(f"{each}={_RULES[each].example}" for each in allowed)
            raise BadConfig(
                f"scripted/{script} has no setting {key!r}. Type: --model 'scripted/{script}?{fix}'"
            )
    settings = allowed | choices
    _validate(script, settings)
    return ScriptedModel(name, script, settings)


@dataclass(frozen=True)
class _Rule:
    holds: Callable[[str], bool]
    form: str
    example: str


_RULES = {
    "latency": _Rule(lambda text: 0 <= float(text) < 86_400, "seconds", "2"),
    "p": _Rule(lambda text: 0 <= float(text) <= 1, "a share from 0 to 1", "0.3"),
    "seed": _Rule(lambda text: int(text) >= 0, "a whole number", "1"),
    "words": _Rule(lambda text: bool(_words(text)), "words with commas between", "horse,guitar"),
    "spoil": _Rule(
        lambda text: text in scripted_scenes.SPOILS, ", ".join(scripted_scenes.SPOILS), "two"
    ),
    "confuses": _Rule(
        lambda text: text in ("", *scripted_scenes.SLOTS),
        ", ".join(scripted_scenes.SLOTS),
        "relation",
    ),
    "then": _Rule(lambda text: text in ("", "yes", "no"), "yes or no", "yes"),
}


def _validate(script: str, settings: dict[str, str]) -> None:
    for key, text in settings.items():
        rule = _RULES[key]
        try:
            fine = rule.holds(text)
        except ValueError:
            fine = False
        if not fine:
            raise BadConfig(
                f"{key} of scripted/{script} takes {rule.form}, not {text!r}. "
                f"Type: --model 'scripted/{script}?{key}={rule.example}'"
            )


def _words(text: str) -> list[str]:
    return [word.strip().casefold() for word in text.split(",") if word.strip()]


def _say(word: str, question: Question) -> str:
    """Say a word, or fill in the questionnaire in its spirit."""
    reason, description = "The script says so.", "Scripted models do not look."
    if question.prompt.kind == "isq":
        high = word == "yes"
        answers: dict[str, Any] = {
            key: (1 if key in ("p_a", "a_d") else 10) * high for key in ITEMS
        }
        extra = {"reason": reason, "description": description} if question.explain else {}
        return json.dumps(answers | extra)
    if question.prompt.kind == "pick":
        word = "A" if word == "yes" else "B"
    extra_lines = f"\nReason: {reason}\nDescription: {description}" if question.explain else ""
    return word.capitalize() + extra_lines


def _prefer(likes: bool, question: Question) -> str:
    mirrored = question.prompt.mirrored and question.prompt.kind == "choice"
    return _say("yes" if likes != mirrored else "no", question)
