"""Questions as local models get them: chats in their own template, and tensors.

What is a property of the chat form is decided here: where the persona goes, and what a model gets
that knows no chats.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from agent.models.base import Question
from agent.models.image_size import opened

Chat = list[dict[str, Any]]
"""Messages in the form of transformers' chat templates, pictures as PIL images."""

_open_lately = lru_cache(maxsize=16)(
    opened
)  # a picture is asked about as one persona after another


def make_chat(question: Question) -> Chat:
    """Put a question into messages; ``ModelFailed`` where a frame is no picture."""
    pictures = [{"type": "image", "image": _open_lately(frame)} for frame in question.frames]
    message = {"role": "user", "content": [*pictures, _text(question.prompt.user)]}
    if not question.prompt.system:
        return [message]
    return [{"role": "system", "content": [_text(question.prompt.system)]}, message]


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def make_inputs(processor: Any, chats: Sequence[Chat]) -> Any:
    """Make the tensors of chats that are asked together, padded where they are shorter."""
    if processor.chat_template is None:
        return _plain_inputs(processor, chats)
    return processor.apply_chat_template(
        [keep_system(processor, chat) for chat in chats],
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
        processor_kwargs={"padding": True},
    )


def keep_system(processor: Any, chat: Chat) -> Chat:
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


def answer_tokens(tokenizer: Any, word: str) -> list[int]:
    """Ids of the tokens that say a word alone: ``Yes``, ``yes``, ``YES``, with a space or without.

    What takes two tokens is left out, since its first one begins other words too.
    """
    cases = (word, word.title(), word.upper())
    spellings = [before + each for before in ("", " ") for each in cases]
    ids_of_each = (tokenizer.encode(each, add_special_tokens=False) for each in spellings)
    single = {ids[0] for ids in ids_of_each if len(ids) == 1}
    return sorted(single - {tokenizer.unk_token_id})
