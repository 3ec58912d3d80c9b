"""Models of other people's packages: what one derives from, and how it is loaded.

A package names its class as an entry point of the group ``feedsway.models``. The name of the entry
point is what stands before the slash in ``--model``. See ``docs/plug-ins.md``.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from contextvars import copy_context
from dataclasses import replace
from threading import Thread
from typing import Any, ClassVar, TypeVar

from agent.errors import AgentError, ModelFailed
from agent.models.base import Capabilities, Model, Question, Reply, WrappedModel
from agent.models.custom_reply import check_reply
from agent.models.fingerprint import fingerprint
from personas.questionnaire import ITEMS
from store.plug_ins.entry_points import RAISED, PlugIn
from store.plug_ins.stdout_guard import print_to_stderr
from store.terminal.printing import echo

__all__ = [
    "Capabilities",
    "CustomModel",
    "Question",
    "Reply",
    "VersionedModel",
    "open_model",
    "read_model_class",
]

_SWITCHES = ITEMS[-2:]
_T = TypeVar("_T")


class CustomModel:
    """A judge of one's own: derive from it, and say how much a video is liked.

    Write `likes`, and every question of yes or no and the questionnaire are answered by it. A model
    that reads prompts and writes words has `ask` in its place, and declares its `capabilities`.
    """

    capabilities: ClassVar[Capabilities] = Capabilities(
        costs=False, uses_tokens=False, in_process=True, writes_text=False
    )
    """What it can do and what asking it takes, known before it is made."""
    meters = False
    at_once = 1
    """Questions that it takes at the same time."""
    about: str | None = None
    """What was loaded, in words."""

    def __init__(self, name: str) -> None:
        """Load what answers; ``name`` is all that was typed after ``--model``."""
        self.name = name

    @property
    def settings(self) -> Mapping[str, Any]:
        """What makes it answer as it does, beside its name; as JSON holds it."""
        return {}

    @property
    def fingerprint(self) -> str:
        """What tells its weights from others, where it has any; version and code are added."""
        return ""

    def likes(self, question: Question) -> float:
        """Return how probable it is that the persona likes the video, from 0 to 1.

        It runs in a thread of its own, so it may take its time.
        """
        raise NotImplementedError(f"{type(self).__name__} has neither likes nor ask")

    async def ask(self, question: Question) -> Reply:
        """Answer a question; what it raises beside a ``ModelFault`` counts as a failure."""
        p_yes = float(await _ask_in_thread(self.likes, question))
        if not 0 <= p_yes <= 1:
            raise ValueError(f"likes returned {p_yes}, and a probability is from 0 to 1")
        return Reply(text=_say(p_yes, question), p_yes=p_yes)

    async def close(self) -> None:
        """Give up what it holds."""


async def _ask_in_thread(likes: Callable[[Question], float], question: Question) -> float:
    """Ask in a thread that nobody waits for when the command ends, also where it never returns."""
    answer: Future[float] = Future()
    loop, answered = asyncio.get_running_loop(), asyncio.Event()

    def work() -> None:
        try:
            answer.set_result(likes(question))
        except BaseException as error:  # noqa: BLE001 - raised again where it was asked
            answer.set_exception(error)
        with suppress(RuntimeError):  # nobody waits any more
            loop.call_soon_threadsafe(answered.set)

    Thread(target=copy_context().run, args=(work,), daemon=True, name="plug-in").start()
    await answered.wait()
    return answer.result()


def _say(p_yes: float, question: Question) -> str:
    """Answer yes or no, or say one opinion in all items of the questionnaire."""
    likes = p_yes >= 0.5
    if question.prompt.kind == "isq":
        grades: dict[str, float] = dict.fromkeys(ITEMS, round(10 * p_yes, 2))
        return json.dumps(grades | dict.fromkeys(_SWITCHES, int(likes)))
    if question.prompt.kind != "choice":
        raise ValueError(f"likes answers no question of the kind {question.prompt.kind}")
    return "Yes" if likes != question.prompt.mirrored else "No"


class VersionedModel(WrappedModel):
    """A model of a package, told from any other version of it.

    What it raises is a failure of the model, with the place in its code: the run goes on, and ends
    where every question fails.
    """

    def __init__(self, model: Model, plug_in: PlugIn, name: str) -> None:
        super().__init__(model)
        self.name = name
        self.meters = model.meters
        self._plug_in = plug_in

    @property
    def capabilities(self) -> Capabilities:
        """What the class declares, but for an encoder: the index's own is nobody else's."""
        return replace(self._model.capabilities, encoder=None)

    @property
    def settings(self) -> Mapping[str, Any]:
        """The model's own, as JSON holds them."""
        return self._read("settings", lambda: _copy_json(self._model.settings))

    @property
    def fingerprint(self) -> str:
        """Of the package, its version, its code and the model's own part."""
        made_by = self._plug_in
        part = self._read("fingerprint", lambda: self._model.fingerprint)
        if not isinstance(part, str):
            raise made_by.refuse(f"its fingerprint is a {type(part).__name__}, and no str")
        return fingerprint([made_by.package, made_by.version, made_by.code, part])

    async def ask(self, question: Question) -> Reply:
        """Answer as the model does."""
        try:
            with print_to_stderr():
                reply = await self._model.ask(question)
        except (AgentError, TimeoutError):
            raise
        except RAISED as error:
            raise ModelFailed(f"{self.name} failed: {self._plug_in.tell_error(error)}") from error
        if not isinstance(reply, Reply):
            raise self._plug_in.refuse(f"its ask gave a {type(reply).__name__}, and no Reply")
        try:
            return check_reply(reply)
        except ValueError as error:
            raise ModelFailed(f"{self.name} failed: its {error}") from error

    async def close(self) -> None:
        """Have the model give up what it holds; where that fails, a remark says so."""
        try:
            with print_to_stderr():
                await self._model.close()
        except RAISED as error:
            echo(f"{self.name} was not closed: {self._plug_in.tell_error(error)}.", err=True)

    def check(self) -> None:
        """Read what is needed before a question; raises ``PlugInBroken`` where that is amiss."""
        _ = self.settings, self.fingerprint
        at_once, about = (
            self._read("at_once", lambda: self._model.at_once),
            self._read("about", lambda: self._model.about),
        )
        if not isinstance(at_once, int) or at_once < 1:
            raise self._plug_in.refuse(f"its at_once is {at_once!a:.60}, and no number from 1")
        if not isinstance(about, str | None):
            raise self._plug_in.refuse(f"its about is {about!a:.60}, and neither str nor None")

    def _read(self, what: str, read: Callable[[], _T]) -> _T:
        try:
            with print_to_stderr():
                return read()
        except RAISED as error:
            problem = f"its {what} fails with {self._plug_in.tell_error(error)}"
            raise self._plug_in.refuse(problem) from error


def _copy_json(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return settings as JSON holds them; raises where it does not."""
    copied: dict[str, Any] = json.loads(json.dumps(dict(settings)))
    return copied


def open_model(plug_in: PlugIn, name: str) -> VersionedModel:
    """Make the model of a package; raises ``PlugInBroken`` where it cannot be made."""
    kind = read_model_class(plug_in)
    try:
        with print_to_stderr():
            model = VersionedModel(kind(name), plug_in, name)
    except AgentError:
        raise
    except RAISED as error:
        raise plug_in.refuse(f"making it fails with {plug_in.tell_error(error)}") from error
    model.check()
    return model


def read_model_class(plug_in: PlugIn) -> type[CustomModel]:
    """Import the class of a package's model; raises ``PlugInBroken`` where it is none."""
    kind = plug_in.load()
    if not (isinstance(kind, type) and issubclass(kind, CustomModel)):
        raise plug_in.refuse("it is no subclass of agent.models.custom_model.CustomModel")
    if not isinstance(kind.capabilities, Capabilities):
        raise plug_in.refuse("its capabilities are none of agent.models.base.Capabilities")
    return kind
