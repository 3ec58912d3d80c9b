"""The judge: strategy x model. Turns a video into an answer, or into the reason why there is none.

A refusal, a filtered reply, a time-out, an empty reply, an unreadable one, a service without room
and a failure are seven different readings, and none of them is a no.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from time import perf_counter
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from agent.errors import (
    BudgetSpent,
    Filtered,
    ModelFailed,
    ModelFault,
    Refused,
    SlowDown,
    TimedOut,
    UnreadableReply,
)
from agent.judge.retry_limits import Streak
from agent.judge.spending_cap import Spending
from agent.models.base import ATTEMPTS, Model, Question, Reply
from personas import strategies
from personas.persona import Persona
from personas.strategies import Order, Prompt, Reading
from store.runs.ledger_lines import Judgement, Missing, Usage

LONGEST_REPLY = 2000  # characters kept of a reply
_VECTORS_KEPT = 256
_Number = TypeVar("_Number", int, float)

_READINGS: dict[type[ModelFault], Missing] = {
    TimedOut: "timed_out",
    Refused: "refused",
    Filtered: "filtered",
    UnreadableReply: "unreadable",
    SlowDown: "rate_limited",
    ModelFailed: "failed",
}
"""What each fault of a model is read as. A spent budget is none of them: it ends the run."""


Explain = Literal["never", "yes", "all"]


@dataclass(frozen=True)
class QuestionForm:
    """How the question is put."""

    mirrored: bool = False
    paraphrase: int = 0
    explain: Explain = "never"
    """Which answers are also given a reason and a description. Those of a yes are asked for after
    it; where all are explained, the question asks for them itself."""
    limit_s: float = 60.0  # wall time for one reply, of a model that does not limit itself
    sitting: str = ""  # what is asked in one go: kept replies of other sittings do not answer it
    order: Order = "persona-first"


@dataclass(frozen=True)
class _Attempt:
    """One reply as it was read, or the fault in its place."""

    reply: Reply | None
    reading: Reading | None
    missing: Missing | None
    spent: Reply | None = None  # what a fault has cost, as a reply without words
    fault: str | None = None

    @property
    def again(self) -> bool:
        return self.missing == "unreadable"


class ModelJudge:
    """Asks one model, as one persona, in one strategy."""

    def __init__(
        self, model: Model, prompt: Prompt, manner: QuestionForm, why: Prompt | None = None
    ) -> None:
        self.model = model
        self.prompt = prompt
        self.streak = Streak()
        """Ends the judging where no reply comes any more; without a limit unless one is set."""
        self._manner = manner
        self._why = why
        self._vectors: OrderedDict[str, NDArray[np.float32]] = OrderedDict()

    @classmethod
    def of(
        cls,
        model: Model,
        strategy: str,
        persona: Persona | None,
        manner: QuestionForm | None = None,
    ) -> ModelJudge:
        manner = manner or QuestionForm()
        plain, explained = (
            strategies.build(
                strategy,
                persona,
                mirrored=manner.mirrored,
                paraphrase=manner.paraphrase,
                explain=explain,
                order=manner.order,
            )
            for explain in (False, True)
        )
        prompt = explained if manner.explain == "all" else plain
        return cls(model, prompt, manner, explained if manner.explain == "yes" else None)

    @property
    def encoder(self) -> str | None:
        """Name of the encoder whose vectors the model computes anyway, if it does."""
        return self.model.capabilities.encoder

    def vector_of(self, frame: bytes) -> NDArray[np.float32] | None:
        """Return the vector that `encoder` gave to a frame judged lately, if there is one."""
        return self._vectors.get(_digest(frame))

    async def judge(
        self, frames: tuple[bytes, ...], caption: str | None, *, repeat: int = 0
    ) -> Judgement:
        """Judge one video, by its frames, caption and repeat as in `Question`.

        Raises
        ------
        UserError
            The model cannot be asked in this way at all.
        BudgetSpent
            The cap on cost or tokens is reached.
        ModelSilent
            No reply came to as many questions in a row as `streak` puts up with.
        """
        judgement = await self._judged(frames, caption, repeat)
        self.streak.count(judgement.missing, judgement.fault)
        return judgement

    async def _judged(
        self, frames: tuple[bytes, ...], caption: str | None, repeat: int
    ) -> Judgement:
        start = perf_counter()
        attempts: list[_Attempt] = []
        question = Question(
            prompt=self.prompt,
            frames=frames,
            caption=caption,
            explain=self._manner.explain == "all",
            repeat=ATTEMPTS * repeat,
            sitting=self._manner.sitting,
        )
        try:
            while not attempts or (attempts[-1].again and len(attempts) < ATTEMPTS):
                put = replace(question, repeat=question.repeat + len(attempts))
                attempts.append(await self._ask(put))
            judgement = _judgement(attempts, perf_counter() - start)
            if frames:
                self._keep_vector(frames[0], attempts[-1].reply)
            if self._why is None or judgement.answer != "yes" or judgement.reason is not None:
                return judgement
            attempts.append(await self._ask(replace(question, prompt=self._why, explain=True)))
            return _explained(judgement, attempts)
        except BudgetSpent as fault:
            fault.details["lost"] = asdict(Spending.of(_usage(attempts)))
            raise

    async def described(self, description: str) -> Judgement:
        """Judge a description in the place of a picture; raises as `judge` does."""
        prompt = strategies.described(self.prompt, description)
        return await ModelJudge(self.model, prompt, self._manner).judge((), description)

    async def close(self) -> None:
        await self.model.close()

    async def _ask(self, question: Question) -> _Attempt:
        limit_s = None if self.model.capabilities.limits_itself else self._manner.limit_s
        try:
            async with asyncio.timeout(limit_s):
                reply = await self.model.ask(question)
        except TimeoutError:
            return _Attempt(None, None, "timed_out")
        except ModelFault as fault:
            if type(fault) not in _READINGS:
                raise
            return _Attempt(None, None, _READINGS[type(fault)], _spent(fault), str(fault))
        reading = strategies.read(question.prompt, reply.text)
        return _Attempt(reply, reading, reading.missing)

    def _keep_vector(self, frame: bytes, reply: Reply | None) -> None:
        if reply is not None and reply.image_vector is not None:
            self._vectors[_digest(frame)] = np.asarray(reply.image_vector, np.float32)
            while len(self._vectors) > _VECTORS_KEPT:
                self._vectors.popitem(last=False)


def _judgement(attempts: list[_Attempt], latency_s: float) -> Judgement:
    last = attempts[-1]
    reply = last.reply or Reply(text="")
    reading = last.reading or Reading(None, None)
    has_answer = reading.answer is not None
    return Judgement(
        answer=reading.answer,
        missing=last.missing,
        p_yes=reply.p_yes if has_answer else None,
        score=reading.score,
        isq=reading.isq,
        reason=reply.reason or reading.reason,
        description=reply.description or reading.description,
        reply=reply.text[:LONGEST_REPLY],
        fault=last.fault,
        served=reply.served,
        screen_text=reply.screen_text,
        attempts=len(attempts),
        latency_s=round(latency_s, 4),
        usage=_usage(attempts),
    )


def _explained(judgement: Judgement, attempts: list[_Attempt]) -> Judgement:
    """Add what was said last, when a reason was asked for; the answer given first stands.

    A reason that comes with another answer explains nothing and is left out.
    """
    reading = attempts[-1].reading or Reading(None, None)
    additions = {
        "reason": reading.reason if reading.answer == judgement.answer else None,
        "description": reading.description,
        "usage": _usage(attempts),
    }
    return judgement.model_copy(update=additions)


def _usage(attempts: list[_Attempt]) -> Usage:
    sources = (attempt.reply or attempt.spent for attempt in attempts)
    replies = [reply for reply in sources if reply is not None]
    return Usage(
        calls=len(attempts),
        input_tokens=sum_known(reply.input_tokens for reply in replies),
        output_tokens=sum_known(reply.output_tokens for reply in replies),
        cache_read_tokens=sum_known(reply.cache_read_tokens for reply in replies),
        cache_write_tokens=sum_known(reply.cache_write_tokens for reply in replies),
        reasoning_tokens=sum_known(reply.reasoning_tokens for reply in replies),
        cost_usd=sum_known(reply.cost_usd for reply in replies),
        cached=bool(replies) and all(reply.cached for reply in replies),
    )


def _spent(fault: ModelFault) -> Reply:
    """What a call that ended in a fault has cost, as far as it tells."""
    details = fault.details
    return Reply(
        text="",
        input_tokens=details.get("input_tokens"),
        output_tokens=details.get("output_tokens"),
        cost_usd=details.get("cost_usd"),
        cache_read_tokens=details.get("cache_read_tokens"),
        cache_write_tokens=details.get("cache_write_tokens"),
        reasoning_tokens=details.get("reasoning_tokens"),
    )


def sum_known(amounts: Iterable[_Number | None]) -> _Number | None:
    """Add up what is known; ``None`` where nothing is."""
    terms = [amount for amount in amounts if amount is not None]
    return sum(terms[1:], start=terms[0]) if terms else None


def _digest(frame: bytes) -> str:
    return hashlib.sha256(frame).hexdigest()
