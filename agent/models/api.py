"""Models that someone serves, through inspect_ai: ``openai/gpt-4o``, ``vllm/…``, ...

Providers, retries and connections are inspect_ai's, and the same names work in its evaluations.
Three of its defaults are set otherwise on purpose: it would retry for ever, keep replies for a week
and keep empty ones too; here a question has few attempts within a limit, and nothing is cached.
The questionnaire goes with its JSON schema, and without it to a service that refuses schemas.
What a provider says about a failure is never repeated, since that may hold a key.
"""

from __future__ import annotations

import asyncio
import re
import sys
from contextlib import ExitStack
from functools import cached_property
from typing import Any

from agent.errors import BadConfig, Filtered, MissingExtra, ModelFailed, SlowDown, TimedOut
from agent.model_settings import ModelSettings
from agent.models import prices
from agent.models.base import Capabilities, Question, Reply
from agent.models.chat_messages import with_schema, write_messages
from agent.models.fingerprint import fingerprint
from agent.models.image_size import LONGEST_SIDE
from agent.models.local_server import ServerLease, lease_for
from agent.models.paid_calls import METER, REPLY_TOKENS, Payment, read_usage
from agent.models.providers import parse_model_name
from agent.models.reply_size import limit_replies
from agent.models.served_settings import config_fields, p_yes_of, refuse_ignored
from agent.models.service_connections import count_connections, limit_connections, slow_down
from store.terminal.printing import remark

SETTINGS: dict[str, Any] = {
    "max_retries": 3,
    "attempt_timeout": 30,
    "timeout": 55,  # seconds for all attempts together, within the judge's limit
    "max_tokens": 1024,
    "cache": False,
}
_HOW_SENT = frozenset(
    {
        "max_retries",
        "attempt_timeout",
        "timeout",
        "max_connections",
        "adaptive_connections",
        "cache",
    }
)
"""Settings that change when a reply comes, and not what it says."""

_ROOTS = {
    "openai": "OpenAIError",
    "anthropic": "AnthropicError",
    "google.genai.errors": "APIError",
    "groq": "GroqError",
    "mistralai.models": "SDKError",
    "botocore.exceptions": "ClientError",
    "httpx": "HTTPError",
    "tenacity": "RetryError",
}
"""Where each provider's own exceptions begin; they have no common root."""

_NOT_TAKEN = (400, 422, 501)  # how services say that they know no schemas
_NOT_SENT = ("NotImplementedError", "TypeError", "ValidationError", "ValueError")
"""How providers' own packages say it before anything is sent."""

_NOT_REACHED = ("ConnectError", "ConnectTimeout", "NotImplementedError")
"""How clients say that nothing reached the service; a ``TypeError`` may also be of its reply."""

_AT_THE_DOOR = (408, 429, 502, 503, 504, 529)
"""What is said before the service itself is reached, which may hold the call's completion."""

_BROKE_OFF = frozenset(
    {
        "APIConnectionError",
        "APITimeoutError",
        "CloseError",
        "PoolTimeout",
        "ReadError",
        "ReadTimeout",
        "RemoteProtocolError",
        "WriteError",
        "WriteTimeout",
        "ClientPayloadError",
        "ConnectionClosedError",
        "ReadTimeoutError",
        "ServerDisconnectedError",
    }
)
"""How clients say that a reply did not come, or not as a whole."""

_INSTALL = re.compile(r"pip install [\w\[\]\-= >.]+")
_MARKUP = re.compile(r"\[/?bold\]")
_SETTING = re.compile(r"\b[A-Z][A-Z0-9_]*_(?:API_KEY|BASE_URL)\b")


class _Unrecorded:
    """Takes what inspect_ai would keep of each call, its pictures included, for a log of its own.

    Without a log these records only grow: by a frame's size with every question of a run.
    """

    def on_pending(self, event: Any) -> None: ...

    def on_complete(self, event: Any) -> None: ...


