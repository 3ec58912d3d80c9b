"""Local vision-language models, ``hfvlm/<folder or id of the hub>``, through transformers.

A question that wants yes or no is answered by one forward pass: ``p_yes`` is the share of the
yes tokens in the probability of all yes and no tokens at the place where the reply begins. Where
these hold less than half of all probability there, the model is about to say something else, and
is let speak; its words are then read as anybody's. Questions that come together are answered
together. Nothing is sampled: the same question gets the same reply.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agent.errors import BadConfig, ModelFailed
from agent.models.base import Question, Reply
from agent.models.fingerprint import fingerprint
from agent.models.image_size import LONGEST_SIDE, opened
from agent.models.local_checkpoint import Checkpoint, load
from agent.models.providers import LOCAL_VLM, parse_model_name
from store.encoders._torch import load_torch

TOGETHER = 8  # questions in one batch at most
LEAST_MASS = 0.5
"""Probability of yes and no tokens together from which the first token is the answer."""
_WORDS = 24  # tokens of a reply that should be one word
_LONG = 384  # tokens of a questionnaire or an explained reply
_LIMIT_S = 60.0  # of one batch, as the judge's: nobody waits for it any longer

Chat = list[dict[str, Any]]
"""Messages in the form of transformers' chat templates, pictures as PIL images."""


@dataclass(frozen=True)
class GeneratedReply:
    """A reply as the model made it; ``p_yes`` and ``mass`` are of its first token."""

    text: str
    p_yes: float | None
    mass: float  # probability of yes and no together
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, eq=False)
class _Asked:
    question: Question
    chat: Chat
    reply: asyncio.Future[Reply]

    @property
    def kind(self) -> tuple[str, bool]:
        """What must be alike for questions to be answered together."""
        return self.question.prompt.kind, self.question.explain


