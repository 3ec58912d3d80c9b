"""Many questions about the same frames, answered from one pass over these frames.

What their chats have in common, up to the last picture, runs through the model once. Its keys and
values then serve every ending. What several endings begin with (the scene, a persona before its
question and the opposite) is run once too: all of them are one row, whose tokens see what is in
their own chat (`token_tree`).

A model with sliding windows or recurrent states cannot be told what each token sees. There each
ending has a row of its own, and a copy of the frames' keys and values. Nothing is padded on the
left, so positions, windows and states are those of a chat that is asked alone.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf
from typing import Any

from agent.models.chat_inputs import Chat, keep_system, make_inputs
from agent.models.local_checkpoint import Checkpoint
from agent.models.token_tree import make_tree
from store.encoders._torch import load_torch

_WORTH = 128
"""Tokens that a further pass over shared beginnings must save to pay for itself."""


class NotShared(Exception):
    """A model or a template that cannot go on from a picture that it has seen."""


_WINDOWS = ("sliding_window", "attention_chunk_size")
"""How configurations call the tokens that some layers see: a tree's mask would show them more."""
UNSHARED = (NotShared, RuntimeError, ValueError, TypeError, AttributeError, LookupError)
"""How models fail that cannot go on from a picture that they have seen."""


@dataclass(frozen=True, eq=False)
class FirstToken:
    """Where a reply begins: the probability of every token there."""

    probabilities: Any  # one number a token, float32, on the CPU
    prompt_tokens: int


_Run = Callable[["_Prefix", list[list[int]]], list[Any]]


@dataclass(frozen=True, eq=False)
class _Prefix:
    """What chats about the same frames begin with, and what the model made of it."""

    key: Hashable
    words: list[int]  # its tokens with one place a picture
    length: int  # its tokens as the model counts them
    next_position: int  # of the token after it; pictures may count fewer positions than tokens
    cache: Any
    beside: dict[str, Any]  # what else each later token needs, such as which pictures it sees