class ServedModel:
    """One model behind a provider."""

    meters = True

    def __init__(
        self,
        name: str,
        model: Any,
        config: Any,
        revision: str | None = None,
        lease: ServerLease | None = None,
        settings: ModelSettings | None = None,
    ) -> None:
        self.name = name
        self.revision = revision
        self.about: str | None = None
        self._provider = parse_model_name(name).provider
        self._lease = lease
        self._model = model
        self._config = config
        self._settings = settings or ModelSettings()
        self._replied = False
        self._price = prices.find(name)
        self._generate_once = model.api.generate
        model.api.generate = self._booked  # what inspect_ai calls once an attempt
        self._takes_schema = True

    @classmethod
    def load(
        cls,
        name: str,
        revision: str | None = None,
        settings: ModelSettings | None = None,
        at_once: int | None = None,
        **options: Any,
    ) -> ServedModel:
        """Open a provider; nothing is sent yet.

        A ``vllm/`` model without ``VLLM_BASE_URL`` gets a server on this machine, which is awaited.
        Raises ``MissingExtra`` without the provider's package, ``BadConfig`` without its key or
        address or with a setting that it would leave out, and ``ModelFailed`` where its server did
        not start.

        Parameters
        ----------
        at_once
            Questions under way at the same time; ``None``: as many as it answers well.
        **options
            More fields of inspect_ai's ``GenerateConfig``.
        """
        from inspect_ai._util.error import PrerequisiteError  # raised in public, kept in private
        from inspect_ai.model import GenerateConfig, get_model

        settings = settings or ModelSettings()
        provider = parse_model_name(name).provider
        asked = SETTINGS | limit_connections(at_once) | config_fields(settings, provider)
        config = GenerateConfig(**asked | options)
        retries = provider.client_retries
        once: dict[str, Any] = {"max_retries": 0} if retries else {}
        with ExitStack() as on_failure:
            lease = lease_for(name)
            if lease is not None:
                on_failure.callback(lease.release)
                address = lease.wait(remark)
                once |= {"base_url": address.url, "api_key": address.key}
            try:
                model = get_model(name, config=config, memoize=False, **once)
            except PrerequisiteError as error:
                raise _prerequisite(name, str(error.message)) from error
            refuse_ignored(name, model.api, settings)
            on_failure.pop_all()
        return cls(name, model, config, revision, lease, settings)

    async def ask(self, question: Question) -> Reply:
        """Ask the service; ``BadConfig`` where it refuses the key or has no such model."""
        if question.frames and not self.capabilities.takes_pictures:
            raise BadConfig(
                f"{self.name} takes no pictures. Type: python -m agent spectrum "
                f"--model {self.name} --describe-by PROVIDER/MODEL"
            )
        messages = await asyncio.to_thread(write_messages, question)
        if question.prompt.kind != "isq" or not self._takes_schema:
            return await self._generate(question, messages, self._config)
        try:
            form = with_schema(self._config, question)
            return await self._generate(question, messages, form)
        except ModelFailed as fault:
            details = fault.details
            if details["status"] not in _NOT_TAKEN and details["kind"] not in _NOT_SENT:
                raise
        reply = await self._generate(question, messages, self._config)
        self._takes_schema = False  # for good: it was the schema that the service refused
        return reply

    async def _generate(self, question: Question, messages: list[Any], config: Any) -> Reply:
        from inspect_ai._util.error import PrerequisiteError  # raised in public, kept in private
        from inspect_ai.model._model import use_model_event_sink  # told nowhere in public

        meter = METER.get()
        try:
            with use_model_event_sink(_Unrecorded()):
                output = await self._model.generate(messages, config=config)
        except PrerequisiteError as error:
            raise _prerequisite(self.name, str(error.message)) from error
        except _faults() as error:
            if meter is None or meter.made is None:
                raise self._fault(error) from error
            output = _output(meter.made)  # the reply came as the last attempt's time ran out
        reply = self._reply(question, output)
        self._replied = True
        if reply.filtered:
            raise Filtered(
                f"{self.name} held the question or its reply back",
                **self._used(output.usage),
            )
        return reply

    def _reply(self, question: Question, output: Any) -> Reply:
        return Reply(
            text=output.completion,
            p_yes=p_yes_of(question, output) if self._settings.logprobs else None,
            filtered=output.empty or output.stop_reason == "content_filter",
            served=output.model or None,
            **self._used(output.usage),
        )

    async def _booked(self, *, config: Any, **call: Any) -> Any:
        """Make one attempt, reserved before it is sent and settled by what came of it.

        A reply is kept before it is settled, and it stays the reply: inspect_ai calls again where
        an attempt's time ran out in the meantime, and the next process where this one is killed.
        """
        limit_replies(self._model.api)
        meter = METER.get()
        if meter is None:
            return await self._call(config=config, **call)
        if meter.made is not None:
            return meter.made
        payment = meter.begin(self._price, self._config.max_tokens or REPLY_TOKENS)
        headers = (config.extra_headers or {}) | {"Idempotency-Key": payment.key}
        keyed = config.model_copy(update={"extra_headers": headers})
        try:
            answer = await self._call(config=keyed, **call)
        except asyncio.CancelledError:  # our own limit, or the end of the program
            payment.estimate(ended=False)
            raise
        except BaseException as error:
            self._settle_failed(payment, error)
            raise
        output = _output(answer)
        if isinstance(output, Exception):
            self._settle_failed(payment, output)
            return answer
        meter.keep(self._reply(meter.question, output))
        meter.made = answer
        if usage := self._used(output.usage):
            payment.report(usage["cost_usd"], usage["input_tokens"] + usage["output_tokens"])
        else:
            payment.estimate(ended=True)
        return answer

    async def _call(self, **call: Any) -> Any:
        """Call the provider once; one that takes too long is asked less at once from now on."""
        try:
            return await self._generate_once(**call)
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError) or "Timeout" in type(error).__name__:
                slow_down(self._model.api)
            raise

    def _settle_failed(self, payment: Payment, error: BaseException) -> None:
        """A refusal by status is not charged; of all else only what was sent is known.

        A connection that broke says nothing of the service's end: the call keeps its key.
        """
        cause = error.__cause__ if isinstance(error.__cause__, Exception) else error
        status = next(filter(None, map(_status, (error, cause))), None)
        if (
            (status is not None and status >= 400)
            or type(error).__name__ in _NOT_REACHED
            or type(cause).__name__ in _NOT_REACHED
        ):
            payment.refuse(ended=status not in _AT_THE_DOOR)
        else:
            broke = {type(error).__name__, type(cause).__name__} & _BROKE_OFF
            payment.estimate(ended=not broke)

    @property
    def capabilities(self) -> Capabilities:
        return self._provider.capabilities

    @property
    def at_once(self) -> int:
        """As many as are pinned, or as the service answers well by now."""
        return count_connections(self._model.api, self._config)

    @property
    def settings(self) -> dict[str, Any]:
        """How it is asked, and where; a server started here by how, as its port and key change."""
        where: Any = getattr(self._model.api, "base_url", None)
        if self._lease is not None:
            where = self._lease.recipe.settings
        elif self.capabilities.starts_server:
            where = self._provider.named_server()  # inspect_ai takes it up at the first question
        return self._asked_with | {
            "base_url": str(where),
            "longest_side": LONGEST_SIDE,
            "schema": "isq",
        }

    @cached_property
    def fingerprint(self) -> str:
        """The declared revision, or that none is; the files served here; how it is asked."""
        server = [] if self._lease is None else [self._lease.recipe.settings]
        manner = fingerprint(
            [self.name, self.revision, self._asked_with, LONGEST_SIDE, "isq", *server]
        )
        return manner if self.revision is not None else f"undeclared-{manner}"

    @cached_property
    def _asked_with(self) -> dict[str, Any]:
        config: dict[str, Any] = self._config.model_dump(exclude_none=True, exclude=_HOW_SENT)
        return config

    def _used(self, usage: Any) -> dict[str, Any]:
        """Price what a service says that it read and wrote; empty where it tells no such thing."""
        used = read_usage(usage)
        return {} if used is None else vars(used) | {"cost_usd": used.cost(self._price)}

    async def close(self) -> None:
        try:
            await self._model.api.aclose()
        finally:
            if self._lease is not None:
                self._lease.release()

    def _fault(self, error: Exception) -> Exception:
        cause = error.__cause__ if isinstance(error.__cause__, Exception) else error
        kind, status = type(cause).__name__, _status(error) or _status(cause)
        if status == 429:
            return SlowDown(f"{self.name} asks to slow down, at every attempt", kind=kind)
        if "Timeout" in kind or kind == "RetryError":
            return TimedOut(f"{self.name} did not reply within its limit", kind=kind)
        if status in (401, 403):
            return BadConfig(
                f"{self.name} refuses the key ({status}). "
                f"Set the provider's key, then type: --model {self.name}"
            )
        if status == 404:
            return BadConfig(f"The provider has no model {self.name}. Type: --model PROVIDER/MODEL")
        if status in _NOT_TAKEN and self._settings.chosen and not self._replied:
            chosen = ", ".join(f"{name}={value}" for name, value in self._settings.chosen.items())
            return BadConfig(
                f"{self.name} refuses the question ({status}), maybe since it does not take "
                f"{chosen}. Type: the same without --model-setting"
            )
        said = kind if status is None else f"{kind}, status {status}"
        return ModelFailed(f"{self.name} failed ({said})", kind=kind, status=status)


def _faults() -> tuple[type[Exception], ...]:
    """What inspect_ai and those providers that are loaded raise over a failed call."""
    candidates = (getattr(sys.modules.get(module), root, None) for module, root in _ROOTS.items())
    roots = [kind for kind in candidates if isinstance(kind, type) and issubclass(kind, Exception)]
    ours = (RuntimeError, OSError, ValueError)
    tripped = (TypeError, AttributeError, LookupError)  # over a reply of another form
    return (*ours, *tripped, *roots)


def _output(answer: Any) -> Any:
    """What a provider made of a reply, without its record of the call."""
    return answer[0] if isinstance(answer, tuple) else answer


def _status(error: BaseException) -> int | None:
    status = getattr(error, "status_code", None) or getattr(error, "code", None)
    return status if isinstance(status, int) else None


def _prerequisite(name: str, message: str) -> MissingExtra | BadConfig:
    message = _MARKUP.sub("", message)
    if (install := _INSTALL.search(message)) is not None:
        return MissingExtra(f"What {name} needs", install[0].strip())
    setting = _SETTING.search(message)
    need = f"export {setting[0]}=…" if setting else f"inspect eval --model {name}"
    return BadConfig(f"{name} cannot be asked before its key or address is set. Type: {need}")
