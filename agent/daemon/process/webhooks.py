"""Tells another program of walls, breakers and finished studies: a webhook, a command, or both.

A hook that fails is written to the journal and never stops anything. An address may be as good as
a password, so that none is ever told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Literal, Protocol

import httpx

from agent.daemon.journal.events import (
    AnyEvent,
    BreakerChanged,
    ChildEnded,
    MachineNotice,
    WallReported,
)
from agent.daemon.journal.wall_status import list_waiting
from agent.daemon.redact_secrets import SecretRedactor
from agent.run_config import FrozenValue

On = Literal["wall", "breaker", "study"]
PATIENCE_S = 10.0


class HookTargets(Protocol):
    """The watch file's hooks."""

    @property
    def webhook(self) -> str | None: ...

    @property
    def command(self) -> Sequence[str] | None: ...

    @property
    def on(self) -> Collection[str]: ...


class HookPayload(FrozenValue):
    """What a hook is given, as JSON: the body of the webhook, the command's standard input."""

    event: On
    at: datetime
    text: str
    """One sentence; chat services show a field of this name."""
    entry: str | None = None
    platform: str | None = None
    account: str | None = None


class HookSender:
    """Calls the hooks; ``write`` takes what goes into the journal."""

    def __init__(
        self,
        wanted: HookTargets,
        write: Callable[[AnyEvent], None],
        hide: SecretRedactor | None = None,
    ) -> None:
        self._wanted, self._write = wanted, write
        self._hide = hide or SecretRedactor()
        self._failing = False

    async def tell(self, event: AnyEvent) -> None:
        """Tell of an event, if that is wanted; returns when the hooks have answered or given up."""
        told = compose_message(event)
        if told is None or told.event not in self._wanted.on:
            return
        body = told.model_copy(update={"text": self._hide.text(told.text)}).model_dump_json()
        problems = []
        if self._wanted.webhook:
            problems.append(await _post(self._wanted.webhook, body))
        if self._wanted.command:
            problems.append(await _start(self._wanted.command, body))
        wrong = "; ".join(problem for problem in problems if problem)
        if wrong or self._failing:
            self._failing = bool(wrong)
            now = datetime.now(UTC)
            self._write(MachineNotice(at=now, trouble="hook", open=bool(wrong), detail=wrong))


def compose_message(event: AnyEvent) -> HookPayload | None:
    """Return what is told of an event; ``None`` where it is no matter for a hook."""
    match event:
        case WallReported(open=True):
            (wall,) = list_waiting([event])
            text = (
                f"{event.platform} shows {event.account} {wall.saw}. Its runs wait for you. "
                f"Type: {wall.command}"
            )
            told = HookPayload(event="wall", at=event.at, text=text)
            return told.model_copy(update={"platform": event.platform, "account": event.account})
        case BreakerChanged(open=True):
            text = (
                f"{event.platform} failed {event.failures} times in a row and is not watched any "
                f"more: {event.reason or 'no reason is known'}"
            )
            return HookPayload(event="breaker", at=event.at, text=text, platform=event.platform)
        case ChildEnded(outcome="complete"):
            text = f"{event.entry} is complete."
            return HookPayload(event="study", at=event.at, text=text, entry=event.entry)
    return None


async def _post(url: str, body: str) -> str | None:
    """Post the body; return what went wrong, without the address."""
    try:
        async with httpx.AsyncClient(timeout=PATIENCE_S) as client:
            headers = {"Content-Type": "application/json"}
            async with client.stream("POST", url, content=body, headers=headers) as answer:
                status, failed = answer.status_code, answer.is_error  # what it says is not read
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return f"the webhook did not answer ({type(error).__name__})"
    return f"the webhook answered {status}" if failed else None


async def _start(command: Sequence[str], body: str) -> str | None:
    """Run the command with the body as its input; return what went wrong."""
    quiet = asyncio.subprocess.DEVNULL
    try:
        child = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.PIPE, stdout=quiet, stderr=quiet
        )
    except OSError as error:
        return f"the command cannot be started ({error.strerror})"
    try:
        async with asyncio.timeout(PATIENCE_S):
            await child.communicate(body.encode())
    except TimeoutError:
        return f"the command took more than {PATIENCE_S:.0f} s"
    finally:
        if child.returncode is None:
            with suppress(ProcessLookupError):
                child.kill()
            await child.wait()
    return f"the command ended with exit code {child.returncode}" if child.returncode else None