class HfVlm:
    """Answers questions about frames with a model in this process."""

    capabilities = LOCAL_VLM
    meters = False
    at_once = 2 * TOGETHER  # a batch waits while another is answered

    def __init__(self, name: str, checkpoint: Checkpoint, limit_s: float | None = _LIMIT_S) -> None:
        self.name = name
        self._limit_s = limit_s
        self.about = checkpoint.about
        self.settings: dict[str, Any] = {
            "checkpoint": checkpoint.about,
            "weights": checkpoint.weights,
            "longest_side": LONGEST_SIDE,
        }
        self._checkpoint = checkpoint
        self._answers = {
            word: _answer_tokens(checkpoint.processor.tokenizer, word) for word in ("yes", "no")
        }
        self._waiting: list[_Asked] = []
        self._under_way: list[_Asked] = []
        self._worker: asyncio.Task[None] | None = None

    @property
    def fingerprint(self) -> str:
        """The content of its files, its precision, and how it is asked."""
        checkpoint = self._checkpoint
        precision = str(checkpoint.model.dtype)
        return fingerprint(["hfvlm", checkpoint.weights, precision, LONGEST_SIDE, LEAST_MASS])

    @classmethod
    def load(cls, name: str, device: str | None = None) -> HfVlm:
        """Load by name; raises as `local_checkpoint.load` does."""
        return cls(name, load(parse_model_name(name).model, device))

    async def ask(self, question: Question) -> Reply:
        """Answer; also raises ``BadConfig`` where not even one question fits in memory."""
        chat = await asyncio.to_thread(_chat, question)
        item = _Asked(question, chat, asyncio.get_running_loop().create_future())
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
        while self._waiting:
            kind = self._waiting[0].kind
            batch = [item for item in self._waiting if item.kind == kind][:TOGETHER]
            self._waiting = [item for item in self._waiting if item not in batch]
            self._under_way = [item for item in batch if not item.reply.done()]
            if self._under_way:
                replies = await asyncio.to_thread(self._answer, self._under_way)
                for item, reply in zip(self._under_way, replies, strict=True):
                    if not item.reply.done():  # whoever asked may have given up meanwhile
                        item.reply.set_result(reply)

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

    def _answer(self, batch: Sequence[_Asked]) -> list[Reply]:
        chats = [item.chat for item in batch]
        kind, explain = batch[0].kind
        if kind in ("isq", "text") or explain:
            replies = self.generate(chats, _LONG)
        elif kind == "pick":
            replies = self.generate(chats, _WORDS)
        else:
            replies = self.generate(chats, 1)
            unsure = [i for i, each in enumerate(replies) if each.mass < LEAST_MASS]
            words = self.generate([chats[i] for i in unsure], _WORDS) if unsure else []
            for place, reply in zip(unsure, words, strict=True):
                replies[place] = reply
        return [self._reply(item.question, each) for item, each in zip(batch, replies, strict=True)]

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

    def generate(self, chats: Sequence[Chat], most_tokens: int) -> list[GeneratedReply]:
        """Let the model reply to chats, greedily; halves a batch that does not fit in memory."""
        torch = load_torch()
        try:
            with torch.inference_mode():
                return self._generate(chats, most_tokens)
        except torch.OutOfMemoryError as error:
            if len(chats) == 1:
                raise BadConfig(
                    f"{self.name} does not fit in memory with its question. "
                    "Take a smaller one. Type: --model hfvlm/Qwen/Qwen3-VL-2B-Instruct"
                ) from error
        half = len(chats) // 2
        return [
            *self.generate(chats[:half], most_tokens),
            *self.generate(chats[half:], most_tokens),
        ]

    def _generate(self, chats: Sequence[Chat], most_tokens: int) -> list[GeneratedReply]:
        model, tokenizer = self._checkpoint.model, self._checkpoint.processor.tokenizer
        inputs = _inputs(self._checkpoint.processor, chats).to(model.device, model.dtype)
        output = model.generate(
            **inputs,
            max_new_tokens=most_tokens,
            max_time=self._limit_s,
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
        return [
            self._generated(*row) for row in zip(firsts, replies.tolist(), lengths, strict=True)
        ]

    def _generated(self, first: Any, reply: list[int], length: int) -> GeneratedReply:
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


def _answer_tokens(tokenizer: Any, word: str) -> list[int]:
    """Ids of the tokens that say a word alone: ``Yes``, ``yes``, ``YES``, with a space or without.

    What takes two tokens is left out, since its first one begins other words too.
    """
    cases = (word, word.title(), word.upper())
    spellings = [before + each for before in ("", " ") for each in cases]
    ids_of_each = (tokenizer.encode(each, add_special_tokens=False) for each in spellings)
    single = {ids[0] for ids in ids_of_each if len(ids) == 1}
    return sorted(single - {tokenizer.unk_token_id})


def _chat(question: Question) -> Chat:
    pictures = [{"type": "image", "image": opened(frame)} for frame in question.frames]
    message = {"role": "user", "content": [*pictures, _text(question.prompt.user)]}
    if not question.prompt.system:
        return [message]
    return [{"role": "system", "content": [_text(question.prompt.system)]}, message]


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _inputs(processor: Any, chats: Sequence[Chat]) -> Any:
    if processor.chat_template is None:
        return _plain_inputs(processor, chats)
    return processor.apply_chat_template(
        [_with_system(processor, chat) for chat in chats],
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
        processor_kwargs={"padding": True},
    )


def _with_system(processor: Any, chat: Chat) -> Chat:
    """Keep the persona: templates that refuse or drop a system message get it as the user's."""
    from jinja2 import TemplateError

    if chat[0]["role"] != "system":
        return chat
    system, user = chat[0]["content"], chat[1]
    try:
        text = processor.apply_chat_template(chat, add_generation_prompt=True)
    except TemplateError:
        text = ""
    if system[0]["text"] in text:
        return chat
    return [{"role": "user", "content": [*system, *user["content"]]}, *chat[2:]]


def _plain_inputs(processor: Any, chats: Sequence[Chat]) -> Any:
    """Ask a model that knows no chats, such as BLIP-2: one picture, and a text to go on from."""
    contents = [[part for message in chat for part in message["content"]] for chat in chats]
    pictures = [next(part["image"] for part in parts if "image" in part) for parts in contents]
    texts = ["\n\n".join(part["text"] for part in parts if "text" in part) for parts in contents]
    return processor(
        images=pictures,
        text=[f"Question: {text} Answer:" for text in texts],
        padding=True,
        return_tensors="pt",
    )
