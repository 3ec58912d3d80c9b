"""Models that someone serves, through inspect_ai: ``openai/gpt-4o``, ``vllm/…``, ...

Providers, retries and connections are inspect_ai's, and the same names work in its evaluations.
Three of its defaults are set otherwise on purpose: it would retry for ever, keep replies for a week
and keep empty ones too; here a question has few attempts within a limit, and nothing is cached.
The questionnaire goes with its JSON schema, and without it to a service that refuses schemas.
What a provider says about a failure is never repeated, since that may hold a key.
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from functools import cached_property
from typing import Any

from agent.errors import BadConfig, Filtered, ModelFailed
from agent.model_settings import ModelSettings
from agent.models import prices
from agent.models.base import Capabilities, Question, Reply
from agent.models.chat_messages import with_schema, write_messages
from agent.models.fingerprint import fingerprint
from agent.models.image_size import LONGEST_SIDE
from agent.models.local_server import ServerLease, lease_for
from agent.models.paid_calls import METER, REPLY_TOKENS, Meter, Payment, read_usage
from agent.models.providers import parse_model_name
from agent.models.reply_size import limit_replies
from agent.models.served_settings import config_fields, p_yes_of, refuse_ignored
from agent.models.service_connections import (
    count_connections,
    keep_own_limit,
    limit_connections,
    slow_down,
)
from agent.models.service_faults import (
    NOT_SENT,
    NOT_TAKEN,
    provider_errors,
    read_fault,
    read_prerequisite,
    settle_failed,
)
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
        "batch",
        "max_retries",
        "attempt_timeout",
        "timeout",
        "max_connections",
        "adaptive_connections",
        "cache",
    }
)
"""Settings that change when a reply comes, and not what it says."""
USED = (
    "input_tokens",
    "output_tokens",
    "cost_usd",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
)
"""What a reply tells of its use."""


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
        keep_own_limit(model.api, config)
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
                raise read_prerequisite(name, str(error.message)) from error
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
            if details["status"] not in NOT_TAKEN and details["kind"] not in NOT_SENT:
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
            raise read_prerequisite(self.name, str(error.message)) from error
        except provider_errors() as error:
            if meter is None or meter.reply is None:
                raise read_fault(self.name, error, self._settings, replied=self._replied) from error
            # the reply came as the last attempt's time ran out
        kept = None if meter is None else meter.reply
        reply = kept or self._reply(question, output, self._price)
        self._replied = True
        if reply.filtered:
            raise Filtered(
                f"{self.name} held the question or its reply back",
                **{name: getattr(reply, name) for name in USED},
            )
        return reply

    def _reply(self, question: Question, output: Any, price: prices.Price | None) -> Reply:
        used = read_usage(output.usage)
        return Reply(
            text=output.completion,
            p_yes=p_yes_of(question, output) if self._settings.logprobs else None,
            filtered=output.empty or output.stop_reason == "content_filter",
            served=output.model or None,
            **({} if used is None else vars(used) | {"cost_usd": used.cost(price)}),
        )

    async def _booked(self, *, config: Any, **call: Any) -> Any:
        """Make one attempt, reserved before it is sent and settled by what came of it.

        A reply is kept before it is settled, and it stays the reply: inspect_ai calls again where
        an attempt's time ran out in the meantime, and the next process where this one is killed.
        """
        self._limit_replies()
        meter = METER.get()
        if meter is None:
            return await self._call(config=config, **call)
        if meter.made is not None:
            return meter.made
        return await self._pay(meter, config, call)

    def _limit_replies(self) -> None:
        limit_replies(self._model.api)

    async def _pay(self, meter: Meter, config: Any, call: dict[str, Any]) -> Any:
        payment = meter.begin(self._price, self._config.max_tokens or REPLY_TOKENS)
        headers = (config.extra_headers or {}) | {"Idempotency-Key": payment.key}
        keyed = config.model_copy(update={"extra_headers": headers})
        try:
            answer = await self._call(config=keyed, **call)
        except asyncio.CancelledError:  # our own limit, or the end of the program
            payment.estimate(ended=False)
            raise
        except BaseException as error:
            settle_failed(payment, error)
            raise
        output = made_output(answer)
        if isinstance(output, Exception):
            settle_failed(payment, output)
        else:
            self._take(meter, payment, answer, self._price)
        return answer

    def _take(
        self, meter: Meter, payment: Payment, answer: Any, price: prices.Price | None
    ) -> None:
        """Keep a reply that came, and settle what it cost."""
        reply = self._reply(meter.question, made_output(answer), price)
        meter.keep(reply)
        meter.made, meter.reply = answer, reply
        if reply.input_tokens is None:
            payment.estimate(ended=True)
        else:
            payment.report(reply.cost_usd, reply.input_tokens + (reply.output_tokens or 0))

    async def _call(self, **call: Any) -> Any:
        """Call the provider once; one that takes too long is asked less at once from now on."""
        try:
            return await self._generate_once(**call)
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError) or "Timeout" in type(error).__name__:
                slow_down(self._model.api)
            raise

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

    async def close(self) -> None:
        try:
            await self._model.api.aclose()
        finally:
            if self._lease is not None:
                self._lease.release()


def made_output(answer: Any) -> Any:
    """What a provider made of a reply, without its record of the call."""
    return answer[0] if isinstance(answer, tuple) else answer
