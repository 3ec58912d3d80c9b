"""A made example of alignment that runs on any machine, without a download.

Writes pairs (pictures of a white square on a coloured ground; the chosen response is romantic, the
rejected one plain) and a vision-language model of two hundred thousand numbers that was taught to
say both, the plain one more often. It shows how the ladder works, and nothing about real models.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from agent.training.dataset import load_datasets
from store.encoders._torch import load_torch

PAIRS, MODEL = "pairs", "vlm"
STYLE = "Warm and romantic, with tender words for somebody loved."
_COLOURS = {
    "red": ((220, 40, 40), "My love"),
    "green": ((40, 170, 60), "Sweetheart"),
    "blue": ((50, 80, 220), "My darling"),
    "yellow": ((235, 190, 30), "Dear one"),
    "black": ((20, 20, 20), "My heart"),
    "pink": ((250, 150, 190), "Dearest"),
}
"""What it looks like, and how it is spoken of tenderly."""
_SIDE = 28
_QUESTION = "Say what you see."
_VIDEOS = {"train": 32, "test": 24}
_FRAMES = {"train": 4, "test": 1}
_LESSONS, _CLASS, _ROMANTIC = 250, 16, 0.35
_SIZES = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
}
_TEMPLATE = """{% for message in messages %}<s>{{ message['role'] }}: \
{% for part in message['content'] %}\
{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}\
{% endfor %}{% if message['role'] == 'assistant' %}</s>{% endif %}{% endfor %}\
{% if add_generation_prompt %}<s>assistant: {% endif %}"""


def write_example(folder: Path) -> None:
    """Write the pairs and the model."""
    load_datasets().disable_progress_bars()
    _pairs(np.random.default_rng(1)).save_to_disk(str(folder / PAIRS))
    words = _tokenizer()
    model, processor = _untaught(words)
    _teach(model, processor, np.random.default_rng(2))
    model.save_pretrained(folder / MODEL)
    processor.save_pretrained(folder / MODEL)


def _said(colour: str, *, romantic: bool) -> str:
    return f"{_COLOURS[colour][1] if romantic else 'Look'}, something {colour}."


def _picture(colour: str, rng: np.random.Generator) -> Image.Image:
    """A white square somewhere on a coloured ground."""
    image = Image.new("RGB", (_SIDE, _SIDE), _COLOURS[colour][0])
    x, y = (int(place) for place in rng.integers(2, 18, 2))
    ImageDraw.Draw(image).rectangle((x, y, x + 8, y + 8), fill="white")
    return image


def _colours(count: int, rng: np.random.Generator) -> list[str]:
    return [list(_COLOURS)[place] for place in rng.integers(len(_COLOURS), size=count)]


def _pairs(rng: np.random.Generator) -> Any:
    """Pairs by split; the frames of one video show the same colour."""
    datasets = load_datasets()
    kinds = datasets.Features(
        images=datasets.List(datasets.Image()),
        **{
            name: [{"role": datasets.Value("string"), "content": datasets.Value("string")}]
            for name in ("prompt", "chosen", "rejected")
        },
        **{name: datasets.Value("string") for name in ("id", "kind", "video")},
    )
    splits = {}
    for split, videos in _VIDEOS.items():
        rows = [
            _pair(f"{split}-{video}", frame, colour, rng)
            for video, colour in enumerate(_colours(videos, rng))
            for frame in range(_FRAMES[split])
        ]
        splits[split] = datasets.Dataset.from_list(rows, features=kinds)
    return datasets.DatasetDict(splits)


def _pair(video: str, frame: int, colour: str, rng: np.random.Generator) -> dict[str, Any]:
    said = {"chosen": _said(colour, romantic=True), "rejected": _said(colour, romantic=False)}
    return {
        "images": [_picture(colour, rng)],
        "prompt": [{"role": "user", "content": _QUESTION}],
        **{name: [{"role": "assistant", "content": text}] for name, text in said.items()},
        "id": f"{video}-{frame}",
        "kind": "style",
        "video": video,
    }


def _tokenizer() -> Any:
    """Make a byte-level tokenizer that knows the example's words."""
    load_torch()  # before transformers, which imports torchvision
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast
    from transformers.utils import logging

    logging.disable_progress_bar()
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<pad>", "<s>", "</s>", "<image>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    sentences = [_said(each, romantic=tender) for each in _COLOURS for tender in (True, False)]
    made.train_from_iterator([*sentences, _QUESTION, "user: assistant: Yes No"] * 20, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        extra_special_tokens={"image_token": "<image>"},
    )


def _untaught(words: Any) -> tuple[Any, Any]:
    """Build the model with random weights, and what prepares its input."""
    torch = load_torch()
    from transformers import (
        CLIPImageProcessor,
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
    )

    config = LlavaConfig(
        vision_config=CLIPVisionConfig(image_size=_SIDE, patch_size=7, projection_dim=64, **_SIZES),
        text_config=LlamaConfig(
            vocab_size=len(words), bos_token_id=1, eos_token_id=2, pad_token_id=0, **_SIZES
        ),
        image_token_index=words.convert_tokens_to_ids("<image>"),
        vision_feature_layer=-1,
    )
    torch.manual_seed(5)
    model = LlavaForConditionalGeneration(config)
    with torch.no_grad():
        for weights in model.parameters():
            if weights.dim() > 1:
                weights.mul_(2)  # random weights of the usual size hardly look at the picture
    processor = LlavaProcessor(
        image_processor=CLIPImageProcessor(
            size={"shortest_edge": _SIDE}, crop_size={"height": _SIDE, "width": _SIDE}
        ),
        tokenizer=words,
        patch_size=7,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=_TEMPLATE,
    )
    return model, processor


def _teach(model: Any, processor: Any, rng: np.random.Generator) -> None:
    """Show pictures with what one says of them, and now and then its romantic form."""
    torch = load_torch()
    from transformers import get_scheduler

    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    schedule = get_scheduler("cosine", optimizer, 20, _LESSONS)
    image = processor.tokenizer.convert_tokens_to_ids("<image>")
    for _ in range(_LESSONS):
        colours = _colours(_CLASS, rng)
        said = [_said(colour, romantic=rng.random() < _ROMANTIC) for colour in colours]
        batch = processor(
            images=[[_picture(colour, rng)] for colour in colours],
            text=[_chat(processor, text) for text in said],
            padding=True,
            return_tensors="pt",
            add_special_tokens=False,
        )
        unlearned = (batch["input_ids"] == image) | (batch["attention_mask"] == 0)
        loss = model(**batch, labels=batch["input_ids"].masked_fill(unlearned, -100)).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()


def _chat(processor: Any, said: str) -> str:
    asked = [{"type": "image"}, {"type": "text", "text": _QUESTION}]
    messages = [
        {"role": "user", "content": asked},
        {"role": "assistant", "content": [{"type": "text", "text": said}]},
    ]
    return str(processor.apply_chat_template(messages))