class SharedPicture:
    """Reads the first token of replies to chats that begin with the same frames.

    The last frames are kept until `forget`: a model of this kind may hold positions of what it was
    given last, so that any other pass makes them stale.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._model = checkpoint.model
        self._processor = checkpoint.processor
        takes = inspect.signature(checkpoint.model.forward).parameters
        self._takes_cache = "past_key_values" in takes
        self._selects = "logits_to_keep" in takes
        config = checkpoint.model.config.get_text_config()
        windows = (getattr(config, name, None) for name in _WINDOWS)
        self._window = min((each for each in windows if each), default=inf)
        self._kept: _Prefix | None = None
        rope = getattr(config, "rope_parameters", None) or {}
        # a longer chat stretches positions for good: a second try would compare like with like
        self.as_tree = rope.get("rope_type") not in ("dynamic", "longrope")
        """Endings in one row; else in a row each, where the model takes no such positions."""

    def keeps(self, key: Hashable) -> bool:
        """Whether the frames of this key were the last that the model has seen."""
        return self._kept is not None and self._kept.key == key

    def forget(self) -> None:
        self._kept = None

    def read(self, key: Hashable, chats: Sequence[Chat], most: int) -> list[FirstToken]:
        """Read the first tokens of replies to chats with the same frames and system message.

        Parameters
        ----------
        key
            Names the frames and the system message.
        most
            Endings in one pass; half as many where they do not fit in memory.

        Raises
        ------
        NotShared
            The template or the model allows no common beginning.
        torch.OutOfMemoryError
            Not even one ending fits.
        """
        torch = load_torch()
        if self._processor.chat_template is None or not self._takes_cache:
            raise NotShared
        chats = [keep_system(self._processor, chat) for chat in chats]
        words = [self._words(chat) for chat in chats]
        with torch.inference_mode():
            prefix = self._prefix(key, chats[0], words)
            endings = [each[len(prefix.words) :] for each in words]
            order = sorted(range(len(endings)), key=endings.__getitem__)  # alike ones side by side
            rows = self._run(prefix, [endings[place] for place in order], most)
            found = dict(zip(order, rows, strict=True))
        lengths = [prefix.length + len(ending) for ending in endings]
        return [FirstToken(found[place], length) for place, length in enumerate(lengths)]

    def _words(self, chat: Chat) -> list[int]:
        """Tokens of a chat with one place a picture, which are made without looking at any."""
        text = self._processor.apply_chat_template(chat, add_generation_prompt=True)
        ids: list[int] = self._processor.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def _prefix(self, key: Hashable, chat: Chat, words: Sequence[list[int]]) -> _Prefix:
        kept = self._kept
        if kept is not None and kept.key == key:
            shared = kept.words
            if all(each[: len(shared)] == shared and len(each) > len(shared) for each in words):
                return kept
        self._kept = None  # its memory first
        before = [self._words(_reworded(chat, text)) for text in ("0", "#")]
        length = min(_common(before[0], other) for other in [before[1], *words])
        self._kept = self._run_prefix(key, chat, words[0], length)
        return self._kept

    def _run_prefix(self, key: Hashable, chat: Chat, words: list[int], shared: int) -> _Prefix:
        """Run what comes before the first words that differ, pictures included."""
        inputs = make_inputs(self._processor, [chat]).to(self._model.device, self._model.dtype)
        ids = inputs["input_ids"][0].tolist()
        ending = words[shared:]
        length = len(ids) - len(ending)
        if not ending or length <= 0 or ids[length:] != ending:  # a picture among the ending, say
            raise NotShared
        per_token = {
            name
            for name, value in inputs.items()
            if name != "pixel_values" and getattr(value, "shape", ())[:2] == (1, len(ids))
        }
        cut = {
            name: value[:, :length] if name in per_token else value
            for name, value in inputs.items()
        }
        keep = {"logits_to_keep": 1} if self._selects else {}
        cache = getattr(self._model(**cut, use_cache=True, **keep), "past_key_values", None)
        if not hasattr(cache, "reorder_cache"):
            raise NotShared
        beside = {name: inputs[name][:, -1:] for name in per_token if inputs[name].ndim > 2}
        position = length + self._positions_saved()
        return _Prefix(key, words[:shared], length, position, cache, beside)

    def _positions_saved(self) -> int:
        """Positions less tokens of what was run last: 0, or less where M-RoPE counts pictures."""
        saved = (vars(part).get("rope_deltas") for part in self._model.modules())
        return next((int(deltas[0, 0]) for deltas in saved if deltas is not None), 0)

    def _run(self, prefix: _Prefix, endings: list[list[int]], most: int) -> list[Any]:
        """Run all endings: a pass holds no more tokens than so many whole chats."""
        longest = max(map(len, endings))
        self.as_tree = self.as_tree and prefix.length + longest < self._window
        if self.as_tree:
            try:
                each = most * (prefix.length + longest) // longest
                return self._in_parts(self._run_tree, prefix, endings, each)
            except load_torch().OutOfMemoryError:
                raise
            except UNSHARED:
                self.as_tree = False
        return self._in_parts(self._run_rows, prefix, endings, most)

    def _in_parts(
        self, run: _Run, prefix: _Prefix, endings: list[list[int]], most: int
    ) -> list[Any]:
        """Run so many endings at a time, or half as many where they do not fit in memory."""
        torch = load_torch()
        found: list[Any] = []
        while len(found) < len(endings):
            try:
                found += run(prefix, endings[len(found) : len(found) + most])
            except torch.OutOfMemoryError:
                if most == 1:
                    raise
                most = min(most, len(endings)) // 2 or 1
        return found

    def _run_tree(self, prefix: _Prefix, endings: list[list[int]]) -> list[Any]:
        """Run endings in one pass and one row, what several of them begin with once."""
        torch = load_torch()
        device, tree = self._model.device, make_tree(endings)
        places = torch.tensor(sorted(set(tree.ends)), device=device)
        count = len(tree.tokens)
        hidden = torch.zeros(count, prefix.length + count, dtype=self._model.dtype)
        hidden[:, prefix.length :].masked_fill_(
            ~torch.from_numpy(tree.sees), torch.finfo(self._model.dtype).min
        )
        beside = {
            name: value.expand(1, count, *value.shape[2:]) for name, value in prefix.beside.items()
        }
        if self._selects:
            beside["logits_to_keep"] = places
        logits = self._model(
            input_ids=torch.tensor([tree.tokens], device=device),
            attention_mask=hidden[None, None].to(device),
            position_ids=torch.tensor([tree.depths], device=device) + prefix.next_position,
            past_key_values=copy.deepcopy(prefix.cache),
            use_cache=True,
            **beside,
        ).logits[0]
        if not self._selects:
            logits = logits[places]
        rows = logits.float().softmax(-1).cpu()
        where = places.tolist()
        return [rows[where.index(end)] for end in tree.ends]

    def _run_rows(self, prefix: _Prefix, endings: list[list[int]]) -> list[Any]:
        """Run endings in one pass, after one over how several of them begin where that pays."""
        torch = load_torch()
        cache = copy.deepcopy(prefix.cache)
        same = _shared_beginning(endings)
        heads: list[tuple[int, ...]] = sorted({tuple(ending[:same]) for ending in endings})
        cache.reorder_cache(torch.zeros(len(heads), dtype=torch.long, device=self._model.device))
        if same:
            self._step(cache, prefix, [list(head) for head in heads])
        rows = [heads.index(tuple(ending[:same])) for ending in endings]
        cache.reorder_cache(torch.tensor(rows, device=self._model.device))
        logits = self._step(cache, prefix, [ending[same:] for ending in endings])
        return list(logits.float().softmax(-1).cpu())

    def _step(self, cache: Any, prefix: _Prefix, rows: list[list[int]]) -> Any:
        """Go on from a cache with a row each; logits of each row's last token.

        Rows are filled up on the right, where nothing that counts can see it. So there is nothing
        to mask, and some models take positions from a mask.
        """
        torch = load_torch()
        device, longest = self._model.device, max(map(len, rows))
        fill = self._processor.tokenizer.pad_token_id
        ids = [row + [fill] * (longest - len(row)) for row in rows]
        lasts = [len(row) - 1 for row in rows]
        places = sorted(set(lasts))
        beside = {
            name: value.expand(len(rows), longest, *value.shape[2:])
            for name, value in prefix.beside.items()
        }
        if self._selects:
            beside["logits_to_keep"] = torch.tensor(places, device=device)
        logits = self._model(
            input_ids=torch.tensor(ids, device=device),
            past_key_values=cache,
            use_cache=True,
            **beside,
        ).logits
        at = [places.index(last) if self._selects else last for last in lasts]
        return logits[list(range(len(rows))), at]


def _reworded(chat: Chat, text: str) -> Chat:
    """The same frames and system message with another question."""
    *before, last = chat
    parts = last["content"][:-1]
    return [*before, {**last, "content": [*parts, {"type": "text", "text": text}]}]


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    """Length of what two lists begin with alike."""
    pairs = zip(one, other, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _shared_beginning(endings: Sequence[list[int]]) -> int:
    """How many first tokens to run once for endings that share them; 0 where it does not pay.

    Endings are sorted, so that those which begin alike are neighbours.
    """
    alike = [_common(one, other) for one, other in pairwise(endings)]
    longest = min(map(len, endings)) - 1  # each ending keeps one token of its own
    saved = {
        length: length * sum(each >= length for each in alike)
        for length in {min(each, longest) for each in alike}
    }
    best = max(saved, key=lambda length: saved[length], default=0)
    return best if best and saved[best] >= _WORTH else 0
