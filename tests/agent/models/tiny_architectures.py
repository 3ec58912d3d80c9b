"""One tiny model of each way to attend: with which a picture can be shared, or not.

Weights are random, and larger than usual, so that answers depend on picture and words.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from store.encoders._torch import load_torch
from tests.agent.models import tiny

_TEXT = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}


def _words(*special: str, **names: str) -> Any:
    words = tiny.tokenizer(**names)
    words.add_special_tokens({"additional_special_tokens": list(special)})
    return words


def _template(picture: str) -> str:
    return tiny.TEMPLATE.replace("<image>", picture)


def _save(folder: Path, model: Any, processor: Any) -> Path:
    torch = load_torch()
    torch.manual_seed(7)
    with torch.no_grad():
        for weights in model.parameters():
            if weights.dim() > 1:
                weights.normal_(0, 0.2)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def save_qwen(folder: Path) -> Path:
    """Save a random Qwen2.5-VL: positions in three dimensions (M-RoPE)."""
    load_torch()
    from transformers import (
        Qwen2_5_VLConfig,
        Qwen2_5_VLForConditionalGeneration,
        Qwen2_5_VLProcessor,
        Qwen2VLImageProcessor,
        Qwen2VLVideoProcessor,
    )

    names = ("<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>")
    words = _words(*names)
    picture, video, start, end = words.convert_tokens_to_ids(list(names))
    config = Qwen2_5_VLConfig(
        text_config={
            **_TEXT,
            "vocab_size": len(words),
            "rope_parameters": {"rope_type": "default", "mrope_section": [2, 3, 3]},
        },
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_heads": 2,
            "out_hidden_size": 32,
            "fullatt_block_indexes": [1],
        },
        image_token_id=picture,
        video_token_id=video,
        vision_start_token_id=start,
        vision_end_token_id=end,
    )
    sizes = {"shortest_edge": 56 * 56, "longest_edge": 112 * 112}
    processor = Qwen2_5_VLProcessor(
        Qwen2VLImageProcessor(size=sizes),
        words,
        Qwen2VLVideoProcessor(),
        chat_template=_template("<|vision_start|><|image_pad|><|vision_end|>"),
    )
    return _save(folder, Qwen2_5_VLForConditionalGeneration(config), processor)


def save_qwen3(folder: Path) -> Path:
    """Save a random Qwen3-VL: M-RoPE interleaved, pictures put into several layers."""
    load_torch()
    from transformers import (
        Qwen2VLImageProcessor,
        Qwen3VLConfig,
        Qwen3VLForConditionalGeneration,
        Qwen3VLProcessor,
        Qwen3VLVideoProcessor,
    )

    names = ("<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>")
    words = _words(*names)
    picture, video, start, end = words.convert_tokens_to_ids(list(names))
    rope = {"rope_type": "default", "mrope_section": [2, 3, 3], "mrope_interleaved": True}
    config = Qwen3VLConfig(
        text_config={**_TEXT, "head_dim": 16, "vocab_size": len(words), "rope_parameters": rope},
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_heads": 2,
            "out_hidden_size": 32,
            "deepstack_visual_indexes": [0, 1],
            "num_position_embeddings": 64,
        },
        image_token_id=picture,
        video_token_id=video,
        vision_start_token_id=start,
        vision_end_token_id=end,
    )
    sizes = {"shortest_edge": 56 * 56, "longest_edge": 112 * 112}
    processor = Qwen3VLProcessor(
        Qwen2VLImageProcessor(size=sizes, patch_size=16),
        words,
        Qwen3VLVideoProcessor(),
        chat_template=_template("<|vision_start|><|image_pad|><|vision_end|>"),
    )
    return _save(folder, Qwen3VLForConditionalGeneration(config), processor)


def save_gemma(folder: Path, *, both_ways: bool = False) -> Path:
    """Save a random Gemma 3: sliding windows; ``both_ways``: its words see later words."""
    load_torch()
    from transformers import (
        Gemma3Config,
        Gemma3ForConditionalGeneration,
        Gemma3ImageProcessor,
        Gemma3Processor,
    )

    names = {"boi_token": "<boi>", "eoi_token": "<eoi>", "image_token": "<image>"}
    words = _words("<boi>", "<eoi>", **names)
    begin, end, picture = words.convert_tokens_to_ids(["<boi>", "<eoi>", "<image>"])
    config = Gemma3Config(
        text_config={
            **_TEXT,
            "vocab_size": len(words),
            "head_dim": 16,
            "sliding_window": 24,
            "layer_types": ["sliding_attention", "full_attention"],
            "use_bidirectional_attention": both_ways,
        },
        vision_config={
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "image_size": 28,
            "patch_size": 7,
        },
        mm_tokens_per_image=4,
        boi_token_index=begin,
        eoi_token_index=end,
        image_token_index=picture,
    )
    processor = Gemma3Processor(
        Gemma3ImageProcessor(size={"height": 28, "width": 28}),
        words,
        chat_template=_template("<boi>"),
        image_seq_length=4,
    )
    return _save(folder, Gemma3ForConditionalGeneration(config), processor)


def save_mllama(folder: Path) -> Path:
    """Save a random Llama 3.2 Vision: its words see pictures by cross-attention."""
    load_torch()
    from transformers import (
        MllamaConfig,
        MllamaForConditionalGeneration,
        MllamaImageProcessor,
        MllamaProcessor,
    )

    words = _words("<|image|>", "<|python_tag|>")
    config = MllamaConfig(
        text_config={
            **_TEXT,
            "vocab_size": len(words),
            "num_hidden_layers": 3,
            "cross_attention_layers": [1],
            "rope_parameters": {"rope_type": "default", "rope_theta": 10_000.0},
        },
        vision_config={
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_global_layers": 1,
            "attention_heads": 2,
            "image_size": 28,
            "patch_size": 14,
            "max_num_tiles": 2,
            "intermediate_layers_indices": [0, 1],
            "vision_output_dim": 96,
            "supported_aspect_ratios": [[1, 1], [1, 2], [2, 1]],
        },
        image_token_index=words.convert_tokens_to_ids("<|image|>"),
    )
    processor = MllamaProcessor(
        MllamaImageProcessor(size={"height": 28, "width": 28}, max_image_tiles=2),
        words,
        chat_template=_template("<|image|>"),
    )
    return _save(folder, MllamaForConditionalGeneration(config), processor)


def save_lfm2(folder: Path) -> Path:
    """Save a random LFM2-VL: a layer of it is a convolution with a state of its own."""
    load_torch()
    from transformers import (
        Lfm2VlConfig,
        Lfm2VlForConditionalGeneration,
        Lfm2VlImageProcessor,
        Lfm2VlProcessor,
    )

    names = ("<|image_start|>", "<|image_end|>", "<|img_thumbnail|>")
    words = _words(*names)
    config = Lfm2VlConfig(
        text_config={
            **_TEXT,
            "model_type": "lfm2",
            "vocab_size": len(words),
            "layer_types": ["conv", "full_attention"],
        },
        vision_config={
            "model_type": "siglip2_vision_model",
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "patch_size": 16,
            "num_patches": 64,
        },
        image_token_id=words.convert_tokens_to_ids("<image>"),
        projector_hidden_size=32,
    )
    processor = Lfm2VlProcessor(
        Lfm2VlImageProcessor(
            do_image_splitting=False, min_image_tokens=4, max_image_tokens=16, max_num_patches=64
        ),
        words,
        chat_template=_template("<image>"),
    )
    return _save(folder, Lfm2VlForConditionalGeneration(config), processor)


def save_idefics(folder: Path) -> Path:
    """Save a random Idefics 3: a picture stands in the text as lines of tiles."""
    load_torch()
    from transformers import (
        Idefics3Config,
        Idefics3ForConditionalGeneration,
        Idefics3ImageProcessor,
        Idefics3Processor,
    )

    words = _words("<end_of_utterance>", "<fake_token_around_image>", "<global-img>")
    processor = Idefics3Processor(
        Idefics3ImageProcessor(size={"longest_edge": 56}, max_image_size={"longest_edge": 28}),
        words,
        image_seq_len=4,
        chat_template=_template("<image>"),
    )
    config = Idefics3Config(
        text_config={**_TEXT, "model_type": "llama", "vocab_size": len(words)},
        vision_config={
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "image_size": 28,
            "patch_size": 7,
        },
        image_token_id=words.convert_tokens_to_ids("<image>"),
        scale_factor=2,
        pad_token_id=0,
    )
    return _save(folder, Idefics3ForConditionalGeneration(config), processor)


SHARED: dict[str, Callable[[Path], Path]] = {
    "llava": tiny.save_llava,
    "qwen2_5_vl": save_qwen,
    "qwen3_vl": save_qwen3,
    "gemma3": save_gemma,
    "mllama": save_mllama,
    "lfm2_vl": save_lfm2,
    "idefics3": save_idefics,
}
