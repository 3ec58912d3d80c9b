"""What a model does with held-out pairs: its replies, its preferences, its tendency to say yes.

The same questions before and after training, to videos that no training saw. Refuses to judge the
replies, and to know how the model was trained.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from agent.models.local_checkpoint import Checkpoint
from agent.models.local_vlm import TOGETHER, Chat, HfVlm
from agent.training import dpo
from agent.training.dataset import texts
from store.results.trainings import HeldOutItem

LONGEST = 96
"""Tokens of a reply."""
_RIGHT = "Somebody says of this picture: {said}\nIs that right? Answer with one word: Yes or No."
_WRONG = "Somebody says of this picture: {said}\nIs that wrong? Answer with one word: Yes or No."
ASKED = len(("chosen", "rejected")) * len((_RIGHT, _WRONG))
"""Questions about each pair; whatever the picture shows, half of them deserve a yes."""


def measure(
    checkpoint: Checkpoint, pairs: Any, name: str, told: Callable[[int], None]
) -> tuple[HeldOutItem, ...]:
    """Measure a model with held-out pairs.

    Parameters
    ----------
    told
        Is told the number of pairs done.
    """
    model = HfVlm(name, checkpoint, limit_s=None)  # a reply must not depend on how busy it is
    items: list[HeldOutItem] = []
    for start in range(0, len(pairs), TOGETHER):
        some = pairs.select(range(start, min(start + TOGETHER, len(pairs))))
        replies = [made.text for made in model.generate(dpo.chats(some), LONGEST)]
        preferred = dpo.log_probabilities(checkpoint, some)
        for pair, reply, (chosen, rejected, *tokens) in zip(some, replies, preferred, strict=True):
            items.append(
                HeldOutItem(
                    id=pair["id"],
                    video=pair["video"],
                    kind=pair["kind"],
                    reply=reply,
                    chosen=chosen,
                    rejected=rejected,
                    chosen_tokens=tokens[0],
                    rejected_tokens=tokens[1],
                    p_yes=tuple(said.p_yes for said in model.generate(_questions(pair), 1)),
                )
            )
        told(len(items))
    return tuple(items)


def _questions(pair: Any) -> list[Chat]:
    said = (texts(pair["chosen"]), texts(pair["rejected"]))
    return [
        _about(pair["images"], wording.format(said=each))
        for each in said
        for wording in (_RIGHT, _WRONG)
    ]


def _about(images: Sequence[Any], text: str) -> Chat:
    pictures = [{"type": "image", "image": image} for image in images]
    return [{"role": "user", "content": [*pictures, {"type": "text", "text": text}]}]
