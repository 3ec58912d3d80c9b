"""Local vision-language models, ``hfvlm/<folder or id of the hub>``, through transformers.

A question that wants yes or no is answered by one forward pass: ``p_yes`` is the share of the
yes tokens in the probability of all yes and no tokens at the place where the reply begins. Where
these hold less than half of all probability there, the model is about to say something else, and
is let speak; its words are then read as anybody's. Questions that come together are answered
together, and frames that several of them are about are encoded once. Nothing is sampled: the same
question gets the same reply.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf, log
from time import monotonic
from typing import Any

from agent.errors import BadConfig, ModelFailed, TimedOut
from agent.models.base import Question, Reply
from agent.models.chat_inputs import Chat, answer_tokens, make_chat, make_inputs
from agent.models.fingerprint import fingerprint
from agent.models.image_size import LONGEST_SIDE
from agent.models.local_checkpoint import Checkpoint, load
from agent.models.providers import LOCAL_VLM, parse_model_name
from agent.models.shared_picture import UNSHARED, SharedPicture
from store.encoders._torch import load_torch
from store.terminal.printing import remark

TOGETHER = 8  # questions in one pass at most, unless a batch size is named
LEAST_MASS = 0.5
"""Probability of yes and no tokens together from which the first token is the answer."""
_WORDS = 24  # tokens of a reply that should be one word
_LONG = 384  # tokens of a questionnaire or an explained reply
_LIMIT_S = 60.0  # of a question's own work, as the judge's: nobody waits for it any longer
_GROUP = 64  # questions about the same frames that are answered in one go
_GATHER_S = 0.01  # for questions that are asked at the same moment to be seen together
_EXACT, _ROUNDED = (1e-5, 0.01), (0.05, 0.5)
"""By how much ``p_yes`` and its log-odds may differ where a picture is shared: in float32, and in
16 bits or fewer, where batches of another size differ as much. A sure model shows in log-odds."""


@dataclass(frozen=True)
class GeneratedReply:
    """A reply as the model made it; ``p_yes`` and ``mass`` are of its first token."""

    text: str
    p_yes: float | None
    mass: float  # probability of yes and no together
    input_tokens: int
    output_tokens: int
    cut: bool = False  # its time ran out before its end


@dataclass(frozen=True, eq=False)
class _Asked:
    question: Question
    chat: Chat
    reply: asyncio.Future[Reply]
    frames: tuple[str, ...]  # their hashes

    @property
    def kind(self) -> tuple[str, bool]:
        """What must be alike for questions to be answered together."""
        return self.question.prompt.kind, self.question.explain

    @property
    def beginning(self) -> tuple[str, ...] | None:
        """What is alike where frames can be encoded once; ``None`` where words are generated."""
        if self.kind != ("choice", False) or not self.frames:
            return None
        return (*self.frames, self.question.prompt.system)


class HfVlm:
    """Answers questions about frames with a model in this process."""

    capabilities = LOCAL_VLM
    meters = False
    at_once = 8 * TOGETHER  # so that all questions about a picture wait together

    def __init__(
        self,
        name: str,
        checkpoint: Checkpoint,
        limit_s: float | None = _LIMIT_S,
        batch_size: int = TOGETHER,
    ) -> None:
        self.name = name
        self._limit_s = limit_s
        self._batch_size = batch_size
        self.about = checkpoint.about
        self.settings: dict[str, Any] = {
            "checkpoint": checkpoint.about,
            "weights": checkpoint.weights,
            "longest_side": LONGEST_SIDE,
            **checkpoint.manner,
        }
        self._checkpoint = checkpoint
        self._answers = {
            word: answer_tokens(checkpoint.processor.tokenizer, word) for word in ("yes", "no")
        }
        self._picture = SharedPicture(checkpoint)
        self.shares_pictures: bool | None = None  # not known before the first questions that could
        self._compared_tokens = 0  # of the longest chat that was compared with itself alone
        self._waiting: list[_Asked] = []
        self._under_way: list[_Asked] = []
        self._worker: asyncio.Task[None] | None = None

    @property
    def fingerprint(self) -> str:
        """The content of its files, its precision, and how it is asked."""
        checkpoint = self._checkpoint
        parts: list[Any] = ["hfvlm", checkpoint.weights, str(checkpoint.model.dtype)]
        parts += [LONGEST_SIDE, LEAST_MASS]
        return fingerprint([*parts, checkpoint.manner] if checkpoint.manner else parts)

    @classmethod
    def load(
        cls,
        name: str,
        device: str | None = None,
        dtype: str | None = None,
        attention: str | None = None,
        quantization: str | None = None,
        batch_size: int | None = None,
    ) -> HfVlm:
        """Load by name; raises as `local_checkpoint.load` does.

        ``batch_size`` is how many questions go through the model in one pass, 8 unless named.
        """
        if batch_size is not None and batch_size < 1:
            raise BadConfig(f"A batch of {batch_size} holds no question. Type: a batch size of 8")
        source = parse_model_name(name).model
        checkpoint = load(source, device, dtype, attention, quantization)
        return cls(name, checkpoint, batch_size=batch_size or TOGETHER)

    async def ask(self, question: Question) -> Reply:
        """Answer; also raises ``BadConfig`` where not even one question fits in memory.

        The limit of a question begins with the work on it, however long it has waited; a batch may
        take the limits of all its questions. ``TimedOut`` where that is not enough.
        """
        chat = await asyncio.to_thread(make_chat, question)
        future = asyncio.get_running_loop().create_future()
        item = _Asked(question, chat, future, question.frame_hashes)
        self._waiting.append(item)
        self._start()
        try:
            return await item.reply
        except (RuntimeError, ValueError) as error:  # as torch and transformers fail
            raise ModelFailed(f"{self.name} failed ({type(error).__name__})") from error

    async def close(self) -> None:
        """Wait for what is under way; the weights go with this object."""
        while self._worker is not None:
            await asyncio.wait([self._worker])

    def _start(self) -> None:
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())
            self._worker.add_done_callback(self._ended)

    async def _work(self) -> None:
        await asyncio.sleep(_GATHER_S)
        while self._waiting:
            batch = self._next_batch()
            self._waiting = [item for item in self._waiting if item not in batch]
            self._under_way = [item for item in batch if not item.reply.done()]
            if self._under_way:
                await self._answer_batch(self._under_way)

    def _next_batch(self) -> list[_Asked]:
        """Those about the same frames as the first that waits, or those that share none."""
        first = self._waiting[0]
        alike = [item for item in self._waiting if item.kind == first.kind]
        if self.shares_pictures is not False and first.beginning is not None:
            sizes = Counter(item.beginning for item in alike)
            if sizes[first.beginning] > 1 or self._picture.keeps(first.beginning):
                return [item for item in alike if item.beginning == first.beginning][:_GROUP]
            alike = [item for item in alike if sizes[item.beginning] == 1]
        return alike[: self._batch_size]

    async def _answer_batch(self, batch: Sequence[_Asked]) -> None:
        """Answer within the limits of all; what takes longer is lost, and is waited for."""
        limit_s = None if self._limit_s is None else self._limit_s * len(batch)
        work = asyncio.create_task(asyncio.to_thread(self._answer, batch))
        done, _ = await asyncio.wait([work], timeout=limit_s)
        if not done:
            self._settle(batch, [self._late()] * len(batch))
        self._settle(batch, await work)  # nothing else fits beside it

    def _settle(self, batch: Sequence[_Asked], replies: Sequence[Reply | TimedOut]) -> None:
        for item, reply in zip(batch, replies, strict=True):
            if item.reply.done():  # whoever asked may have given up meanwhile
                continue
            if isinstance(reply, Reply):
                item.reply.set_result(reply)
            else:
                item.reply.set_exception(reply)

    def _late(self) -> TimedOut:
        return TimedOut(f"{self.name} did not reply within its limit")

    def _ended(self, worker: asyncio.Task[None]) -> None:
        """Hand what ended the work to those who waited for it; go on with others."""
        self._worker = None
        for item in self._under_way:
            if item.reply.done():
                continue
            if worker.cancelled() or (error := worker.exception()) is None:
                item.reply.cancel()
            else:
                item.reply.set_exception(error)
        self._under_way = []
        if self._waiting and not worker.cancelled():
            self._start()

    def _answer(self, batch: Sequence[_Asked]) -> list[Reply | TimedOut]:
        chats = [item.chat for item in batch]
        kind, explain = batch[0].kind
        if kind in ("isq", "text") or explain:
            replies = self.generate(chats, _LONG)
        elif kind == "pick":
            replies = self.generate(chats, _WORDS)
        else:
            replies = self._first_words(batch)
            unsure = [i for i, each in enumerate(replies) if each.mass < LEAST_MASS]
            words = self._in_batches([chats[i] for i in unsure], _WORDS)
            for place, reply in zip(unsure, words, strict=True):
                replies[place] = reply
        return [
            self._late() if each.cut else self._reply(item.question, each)
            for item, each in zip(batch, replies, strict=True)
        ]

    def _first_words(self, batch: Sequence[_Asked]) -> list[GeneratedReply]:
        """Read the first token: from one pass over the frames where all are about the same."""
        chats, beginning = [item.chat for item in batch], batch[0].beginning
        if self.shares_pictures is False or len({item.beginning for item in batch}) > 1:
            return self.generate(chats, 1)
        if len(batch) == 1 and not self._picture.keeps(beginning):
            return self.generate(chats, 1)
        try:
            shared = self._shared(beginning, chats)
        except UNSHARED:
            if self.shares_pictures is None:
                self._see_anew("cannot go on from it")  # else it is this picture alone
        else:
            otherwise = self._otherwise(chats, shared)
            if otherwise is None:
                return shared
            if self._picture.as_tree:
                self._picture.as_tree = False
                return self._first_words(batch)
            self._see_anew(otherwise)
        return self._in_batches(chats, 1)

    def _otherwise(self, chats: Sequence[Chat], shared: Sequence[GeneratedReply]) -> str | None:
        """Compare replies with those of chats alone, of a chat longer than all before.

        ``None`` where they are alike. Some models see positions otherwise from a length on.
        """
        longest = max(range(len(shared)), key=lambda place: shared[place].input_tokens)
        if shared[longest].input_tokens <= self._compared_tokens:
            return None
        off = [_differences(self.generate([chats[at]], 1)[0], shared[at]) for at in {0, longest}]
        most, most_odds = _EXACT if self._exact else _ROUNDED
        if all(one <= most and odds <= most_odds for one, odds in off):
            self.shares_pictures, self._compared_tokens = True, shared[longest].input_tokens
            return None
        one, odds = map(max, zip(*off, strict=True))
        return f"would answer otherwise by {one:.2g} ({odds:.2g} in log-odds)"

    def _see_anew(self, why: str) -> None:
        self.shares_pictures = False
        remark(f"{self.name} sees a picture anew for each question: it {why}.\n")

    @property
    def _exact(self) -> bool:
        return self._checkpoint.model.dtype == load_torch().float32 and not self._checkpoint.method

    def _shared(self, beginning: Any, chats: Sequence[Chat]) -> list[GeneratedReply]:
        torch = load_torch()
        try:
            firsts = self._picture.read(beginning, chats, self._batch_size)
        except torch.OutOfMemoryError as error:
            raise self._too_big() from error
        return [
            self._generated(one.probabilities, [int(one.probabilities.argmax())], one.prompt_tokens)
            for one in firsts
        ]

    def _reply(self, question: Question, generated: GeneratedReply) -> Reply:
        text, p_yes = generated.text, None
        if (
            question.prompt.kind == "choice"
            and generated.p_yes is not None
            and generated.mass >= LEAST_MASS
        ):
            p_yes = 1 - generated.p_yes if question.prompt.mirrored else generated.p_yes
            if not question.explain:
                text = "Yes" if generated.p_yes >= 0.5 else "No"
        return Reply(
            text=text,
            p_yes=p_yes,
            input_tokens=generated.input_tokens,
            output_tokens=generated.output_tokens,
            notes={"viewer": self.about, "mass": f"{generated.mass:.3f}"},
        )

    def _in_batches(self, chats: Sequence[Chat], most_tokens: int) -> list[GeneratedReply]:
        starts = range(0, len(chats), self._batch_size)
        batches = (chats[start : start + self._batch_size] for start in starts)
        return [reply for batch in batches for reply in self.generate(batch, most_tokens)]

    def generate(self, chats: Sequence[Chat], most_tokens: int) -> list[GeneratedReply]:
        """Let the model reply to chats, greedily; halves a batch that does not fit in memory."""
        torch = load_torch()
        try:
            with torch.inference_mode():
                return self._generate(chats, most_tokens)
        except torch.OutOfMemoryError as error:
            if len(chats) == 1:
                raise self._too_big() from error
        half = len(chats) // 2
        return [
            *self.generate(chats[:half], most_tokens),
            *self.generate(chats[half:], most_tokens),
        ]

    def _too_big(self) -> BadConfig:
        return BadConfig(
            f"{self.name} does not fit in memory with its question. "
            "Take a smaller one. Type: --model hfvlm/Qwen/Qwen3-VL-2B-Instruct"
        )

    def _generate(self, chats: Sequence[Chat], most_tokens: int) -> list[GeneratedReply]:
        model, tokenizer = self._checkpoint.model, self._checkpoint.processor.tokenizer
        limit_s = None if self._limit_s is None else self._limit_s * len(chats)
        self._picture.forget()  # some models keep positions of what they were given last
        begun = monotonic()
        inputs = make_inputs(self._checkpoint.processor, chats).to(model.device, model.dtype)
        output = model.generate(
            **inputs,
            max_new_tokens=most_tokens,
            max_time=limit_s,
            do_sample=False,
            num_beams=1,
            temperature=None,
            top_p=None,
            top_k=None,
            pad_token_id=tokenizer.pad_token_id,
            output_logits=True,
            return_dict_in_generate=True,
        )
        firsts = output.logits[0].float().softmax(-1).cpu()
        replies = output.sequences[:, -len(output.logits) :]
        lengths = inputs["attention_mask"].sum(-1).tolist()
        made = [
            self._generated(*row) for row in zip(firsts, replies.tolist(), lengths, strict=True)
        ]
        if limit_s is None or monotonic() - begun < limit_s or len(output.logits) == most_tokens:
            return made
        ends = self._ends()
        return [
            one if ends & set(reply) else replace(one, cut=True)
            for one, reply in zip(made, replies.tolist(), strict=True)
        ]

    def _ends(self) -> set[int]:
        """Tokens that end a reply."""
        ends = self._checkpoint.model.generation_config.eos_token_id
        return set(ends) if isinstance(ends, list) else {ends}

    def _generated(self, first: Any, reply: list[int], length: int) -> GeneratedReply:
        """Read a reply from its tokens and the probabilities of the first one."""
        tokenizer = self._checkpoint.processor.tokenizer
        tokens = [token for token in reply if token != tokenizer.pad_token_id]
        yes, no = (float(first[self._answers[word]].sum()) for word in ("yes", "no"))
        sure = bool(self._answers["yes"] and self._answers["no"]) and yes + no > 0
        return GeneratedReply(
            text=tokenizer.decode(tokens, skip_special_tokens=True).strip(),
            p_yes=yes / (yes + no) if sure else None,
            mass=yes + no if sure else 0.0,
            input_tokens=length,
            output_tokens=len(tokens),
        )


def _differences(one: GeneratedReply, other: GeneratedReply) -> tuple[float, float]:
    """Return by how much two replies differ in probabilities, and in the log-odds of yes."""
    mass = abs(one.mass - other.mass)
    if one.p_yes is None or other.p_yes is None:
        return mass, 0.0
    odds = [log(p / (1 - p)) if 0 < p < 1 else inf * (p - 0.5) for p in (one.p_yes, other.p_yes)]
    apart = 0.0 if odds[0] == odds[1] else abs(odds[0] - odds[1])
    return max(abs(one.p_yes - other.p_yes), mass), apart
