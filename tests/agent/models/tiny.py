"""Vision-language models of a few thousand numbers, built, saved and loaded as real ones are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from store.encoders._torch import load_torch

TEMPLATE = """{% for message in messages %}<s>{{ message['role'] }}: \
{% for part in message['content'] %}\
{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}\
{% endfor %}
{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}"""
NO_SYSTEM = (
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no') }}{% endif %}" + TEMPLATE
)
DROPS_SYSTEM = TEMPLATE.replace(
    "{% for message in messages %}",
    "{% for message in messages if message['role'] != 'system' %}",
)
_SPECIAL = ["<pad>", "<s>", "</s>", "<image>"]
_SIZES = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}


def tokenizer(**names: str) -> Any:
    """Make a byte-level tokenizer that knows ``Yes`` and ``No`` as single tokens."""
    load_torch()
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=_SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(["Yes No yes no"] * 20, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        extra_special_tokens=names,
    )


def save_llava(
    folder: Path, says: str | None = "no", template: str | None = TEMPLATE, **text: Any
) -> Path:
    """Save a random LLaVA that begins its replies with ``says``, more or less likely."""
    torch = load_torch()
    from transformers import (
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
    )

    words = tokenizer(image_token="<image>")
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(image_size=28, patch_size=14, projection_dim=32, **_SIZES),
        text_config=LlamaConfig(
            vocab_size=len(words), bos_token_id=1, eos_token_id=2, pad_token_id=0, **_SIZES, **text
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
        if says is not None:
            _decide(model, words, says)
    model.save_pretrained(folder)
    LlavaProcessor(
        image_processor=_image_processor(),
        tokenizer=words,
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=template,
    ).save_pretrained(folder)
    return folder


def _decide(model: Any, words: Any, says: str) -> None:
    """Make yes and no likely after a prompt's last words, and leave open which."""
    torch = load_torch()
    prompt = torch.tensor([words.encode("assistant: ", add_special_tokens=False)])
    hidden = model.model.language_model(input_ids=prompt).last_hidden_state[0, -1]
    likely = hidden * (60 / hidden.dot(hidden))
    lean = torch.randn(32) / 4
    if (hidden.dot(lean) > 0) != (says == "yes"):
        lean = -lean
    yes, no = words.convert_tokens_to_ids(["Yes", "No"])
    model.lm_head.weight[yes] = likely + lean
    model.lm_head.weight[no] = likely - lean


def save_blip2(folder: Path) -> Path:
    """Save a random BLIP-2, which knows no chats and takes one picture."""
    load_torch()
    from transformers import (
        Blip2Config,
        Blip2ForConditionalGeneration,
        Blip2Processor,
        Blip2QFormerConfig,
        Blip2VisionConfig,
        OPTConfig,
    )

    words = tokenizer()
    text = OPTConfig(
        vocab_size=len(words),
        ffn_dim=64,
        word_embed_proj_dim=32,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=1024,
    )
    config = Blip2Config(
        vision_config=Blip2VisionConfig(image_size=28, patch_size=14, **_SIZES).to_dict(),
        qformer_config=Blip2QFormerConfig(encoder_hidden_size=32, **_SIZES).to_dict(),
        text_config=text.to_dict(),
        num_query_tokens=4,
        image_token_index=words.convert_tokens_to_ids("<image>"),
    )
    Blip2ForConditionalGeneration(config).save_pretrained(folder)
    Blip2Processor(_image_processor(), words, num_query_tokens=4).save_pretrained(folder)
    return folder


def _image_processor() -> Any:
    from transformers import CLIPImageProcessor

    return CLIPImageProcessor(size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28})
